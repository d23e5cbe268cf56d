# SPDX-License-Identifier: Apache-2.0

"""Files of ours: one reader and one writer for all of them.

A path that somebody else may write is never trusted: whoever can write
``run_path`` can put a socket there and play the target, or a link and have
us write where he likes. So a directory is walked to from ``/``, part by part
and by descriptors, and what is opened is what was looked at; see
:mod:`cyborg_spdk.host.directories`. A file is opened without following a
link and without waiting for anything, and has to be a regular one.
"""

from collections.abc import Iterator
import contextlib
import errno
import fcntl
import json
import os
import re
import secrets
import stat
from typing import Any

from cyborg_spdk import exceptions
from cyborg_spdk.host import directories

#: Most bytes of a file that is read: a saved configuration of 100,000
#: objects has a third of that.
LIMIT = 64 << 20

# A temporary file that lies beside NAME: NAME.12345678.tmp
_TEMPORARY = re.compile(r'\.[0-9a-f]{8}\.tmp\Z')

# Names of temporary files that are tried; one is nearly always enough.
_TRIES = 10


class Damaged(exceptions.StateError):
    """What a file holds is not what it is to hold."""


def read(path: str, *, follow: bool = False,
         limit: int = LIMIT) -> bytes | None:
    """Read a file as a whole.

    It never waits: not for the writer of a FIFO, nor for the end of a
    device.

    :param path: the file.
    :param follow: whether it may be a link: only where the operator has
        named it himself.
    :param limit: most bytes that it may have.
    :returns: its bytes, or None if there is no such file.
    :raises StateError: if it cannot be read, is no regular file, or is
        larger than that.
    """
    try:
        with _opened(path, os.O_RDONLY, follow) as fd:
            _check_regular(fd, path)
            data = _read_up_to(fd, limit + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise exceptions.StateError(
            f"{path}: cannot be read: {exc.strerror}; correct its owner or "
            "mode") from None
    if len(data) > limit:
        raise exceptions.StateError(
            f"{path}: it has more than {limit} bytes and is not read; "
            "move it away")
    return data


def _read_up_to(fd: int, size: int) -> bytes:
    with open(fd, 'rb', closefd=False) as stream:
        return stream.read(size)


@contextlib.contextmanager
def _opened(path: str, flags: int, follow: bool) -> Iterator[int]:
    flags |= os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    if follow:
        fd = os.open(path, flags)
    else:
        with directories.opened(os.path.dirname(path)) as directory:
            fd = os.open(os.path.basename(path), flags | os.O_NOFOLLOW,
                         dir_fd=directory)
    try:
        yield fd
    finally:
        os.close(fd)


def _check_regular(fd: int, path: str) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise exceptions.StateError(
            f"{path}: it is not a regular file and is not used; remove it")


def read_json(path: str, *, follow: bool = False,
              limit: int = LIMIT) -> Any:
    """Read a file of JSON.

    :param path: as the others, as for :func:`read`.
    :returns: what it holds, or None if there is no such file.
    :raises Damaged: if it is not JSON.
    :raises StateError: as :func:`read`.
    """
    data = read(path, follow=follow, limit=limit)
    return None if data is None else parse_json(data, path)


def parse_json(data: bytes, name: str) -> Any:
    """What JSON says.

    :param data: the bytes.
    :param name: the file that they are from, for the message.
    :raises Damaged: if they are no JSON in UTF-8, or nested so deep that
        Python gives up.
    """
    try:
        return json.loads(data.decode('utf-8'))
    except RecursionError:
        reason = 'it is nested too deep'
    except ValueError as exc:
        reason = str(exc)
    raise Damaged(f"{name}: not JSON: {reason}; correct the file, or move "
                  "it away")


def write_atomically(path: str, data: bytes, mode: int = 0o600, *,
                     durable: bool = True) -> None:
    """Replace a file's content as a whole, or leave it as it was.

    Made by root, it belongs to the owner of its directory. What a writer
    that was killed has left behind is cleared away.

    :param path: the file; a link in its place is replaced, not followed.
    :param data: the bytes.
    :param mode: permission bits of the file, whatever the umask is.
    :param durable: have it on the disk before this returns. Not needed for
        what is worth nothing after a reboot.
    :raises StateError: if it cannot be written (disk full, ...); the old
        content is then still there.
    """
    where, name = os.path.split(path)
    try:
        with directories.opened(where) as directory:
            _clear(directory, name)
            _replace(directory, name, data, mode, durable)
    except OSError as exc:
        raise exceptions.StateError(
            f"{path}: cannot be written: {exc.strerror}; what was there "
            "before is kept") from None


def _replace(directory: int, name: str, data: bytes, mode: int,
             durable: bool) -> None:
    temporary, fd = _make_temporary(directory, name)
    try:
        with open(fd, 'wb') as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(fd, mode)
            give_to_owner(fd, directory)
            if durable:
                os.fsync(fd)
            os.rename(temporary, name, src_dir_fd=directory,
                      dst_dir_fd=directory)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    if durable:
        os.fsync(directory)


def _make_temporary(directory: int, name: str) -> tuple[str, int]:
    """A temporary file, locked while its writer lives: (name, descriptor).
    """
    for _ in range(_TRIES):
        temporary = f'{name}.{secrets.token_hex(4)}.tmp'
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL
                     | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600,
                     dir_fd=directory)
        # Before it was locked it may have been taken for a left one.
        if _lock(fd) and os.fstat(fd).st_nlink:
            break
        os.close(fd)
    else:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), name)
    return temporary, fd


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # A file system without locks.
    return True


def clear(path: str) -> None:
    """Remove what writers that were killed have left beside a file.

    :func:`write_atomically` does so, too; this is for a file that may not
    be written again.

    :param path: the file; it need not be there.
    """
    where, name = os.path.split(path)
    with contextlib.suppress(OSError), directories.opened(where) as directory:
        _clear(directory, name)


def _clear(directory: int, name: str) -> None:
    """Remove the temporary files whose writers are dead."""
    for found in os.listdir(directory):
        if found.startswith(name) and \
                _TEMPORARY.fullmatch(found, len(name)):
            with contextlib.suppress(OSError):
                _remove_left(directory, found)


def _remove_left(directory: int, name: str) -> None:
    fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
                 | os.O_CLOEXEC, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if os.path.samestat(found, os.fstat(fd)):
            os.unlink(name, dir_fd=directory)
    finally:
        os.close(fd)


def remove(path: str) -> bool:
    """Remove a file; a link itself, not what it points to.

    :param path: the file.
    :returns: whether there was one.
    :raises StateError: if it cannot be removed.
    """
    where, name = os.path.split(path)
    try:
        with directories.opened(where) as directory:
            os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise exceptions.StateError(
            f"{path}: cannot be removed: {exc.strerror}; remove it "
            "yourself") from None
    return True


def give_to_owner(fd: int, directory: int) -> None:
    """Let what root made belong to the owner of its directory.

    Else the command line, run as root, would leave locks and state that
    the unprivileged agent can no longer use.

    :param fd: the open file or directory.
    :param directory: the open directory that it is in.
    """
    if os.geteuid() == 0:
        owner = os.fstat(directory)
        os.fchown(fd, owner.st_uid, owner.st_gid)


# The names by which the other parts of the project know them.
check_directory = directories.check
ensure_directory = directories.ensure
