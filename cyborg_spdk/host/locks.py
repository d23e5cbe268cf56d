# SPDX-License-Identifier: Apache-2.0

"""Locks between the processes of this project on one host.

The file of a lock is opened in a directory of the agent's by root too, so it
is opened there without following a link; oslo.concurrency opens it by its
path and would follow one. It excludes the same processes: the lock is the
same (fcntl).
"""

from collections.abc import Iterator
import contextlib
import errno
import fcntl
import os
import stat
import time

from oslo_concurrency import lockutils

from cyborg_spdk import exceptions
from cyborg_spdk.host import directories
from cyborg_spdk.host import trusted_files

# fcntl locks are of a process: its threads need one of their own.
_THREADS = lockutils.Semaphores()

# Seconds between two looks whether a lock is free: the first and the most.
_FIRST, _MOST = 0.005, 0.05


def _after_fork() -> None:
    # One that a thread of the parent holds would never be let go here.
    global _THREADS
    _THREADS = lockutils.Semaphores()


os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def hold(directory: str, name: str, timeout: float, *,
         doing: str) -> Iterator[None]:
    """Hold a lock that all processes of this host share.

    :param directory: a trusted directory for its file.
    :param name: name of the lock.
    :param timeout: seconds to wait for it.
    :param doing: what it is needed for, for the message.
    :raises Locked: if it cannot be had in time. It ends with the process
        that holds it, so that one does not wait for the dead.
    :raises StateError: if it cannot be used.
    """
    path = os.path.join(directory, f'{name}.lock-file')
    deadline = time.monotonic() + timeout
    late = exceptions.Locked(
        f"{doing}: another process or thread has been at it for "
        f"{timeout:g} s (lock {path}); wait for it, or end it")
    inner = _THREADS.get(path)
    if not inner.acquire(timeout=timeout):
        raise late
    try:
        fd = _open(path)
        try:
            if not _acquire(fd, deadline):
                raise late
            # Closing the file lets go of it.
            yield
        finally:
            os.close(fd)
    finally:
        inner.release()


def _acquire(fd: int, deadline: float) -> bool:
    pause = _FIRST
    while True:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as exc:
            if exc.errno not in (errno.EACCES, errno.EAGAIN):
                raise
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(_MOST, pause * 2)


def _open(path: str) -> int:
    """Open the lock's file, made so that root and the agent can use it."""
    where, name = os.path.split(path)
    try:
        with directories.opened(where) as directory:
            fd = _open_at(directory, name)
    except OSError as exc:
        raise exceptions.StateError(
            f"{path}: cannot be used as a lock: {exc.strerror}; give the "
            f"user {os.geteuid()} access to it, or remove it") from None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise exceptions.StateError(
        f"{path}: it is not a regular file and is not used as a lock; "
        "remove it")


def _open_at(directory: int, name: str) -> int:
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        try:
            fd = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600,
                         dir_fd=directory)
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                return os.open(name, flags, dir_fd=directory)
            continue
        os.fchmod(fd, 0o660)  # nosec B103
        trusted_files.give_to_owner(fd, directory)
        return fd
