# SPDX-License-Identifier: Apache-2.0

"""What units.yaml declares: made, and from then on what a target is to have.

For the command, the service and the drivers alike.
"""

from collections.abc import Iterable
import os
import time

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import keep
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import store
from cyborg_spdk.desired import takeover
from cyborg_spdk import exceptions
from cyborg_spdk.host import process
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk.units.declared import model
from cyborg_spdk.units.pools import apply as pools_apply
from cyborg_spdk.units.pools import plan
from cyborg_spdk.units.pools import stores

LOG = loggers.get(__name__)

#: Seconds after which a pool that could not be made is tried again.
AGAIN = 60.0

#: What a pool was made for: the file, and the process of its target.
_Seen = tuple[object, ...]

#: Parts of a declared object that are declared with it; who may use it is
#: not, since that comes and goes.
_PARTS = frozenset(('namespace', 'listener', 'lun', 'raid-base', 'qos'))


def apply(conf: cfg.ConfigOpts, pool: pools_apply.Pool,
          target: spdk_conf.Target, told: plan.Told,
          listener: pools_apply.Listener) -> int:
    """Make a pool, and keep at once what was made. Blocks.

    :param conf: the configuration.
    :param pool: the pool.
    :param target: the target that has it.
    :param told: what the operator allows.
    :param listener: told of each step before it is done.
    :returns: how many steps there were.
    :raises SpdkError: see :meth:`pools_apply.Pool.apply`; what was made
        before that is kept, too.
    """
    begun = False

    def said(step: plan.Step) -> None:
        nonlocal begun
        begun = True
        listener(step)
    try:
        return pool.apply(told, said)
    finally:
        if begun:
            _keep(conf, target)


def _keep(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> None:
    """Have a target keep what it has of the declared pools."""
    address = rpc.parse_address(target.rpc_address)
    kept = next((one for one in spdk_conf.targets(conf)
                 if rpc.parse_address(one.rpc_address) == address
                 and one.save_config and process.socket_path(one)), None)
    if kept is None:
        return
    try:
        client = rpc.connect(kept.rpc_address,
                             timeout=conf.spdk.connect_timeout)
        keep.look(conf, kept, client, timeout=conf.spdk.rpc_timeout)
        found = model.load(conf)
        note(conf, kept, names(
            (pool, found.of_pool(name)) for name, pool in found.pools.items()
            if rpc.parse_address(pool.target.rpc_address) == address))
    except exceptions.SpdkError as exc:
        LOG.warning('%s: what was made of its units is not kept yet: %s; if '
                    'it ends now, units apply makes it again', kept.name,
                    exc)


def names(pools: Iterable[tuple[model.Pool, list[model.Unit]]]
          ) -> set[tuple[str, str]]:
    """What the objects of pools are, by kind and name.

    :param pools: pairs of a pool and its units.
    """
    found = set()
    for pool, units in pools:
        found.add(('bdev', pool.top))
        for disk in pool.disks:
            found |= {('bdev', disk.bdev),
                      ('nvme', disk.bdev.rpartition('n')[0])}
        for unit in units:
            found |= {('bdev', unit.volume), ('bdev', unit.bdev),
                      ('crypto-key', unit.bdev),
                      ({'nvmf': 'subsystem', 'iscsi': 'node',
                        'vhost-blk': 'vhost'}[unit.export], unit.address)}
    return found


def note(conf: cfg.ConfigOpts, target: spdk_conf.Target,
         wanted: set[tuple[str, str]]) -> None:
    """Say which objects that a target has are declared, and which no more.

    :param conf: the configuration.
    :param target: the target; it was just looked at.
    :param wanted: see :func:`names`: all that are declared for it.
    :raises StateError: if the state cannot be read or written.
    """
    with store.locked(conf, target, 'declare'):
        state = takeover.load(conf, target)
        roots = {key for key, one in state.objects.items()
                 if _is_named(one, wanted)}
        for key, one in list(state.objects.items()):
            if key in roots or (one.part_of in roots and one.kind in _PARTS):
                one.origin = desired_objects.DECLARED
            elif one.origin == desired_objects.DECLARED:
                one.origin = desired_objects.KEPT
                if one.deleted_since is not None:
                    del state.objects[key]
        store.save(state)


def _is_named(one: desired_objects.Object,
              wanted: set[tuple[str, str]]) -> bool:
    name = one.name.partition('@')[0] if one.kind == 'nvme' else one.name
    return any((one.kind, alias) in wanted for alias in (name, *one.aliases))


class Maker:
    """Does what ``units apply`` without options does, when there is reason.

    The reason is another file, another process of a target, an apply that
    was interrupted, or a pool that could not be made before. Nothing is
    overwritten, made smaller or deleted: that is only for the command. Of
    two that are at it at the same time, one leaves it to the other.

    :param conf: the configuration.
    :param kinds: kinds of the targets whose pools are made.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 kinds: Iterable[str] = spdk_conf.KINDS) -> None:
        self._conf, self._kinds = conf, frozenset(kinds)
        # By pool: what it was made for, when, and what was wrong then.
        self._made: dict[str, tuple[_Seen, float, str | None]] = {}

    def run(self) -> int:
        """Make what is declared and is not there. Blocks.

        :returns: how many steps were done.
        :raises InvalidValue: for an error in the file.
        """
        found, made = model.load(self._conf), 0
        status = os.stat(self._conf.spdk.units_file)
        pools = {name: pool for name, pool in found.pools.items()
                 if pool.target.kind in self._kinds}
        self._made = {name: one for name, one in self._made.items()
                      if name in pools}
        for name, pool in pools.items():
            runs = process.find(pool.target)
            if runs is None:
                # Whoever supervises it tells that.
                self._made.pop(name, None)
                continue
            seen: _Seen = (status.st_ino, status.st_size, status.st_mtime_ns,
                           runs)
            units = found.of_pool(name)
            if self._is_due(name, seen, units):
                made += self._make(pool, units, seen)
        return made

    def _is_due(self, name: str, seen: _Seen,
                units: list[model.Unit]) -> bool:
        before = self._made.get(name)
        if before is None or before[0] != seen:
            return True
        if before[2] is not None:
            return time.monotonic() - before[1] >= AGAIN
        noted = stores.load(self._conf, name)
        return noted is not None and any(one.name in noted.coming
                                         for one in units)

    def _make(self, pool: model.Pool, units: list[model.Unit],
              seen: _Seen) -> int:
        made, problem = 0, None
        try:
            one = pools_apply.Pool(self._conf, pool, units, patience=0)
            made = apply(self._conf, one, pool.target, plan.Told(), _say)
        except exceptions.Locked:
            # Whoever it is says what became of it; it is looked at again.
            return 0
        except exceptions.SpdkError as exc:
            problem = f'{pool.name}: {exc}'
        self._made[pool.name] = seen, time.monotonic(), problem
        return made

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong when each pool was tried last."""
        return tuple(one[2] for one in self._made.values() if one[2])


def _say(step: plan.Step) -> None:
    LOG.info('%s %s: %s', step.action, step.what, step.detail)
