# SPDX-License-Identifier: Apache-2.0

"""A user of this machine, QEMU's, and a vhost-user socket."""

from collections.abc import Mapping
import contextlib
import grp
import os
import pwd
import stat

from cyborg_spdk import clients
from cyborg_spdk.clients import types
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import unix_sockets
from cyborg_spdk import rpc
from cyborg_spdk.units.attach import made
from cyborg_spdk.units.attach import paths
from cyborg_spdk.units import holders

ATTACH_OPTIONS = ('bdev', 'group', 'mode')
DETACH_OPTIONS = ('delete',)

#: Of an attached socket: for the user and the group that it was given to.
DEFAULT_MODE = 0o660
#: Of a detached one: for the target's own user.
DETACHED_MODE = 0o600


def allow(client: rpc.Client, handle: Mapping[str, str], user: str, *,
          group: str | None = None, mode: int = DEFAULT_MODE,
          bdev: str | None = None,
          ours: tuple[str, ...] = ()) -> made.Attachment:
    """Give a controller's socket to a user.

    :param client: ``rpc.Client`` of the target, on this machine.
    :param handle: dict with ``socket``.
    :param user: name of the user that QEMU runs as.
    :param group: name of the socket's group; None means the user's.
    :param mode: permission bits of the socket.
    :param bdev: name of a bdev: create a block controller for it if the
        socket has none.
    :param ours: directories that the user may be let through, they and
        those below.
    :returns: :class:`~cyborg_spdk.units.attach.made.Attachment`.
    :raises NotFound: if there is no such controller, and no bdev.
    :raises HostError: if the socket cannot be given away, or the user
        cannot come as far.
    """
    owner = _ids(user, group)
    if not isinstance(mode, int) or not 0 <= mode <= 0o777:
        raise exceptions.InvalidValue('mode', mode,
                                      'permission bits, 0 to 0777')
    target = clients.VhostTgt(client)
    path = handle['socket']
    changed = False
    if holders.controller(target, handle) is None:
        if bdev is None:
            raise _no_controller(path, '; name a bdev to create one')
        changed = True
        _create(target, handle, bdev)
    changed |= _make_way(path, pwd.getpwnam(user), ours)
    changed |= _give(path, owner, mode)
    found = holders.controller(target, handle)
    if found is None:
        raise _no_controller(path, ' any more')
    return made.Attachment(changed, [path], _warnings(found))


def reachable(path: str, user: str) -> bool:
    """Whether a user may connect to a socket; its directories aside.

    :param path: the socket.
    :param user: name of the user.
    :raises OSError: if it cannot be looked at.
    :raises InvalidValue: if there is no such user.
    """
    return paths.may_connect(path, _user(user))


def born_for(directory: str, user: str, ours: tuple[str, ...]) -> bool:
    """Let a user connect to the sockets that a target makes from now on.

    :param directory: where it makes them.
    :param user: name of the user.
    :param ours: directories in which that may be changed.
    :returns: whether that is so; if not, each socket has to be given to him.
    :raises InvalidValue: if there is no such user.
    """
    entry = _user(user)
    try:
        if not _changeable(directory, ours):
            return False
        paths.born_for(directory, entry)
    except (OSError, exceptions.HostError):
        return False
    return True


def open_by_birth(path: str, user: str) -> bool:
    """Whether a socket is open to a user because of :func:`born_for` only.

    One that was given to him in another way, or that somebody is connected
    to, is not.

    :param path: the socket.
    :param user: name of the user.
    :raises InvalidValue: if there is no such user.
    """
    entry = _user(user)
    try:
        return os.lstat(path).st_uid != entry.pw_uid and \
            paths.named(path, entry) and \
            not unix_sockets.look(path).connections
    except OSError:
        return False  # There is none.


def close(path: str) -> None:
    """Leave a socket to its owner alone.

    :param path: the socket.
    :raises HostError: if that is not possible.
    """
    try:
        status = os.lstat(path)
    except OSError as exc:
        raise exceptions.HostError(f'{path}: {exc.strerror}') from None
    _give(path, (status.st_uid, status.st_gid), DETACHED_MODE)


def _changeable(directory: str, ours: tuple[str, ...]) -> bool:
    """Whether a directory is one of ours, or below one."""
    roots = [os.path.realpath(one) for one in ours]
    real = os.path.realpath(directory)
    return any(os.path.commonpath([one, real]) == one for one in roots) and \
        os.stat(real).st_uid in (os.geteuid(), 0)


