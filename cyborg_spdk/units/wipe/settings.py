# SPDX-License-Identifier: Apache-2.0

"""How a unit is wiped, and how fast: what the operator has said."""

import dataclasses
import json
import os
from typing import Any

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import rpc
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


def of(conf: cfg.ConfigOpts, target: str, handle: str,
       store: str | None = None) -> Settings:
    """The settings of a unit: its pool's, else those of ``[spdk]``.

    A unit of a pool is one whether it is declared or not: what counts is
    the store that its space is from.

    :param conf: the configuration.
    :param target: name of the unit's target.
    :param handle: its handle.
    :param store: the lvol store that it stands on; empty if that is none,
        None if its disk is away.
    """
    pools, units = _declared(conf)
    if store is not None and (target, store) in pools:
        return of_pool(conf, pools[target, store])
    found = json.loads(handle)
    key = os.path.basename(str(found['socket'])) if 'socket' in found \
        else handle
    if store is None and (target, key) in units:
        return of_pool(conf, units[target, key])
    return _said(conf, {'method': conf.spdk.wipe})


def of_pool(conf: cfg.ConfigOpts, said: dict[str, Any]) -> Settings:
    """The settings of the units of a pool.

    :param conf: the configuration.
    :param said: what the pool says of them: ``[spdk] wipe`` is for the
        rest, but not its ``none``: a pool says that itself.
    """
    method = conf.spdk.wipe if conf.spdk.wipe != NONE else ZEROES
    return _said(conf, {'method': method, **said})


def _said(conf: cfg.ConfigOpts, said: dict[str, Any]) -> Settings:
    options = conf.spdk
    rate = said.get('rate_mb', options.wipe_rate_mb)
    return Settings(said['method'], zero.Bound(
        depth=said.get('depth', options.wipe_depth),
        size=said.get('size_mb', options.wipe_size_mb) << 20,
        rate=rate << 20 if rate else None))


_Wipes = dict[tuple[str, str], dict[str, Any]]
_read: dict[str, tuple[tuple[int, int, int], tuple[_Wipes, _Wipes]]] = {}


def _declared(conf: cfg.ConfigOpts) -> tuple[_Wipes, _Wipes]:
    """By target and store of each pool; by target and address of each unit.

    The address is its handle, or the name of its controller. The file is
    read again when it has changed.
    """
    path = conf.spdk.units_file
    if not path:
        return {}, {}
    try:
        status = os.stat(path)
    except OSError:
        # Says what is wrong with it.
        model.load(conf)
        return {}, {}
    now = (status.st_ino, status.st_size, status.st_mtime_ns)
    known = _read.get(path)
    if known is None or known[0] != now:
        found = model.load(conf)
        known = _read[path] = now, (_of_stores(conf, found), {
            (one.target.name, one.address if one.export == 'vhost-blk'
             else one.handle()): found.pools[one.pool].wipe
            for one in found.units})
    return known[1]


def _of_stores(conf: cfg.ConfigOpts, found: model.Declaration) -> _Wipes:
    """By each target that the process of a pool serves, and its store."""
    wipes: _Wipes = {}
    for pool in found.pools.values():
        address = rpc.parse_address(pool.target.rpc_address)
        wipes |= {(one.name, pool.name): pool.wipe
                  for one in spdk_conf.targets(conf)
                  if rpc.parse_address(one.rpc_address) == address}
    return wipes
