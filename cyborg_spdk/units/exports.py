# SPDX-License-Identifier: Apache-2.0

"""Exports of declared units: made, taken away, and made again."""

import dataclasses

from cyborg_spdk import clients
from cyborg_spdk.clients import addresses
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units import handles
from cyborg_spdk.units import listeners

#: The initiator of the group by which a target node is made: SPDK wants
#: one, and nobody has that name.
NOBODY = 'iqn.2016-06.io.spdk:cyborg-nobody'


@dataclasses.dataclass(frozen=True)
class Namespace:
    """What an initiator knows a namespace by.

    :ivar nsid: its number.
    :ivar uuid: its UUID, or None.
    :ivar nguid: 32 hexadecimal digits, or None.
    """

    nsid: int
    uuid: str | None
    nguid: str | None


def nvmf(client: rpc.Client, nqn: str, bdev: str, places: tuple[str, ...],
         tls: bool) -> None:
    """Export a bdev as the one namespace of a subsystem. Idempotent.

    :param client: the client of the target.
    :param nqn: the subsystem.
    :param bdev: name of the bdev.
    :param places: where it listens.
    :param tls: whether with TLS alone.
    :raises InvalidValue: if it listens without TLS already where it is to.
    """
    target = clients.NvmfTgt(client)
    for trtype in sorted({addresses.parse(one).trtype
                          for one in places}):
        target.nvmf_create_transport(trtype, exist_ok=True)
    if target.find_subsystem(nqn) is None:
        target.nvmf_create_subsystem(nqn, max_namespaces=1)
    subsystem = target.nvmf_get_subsystems(nqn)[0]
    if subsystem.namespace(1) is None:
        target.nvmf_subsystem_add_ns(nqn, bdev, nsid=1)
    options = {'secure_channel': True} if tls else {}
    plain = {one.place for one in listeners.plain(target, nqn)} if tls else ()
    for one in places:
        if tls and addresses.parse(one).place in plain:
            raise exceptions.InvalidValue(
                'listener', one, f'{nqn} lets in without TLS there already; '
                'remove it first: cyborg-spdk nvmf listener remove')
        target.nvmf_subsystem_add_listener(nqn, one, exist_ok=True,
                                           **options)


def vhost_blk(client: rpc.Client, name: str, bdev: str) -> None:
    """Export a bdev by a block controller. Idempotent.

    :param client: the client of the target.
    :param name: name of the controller.
    :param bdev: name of the bdev.
    """
    target = clients.VhostTgt(client)
    found = target.find_controller(name)
    if found is not None and found.bdev is None:
        # Its bdev was gone: it never comes back by itself.
        if found.raw.get('sessions'):
            raise exceptions.Busy(
                -16, 'in use', 'vhost_delete_controller', None,
                f'{name} has lost its bdev and has a session open')
        target.vhost_delete_controller(name)
        found = None
    if found is None:
        target.vhost_create_blk_controller(name, bdev)


def iscsi(client: rpc.Client, name: str, bdev: str,
          portals: tuple[str, ...]) -> None:
    """Export a bdev as LUN 0 of a target node. Idempotent.

    :param client: the client of the target.
    :param name: IQN of the node.
    :param bdev: name of the bdev.
    :param portals: where it is reached.
    """
    target = clients.IscsiTgt(client)
    node = target.find_target_node(name)
    if node is None:
        target.iscsi_create_target_node(
            name, [(0, bdev)], [(_portal_group(target, portals),
                                 _nobody(target))], queue_depth=64,
            disable_chap=True)
    elif node.lun(0) is None:
        target.iscsi_target_node_add_lun(name, bdev, lun_id=0)


def _portal_group(target: clients.IscsiTgt, portals: tuple[str, ...]) -> int:
    groups = target.iscsi_get_portal_groups()
    for group in groups:
        if sorted(f'{one.host}:{one.port}' for one in group.portals) == \
                sorted(portals):
            return int(group.tag)
    tag: int = max([0, *(one.tag for one in groups)]) + 1
    target.iscsi_create_portal_group(tag, list(portals))
    return tag


def _nobody(target: clients.IscsiTgt) -> int:
    groups = target.iscsi_get_initiator_groups()
    for group in groups:
        if group.initiators == (NOBODY,):
            return int(group.tag)
    tag: int = max([0, *(one.tag for one in groups)]) + 1
    target.iscsi_create_initiator_group(tag, [NOBODY], ['127.0.0.1/32'])
    return tag


def remove(client: rpc.Client, handle: handles.AnyHandle) -> None:
    """Take the export of a unit away. Idempotent.

    :param client: the client of the target.
    :param handle: the unit's handle: a subsystem of its own, a block
        controller, a node of one LUN.
    """
    kind, parts = handles.parse(handle)
    if kind == 'nvmf':
        clients.NvmfTgt(client).nvmf_delete_subsystem(parts['nqn'],
                                                      missing_ok=True)
    elif kind == 'iscsi':
        clients.IscsiTgt(client).iscsi_delete_target_node(
            parts['iqn'], missing_ok=True)
    else:
        target = clients.VhostTgt(client)
        for one in target.vhost_get_controllers():
            if one.socket == parts['socket']:
                target.vhost_delete_controller(one.ctrlr, missing_ok=True)


def namespace(client: rpc.Client, handle: handles.AnyHandle,
              ) -> Namespace | None:
    """What an initiator knows a unit by; None if it is no namespace.

    :param client: the client of the target.
    :param handle: the unit's handle.
    """
    kind, parts = handles.parse(handle)
    if kind != 'nvmf':
        return None
    found = clients.NvmfTgt(client).nvmf_get_subsystems(
        parts['nqn'])[0].namespace(int(parts['nsid']))
    if found is None:
        return None
    return Namespace(found.nsid, found.uuid, found.nguid)


def again(client: rpc.Client, handle: handles.AnyHandle, bdev: str,
          space: Namespace | None) -> None:
    """Export a bdev again that was gone for a moment, as it was.

    A namespace and a LUN go with their bdev, a vhost controller stays and
    has none.

    :param client: the client of the target.
    :param handle: the unit's handle.
    :param bdev: name of the bdev.
    :param space: what the initiator knew it by.
    """
    kind, parts = handles.parse(handle)
    if kind == 'nvmf':
        target = clients.NvmfTgt(client)
        nsid = int(parts['nsid'])
        if target.nvmf_get_subsystems(parts['nqn'])[0].namespace(
                nsid) is None:
            target.nvmf_subsystem_add_ns(
                parts['nqn'], bdev, nsid=nsid,
                uuid=space.uuid if space else None,
                nguid=space.nguid if space else None)
    elif kind == 'iscsi':
        node = clients.IscsiTgt(client)
        lun = int(parts['lun'])
        found = node.find_target_node(parts['iqn'])
        if found is not None and found.lun(lun) is None:
            node.iscsi_target_node_add_lun(parts['iqn'], bdev, lun_id=lun)
    else:
        _controller_again(client, parts, bdev)


def _controller_again(client: rpc.Client, parts: dict[str, str],
                      bdev: str) -> None:
    target = clients.VhostTgt(client)
    for one in target.vhost_get_controllers():
        if one.socket == parts['socket'] and one.bdev is None:
            target.vhost_delete_controller(one.ctrlr)
            target.vhost_create_blk_controller(one.ctrlr, bdev)
