# SPDX-License-Identifier: Apache-2.0

"""Do what the plan says, in its order; stop at the first failure.

Each step may be done again, so that an apply that was interrupted goes on
with the next one.
"""

from collections.abc import Callable
from typing import Any

from oslo_config import cfg
from oslo_log import log

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units.attach import qos
from cyborg_spdk.units import crypto_keys
from cyborg_spdk.units.declared import model
from cyborg_spdk.units import exports
from cyborg_spdk.units import handles
from cyborg_spdk.units import identity
from cyborg_spdk.units.pools import disks
from cyborg_spdk.units.pools import observe
from cyborg_spdk.units.pools import plan
from cyborg_spdk.units.pools import stores
from cyborg_spdk.units import unit as unit_module
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import run
from cyborg_spdk.units.wipe import state

LOG = log.getLogger(__name__)

#: Seconds that SPDK may take to write zeroes over a whole pool.
_LONG = 24 * 3600.0

#: Told of each step before it is done.
Listener = Callable[[plan.Step], None]


class Pool:
    """A pool to be made as it is declared.

    :param conf: the configuration.
    :param pool: the pool.
    :param units: its units.
    """

    def __init__(self, conf: cfg.ConfigOpts, pool: model.Pool,
                 units: list[model.Unit]) -> None:
        self._conf, self._pool, self._units = conf, pool, units
        self.seen = observe.look(conf, pool, units)

    def steps(self, told: plan.Told) -> list[plan.Step]:
        """What is to be done; see :func:`plan.make`."""
        return plan.make(self._pool, self._units, self.seen, told)

    def apply(self, told: plan.Told, listener: Listener) -> int:
        """Do it. Blocks, for as long as wipes take.

        :param told: what the operator allows.
        :param listener: told of each step before it is done.
        :returns: how many steps there were.
        :raises InvalidValue: if one is blocked; then nothing is done.
        :raises SpdkError: at the first that fails.
        """
        steps = self.steps(told)
        done = self._do(steps, listener)
        if any(step.action == plan.LOOK for step in steps):
            self._examined()
            self.seen = observe.look(self._conf, self._pool, self._units)
            done += self._do([one for one in self.steps(told)
                              if one.action != plan.LOOK], listener)
        return done

    def _do(self, steps: list[plan.Step], listener: Listener) -> int:
        for step in steps:
            if step.blocked:
                raise exceptions.InvalidValue(
                    step.action, step.what, step.blocked)
        if not steps:
            return 0
        self._client = rpc.connect(self._pool.target.rpc_address,
                                   timeout=self._conf.spdk.connect_timeout)
        self._bdevs = clients.BdevClient(self._client)
        self._fresh = self.seen.clean(self._pool.name)
        self._to_check: dict[str, bool] = {}
        for step in steps:
            listener(step)
            _DOERS[step.action](self, step)
        for name, clean in self._to_check.items():
            unit = next(one for one in self._units if one.name == name)
            self._first_note(unit, clean)
        return len(steps)

    # Disks

    def _nothing(self, step: plan.Step) -> None:
        """It comes by itself."""

    def _file(self, step: plan.Step) -> None:
        assert step.disk
        disks.make(step.disk)
        self._disk(step)

    def _disk(self, step: plan.Step) -> None:
        disk = step.disk
        assert disk
        if disk.kind == 'pci':
            controller = disk.bdev.rpartition('n')[0]
            self._bdevs.bdev_nvme_attach_controller(controller, 'PCIe',
                                                    disk.place)
            return
        method = f'bdev_{disk.engine}_create'
        options: dict[str, Any] = {'uuid': disk.uuid} \
            if self._client.supports(method, 'uuid') else {}
        if disk.engine == 'uring':
            if self._bdevs.find_bdev(disk.bdev) is None:
                self._client.call(method, filename=disk.place,
                                  name=disk.bdev,
                                  block_size=disk.block_size, **options)
            return
        if self._pool.thin and self._client.supports(method, 'fallocate'):
            # What is unmapped is to be zero: see units.wipe.suitable.
            options['fallocate'] = True
        self._bdevs.bdev_aio_create(disk.place, disk.bdev, disk.block_size,
                                    exist_ok=True, **options)

    def _raid(self, step: plan.Step) -> None:
        pool = self._pool
        self._bdevs.bdev_raid_create(
            pool.top, pool.raid, [one.bdev for one in pool.disks],
            strip_size_kb=pool.strip_size_kb, exist_ok=True)

    def _store(self, step: plan.Step) -> None:
        pool, slow = self._pool, self._bdevs.with_timeout(_LONG)
        self._examined()
        if slow.find_lvstore(pool.name) is not None:
            return
        for one in slow.bdev_lvol_get_lvstores():
            if one.base_bdev == pool.top and step.lost:
                slow.bdev_lvol_delete_lvstore(one.name)
        uuid = slow.bdev_lvol_create_lvstore(
            pool.top, pool.name, cluster_size=pool.cluster_size,
            clear_method='write_zeroes')
        stores.save(self._conf, pool.name, stores.Store(uuid))
        self._fresh = True

    def _examined(self) -> None:
        """What lies on a disk that was just added is there now (v20.04)."""
        if self._client.has('bdev_wait_for_examine'):
            self._client.call('bdev_wait_for_examine', _timeout=_LONG)

    # Volumes

    def _note_volumes(self, add: str | None = None,
                      remove: str | None = None) -> None:
        noted = stores.load(self._conf, self._pool.name)
        store = self._bdevs.find_lvstore(self._pool.name)
        if noted is None or noted.uuid != store.uuid:
            # Not made here: what comes and goes is noted, its space is not
            # clean for that.
            noted = stores.Store('')
        stores.save(self._conf, self._pool.name, stores.Store(
            noted.uuid, (noted.volumes | {add} if add
                         else noted.volumes - {remove})))

    def _volume(self, step: plan.Step) -> None:
        unit = step.unit
        assert unit
        self._note_volumes(add=unit.name)
        self._bdevs.with_timeout(_LONG).bdev_lvol_create(
            self._pool.name, unit.name, unit.size,
            thin_provision=self._pool.thin, clear_method='write_zeroes',
            exist_ok=True)
        self._to_check[unit.name] = self._fresh and not unit.encryption

    def _grow(self, step: plan.Step) -> None:
        unit = step.unit
        assert unit
        self._bdevs.bdev_lvol_resize(unit.volume, unit.size)
        export = self.seen.exports.get(unit.name)
        if not self._fresh and export and not export.user:
            self._to_check[unit.name] = False

    def _shrink(self, step: plan.Step) -> None:
        unit = step.unit
        assert unit
        handle = self.seen.exports[unit.name].handle
        if handle:
            run.wipe(self._conf, unit.target, handle)
            # SPDK makes nothing smaller that is open.
            exports.remove(self._client, handle)
        self._bdevs.bdev_lvol_resize(unit.volume, unit.size)
        self._export(step)
        if unit.limits:
            self._limits(step)

    def _delete(self, step: plan.Step) -> None:
        name = step.what.partition('/')[2]
        export = self.seen.others[name]
        assert export.handle and export.target
        run.wipe(self._conf, export.target, export.handle)
        exports.remove(self._client, export.handle)
        crypto = f'{self._pool.name}-{name}-crypto'
        if self._bdevs.find_bdev(crypto) is not None:
            self._bdevs.bdev_delete(crypto)
            self._bdevs.accel_crypto_key_destroy(crypto, missing_ok=True)
        crypto_keys.remove(self._conf.spdk.state_path, crypto)
        self._bdevs.with_timeout(_LONG).bdev_lvol_delete(step.what)
        self._note_volumes(remove=name)
        marks.forget(self._conf, export.target.name, export.handle)

    def _crypto(self, step: plan.Step) -> None:
        unit = step.unit
        assert unit
        directory = self._conf.spdk.state_path
        if crypto_keys.load(directory, unit.bdev) is None:
            crypto_keys.make(directory, unit.bdev)
        crypto_keys.give(directory, unit.bdev, self._client)
        self._bdevs.bdev_crypto_create(unit.bdev, unit.volume, unit.bdev,
                                       exist_ok=True)

    # Exports

    def _export(self, step: plan.Step) -> None:
        unit = step.unit
        assert unit
        if unit.export == 'nvmf':
            exports.nvmf(self._client, unit.address, unit.bdev, unit.places,
                         unit.tls)
        elif unit.export == 'iscsi':
            exports.iscsi(self._client, unit.address, unit.bdev, unit.places)
        else:
            exports.vhost_blk(self._client, unit.address, unit.bdev)

    def _limits(self, step: plan.Step) -> None:
        assert step.unit
        qos.change(self._client, step.unit.bdev, dict(step.unit.limits))

    def _first_note(self, unit: model.Unit, clean: bool) -> None:
        """A new unit is clean, or is wiped before anybody hears of it."""
        seen = observe.look(self._conf, self._pool, [unit])
        handle = seen.exports[unit.name].handle
        bdev = seen.bdev(unit.bdev)
        if handle is None or bdev is None:
            return
        if clean:
            find = unit_module.index([one.raw for one in seen.bdevs]).get
            state.note_clean(self._conf, unit.target.name,
                             handles.text(handle),
                             identity.of(bdev.raw, find))
            return
        wipe = (self._pool.wipe or {}).get('method', self._conf.spdk.wipe)
        if wipe != 'none':
            run.wipe(self._conf, unit.target, handle)


_DOERS: dict[str, Callable[[Pool, plan.Step], None]] = {
    plan.LOOK: Pool._nothing, plan.FILE: Pool._file,
    plan.DISK: Pool._disk, plan.RAID: Pool._raid,
    plan.STORE: Pool._store, plan.VOLUME: Pool._volume,
    plan.GROW: Pool._grow, plan.SHRINK: Pool._shrink,
    plan.DELETE: Pool._delete, plan.CRYPTO: Pool._crypto,
    plan.EXPORT: Pool._export, plan.LIMITS: Pool._limits}
