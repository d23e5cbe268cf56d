# SPDX-License-Identifier: Apache-2.0

"""How a wipe gets in: through the unit's own export, as its only consumer.

=============  ========================================================
unit           what is put into the target meanwhile (see ``Trace``)
=============  ========================================================
NVMe-oF        a host of a random NQN; a listener on 127.0.0.1 if there is
               none without TLS that this host reaches
vhost-blk      nothing
vhost-scsi     a block controller on the same bdev
iSCSI          a target node with the same bdev, its initiator group, and a
               portal group on 127.0.0.1 if there is none
=============  ========================================================

Each is noted in the unit's mark before it is made, so that what a crash
leaves is taken out by the next wipe. The names are random: nobody else can
come in by them.
"""

from collections.abc import Callable
from collections.abc import Mapping
import contextlib
import ipaddress
import os
import secrets
import uuid

from cyborg_spdk import clients
from cyborg_spdk.clients import types
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units import holders
from cyborg_spdk.units import internal
from cyborg_spdk.units import listeners
from cyborg_spdk.units.wipe import disk as disk_module
from cyborg_spdk.units.wipe import iscsi
from cyborg_spdk.units.wipe import nvme_tcp
from cyborg_spdk.units.wipe import vhost_user_blk

#: Pairs: what kind of thing, and its name.
Trace = tuple[str, str]

#: Called with a trace before it is made.
Note = Callable[[Trace], None]

# Below the range of ports that Linux gives to outgoing connections.
_PORTS = range(20000, 32000)
_ATTEMPTS = 20


def enter(client: rpc.Client, kind: str, handle: Mapping[str, str],
          bdev: types.Bdev, note: Note) -> disk_module.Disk:
    """Open a unit to write and read it. Blocks.

    :param client: the client of the unit's target.
    :param kind: kind of the handle.
    :param handle: the handle.
    :param bdev: the unit's bdev.
    :param note: told of each thing before it is put into the target.
    :returns: the open disk; :func:`leave` takes the rest out.
    :raises SpdkError: if there is no way in.
    :raises OSError: if a connection fails.
    """
    if kind == 'nvmf':
        return _nvmf(clients.NvmfTgt(client), handle, note)
    if kind == 'vhost':
        return _vhost(clients.VhostTgt(client), handle, bdev, note)
    return _iscsi(clients.IscsiTgt(client), handle, bdev, note)


def leave(client: rpc.Client, handle: Mapping[str, str],
          traces: tuple[Trace, ...]) -> None:
    """Take out of a target what :func:`enter` has put into it.

    :param client: the client of the target.
    :param handle: the unit's handle.
    :param traces: what was noted; what is not there any more is fine.
    :raises SpdkError: if something stays.
    """
    nvmf, vhost = clients.NvmfTgt(client), clients.VhostTgt(client)
    node = clients.IscsiTgt(client)
    for kind, name in reversed(traces):
        with contextlib.suppress(exceptions.NotFound):
            if kind == 'host':
                nvmf.nvmf_subsystem_remove_host(handle['nqn'], name,
                                                missing_ok=True)
            elif kind == 'listener':
                nvmf.nvmf_subsystem_remove_listener(handle['nqn'], name,
                                                    missing_ok=True)
            elif kind == 'controller':
                vhost.vhost_delete_controller(name, missing_ok=True)
            elif kind == 'node':
                node.iscsi_delete_target_node(name, missing_ok=True)
            elif kind == 'initiators':
                _leave_group(node, name)
            elif kind == 'portals':
                _leave_portals(node, name)


def _leave_group(target: clients.IscsiTgt, initiator: str) -> None:
    for one in target.iscsi_get_initiator_groups():
        if one.initiators == (initiator,):
            target.iscsi_delete_initiator_group(one.tag, missing_ok=True)


def _leave_portals(target: clients.IscsiTgt, place: str) -> None:
    for one in target.iscsi_get_portal_groups():
        if [f'{portal.host}:{portal.port}' for portal in one.portals] == [
                place]:
            target.iscsi_delete_portal_group(one.tag, missing_ok=True)


def _nvmf(target: clients.NvmfTgt, handle: Mapping[str, str],
          note: Note) -> disk_module.Disk:
    nqn = handle['nqn']
    place = _listener(target, nqn, note)
    host = f'nqn.2016-06.io.spdk:{internal.WIPE}{uuid.uuid4()}'
    note(('host', host))
    target.nvmf_subsystem_add_host(nqn, host)
    return nvme_tcp.Disk(place, nqn, int(handle['nsid']), host)


