# SPDX-License-Identifier: Apache-2.0

"""Who may use a unit, and who does, as its target says at this moment."""

from collections.abc import Mapping
import dataclasses
import os
import stat

from cyborg_spdk import clients
from cyborg_spdk.clients import types
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import unix_sockets
from cyborg_spdk import rpc
from cyborg_spdk.units import exports

#: Stands for: whoever knows the address.
ANYBODY = 'anybody'


@dataclasses.dataclass(frozen=True)
class Holders:
    """Who may use a unit and who does.

    :ivar bdev: name of the bdev behind the unit; None if it is gone.
    :ivar allowed: who may: NQNs of hosts, IQNs of initiators, users of a
        socket; :data:`ANYBODY` among them if all may.
    :ivar connected: who is connected, as the target names them.
    :ivar readonly: whether the unit is exported so.
    """

    bdev: str | None
    allowed: tuple[str, ...]
    connected: tuple[str, ...]
    readonly: bool = False


def look(client: rpc.Client, kind: str,
         handle: Mapping[str, str]) -> Holders:
    """Ask a target who holds a unit. Blocks.

    :param client: the client of the unit's target.
    :param kind: kind of the handle.
    :param handle: the handle.
    :raises NotFound: if there is no such unit.
    :raises SpdkError: if the target cannot be asked.
    """
    return {'nvmf': _nvmf, 'vhost': _vhost,
            'iscsi': _iscsi}[kind](client, handle)


def _no_such(method: str, text: str) -> exceptions.NotFound:
    return exceptions.NotFound(-19, 'No such device', method, None, text)


def _nvmf(client: rpc.Client, handle: Mapping[str, str]) -> Holders:
    target = clients.NvmfTgt(client)
    nqn = handle['nqn']
    subsystem = target.nvmf_get_subsystems(nqn)[0]
    space = subsystem.namespace(int(handle['nsid']))
    if space is None:
        raise _no_such('nvmf_get_subsystems',
                       f'{nqn} has no namespace {handle["nsid"]}')
    allowed = list(subsystem.hosts)
    if subsystem.allow_any_host:
        allowed.append(ANYBODY)
    connected = []
    if client.has('nvmf_subsystem_get_controllers'):  # v21.04
        connected = [one.hostnqn for one in
                     target.nvmf_subsystem_get_controllers(nqn)]
    return Holders(space.bdev_name or None, tuple(allowed),
                   tuple(connected))


def controller(target: clients.VhostTgt,
               handle: Mapping[str, str]) -> types.VhostController | None:
    """The vhost controller of a handle, or None.

    :param target: the client.
    :param handle: the handle.
    """
    return next((one for one in target.vhost_get_controllers()
                 if one.socket == handle['socket']), None)


def _vhost(client: rpc.Client, handle: Mapping[str, str]) -> Holders:
    found = controller(clients.VhostTgt(client), handle)
    method = 'vhost_get_controllers'
    if found is None:
        raise _no_such(method, f'no controller has the socket '
                               f'{handle["socket"]}')
    bdev = found.bdev
    if 'target' in handle:
        number = int(handle['target'])
        target = next((one for one in found.scsi_targets
                       if one.scsi_dev_num == number), None)
        if target is None:
            raise _no_such(method, f'{found.ctrlr} has no target {number}')
        bdev = next((lun.bdev_name for lun in target.luns), None)
    return Holders(bdev, socket_users(client, handle['socket']),
                   sessions(found), found.readonly)


def sessions(found: types.VhostController) -> tuple[str, ...]:
    """Who is connected to a vhost controller, as far as it is known.

    :param found: the controller, of a target on this machine.
    :returns: names of its sessions. A target tells them from SPDK v23.05
        on; before, the kernel's connections to its socket are counted.
    """
    told = found.raw.get('sessions')
    if told is None:
        return ('a connection',) * unix_sockets.accepted(found.socket or '')
    return tuple(str(one.get('name') or one.get('id') or 'a session')
                 for one in told)


def socket_users(client: rpc.Client, path: str) -> tuple[str, ...]:
    """Users who may connect to a vhost-user socket, its target's not.

    :param client: the client of the target.
    :param path: the socket, on this machine.
    :returns: user ids as text; ``group N``; :data:`ANYBODY`.
    :raises HostError: if it cannot be looked at.
    """
    try:
        status = os.lstat(path)
    except OSError as exc:
        raise exceptions.HostError(
            f'socket {path}: {exc.strerror}; is the target on this '
            'host?') from None
    peer = client.peer()
    owner, group = peer[1:3] if peer else (0, 0)
    mode = status.st_mode
    found = []
    if status.st_uid not in (owner, 0) and mode & stat.S_IWUSR:
        found.append(str(status.st_uid))
    if status.st_gid not in (group, 0) and mode & stat.S_IWGRP:
        found.append(f'group {status.st_gid}')
    if mode & stat.S_IWOTH:
        found.append(ANYBODY)
    return tuple(found)


def _iscsi(client: rpc.Client, handle: Mapping[str, str]) -> Holders:
    target = clients.IscsiTgt(client)
    node = target.find_target_node(handle['iqn'])
    lun = node.lun(int(handle['lun'])) if node else None
    if node is None or lun is None:
        raise _no_such('iscsi_get_target_nodes',
                       f'{handle["iqn"]} has no LUN {handle["lun"]}')
    groups = {one.tag: one for one in target.iscsi_get_initiator_groups()}
    allowed: list[str] = []
    for entry in node.pg_ig_maps:
        if entry.ig_tag in groups:
            allowed += [ANYBODY if name.upper() == 'ANY' else name
                        for name in groups[entry.ig_tag].initiators
                        if name != exports.NOBODY]
    short = node.name.rpartition(':')[2]
    connected = [one.initiator_addr for one in target.iscsi_get_connections()
                 if one.target_node_name in (node.name, short)]
    return Holders(lun.bdev_name or None, tuple(dict.fromkeys(allowed)),
                   tuple(connected))