def check(client: rpc.Client, handle: Mapping[str, str]) -> None:
    """See that a socket has a controller.

    :param client: ``rpc.Client`` of the target.
    :param handle: dict with ``socket``.
    :raises NotFound: if it has none; it says how to have one.
    """
    if holders.controller(clients.VhostTgt(client), handle) is None:
        raise _no_controller(handle['socket'], '; name a bdev to create one')


def _no_controller(path: str, more: str = '') -> exceptions.NotFound:
    return exceptions.NotFound(
        -19, 'No such device', 'vhost_get_controllers', None,
        f'no controller has the socket {path}{more}')


def _warnings(found: types.VhostController) -> list[str]:
    count = len(holders.sessions(found))
    return [f'{found.ctrlr} has {count} session open already'] \
        if count else []


def _make_way(path: str, user: pwd.struct_passwd,
              ours: tuple[str, ...]) -> bool:
    """See that a user comes as far as a socket.

    :returns: whether a directory was changed.
    """
    changed = False
    while True:
        blocked = paths.barrier(path, user)
        if blocked is None:
            return changed
        if not _changeable(blocked, ours):
            raise exceptions.HostError(
                f'user {user.pw_name} cannot come to {path}: {blocked} '
                f'keeps him out; chmod o+x {blocked}, or have the target '
                'make its sockets elsewhere (-S)')
        paths.let_through(blocked, user)
        changed = True


def forbid(client: rpc.Client, handle: Mapping[str, str], user: str, *,
           delete: bool = False) -> bool:
    """Give a controller's socket back to the target's user.

    Who is connected stays connected: end QEMU's use of it first.

    :param client: ``rpc.Client`` of the target, on this machine.
    :param handle: dict with ``socket``.
    :param user: name of the user that it was given to.
    :param delete: delete the controller instead. The unit is then gone.
    :returns: bool: whether there was something to take back.
    :raises NotFound: if no controller has that socket.
    :raises Busy: if somebody is connected.
    """
    _ids(user, None)
    target = clients.VhostTgt(client)
    controller = holders.controller(target, handle)
    if controller is None:
        raise _no_controller(handle['socket'])
    peer = client.peer()
    owner = peer[1:3] if peer else (os.geteuid(), os.getegid())
    changed = _give(handle['socket'], owner, DETACHED_MODE)
    sessions = holders.sessions(holders.controller(target, handle)
                                or controller)
    if sessions:
        # Its deletion would not end before the session, and fill the log.
        raise exceptions.Busy(
            -16, 'in use', 'vhost_get_controllers', None,
            f'{controller.ctrlr} has {len(sessions)} session open: end the '
            'use by QEMU, then detach again')
    if delete:
        return bool(target.vhost_delete_controller(controller.ctrlr,
                                                   missing_ok=True))
    return changed


def create(client: rpc.Client, handle: Mapping[str, str],
           bdev: str) -> bool:
    """Create a block controller with that socket, if there is none.

    :param client: ``rpc.Client`` of the target.
    :param handle: dict with ``socket``.
    :param bdev: name of the bdev.
    :returns: whether there was none.
    :raises InvalidValue: if the target makes its sockets elsewhere.
    """
    target = clients.VhostTgt(client)
    if holders.controller(target, handle) is not None:
        return False
    _create(target, handle, bdev)
    return True


def _create(target: clients.VhostTgt, handle: Mapping[str, str],
            bdev: str) -> None:
    name = os.path.basename(handle['socket'])
    target.vhost_create_blk_controller(name, bdev)
    found = target.vhost_get_controllers(name)[0]
    if found.socket != handle['socket']:
        with contextlib.suppress(exceptions.RpcError):
            target.vhost_delete_controller(name)
        raise exceptions.InvalidValue(
            'socket', handle['socket'], 'the target makes its sockets in '
            f'{os.path.dirname(found.socket or "")}')


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except (KeyError, TypeError):
        raise exceptions.InvalidValue(
            'user', name, 'there is no such user on this host') from None


def _ids(user: str, group: str | None) -> tuple[int, int]:
    entry = _user(user)
    if group is None:
        return entry.pw_uid, entry.pw_gid
    try:
        return entry.pw_uid, grp.getgrnam(group).gr_gid
    except KeyError:
        raise exceptions.InvalidValue(
            'group', group, 'there is no such group on this host') from None


def _give(path: str, owner: tuple[int, int], mode: int) -> bool:
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
