# SPDX-License-Identifier: Apache-2.0

"""Locks between the processes of this project on one host."""

import contextlib
import os
import time

from oslo_concurrency import lockutils

from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files

# fcntl locks are of a process: its threads need one of their own.
_THREADS = lockutils.Semaphores()


def _after_fork():
    # One that a thread of the parent holds would never be let go here.
    global _THREADS
    _THREADS = lockutils.Semaphores()


os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def hold(directory, name, timeout, *, doing):
    """Hold a lock that all processes of this host share.

    :param directory: a trusted directory for its file.
    :param name: name of the lock.
    :param timeout: seconds to wait for it.
    :param doing: what it is needed for, for the message.
    :raises StateError: if it cannot be had in time. It ends with the
        process that holds it, so that one does not wait for the dead.
    """
    path = os.path.join(directory, f'{name}.lock-file')
    _make(path)
    deadline = time.monotonic() + timeout
    inner = _THREADS.get(path)
    outer = lockutils.external_lock(f'{name}.lock-file',
                                    lock_path=directory)
    late = exceptions.StateError(
        f"{doing}: another process or thread has been at it for "
        f"{timeout:g} s (lock {path}); wait for it, or end it")
    if not inner.acquire(timeout=timeout):
        raise late
    try:
        if not outer.acquire(timeout=max(0.01,
                                         deadline - time.monotonic()),
                             delay=0.005, max_delay=0.05):
            raise late
        try:
            yield
        finally:
            outer.release()
    finally:
        inner.release()


def _make(path):
    """Make the lock's file so that root and the agent can both use it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL
                     | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660)
    except FileExistsError:
        return
    except OSError as exc:
        raise exceptions.StateError(
            f"{path}: cannot be made: {exc.strerror}; give the user "
            f"{os.geteuid()} access to the directory") from None
    try:
        trusted_files.give_to_directory_owner(fd, path)
    finally:
        os.close(fd)
