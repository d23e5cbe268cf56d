# SPDX-License-Identifier: Apache-2.0
"""The tables that the simulator decodes parameters by."""

from typing import Any

from spdk_source import checkout
from spdk_source import history
from spdk_source import release

#: The oldest release of which anything can be told by SPDK's code alone.
OLDEST = 'v17.07'


def make(releases: list[release.Release]) -> dict[str, Any]:
    """Make the table.

    :param releases: what :func:`history.read` returned.
    """
    oldest = checkout.order(OLDEST)
    releases = [one for one in releases
                if checkout.order(one.tag) >= oldest]
    return {
        'releases': [one.tag for one in releases],
        'methods': history.table(releases, [
            {name: _plain(spec) for name, spec
             in one.methods.items()} for one in releases]),
        'nested': history.table(releases, [one.nested for one in releases]),
        'aliases': {
            alias: [[method, first, last] for first, last, method in found]
            for alias, found in history.table(
                releases, [one.aliases for one in releases]).items()}}


def _plain(spec: release.Spec) -> release.Spec:
    return {key: value for key, value in spec.items()
            if key not in ('extra', 'absent_error')}
