# SPDX-License-Identifier: Apache-2.0

"""Whether a user comes as far as a socket, and into it; how to let him."""

import errno
import os
import pwd
import struct

from cyborg_spdk import exceptions

_ACL, _DEFAULT = 'system.posix_acl_access', 'system.posix_acl_default'
# linux/posix_acl_xattr.h, linux/posix_acl.h.
_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 1, 2, 4, 8, 16, 32
_NOBODY = 0xffffffff
_EXECUTE, _READ_WRITE, _WRITABLE = 1, 6, 2

# Tag, permissions, id.
_Entry = tuple[int, int, int]


def barrier(path: str, user: pwd.struct_passwd) -> str | None:
    """The first directory above a path that a user cannot enter.

    :param path: an absolute path.
    :param user: the user.
    :returns: the directory, or None if the way is free.
    :raises HostError: if a part of the path is not there.
    """
    if user.pw_uid == 0:
        return None
    groups = set(os.getgrouplist(user.pw_name, user.pw_gid))
    parts = os.path.dirname(os.path.realpath(path)).split('/')
    for count in range(1, len(parts) + 1):
        directory = '/'.join(parts[:count]) or '/'
        try:
            free = _may(directory, user.pw_uid, groups, _EXECUTE)
        except OSError as exc:
            raise exceptions.HostError(
                f'{directory}: {exc.strerror}') from None
        if not free:
            return directory
    return None


def may_connect(path: str, user: pwd.struct_passwd) -> bool:
    """Whether a user may connect to a socket; its directories aside.

    :param path: the socket.
    :param user: the user.
    :raises OSError: if it cannot be looked at.
    """
    return user.pw_uid == 0 or _may(
        path, user.pw_uid, set(os.getgrouplist(user.pw_name, user.pw_gid)),
        _WRITABLE)


def named(path: str, user: pwd.struct_passwd) -> bool:
    """Whether an entry of its own lets a user write to what is at a path.

    :param path: the path.
    :param user: the user.
    :raises OSError: if it cannot be looked at.
    """
    entries = _entries(path, os.stat(path).st_mode)
    mask = next((perm for tag, perm, _id in entries if tag == _MASK),
                _READ_WRITE)
    return any(tag == _USER and who == user.pw_uid
               and perm & mask & _WRITABLE for tag, perm, who in entries)


def _may(path: str, uid: int, groups: set[int], wanted: int) -> bool:
    """acl(5), access check algorithm, for one permission."""
    status = os.stat(path)
    if status.st_uid == uid:
        return bool(status.st_mode >> 6 & wanted)
    entries = _entries(path, status.st_mode)
    mask = next((perm for tag, perm, _id in entries if tag == _MASK), wanted)
    for tag, perm, who in entries:
        if tag == _USER and who == uid:
            return bool(perm & mask & wanted)
    found = [perm for tag, perm, who in entries
             if tag == _GROUP and who in groups
             or tag == _GROUP_OBJ and status.st_gid in groups]
    if found:
        return any(perm & mask & wanted for perm in found)
    return bool(status.st_mode & wanted)


def _entries(directory: str, mode: int) -> list[_Entry]:
    """The entries of a directory's ACL; those of its mode if it has none."""
    try:
        raw = os.getxattr(directory, _ACL)
    except OSError:
        return [(_USER_OBJ, mode >> 6 & 7, _NOBODY),
                (_GROUP_OBJ, mode >> 3 & 7, _NOBODY),
                (_OTHER, mode & 7, _NOBODY)]
    return [struct.unpack_from('<HHI', raw, at)
            for at in range(4, len(raw) - 7, 8)]


def let_through(directory: str, user: pwd.struct_passwd) -> None:
    """Let a user, and nobody else, enter a directory of ours.

    He can pass, and neither list nor write it: an entry of its own in the
    directory's ACL.

    :param directory: it belongs to this process's user.
    :param user: the user.
    :raises HostError: if that is not possible.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                 | os.O_CLOEXEC)
    try:
        entries = _entries(f'/proc/self/fd/{fd}', os.fstat(fd).st_mode)
        entries = [one for one in entries
                   if (one[0], one[2]) != (_USER, user.pw_uid)]
        entries.append((_USER, _EXECUTE, user.pw_uid))
        mask = 0
        for tag, perm, _who in entries:
            if tag in (_USER, _GROUP_OBJ, _GROUP):
                mask |= perm
        entries = [one for one in entries if one[0] != _MASK]
        entries.append((_MASK, mask, _NOBODY))
        # The kernel wants them in the order of tag and id.
        body = b''.join(struct.pack('<HHI', *one) for one in sorted(
            entries, key=lambda one: (one[0], one[2])))
        os.setxattr(fd, _ACL, struct.pack('<I', _VERSION) + body)
    except OSError as exc:
        why = 'its file system has no ACLs' if exc.errno == \
            errno.EOPNOTSUPP else exc.strerror
        raise exceptions.HostError(
            f'user {user.pw_name} cannot be let through {directory}: '
            f'{why}; chmod o+x {directory}') from None
    finally:
        os.close(fd)


def born_for(directory: str, user: pwd.struct_passwd) -> None:
    """Have the sockets that are made in a directory of ours be a user's, too.

    A target is started with umask 0117, so that its sockets are for its user
    and its group; an entry in the directory's default ACL lets one more user
    connect to those of a target that is started anew, at once.

    :param directory: it belongs to this process's user.
    :param user: the user.
    :raises HostError: if that is not possible.
    """
    entries = ((_USER_OBJ, _READ_WRITE, _NOBODY),
               (_USER, _READ_WRITE, user.pw_uid),
               (_GROUP_OBJ, _READ_WRITE, _NOBODY),
               (_MASK, _READ_WRITE, _NOBODY), (_OTHER, 0, _NOBODY))
    wanted = struct.pack('<I', _VERSION) + b''.join(
        struct.pack('<HHI', *one) for one in entries)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                 | os.O_CLOEXEC)
    try:
        try:
            if os.getxattr(fd, _DEFAULT) == wanted:
                return
        except OSError:
            pass  # It has none.
        os.setxattr(fd, _DEFAULT, wanted)
    except OSError as exc:
        raise exceptions.HostError(
            f'{directory}: its sockets cannot be made for user '
            f'{user.pw_name}: {exc.strerror}') from None
    finally:
        os.close(fd)
