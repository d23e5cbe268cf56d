# SPDX-License-Identifier: Apache-2.0

"""What a target has to give away, as plain data made from its replies.

A unit is a namespace of an NVM subsystem, a vhost-blk controller or a target
of a vhost-scsi controller, or a LUN of an iSCSI target node. Nothing here
talks to anybody: replies in, units out.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Set
import dataclasses
import json
from typing import Any

from cyborg_spdk.units import identity
from cyborg_spdk.units import internal
from cyborg_spdk.units import traits

#: ``subtype`` of the subsystems that have namespaces; the other kind is
#: ``Discovery``.
NVM = 'NVMe'

#: A JSON object of a reply.
Object = Mapping[str, Any]

#: Bdevs by each of their names; see :func:`index`.
Bdevs = Mapping[str, Object]


@dataclasses.dataclass(frozen=True)
class Unit:
    """One thing that can be given to one instance.

    :ivar handle: its lasting address as canonical JSON: a flat object of
        strings. It is the unit's identity: nothing in it changes while the
        unit exists, not by a restart of the target either.
    :ivar title: the same for people.
    :ivar traits: sorted tuple of trait names.
    :ivar bdev: name of the bdev behind it, or None if it has gone.
    :ivar size: its size in bytes; 0 if there is no bdev.
    :ivar uuid: the bdev's UUID, or None; a restart may change it.
    :ivar reach: where it is reached now, for people: listeners or a socket.
    :ivar identity: what the bdev is, whatever its name: see
        :mod:`cyborg_spdk.units.identity`; empty if there is none.
    :ivar born_zero: whether it was zero when the target started.
    :ivar store: the lvol store that it takes its space from; empty if that
        is none, None if there is no bdev.
    :ivar limits: its QoS limits that are set: pairs of the name, as
        ``bdev_set_qos_limit`` has it, and the value.
    """

    handle: str
    title: str
    traits: tuple[str, ...]
    bdev: str | None = None
    size: int = 0
    uuid: str | None = None
    reach: str = ''
    identity: str = ''
    born_zero: bool = False
    store: str | None = None
    limits: tuple[tuple[str, int], ...] = ()


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a target said about itself in one reading.

    :ivar units: tuple of :class:`Unit`, in a stable order.
    :ivar facts: dict of what else is worth telling: version, listeners,
        transports, modules of the accel framework.
    """

    units: tuple[Unit, ...]
    facts: dict[str, Any]


def canonical(value: object) -> str:
    """JSON that is the same text for the same value, and short.

    :param value: what :func:`json.dumps` takes.
    """
    return json.dumps(value, sort_keys=True, separators=(',', ':'))


def index(bdevs: Iterable[Object]) -> dict[str, Object]:
    """Bdevs by each of their names.

    :param bdevs: reply of ``bdev_get_bdevs``.
    :returns: aliases are in it too.
    """
    found: dict[str, Object] = {}
    for bdev in bdevs:
        for alias in bdev.get('aliases') or ():
            found.setdefault(alias, bdev)
    found.update((bdev['name'], bdev) for bdev in bdevs)
    return found


def _unit(handle: dict[str, str], title: str, bdev: Object | None,
          names: Set[str], reach: str,
          find: Callable[[str], Object | None]) -> Unit:
    found = {traits.PREFIX} | names | traits.of_bdev(bdev)
    return Unit(
        handle=canonical(handle), title=title, traits=tuple(sorted(found)),
        bdev=bdev['name'] if bdev else None,
        size=bdev['block_size'] * bdev['num_blocks'] if bdev else 0,
        uuid=bdev.get('uuid') if bdev else None, reach=reach,
        identity=identity.of(bdev, find) if bdev else '',
        born_zero=bdev is not None and identity.born_zero(bdev),
        store=identity.store(bdev, find) if bdev else None,
        limits=_limits(bdev))


def _limits(bdev: Object | None) -> tuple[tuple[str, int], ...]:
    found = bdev.get('assigned_rate_limits') if bdev else None
    return tuple((name, value) for name, value in (found or {}).items()
                 if value)


def listener(address: Object) -> str:
    """A listener for people: ``TCP 192.0.2.1:4420``.

    :param address: a member of ``listen_addresses``. Up to v17.03 the
        transport is under ``transport``.
    """
    trtype = address.get('trtype') or address.get('transport') or ''
    host, port = address.get('traddr', ''), address.get('trsvcid', '')
    if ':' in host:
        host = f'[{host}]'
    return f'{trtype} {host}:{port}' if port else f'{trtype} {host}'.strip()


