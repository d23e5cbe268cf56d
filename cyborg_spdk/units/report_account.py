# SPDX-License-Identifier: Apache-2.0

"""What became of the last report of each driver, for whoever looks.

A file for each driver in ``[spdk] state_path``, written when a report was
made. Nothing decides by it.
"""

from collections.abc import Mapping
import dataclasses
import json
import os
from typing import Any

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files

_LIMIT = 1 << 20
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Device:
    """A target in a report.

    :ivar units: how many units the report has of it.
    :ivar new: how many of them for the first time.
    :ivar waiting: how many new ones have to wait for a later report.
    :ivar held: how many are gone, and are reported on since they are
        allocated or nobody can say.
    :ivar stub: whether it is left as it is: nothing has changed, or it
        could not be read, or it is frozen.
    :ivar frozen: why it had to be left as it is, or ''.
    """

    units: int = 0
    new: int = 0
    waiting: int = 0
    held: int = 0
    stub: bool = False
    frozen: str = ''


@dataclasses.dataclass(frozen=True)
class Account:
    """A report.

    :ivar at: when it was made (seconds of the epoch).
    :ivar seconds: how long that took.
    :ivar devices: by name of the target.
    """

    at: float
    seconds: float
    devices: Mapping[str, Device]


def _path(directory: str, kind: str) -> str:
    return os.path.join(directory, f'last-report-{kind}.json')


def save(directory: str, kind: str, account: Account) -> None:
    """Write it down.

    :param directory: ``[spdk] state_path``.
    :param kind: the driver's.
    :param account: the report.
    :raises StateError: if it cannot be written.
    """
    trusted_files.ensure_directory(directory, what='[spdk] state_path')
    trusted_files.write_atomically(
        _path(directory, kind), json.dumps(
            {'version': _VERSION, **dataclasses.asdict(account)},
            sort_keys=True).encode(), 0o640, durable=False)


def load_all(conf: cfg.ConfigOpts) -> dict[str, Account]:
    """The last reports of all drivers, by kind.

    :param conf: the configuration.
    :returns: a driver that has not reported yet is missing, and so is one
        whose file makes no sense.
    """
    found = {}
    for kind in spdk_conf.KINDS:
        try:
            value = trusted_files.read_json(
                _path(conf.spdk.state_path, kind), limit=_LIMIT)
            if value is not None:
                found[kind] = _decode(value)
        except (exceptions.StateError, ValueError, TypeError, KeyError,
                AttributeError):
            continue
    return found


def _decode(value: Any) -> Account:
    if value['version'] != _VERSION:
        raise ValueError('another version')
    return Account(float(value['at']), float(value['seconds']), {
        str(name): Device(**one) for name, one in value['devices'].items()})
