# SPDX-License-Identifier: Apache-2.0

"""Directories and files that can be trusted, written so that none is lost.

A path that somebody else may write is never trusted: whoever can write
``run_path`` can put a socket there and play the target, or a link and have
us write where he likes.
"""

import contextlib
import os
import secrets
import stat

from cyborg_spdk import exceptions

#: Mode of the directories made here.
DIRECTORY_MODE = 0o750


def check_directory(path, *, what):
    """Refuse a directory that others may write.

    :param path: an existing directory; links are followed first.
    :param what: the option that names it, e.g. ``"[spdk] run_path"``.
    :returns: its real path.
    :raises StateError: if it is no directory, belongs to somebody else, or
        it or a directory above it can be written by others. A directory
        with the sticky bit above it (/tmp) is fine: nobody can replace
        what is not his there.
    """
    real = os.path.realpath(path)
    try:
        status = os.stat(real)
    except OSError as exc:
        raise exceptions.StateError(
            f"{what} {path}: {exc.strerror}; make it, or give the user "
            f"{os.geteuid()} access to it") from None
    if not stat.S_ISDIR(status.st_mode):
        raise exceptions.StateError(
            f"{what} {path}: not a directory; name one")
    _check_entry(real, status, what, final=True)
    above = os.path.dirname(real)
    while above != os.path.dirname(above):
        _check_entry(above, os.stat(above), what, final=False)
        above = os.path.dirname(above)
    return real


def _check_entry(path, status, what, *, final):
    sticky = status.st_mode & stat.S_ISVTX and not final
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
        raise exceptions.StateError(
            f"{what}: {path} can be written by others (mode "
            f"{stat.S_IMODE(status.st_mode):04o}); chmod go-w {path}")
    # Root may use what an unprivileged agent made: it is the operator who
    # configured that path, and the agent drives the targets anyway.
    if os.geteuid() != 0 and status.st_uid not in (0, os.geteuid()):
        raise exceptions.StateError(
            f"{what}: {path} belongs to user {status.st_uid}, neither to "
            f"root nor to user {os.geteuid()}; use another directory")


def ensure_directory(path, *, what):
    """Make a directory (mode 0750) if it is missing, and check it.

    :param path: an absolute path; the directory above it must exist.
    :param what: the option that names it.
    :returns: its real path.
    :raises StateError: if it cannot be made or cannot be trusted.
    """
    if not os.path.isabs(path):
        raise exceptions.StateError(
            f"{what} {path}: use an absolute path")
    try:
        os.mkdir(path, DIRECTORY_MODE)
    except FileExistsError:
        pass
    except OSError as exc:
        raise exceptions.StateError(
            f"{what} {path}: cannot be made: {exc.strerror}; make it and "
            f"give it to user {os.geteuid()}") from None
    return check_directory(path, what=what)


def write_atomically(path, data, mode=0o600, *, durable=True):
    """Replace a file's content as a whole, or leave it as it was.

    :param path: the file; its directory must be trusted.
    :param data: the bytes.
    :param mode: permission bits of the file.
    :param durable: have it on the disk before this returns. Not needed for
        what is worth nothing after a reboot.
    :raises StateError: if it cannot be written (disk full, ...); the old
        content is then still there.
    """
    temporary = f"{path}.{secrets.token_hex(4)}.tmp"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL
                     | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            with open(fd, 'wb') as stream:
                stream.write(data)
                stream.flush()
                give_to_directory_owner(stream.fileno(), path)
                if durable:
                    os.fsync(stream.fileno())
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        if durable:
            _sync_directory(os.path.dirname(path))
    except OSError as exc:
        raise exceptions.StateError(
            f"{path}: cannot be written: {exc.strerror}; what was there "
            "before is kept") from None


def _sync_directory(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def give_to_directory_owner(file, path):
    """Let what root made belong to the owner of its directory.

    Else the command line, run as root, would leave locks and state that
    the unprivileged agent can no longer use.

    :param file: the open file (int), or the path of a directory.
    :param path: its path.
    """
    if os.geteuid() == 0:
        owner = os.stat(os.path.dirname(path))
        os.chown(file, owner.st_uid, owner.st_gid)


def read(path, *, follow=False, limit=64 << 20):
    """Read a state file.

    :param path: the file.
    :param follow: whether it may be a link: only where the operator has
        named it himself.
    :param limit: most bytes to read.
    :returns: its bytes, or None if there is no such file.
    :raises StateError: if it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC
                     | (0 if follow else os.O_NOFOLLOW))
        with open(fd, 'rb') as stream:
            return stream.read(limit)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise exceptions.StateError(
            f"{path}: cannot be read: {exc.strerror}; correct its owner or "
            "mode") from None
