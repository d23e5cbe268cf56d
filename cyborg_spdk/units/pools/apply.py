# SPDX-License-Identifier: Apache-2.0

"""Do what the plan says, in its order; stop at the first failure.

Each step may be done again, so that an apply that was interrupted goes on
with the next one. What it has made by then, and nobody knows yet, is taken
up: see :mod:`cyborg_spdk.units.pools.stores`.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import dataclasses
import secrets
from typing import Any

from oslo_config import cfg

from cyborg_spdk import clients
from cyborg_spdk.clients import types
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import locks
from cyborg_spdk.host import trusted_files
from cyborg_spdk import loggers
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
from cyborg_spdk.units import reading
from cyborg_spdk.units import unit as unit_module
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import run
from cyborg_spdk.units.wipe import settings
from cyborg_spdk.units.wipe import state

LOG = loggers.get(__name__)

#: Seconds that SPDK may take to write zeroes over a whole pool.
_LONG = 24 * 3600.0

#: Told of each step before it is done.
Listener = Callable[[plan.Step], None]


class Pool:
    """A pool to be made as it is declared.

    :param conf: the configuration.
    :param pool: the pool.
    :param units: its units.
    :param patience: seconds to wait for another process that is at it; None
        is as long as for a unit.
    """

    def __init__(self, conf: cfg.ConfigOpts, pool: model.Pool,
                 units: list[model.Unit],
                 patience: float | None = None) -> None:
        self._conf, self._pool, self._units = conf, pool, units
        self._patience = patience
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
        :raises Locked: if another process is at it.
        :raises SpdkError: at the first that fails.
        """
        directory = trusted_files.ensure_directory(
            self._conf.spdk.run_path, what='[spdk] run_path')
        patience = marks.PATIENCE if self._patience is None \
            else self._patience
        with locks.hold(directory, f'pool-{self._pool.name}', patience,
                        doing=f'making pool {self._pool.name}'):
            # Whoever was at it before has changed what there is.
            self.seen = observe.look(self._conf, self._pool, self._units)
            return self._apply(told, listener)

    def _apply(self, told: plan.Told, listener: Listener) -> int:
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
        # Units of volumes that an interrupted apply has left.
        self._taken_up: set[str] = set()
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
        self._unused(disk)
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

    @staticmethod
    def _unused(disk: model.Disk) -> None:
        """Look again: the plan may be old by now."""
        used = disks.user(disk) if disk.kind != 'pci' else None
        if used:
            raise exceptions.InvalidValue(
                'disk', disk.place, f'it is in use ({used}) and is not taken')

    def _raid(self, step: plan.Step) -> None:
        pool = self._pool
        assert pool.raid
        self._bdevs.bdev_raid_create(
            pool.top, pool.raid, [one.bdev for one in pool.disks],
            strip_size_kb=pool.strip_size_kb, exist_ok=True)

    def _store(self, step: plan.Step) -> None:
        pool, slow = self._pool, self._bdevs.with_timeout(_LONG)
        self._examined()
        if slow.find_lvstore(pool.name) is not None:
            return
        for disk in pool.disks:
            self._unused(disk)
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

    def _noted(self) -> stores.Store:
        noted = stores.load(self._conf, self._pool.name)
        store = self._bdevs.find_lvstore(self._pool.name)
        if noted is None or store is None or noted.uuid != store.uuid:
            # Not made here: what comes and goes is noted, its space is not
            # clean for that.
            return dataclasses.replace(noted or stores.Store(''), uuid='')
        return noted

    def _save(self, noted: stores.Store) -> None:
        stores.save(self._conf, self._pool.name, noted)

    def _unclean(self) -> None:
        """What is about to get free has somebody's data."""
        self._fresh = False
        self._save(dataclasses.replace(self._noted(), uuid=''))

    def _volume(self, step: plan.Step) -> None:
        unit = step.unit
        assert unit
        birth = self._noted().coming.get(unit.name)
        bdev = self._found(birth)
        if birth is None or bdev is None:
            can_rename = self._client.has('bdev_lvol_rename')
            birth = self._coming(unit, stores.Birth(
                f'new-{secrets.token_hex(8)}' if can_rename else '',
                clean=self._fresh and not unit.encryption))
            slow = self._bdevs.with_timeout(_LONG)
            name = birth.temporary or unit.name
            slow.bdev_lvol_create(
                self._pool.name, name, unit.size,
                thin_provision=self._pool.thin, clear_method='write_zeroes')
            bdev = slow.bdev_get_bdevs(f'{self._pool.name}/{name}')[0]
        elif bdev.size != unit.size:
            # Declared otherwise since the crash. What it gets is as clean as
            # the free space is now.
            birth = self._coming(unit, dataclasses.replace(
                birth, clean=birth.clean and self._fresh))
            self._bdevs.bdev_lvol_resize(bdev.name, unit.size)
        birth = self._coming(unit, dataclasses.replace(birth, uuid=bdev.name))
        if birth.temporary:
            self._bdevs.bdev_lvol_rename(bdev.name, unit.name)
        self._to_check[unit.name] = birth.clean

    def _found(self, birth: stores.Birth | None) -> types.Bdev | None:
        """A new volume that an apply has left which was interrupted."""
        return self._bdevs.find_bdev(
            f'{self._pool.name}/{birth.temporary}') \
            if birth and birth.temporary else None

    def _coming(self, unit: model.Unit,
                birth: stores.Birth) -> stores.Birth:
        """Note what is about to be made, or was."""
        noted = self._noted()
        self._save(dataclasses.replace(
            noted, volumes=noted.volumes | {unit.name},
            coming={**noted.coming, unit.name: birth}))
        return birth

    def _doubt(self, unit: model.Unit) -> None:
        """Whoever finds it after a crash is not to take it for clean."""
        birth = self._noted().coming.get(unit.name)
        if birth is not None and birth.clean:
            self._coming(unit, dataclasses.replace(birth, clean=False))

    def _take_up(self, step: plan.Step) -> None:
        """Go on where an apply has ended between a volume and its note."""
        unit = step.unit
        assert unit
        birth = self._noted().coming[unit.name]
        if self._is_known(unit):
            self._save(self._noted().without(unit.name))
            return
        self._taken_up.add(unit.name)
        # Whoever could reach it may have written to it.
        self._to_check[unit.name] = birth.clean and not any(
            one.bdev in (birth.uuid, unit.bdev)
            for kind in reading.kinds(self._client)
            for one in reading.read(self._client, kind,
                                    self._conf.spdk.rpc_timeout).units)

    def _is_known(self, unit: model.Unit) -> bool:
        """Whether somebody has noted since whose data is on a unit."""
        handle, what = self._identity(unit)
        mark = marks.load(self._conf, unit.target.name, handle) \
            if handle else None
        return mark is not None and mark.identity == what and not (
            # A first wipe that was interrupted.
            mark.state == marks.CLEANING and not mark.generation)

    def _identity(self, unit: model.Unit) -> tuple[str | None, str]:
        """The handle of a unit, if it is exported, and what it is."""
        seen = observe.look(self._conf, self._pool, [unit])
        handle, bdev = seen.exports[unit.name].handle, seen.bdev(unit.bdev)
        if handle is None or bdev is None:
            return None, ''
        find = unit_module.index([one.raw for one in seen.bdevs]).get
        return handles.text(handle), identity.of(bdev.raw, find)

    def _grow(self, step: plan.Step) -> None:
        unit = step.unit
        assert unit
        export = self.seen.exports.get(unit.name)
        if not self._fresh:
            # Before it has what may be somebody's.
            self._doubt(unit)
            if export and export.handle and not export.user:
                state.note_dirty(self._conf, unit.target.name, export.handle)
                self._to_check[unit.name] = False
            elif unit.name in self._to_check:
                self._to_check[unit.name] = False
        self._bdevs.bdev_lvol_resize(unit.volume, unit.size)

    def _shrink(self, step: plan.Step) -> None:
        unit = step.unit
        assert unit
        handle = self.seen.exports[unit.name].handle or observe.look(
            self._conf, self._pool, [unit]).exports[unit.name].handle
        assert handle
        with self._held(unit.target, handle):
            # SPDK makes nothing smaller that is open.
            exports.remove(self._client, handle)
            if unit.encryption and self._bdevs.find_bdev(unit.bdev):
                self._bdevs.bdev_delete(unit.bdev)
            self._bdevs.bdev_lvol_resize(unit.volume, unit.size)
            if unit.encryption:
                self._crypto(step)
            self._export(step)
            if unit.limits:
                self._limits(step)

    @contextlib.contextmanager
    def _held(self, target: spdk_conf.Target,
              handle: str) -> Iterator[run.Held]:
        """Wipe a unit as its pool says; nobody gets it inside."""
        with run.held(self._conf, target, handle, unwiped=True) as found:
            if found.done.method == settings.NONE:
                self._unclean()
            yield found

    def _delete(self, step: plan.Step) -> None:
        name = step.what.partition('/')[2]
        export = self.seen.others.get(name)
        if export is None:
            # An apply that was interrupted has taken its export away, or
            # not come to it.
            gone = self._noted().going.get(name)
            self._delete_volume(name)
            if gone:
                marks.forget(self._conf, *gone)
            return
        assert export.handle and export.target
        with self._held(export.target, export.handle) as found:
            noted = self._noted()
            self._save(dataclasses.replace(noted, going={
                **noted.going, name: (export.target.name, export.handle)}))
            exports.remove(self._client, export.handle)
            self._delete_volume(name)
            found.gone = True

    def _delete_volume(self, name: str) -> None:
        crypto = f'{self._pool.name}-{name}-crypto'
        if self._bdevs.find_bdev(crypto) is not None:
            self._bdevs.bdev_delete(crypto)
            self._bdevs.accel_crypto_key_destroy(crypto, missing_ok=True)
        crypto_keys.remove(self._conf.spdk.state_path, crypto)
        self._bdevs.with_timeout(_LONG).bdev_lvol_delete(
            f'{self._pool.name}/{name}')
        noted = self._noted()
        self._save(dataclasses.replace(
            noted.without(name), volumes=noted.volumes - {name},
            going={one: value for one, value in noted.going.items()
                   if one != name}))

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
        if self._to_check.get(unit.name):
            # At once: after a crash it had to be wiped.
            del self._to_check[unit.name]
            if unit.name in self._taken_up and self._is_known(unit):
                # Its export was away, and it was somebody's before that.
                self._save(self._noted().without(unit.name))
            else:
                self._first_note(unit, True)

    def _limits(self, step: plan.Step) -> None:
        assert step.unit
        qos.change(self._client, step.unit.bdev, dict(step.unit.limits))

    def _first_note(self, unit: model.Unit, clean: bool) -> None:
        """A new unit is clean, or is wiped before anybody hears of it."""
        handle, what = self._identity(unit)
        if handle is None:
            return
        if clean:
            state.note_clean(self._conf, unit.target.name, handle, what)
        elif settings.of_pool(self._conf,
                              self._pool.wipe).method != settings.NONE:
            run.wipe(self._conf, unit.target, handle)
        noted = self._noted()
        if unit.name in noted.coming:
            self._save(noted.without(unit.name))


_DOERS: dict[str, Callable[[Pool, plan.Step], None]] = {
    plan.LOOK: Pool._nothing, plan.FILE: Pool._file,
    plan.DISK: Pool._disk, plan.RAID: Pool._raid,
    plan.STORE: Pool._store, plan.VOLUME: Pool._volume,
    plan.NOTE: Pool._take_up, plan.GROW: Pool._grow, plan.SHRINK: Pool._shrink,
    plan.DELETE: Pool._delete, plan.CRYPTO: Pool._crypto,
    plan.EXPORT: Pool._export, plan.LIMITS: Pool._limits}
