# SPDX-License-Identifier: Apache-2.0

"""What a target has to give away, as plain data made from its replies.

A unit is a namespace of an NVM subsystem, a vhost-blk controller or a target
of a vhost-scsi controller, or a LUN of an iSCSI target node. Nothing here
talks to anybody: replies in, units out.
"""

import dataclasses
import json

from cyborg_spdk.units import identity
from cyborg_spdk.units import internal
from cyborg_spdk.units import traits

#: ``subtype`` of the subsystems that have namespaces; the other kind is
#: ``Discovery``.
NVM = 'NVMe'


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
    """

    handle: str
    title: str
    traits: tuple
    bdev: str | None = None
    size: int = 0
    uuid: str | None = None
    reach: str = ''
    identity: str = ''
    born_zero: bool = False


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a target said about itself in one reading.

    :ivar units: tuple of :class:`Unit`, in a stable order.
    :ivar facts: dict of what else is worth telling: version, listeners,
        transports, modules of the accel framework.
    """

    units: tuple
    facts: dict


def canonical(value):
    """JSON that is the same text for the same value, and short.

    :param value: what :func:`json.dumps` takes.
    :returns: str.
    """
    return json.dumps(value, sort_keys=True, separators=(',', ':'))


def index(bdevs):
    """Bdevs by each of their names.

    :param bdevs: reply of ``bdev_get_bdevs``.
    :returns: dict; aliases are in it too.
    """
    found = {}
    for bdev in bdevs:
        for alias in bdev.get('aliases') or ():
            found.setdefault(alias, bdev)
    found.update((bdev['name'], bdev) for bdev in bdevs)
    return found


def _unit(handle, title, bdev, names, reach, find):
    found = {traits.PREFIX} | names | traits.of_bdev(bdev)
    return Unit(
        handle=canonical(handle), title=title, traits=tuple(sorted(found)),
        bdev=bdev and bdev['name'],
        size=bdev['block_size'] * bdev['num_blocks'] if bdev else 0,
        uuid=bdev and bdev.get('uuid'), reach=reach,
        identity=identity.of(bdev, find) if bdev else '',
        born_zero=bool(bdev) and identity.born_zero(bdev))


def listener(address):
    """A listener for people: ``TCP 192.0.2.1:4420``.

    :param address: a member of ``listen_addresses``. Up to v17.03 the
        transport is under ``transport``.
    """
    trtype = address.get('trtype') or address.get('transport') or ''
    host, port = address.get('traddr', ''), address.get('trsvcid', '')
    if ':' in host:
        host = f'[{host}]'
    return f'{trtype} {host}:{port}' if port else f'{trtype} {host}'.strip()


def of_subsystems(subsystems, bdevs, accel=frozenset()):
    """Units of an NVMe-oF target: the namespaces of its NVM subsystems.

    :param subsystems: reply of ``nvmf_get_subsystems``.
    :param bdevs: bdevs by name (see :func:`index`).
    :param accel: traits of the target's accel framework.
    :returns: list of :class:`Unit`, by NQN and NSID.
    """
    found = []
    for subsystem in subsystems:
        if subsystem.get('subtype', NVM) != NVM:
            continue
        addresses = subsystem.get('listen_addresses') or []
        names = {traits.spell('NVMF', address.get('trtype')
                              or address.get('transport') or '')
                 for address in addresses} - {None}
        reach = ', '.join(sorted(map(listener, addresses)))
        for space in subsystem.get('namespaces') or ():
            nqn, nsid = subsystem['nqn'], space['nsid']
            name = space.get('bdev_name') or space.get('name')
            found.append(((nqn, nsid), _unit(
                {'nqn': nqn, 'nsid': str(nsid)}, f'{nqn} namespace {nsid}',
                bdevs.get(name), names | accel, reach or 'no listener',
                bdevs.get)))
    return [unit for _key, unit in sorted(found, key=lambda pair: pair[0])]


def of_controllers(controllers, bdevs, accel=frozenset()):
    """Units of a vhost target: blk controllers and targets of scsi ones.

    :param controllers: reply of ``vhost_get_controllers`` (with ``socket``,
        v18.07 and later).
    :param bdevs: bdevs by name (see :func:`index`).
    :param accel: traits of the target's accel framework.
    :returns: list of :class:`Unit`, by controller and target number.
    """
    found = []
    for controller in controllers:
        name, socket = controller['ctrlr'], controller['socket']
        if internal.ours(name):
            continue
        backend = controller.get('backend_specific') or {}
        if 'block' in backend:
            block = backend['block']
            names = {traits.spell('VHOST_BLK')} | accel
            if block.get('readonly'):
                names = names | {traits.spell('READ_ONLY')}
            found.append(((name, -1), _unit(
                {'socket': socket}, f'{name}', bdevs.get(block.get('bdev')),
                names, socket, bdevs.get)))
        for target in backend.get('scsi') or ():
            number = target['scsi_dev_num']
            lun = next(iter(target.get('luns') or ()), {})
            found.append(((name, number), _unit(
                {'socket': socket, 'target': str(number)},
                f'{name} target {number}', bdevs.get(lun.get('bdev_name')),
                {traits.spell('VHOST_SCSI')} | accel,
                f'{socket} target {number}', bdevs.get)))
    return [unit for _key, unit in sorted(found, key=lambda pair: pair[0])]


def of_target_nodes(nodes, portal_groups, bdevs, accel=frozenset()):
    """Units of an iSCSI target: the LUNs of its target nodes.

    :param nodes: reply of ``iscsi_get_target_nodes``.
    :param portal_groups: reply of ``iscsi_get_portal_groups``.
    :param bdevs: bdevs by name (see :func:`index`).
    :param accel: traits of the target's accel framework.
    :returns: list of :class:`Unit`, by IQN and LUN.
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
                bdevs.get(lun.get('bdev_name')),
                {traits.spell('ISCSI')} | accel, reach or 'no portal',
                bdevs.get)))
    return [unit for _key, unit in sorted(found, key=lambda pair: pair[0])]
