# SPDX-License-Identifier: Apache-2.0

"""What a target has of a pool, and what lies on the pool's disks."""

from collections.abc import Callable
import dataclasses
import functools

from oslo_config import cfg

from cyborg_spdk import clients
from cyborg_spdk.clients import addresses
from cyborg_spdk.clients import types
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units.declared import model
from cyborg_spdk.units import handles
from cyborg_spdk.units import holders
from cyborg_spdk.units import listeners
from cyborg_spdk.units.pools import disks
from cyborg_spdk.units.pools import stores
from cyborg_spdk.units import reading
from cyborg_spdk.units import reservation
from cyborg_spdk.units.wipe import marks

#: Seconds for one reading of a target.
_TIMEOUT = 30.0


@dataclasses.dataclass(frozen=True)
class Export:
    """How a unit is exported.

    :ivar handle: its attach handle; None if it is not exported.
    :ivar bdev: the bdev behind it.
    :ivar complete: whether nothing of it is missing.
    :ivar holder: tells who uses it, may use it or has it allocated.
    :ivar target: the target that exports it.
    """

    handle: str | None = None
    bdev: str | None = None
    complete: bool = False
    holder: Callable[[], str | None] = lambda: None
    target: spdk_conf.Target | None = None

    @property
    def user(self) -> str | None:
        """Who uses it; None if it is free.

        The target and Placement are asked when it matters, once: of most
        units nothing is to be changed.
        """
        return self.holder()


@dataclasses.dataclass(frozen=True)
class Observed:
    """One look at a pool.

    :ivar down: why the target cannot be asked, or None.
    :ivar bdevs: all bdevs of the target.
    :ivar lvstores: all its stores.
    :ivar contents: what lies on the pool's disks, by bdev; only of those that
        a store has yet to be made on.
    :ivar exports: by name of the unit.
    :ivar others: the exports of volumes that are not declared, by name.
    :ivar noted: what was noted of the pool's store.
    """

    down: str | None = None
    bdevs: tuple[types.Bdev, ...] = ()
    lvstores: tuple[types.LvolStore, ...] = ()
    contents: dict[str, disks.Content] = dataclasses.field(
        default_factory=dict)
    exports: dict[str, Export] = dataclasses.field(default_factory=dict)
    others: dict[str, Export] = dataclasses.field(default_factory=dict)
    noted: stores.Store | None = None

    def bdev(self, name: str) -> types.Bdev | None:
        """The bdev of a name, or None."""
        return next((one for one in self.bdevs if one.known_as(name)), None)

    def store(self, name: str) -> types.LvolStore | None:
        """The store of a name, or None."""
        return next((one for one in self.lvstores if one.name == name), None)

    def volumes(self, pool: str) -> dict[str, types.Bdev]:
        """The volumes in a store, by name."""
        return {one.alias.partition('/')[2]: one for one in self.bdevs
                if 'lvol' in one.driver_specific
                and one.alias.startswith(f'{pool}/')}

    def birth(self, name: str) -> stores.Birth | None:
        """What was noted of a volume that is being made, by its unit."""
        return self.noted.coming.get(name) if self.noted else None

    def is_new(self, name: str, bdev: types.Bdev) -> bool:
        """Whether a volume was made here, and its unit is not known yet."""
        birth = self.birth(name)
        return birth is not None and birth.uuid == bdev.name

    def clean(self, pool: str) -> bool:
        """Whether the free space of a store has nobody's data."""
        store = self.store(pool)
        return stores.clean(self.noted, store.uuid if store else None,
                            frozenset(self.volumes(pool)))


def look(conf: cfg.ConfigOpts, pool: model.Pool,
         units: list[model.Unit]) -> Observed:
    """Look at a pool. Blocks.

    :param conf: the configuration.
    :param pool: the pool.
    :param units: the units that are declared of it.
    :raises HostError: if a disk cannot be looked at.
    """
    noted = stores.load(conf, pool.name)
    try:
        client = rpc.connect(pool.target.rpc_address,
                             timeout=conf.spdk.connect_timeout)
        target = clients.BdevClient(client)
        bdevs = tuple(target.bdev_get_bdevs())
        found = tuple(target.bdev_lvol_get_lvstores())
    except (exceptions.ConnectError, exceptions.ConnectionLost,
            exceptions.NotReady, exceptions.RpcTimeout) as exc:
        return Observed(down=str(exc), noted=noted,
                        contents=_contents(None, pool, ()))
    seen = Observed(
        bdevs=bdevs, lvstores=found, noted=noted,
        contents={} if any(one.name == pool.name for one in found)
        else _contents(client, pool, bdevs),
        exports={one.name: _export(conf, client, one) for one in units})
    return dataclasses.replace(seen, others=_others(
        conf, client, pool, seen, {one.name for one in units}))


