# SPDX-License-Identifier: Apache-2.0

"""Which provider of Placement is which unit: what was reported last.

The drivers keep the last report of each target in ``[spdk] state_path``;
it is read here and never written.
"""

import dataclasses
import json
import os
import re

from oslo_config import cfg

from cyborg_spdk.host import trusted_files
from cyborg_spdk import loggers
from cyborg_spdk.units import placement

LOG = loggers.get(__name__)

_FILE = re.compile(r'report-([a-z0-9][a-z0-9_-]*)\.json\Z')
_LIMIT = 64 << 20


@dataclasses.dataclass(frozen=True)
class Reported:
    """A unit as it was reported.

    :ivar provider: UUID of its provider.
    :ivar name: name of its provider and deployable.
    :ivar target: name of its target.
    :ivar handle: its handle (canonical JSON).
    :ivar resource_class: Placement's class.
    """

    provider: str
    name: str
    target: str
    handle: str
    resource_class: str


def of_target(conf: cfg.ConfigOpts, target: str, *,
              dropped: bool = False) -> list[Reported]:
    """The units of one target.

    :param conf: the configuration.
    :param target: its name.
    :param dropped: also those that the report leaves out by now, and that
        Placement may still have.
    :returns: empty if it was not reported, or the file makes no sense.
    :raises StateError: if the file cannot be read.
    """
    path = os.path.join(conf.spdk.state_path, f'report-{target}.json')
    data = trusted_files.read(path, limit=_LIMIT)
    if data is None:
        return []
    try:
        value = json.loads(data)
        return [Reported(
            placement.provider_uuid(entry['name']), entry['name'], target,
            entry['handle'], entry['resource_class'])
            for part in ('reported', *(('dropped',) if dropped else ()))
            for entry in value.get(part, ())]
    except (ValueError, TypeError, KeyError, AttributeError,
            RecursionError) as exc:
        LOG.debug('%s makes no sense: %s', path, exc)
        return []


def find(conf: cfg.ConfigOpts, target: str, handle: str) -> Reported | None:
    """A unit of a target, or None if Placement cannot have it.

    :param conf: the configuration.
    :param target: name of the target.
    :param handle: the unit's handle (canonical JSON).
    :raises StateError: if the file cannot be read.
    """
    return next((one for one in of_target(conf, target, dropped=True)
                 if one.handle == handle), None)


def by_provider(conf: cfg.ConfigOpts) -> dict[str, Reported]:
    """All units of this host, by the UUID of their providers.

    :param conf: the configuration.
    :raises StateError: if a file cannot be read.
    """
    try:
        names = sorted(os.listdir(conf.spdk.state_path))
    except OSError:
        return {}
    found: dict[str, Reported] = {}
    for name in names:
        match = _FILE.match(name)
        if match:
            found.update((one.provider, one)
                         for one in of_target(conf, match[1]))
    return found
