# SPDX-License-Identifier: Apache-2.0

"""Directories that can be trusted, walked to by descriptors.

A path is walked from ``/``, part by part, so that what was looked at is what
is used, whatever others rename meanwhile. Who may have made a part:

* an unprivileged process takes what root or its own user has made;
* root takes what root has made and, from the first part that belongs to
  another user on, only what belongs to that user. So it can work in the
  directories of the agent, and no link of the agent's leads it elsewhere.
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import errno
import os
import stat

from cyborg_spdk import exceptions

#: Mode of the directories made here, whatever the umask is.
MODE = 0o750

# As the kernel: more links than that in a path are a circle.
_MOST_LINKS = 40

_OTHERS = stat.S_IWGRP | stat.S_IWOTH

_PART = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Untrusted(Exception):
    """A part of a path that is not to be trusted; the text says why."""


@dataclasses.dataclass
class _Walk:
    """A walk along a path.

    :ivar root_only: whether only what root has made will do.
    :ivar writers: permission bits of others that no part may have.
    :ivar fd: where it is now.
    :ivar path: the real path of that.
    :ivar owner: whose parts it has come to: root's, until it comes to
        another user's.
    """

    root_only: bool
    writers: int
    fd: int = -1
    path: str = '/'
    owner: int = 0
    links: int = 0

    def along(self, path: str) -> None:
        """Go along a path; :attr:`fd` is then a descriptor of its end."""
        self._at('/')
        parts = path.split('/')[::-1]
        while parts:
            part = parts.pop()
            if part in ('', '.'):
                continue
            if part == '..':
                self._enter('..', os.path.dirname(self.path))
                continue
            target = self._enter(part, os.path.join(self.path, part))
            if target is not None:
                if target.startswith('/'):
                    self._at('/')
                parts += target.split('/')[::-1]

    def _at(self, path: str) -> None:
        self._move(os.open(path, os.O_PATH | os.O_CLOEXEC), path)

    def _move(self, fd: int, path: str) -> None:
        self.close()
        self.fd, self.path = fd, path

    def _enter(self, part: str, path: str) -> str | None:
        """Go to a part; where a link leads to is returned instead."""
        before = os.fstat(self.fd)
        if not stat.S_ISDIR(before.st_mode):
            raise _os_error(errno.ENOTDIR, self.path)
        self._check_writers(before, self.path, final=False)
        fd = os.open(part, _PART, dir_fd=self.fd)
        try:
            status = os.fstat(fd)
            self._check_owner(status, path)
            if not stat.S_ISLNK(status.st_mode):
                self._move(os.dup(fd), path)
                return None
            self.links += 1
            if self.links > _MOST_LINKS:
                raise _os_error(errno.ELOOP, path)
            return os.readlink('', dir_fd=fd)
        finally:
            os.close(fd)

    def _check_owner(self, status: os.stat_result, path: str) -> None:
        uid = status.st_uid
        us = os.geteuid()
        if us != 0 or self.root_only:
            fine = uid == 0 or (uid == us and not self.root_only)
        else:
            fine = self.owner in (0, uid)
            self.owner = uid or self.owner
        if not fine:
            raise Untrusted(
                f"{path} belongs to user {uid}, not to root"
                + ('' if self.root_only
                   else f" or user {us or self.owner}"))

    def _check_writers(self, status: os.stat_result, path: str, *,
                       final: bool) -> None:
        # In a sticky directory (/tmp) nobody can replace what is not his.
        sticky = status.st_mode & stat.S_ISVTX and not final \
            and stat.S_ISDIR(status.st_mode)
        if status.st_mode & self.writers and not sticky:
            raise Untrusted(
                f"{path} can be written by others (mode "
                f"{stat.S_IMODE(status.st_mode):04o}); chmod go-w {path}")

    def check_end(self) -> os.stat_result:
        """Look at where the walk has ended."""
        status = os.fstat(self.fd)
        self._check_writers(status, self.path, final=True)
        return status

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _os_error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


@contextlib.contextmanager
def _walked(path: str, *, root_only: bool = False,
            writers: int = _OTHERS) -> Iterator[_Walk]:
    walk = _Walk(root_only, writers)
    try:
        walk.along(os.path.join(os.getcwd(), path))
        yield walk
    finally:
        walk.close()


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """Open a directory to work in.

    :param path: the directory; ``""`` is the current one.
    :returns: its descriptor, for ``dir_fd`` of the functions of :mod:`os`.
    :raises StateError: for root: if another user could have led the path
        elsewhere.
    :raises OSError: if it cannot be opened.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if os.geteuid() == 0:
        try:
            with _walked(path, writers=0) as walk:
                fd = os.open('.', flags, dir_fd=walk.fd)
        except Untrusted as exc:
            raise exceptions.StateError(
                f"{path} is not used by root: {exc}; name a directory "
                "without links of other users") from None
    else:
        fd = os.open(path or '.', flags)
    try:
        yield fd
    finally:
        os.close(fd)


