# SPDX-License-Identifier: Apache-2.0

"""How a unit is wiped, and how fast: what the operator has said."""

import dataclasses
import json
import os
from typing import Any

from oslo_config import cfg

from cyborg_spdk.units.declared import model
from cyborg_spdk.units.wipe import zero

#: Zeroes by the unit's own export; by NVMe commands of the target itself;
#: an NVMe Format or Sanitize first; nothing at all.
ZEROES, NVME, FORMAT, SANITIZE, NONE = METHODS = (
    'zeroes', 'nvme', 'format', 'sanitize', 'none')


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a unit is wiped.

    :ivar method: one of :data:`METHODS`.
    :ivar bound: how fast at most.
    """

    method: str
    bound: zero.Bound


def of(conf: cfg.ConfigOpts, target: str, handle: str) -> Settings:
    """The settings of a unit: its pool's, else those of ``[spdk]``.

    :param conf: the configuration.
    :param target: name of the unit's target.
    :param handle: its handle.
    """
    options, said = conf.spdk, _of_pool(conf, target, handle)
    rate = said.get('rate_mb', options.wipe_rate_mb)
    bound = zero.Bound(
        depth=said.get('depth', options.wipe_depth),
        size=said.get('size_mb', options.wipe_size_mb) << 20,
        rate=rate << 20 if rate else None)
    return Settings(said.get('method', options.wipe), bound)


def _of_pool(conf: cfg.ConfigOpts, target: str,
             handle: str) -> dict[str, Any]:
    """What units.yaml says of the wipe of a unit's pool."""
    found = json.loads(handle)
    key = os.path.basename(str(found['socket'])) if 'socket' in found \
        else handle
    return _declared(conf).get((target, key), {})


_Wipes = dict[tuple[str, str], dict[str, Any]]
_read: dict[str, tuple[tuple[int, int, int], _Wipes]] = {}


def _declared(conf: cfg.ConfigOpts) -> _Wipes:
    """By target and handle, or name of the controller, of each unit.

    The file is read again when it has changed.
    """
    path = conf.spdk.units_file
    if not path:
        return {}
    try:
        status = os.stat(path)
    except OSError:
        # Says what is wrong with it.
        model.load(conf)
        return {}
    now = (status.st_ino, status.st_size, status.st_mtime_ns)
    known = _read.get(path)
    if known is None or known[0] != now:
        found = model.load(conf)
        known = _read[path] = now, {
            (one.target.name, one.address if one.export == 'vhost-blk'
             else one.handle()): found.pools[one.pool].wipe
            for one in found.units}
    return known[1]
