# SPDX-License-Identifier: Apache-2.0

"""A user of this machine, QEMU's, and a vhost-user socket."""

import contextlib
import grp
import os
import pwd
import stat

from cyborg_spdk.clients import validate
from cyborg_spdk.clients import vhost
from cyborg_spdk import exceptions

ATTACH_OPTIONS = ('bdev', 'group', 'mode')
DETACH_OPTIONS = ('delete',)

#: Of an attached socket: for the user and the group that it was given to.
DEFAULT_MODE = 0o660
#: Of a detached one: for the target's own user.
DETACHED_MODE = 0o600


def attach(client, handle, user, group=None, mode=DEFAULT_MODE, bdev=None):
    """Give a controller's socket to a user.

    :param client: ``rpc.Client`` of the target, on this machine.
    :param handle: dict with ``socket``.
    :param user: name of the user that QEMU runs as.
    :param group: name of the socket's group; None means the user's.
    :param mode: permission bits of the socket.
    :param bdev: name of a bdev: create a block controller for it if the
        socket has none.
    :returns: triple for :class:`~cyborg_spdk.units.attach.Attachment`.
    :raises NotFound: if there is no such controller, and no bdev.
    :raises HostError: if the socket cannot be given away.
    """
    owner = _ids(user, group)
    if not isinstance(mode, int) or not 0 <= mode <= 0o777:
        validate.refuse('mode', mode, 'permission bits, 0 to 0777')
    target = vhost.VhostTgt(client)
    changed = False
    if _controller(target, handle) is None:
        if bdev is None:
            raise exceptions.NotFound(
                -19, 'No such device', 'vhost_get_controllers', None,
                f'no controller has the socket {handle["socket"]}; name a '
                'bdev to create one')
        changed = True
        _create(target, handle, bdev)
    changed |= _give(handle['socket'], owner, mode)
    return changed, [handle['socket']], []


def detach(client, handle, user, delete=False):
    """Give a controller's socket back to the target's user.

    Who is connected stays connected: end QEMU's use of it first.

    :param client: ``rpc.Client`` of the target, on this machine.
    :param handle: dict with ``socket``.
    :param user: name of the user that it was given to.
    :param delete: delete the controller instead. The unit is then gone.
    :returns: bool: whether there was something to take back.
    :raises Busy: if it is to be deleted and somebody is connected.
    """
    _ids(user, None)
    target = vhost.VhostTgt(client)
    controller = _controller(target, handle)
    if controller is None:
        return False
    if delete:
        return target.vhost_delete_controller(controller.ctrlr,
                                              missing_ok=True)
    peer = client.peer()
    owner = peer[1:3] if peer else (os.geteuid(), os.getegid())
    return _give(handle['socket'], owner, DETACHED_MODE)


def _controller(target, handle):
    return next((one for one in target.vhost_get_controllers()
                 if one.socket == handle['socket']), None)


def _create(target, handle, bdev):
    name = os.path.basename(handle['socket'])
    target.vhost_create_blk_controller(name, bdev)
    made = target.vhost_get_controllers(name)[0]
    if made.socket != handle['socket']:
        with contextlib.suppress(exceptions.RpcError):
            target.vhost_delete_controller(name)
        raise exceptions.InvalidValue(
            'socket', handle['socket'], 'the target makes its sockets in '
            f'{os.path.dirname(made.socket)}')


def _ids(user, group):
    try:
        entry = pwd.getpwnam(user)
    except (KeyError, TypeError):
        raise exceptions.InvalidValue(
            'user', user, 'there is no such user on this host') from None
    if group is None:
        return entry.pw_uid, entry.pw_gid
    try:
        return entry.pw_uid, grp.getgrnam(group).gr_gid
    except KeyError:
        raise exceptions.InvalidValue(
            'group', group, 'there is no such group on this host') from None


def _give(path, owner, mode):
    """Set owner and mode of a socket, and of nothing else.

    :returns: bool: whether they were others.
    """
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as exc:
        raise exceptions.HostError(
            f'socket {path}: {exc.strerror}; is the target on this host?') \
            from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISSOCK(status.st_mode):
            raise exceptions.ForeignProcess(
                f'{path} is no socket; it is left alone')
        before = (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
        if before == (*owner, mode):
            return False
        # By the descriptor: the path may be another's by now.
        held = f'/proc/self/fd/{descriptor}'
        os.chown(held, *owner)
        os.chmod(held, mode)
        return True
    except PermissionError:
        raise exceptions.PrivilegeError(
            f'{path} cannot be given to user {owner[0]}: only root can do '
            'that; run this as root') from None
    finally:
        os.close(descriptor)