def _others(conf: cfg.ConfigOpts, client: rpc.Client, pool: model.Pool,
            seen: Observed, declared: set[str]) -> dict[str, Export]:
    """Exports of the volumes of a pool that no unit is declared for."""
    names = {}
    for name, bdev in seen.volumes(pool.name).items():
        if name not in declared:
            names[bdev.name] = names[
                f'{pool.name}-{name}-crypto'] = name
    found: dict[str, Export] = {}
    address = rpc.parse_address(pool.target.rpc_address)
    for target in spdk_conf.targets(conf) if names else ():
        if rpc.parse_address(target.rpc_address) != address or \
                target.kind not in reading.kinds(client):
            continue
        for unit in reading.read(client, target.kind, _TIMEOUT).units:
            if unit.bdev in names:
                found[names[unit.bdev]] = Export(
                    unit.handle, unit.bdev, True,
                    _holder(conf, client, target, unit.handle), target)
    return found


def _contents(client: rpc.Client | None, pool: model.Pool,
              bdevs: tuple[types.Bdev, ...]) -> dict[str, disks.Content]:
    contents = {}
    for disk in pool.disks:
        if disk.kind != 'pci':
            contents[disk.bdev] = disks.look(disk)
            continue
        bdev = next((one for one in bdevs if one.known_as(disk.bdev)), None)
        if client is not None and bdev is not None:
            contents[disk.bdev] = disks.look_nvme(client, bdev)
    return contents


def _export(conf: cfg.ConfigOpts, client: rpc.Client,
            unit: model.Unit) -> Export:
    found = {'nvmf': _nvmf, 'vhost-blk': _vhost,
             'iscsi': _iscsi}[unit.export](client, unit)
    if found.handle is None:
        return found
    return dataclasses.replace(found, holder=_holder(
        conf, client, unit.target, found.handle), target=unit.target)


def _holder(conf: cfg.ConfigOpts, client: rpc.Client,
            target: spdk_conf.Target,
            handle: str) -> Callable[[], str | None]:
    return functools.cache(functools.partial(_user, conf, client, target,
                                             handle))


def _user(conf: cfg.ConfigOpts, client: rpc.Client,
          target: spdk_conf.Target, handle: str) -> str | None:
    mark = marks.load(conf, target.name, handle)
    if mark and mark.in_use:
        return mark.consumer
    kind = target.kind
    try:
        held = holders.look(client, kind, handles.parse(handle)[1])
    except exceptions.NotFound:
        return None
    for one in (*held.connected, *held.allowed):
        return one
    return reservation.consumer(conf, target, handle)


def _nvmf(client: rpc.Client, unit: model.Unit) -> Export:
    target = clients.NvmfTgt(client)
    subsystem = target.find_subsystem(unit.address)
    if subsystem is None:
        return Export()
    space = subsystem.namespace(1)
    if space is None:
        return Export(complete=False)
    places = {one.place for one in subsystem.listen_addresses}
    wanted = {addresses.parse(one).place for one in unit.places}
    secure = {one.place for one in listeners.secure(
        target, unit.address)} if unit.tls else places
    return Export(unit.handle(), space.bdev_name,
                  wanted <= places and wanted <= secure)


def _vhost(client: rpc.Client, unit: model.Unit) -> Export:
    found = clients.VhostTgt(client).find_controller(unit.address)
    if found is None:
        return Export()
    return Export(unit.handle(found.socket), found.bdev,
                  found.bdev is not None)


def _iscsi(client: rpc.Client, unit: model.Unit) -> Export:
    node = clients.IscsiTgt(client).find_target_node(unit.address)
    lun = node.lun(0) if node else None
    if lun is None:
        return Export()
    return Export(unit.handle(), lun.bdev_name, True)