def _listener(target: clients.NvmfTgt, nqn: str,
              note: Note) -> tuple[str, int]:
    """Where the subsystem listens without TLS, for this host."""
    remote = _is_remote(target)
    for address in listeners.plain(target, nqn):
        if address.trtype.upper() == 'TCP' and (
                remote or _is_here(address.traddr)):
            return _reach(address.traddr), int(address.trsvcid)
    target.nvmf_create_transport('TCP', exist_ok=True)

    def listen(port: int) -> None:
        name = f'tcp://127.0.0.1:{port}'
        note(('listener', name))
        target.nvmf_subsystem_add_listener(nqn, name)

    return '127.0.0.1', _with_a_port(listen)


def _with_a_port(listen: Callable[[int], object]) -> int:
    """Try ports until one is free."""
    for _attempt in range(_ATTEMPTS):
        port = secrets.choice(_PORTS)
        try:
            listen(port)
            return port
        except (exceptions.InvalidParams, exceptions.AlreadyExists,
                exceptions.Busy, exceptions.InternalError) as exc:
            last = exc
    raise last


def _is_remote(target: clients.BdevClient) -> bool:
    """Whether the target is on another host, as far as its address tells."""
    return bool(rpc.parse_address(target.rpc.address).scheme != 'unix')


def _is_here(address: str) -> bool:
    """Whether an address is this host's own, so that TLS is not needed."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


def _reach(address: str) -> str:
    """How to connect to what a target listens on."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.is_unspecified:
        return '127.0.0.1' if found.version == 4 else '::1'
    return address


def _vhost(target: clients.VhostTgt, handle: Mapping[str, str],
           bdev: types.Bdev, note: Note) -> disk_module.Disk:
    path = handle['socket']
    if 'target' in handle:
        name = f'{internal.WIPE}{uuid.uuid4().hex[:12]}'
        note(('controller', name))
        target.vhost_create_blk_controller(name, bdev.name)
        path = target.vhost_get_controllers(name)[0].socket or ''
    elif holders.controller(target, handle) is None:
        raise exceptions.WipeError(f'no controller has the socket {path}')
    try:
        return vhost_user_blk.Disk(path)
    except PermissionError:
        raise exceptions.PrivilegeError(
            f'{path} belongs to the user of the target: wipe as that user, '
            f'or as root, not as user {os.geteuid()}') from None


def _iscsi(target: clients.IscsiTgt, handle: Mapping[str, str],
           bdev: types.Bdev, note: Note) -> disk_module.Disk:
    """A node of our own: the unit's may want CHAP, or have no portal."""
    number = uuid.uuid4().hex[:12]
    initiator = f'iqn.2016-06.io.spdk:{internal.WIPE}{number}-host'
    tag, place = _portal(target, note)
    note(('initiators', initiator))
    group = max([0, *(one.tag for one in
                      target.iscsi_get_initiator_groups())]) + 1
    target.iscsi_create_initiator_group(group, [initiator], ['ANY'])
    base = handle['iqn'].rpartition(':')[0] or 'iqn.2016-06.io.spdk'
    node = f'{base}:{internal.WIPE}{number}'
    note(('node', node))
    target.iscsi_create_target_node(
        node, [bdev.name], [(tag, group)], queue_depth=64, disable_chap=True)
    return iscsi.Disk(place, node, 0, initiator)


def _portal(target: clients.IscsiTgt,
            note: Note) -> tuple[int, tuple[str, int]]:
    groups = target.iscsi_get_portal_groups()
    remote = _is_remote(target)
    for group in groups:
        for portal in group.portals:
            if remote or _is_here(portal.host):
                return group.tag, (_reach(portal.host), int(portal.port))
    tag = max([0, *(one.tag for one in groups)]) + 1
    taken = {int(one.port) for group in groups for one in group.portals}

    def listen(port: int) -> None:
        # The target dies if a portal is there twice.
        if port in taken:
            raise exceptions.Busy(-16, 'in use', 'iscsi_create_portal_group')
        note(('portals', f'127.0.0.1:{port}'))
        target.iscsi_create_portal_group(tag, [f'127.0.0.1:{port}'])

    port = _with_a_port(listen)
    return tag, ('127.0.0.1', port)
