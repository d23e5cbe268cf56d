# SPDX-License-Identifier: Apache-2.0

"""Private directories, and what a process that crashed left in them.

A directory holds a file ``owner`` with the process that made it, and
``process`` with one that it started for it, each as PID and start time, so
that a PID used again is not mistaken. Only directories that belong to this
user and that nobody else may enter are looked at.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tempfile

_PREFIX = "cyborg-spdk-ssh-"
_TIMEOUT = 5.0


def make(base: str) -> str:
    """Make a private directory that says whose it is.

    :param base: the directory to make it in.
    :returns: its path.
    """
    path = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
    _write(path, "owner", os.getpid())
    return path


def note_process(path: str, pid: int) -> None:
    """Note the process that was started for a directory."""
    _write(path, "process", pid)


def is_private(path: str) -> bool:
    """Whether a directory is this user's, and nobody else may enter it."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return (stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
            and not status.st_mode & 0o077)


def remove(base: str, ssh: list[str]) -> None:
    """Remove directories whose owner is gone, and end their processes.

    :param base: the directory that they are in.
    :param ssh: the command to end a control master with (list).
    """
    for entry in os.scandir(base):
        path = entry.path
        if not entry.name.startswith(_PREFIX) or not is_private(path):
            continue
        owner = _read(path, "owner")
        if owner is None or _is_running(owner):
            continue
        end_master(path, ssh)
        shutil.rmtree(path, ignore_errors=True)


def end_master(path: str, ssh: list[str]) -> None:
    """End the control master of a directory, if it runs.

    :param path: the directory.
    :param ssh: the command to end it with.
    """
    control = os.path.join(path, "master")
    if os.path.exists(control):
        try:
            subprocess.run([*ssh, "-S", control, "-O", "exit", "--", "any"],
                           stdin=subprocess.DEVNULL, timeout=_TIMEOUT,
                           capture_output=True, check=False)
        except (OSError, subprocess.TimeoutExpired):
            pass
    process = _read(path, "process")
    if process is not None and _is_running(process):
        try:
            os.kill(process[0], signal.SIGTERM)
        except ProcessLookupError:
            return


def _write(path: str, name: str, pid: int) -> None:
    start = _start_time(pid)
    with open(os.path.join(path, name), "w", encoding="ascii") as file:
        file.write(f"{pid} {start}\n")


def _read(path: str, name: str) -> tuple[int, str] | None:
    """``(pid, start time)`` from a file, or None."""
    try:
        with open(os.path.join(path, name), encoding="ascii") as file:
            pid, start = file.read().split()
        return int(pid), start
    except (OSError, ValueError):
        return None


def _is_running(process: tuple[int, str]) -> bool:
    pid, start = process
    return _start_time(pid) == start


def _start_time(pid: int) -> str:
    """When a process started (clock ticks, as text); "-" if there is none.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may hold anything.
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return "-"