def of_subsystems(subsystems: Iterable[Object], bdevs: Bdevs,
                  accel: Set[str] = frozenset()) -> list[Unit]:
    """Units of an NVMe-oF target: the namespaces of its NVM subsystems.

    :param subsystems: reply of ``nvmf_get_subsystems``.
    :param bdevs: bdevs by name (see :func:`index`).
    :param accel: traits of the target's accel framework.
    :returns: by NQN and NSID.
    """
    found = []
    for subsystem in subsystems:
        if subsystem.get('subtype', NVM) != NVM:
            continue
        addresses = subsystem.get('listen_addresses') or []
        names = frozenset[str]().union(*(
            traits.named('NVMF', address.get('trtype')
                         or address.get('transport') or '')
            for address in addresses))
        reach = ', '.join(sorted(map(listener, addresses)))
        for space in subsystem.get('namespaces') or ():
            nqn, nsid = subsystem['nqn'], space['nsid']
            name = space.get('bdev_name') or space.get('name') or ''
            found.append(((nqn, nsid), _unit(
                {'nqn': nqn, 'nsid': str(nsid)}, f'{nqn} namespace {nsid}',
                bdevs.get(name), names | accel, reach or 'no listener',
                bdevs.get)))
    return [unit for _key, unit in sorted(found, key=lambda pair: pair[0])]


def of_controllers(controllers: Iterable[Object], bdevs: Bdevs,
                   accel: Set[str] = frozenset()) -> list[Unit]:
    """Units of a vhost target: blk controllers and targets of scsi ones.

    :param controllers: reply of ``vhost_get_controllers`` (with ``socket``,
        v18.07 and later).
    :param bdevs: bdevs by name (see :func:`index`).
    :param accel: traits of the target's accel framework.
    :returns: by controller and target number.
    """
    found = []
    for controller in controllers:
        name, socket = controller['ctrlr'], controller['socket']
        if internal.ours(name):
            continue
        backend = controller.get('backend_specific') or {}
        if 'block' in backend:
            block = backend['block']
            names = traits.named('VHOST_BLK') | accel
            if block.get('readonly'):
                names = names | traits.named('READ_ONLY')
            found.append(((name, -1), _unit(
                {'socket': socket}, name, bdevs.get(block.get('bdev') or ''),
                names, socket, bdevs.get)))
        for target in backend.get('scsi') or ():
            number = target['scsi_dev_num']
            lun: Object = next(iter(target.get('luns') or ()), {})
            found.append(((name, number), _unit(
                {'socket': socket, 'target': str(number)},
                f'{name} target {number}',
                bdevs.get(lun.get('bdev_name') or ''),
                traits.named('VHOST_SCSI') | accel,
                f'{socket} target {number}', bdevs.get)))
    return [unit for _key, unit in sorted(found, key=lambda pair: pair[0])]


def of_target_nodes(nodes: Iterable[Object],
                    portal_groups: Iterable[Object], bdevs: Bdevs,
                    accel: Set[str] = frozenset()) -> list[Unit]:
    """Units of an iSCSI target: the LUNs of its target nodes.

    :param nodes: reply of ``iscsi_get_target_nodes``.
    :param portal_groups: reply of ``iscsi_get_portal_groups``.
    :param bdevs: bdevs by name (see :func:`index`).
    :param accel: traits of the target's accel framework.
    :returns: by IQN and LUN.
    """
    portals = {group['tag']: [f'{portal["host"]}:{portal["port"]}'
                              for portal in group.get('portals') or ()]
               for group in portal_groups}
    found = []
    for node in nodes:
        if internal.ours(node['name']):
            continue
        tags = {entry['pg_tag'] for entry in node.get('pg_ig_maps') or ()}
        reach = ', '.join(sorted({portal for tag in tags
                                  for portal in portals.get(tag, ())}))
        for lun in node.get('luns') or ():
            iqn, number = node['name'], lun['lun_id']
            found.append(((iqn, number), _unit(
                {'iqn': iqn, 'lun': str(number)}, f'{iqn} LUN {number}',
                bdevs.get(lun.get('bdev_name') or ''),
                traits.named('ISCSI') | accel, reach or 'no portal',
                bdevs.get)))
    return [unit for _key, unit in sorted(found, key=lambda pair: pair[0])]