def check(path: str, *, what: str) -> str:
    """Refuse a directory that others may write.

    :param path: an existing directory; links are followed first.
    :param what: the option that names it, e.g. ``"[spdk] run_path"``.
    :returns: its real path.
    :raises StateError: if it is no directory, belongs to somebody else, or
        it or a directory above it can be written by others. A directory
        with the sticky bit above it (/tmp) is fine: nobody can replace
        what is not his there.
    """
    try:
        with _walked(path) as walk:
            status = walk.check_end()
            if not stat.S_ISDIR(status.st_mode):
                raise exceptions.StateError(
                    f"{what} {path}: not a directory; name one")
            return walk.path
    except Untrusted as exc:
        raise exceptions.StateError(
            f"{what}: {exc}" + ('' if 'chmod' in str(exc) else
                                '; use another directory')) from None
    except OSError as exc:
        raise exceptions.StateError(
            f"{what} {path}: {exc.strerror}; make it, or give the user "
            f"{os.geteuid()} access to it") from None


def check_root_only(path: str) -> tuple[str, os.stat_result]:
    """Refuse what somebody else than root could have put there, or can.

    :param path: of a file or directory; links of root are followed.
    :returns: its real path, which only root can lead elsewhere, and what
        ``stat()`` says of it.
    :raises PrivilegeError: with the part of the path that others can
        change, and what to do.
    """
    try:
        with _walked(path, root_only=True) as walk:
            return walk.path, walk.check_end()
    except Untrusted as exc:
        part = str(exc).partition(' ')[0]
        raise exceptions.PrivilegeError(
            f"{path} is not used as root: {exc}"
            + ('' if 'chmod' in str(exc) else f"; chown root {part}")) \
            from None
    except OSError as exc:
        raise exceptions.PrivilegeError(
            f"{path} is not used as root: {exc.strerror}; correct the path")\
            from None


def check_program(path: str) -> None:
    """Refuse a program that somebody else could have put there, or can.

    Root runs only what root alone can change. Others run also their own
    programs, and those below directories that a group can write.

    :param path: of the program; links are followed first.
    :raises PrivilegeError: with the part of the path that others can
        change, and what to do.
    """
    us = os.geteuid()
    try:
        with _walked(path, root_only=us == 0,
                     writers=_OTHERS if us == 0 else stat.S_IWOTH) as walk:
            walk.check_end()
    except (Untrusted, OSError) as exc:
        raise exceptions.PrivilegeError(
            f"{path} is not run: {exc}" + (
                '' if 'chmod' in str(exc) else
                f"; chown root {str(exc).partition(' ')[0]}")) from None


def ensure(path: str, *, what: str,
           owner: tuple[int, int] | None = None) -> str:
    """Make a directory (mode 0750) if it is missing, and check it.

    :param path: an absolute path; the directory above it must exist.
    :param what: the option that names it.
    :param owner: as for :func:`make`.
    :returns: its real path.
    :raises StateError: if it cannot be made or cannot be trusted.
    """
    if not os.path.isabs(path):
        raise exceptions.StateError(
            f"{what} {path}: use an absolute path")
    try:
        make(path, owner)
    except OSError as exc:
        raise exceptions.StateError(
            f"{what} {path}: cannot be made: {exc.strerror}; make it and "
            f"give it to user {os.geteuid()}") from None
    return check(path, what=what)


def make(path: str, owner: tuple[int, int] | None = None,
         mode: int = MODE) -> bool:
    """Make a directory if it is missing; what is there stays as it is.

    :param path: an absolute path; the directory above it must exist.
    :param owner: user and group to give it to; None is, for root, the
        owner of the directory that it is in.
    :param mode: its permission bits, whatever the umask is.
    :returns: whether it was made.
    :raises StateError: as :func:`opened`.
    :raises OSError: if it cannot be made.
    """
    above, name = os.path.split(os.path.normpath(path))
    with opened(above) as directory:
        try:
            os.mkdir(name, 0o700, dir_fd=directory)
        except FileExistsError:
            return False
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                     | os.O_CLOEXEC, dir_fd=directory)
        try:
            if owner is None:
                found = os.fstat(directory)
                owner = (found.st_uid, found.st_gid)
            # In this order: the helper may not change what is another's.
            os.fchmod(fd, mode)
            if os.geteuid() == 0:
                os.fchown(fd, *owner)
        finally:
            os.close(fd)
    return True
