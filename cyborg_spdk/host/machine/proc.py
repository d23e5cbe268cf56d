# SPDX-License-Identifier: Apache-2.0

"""Processes by pid and start, as /proc tells them: none is mistaken."""

import dataclasses
import errno
import os
import re
import signal


@dataclasses.dataclass(frozen=True)
class Stat:
    """What ``/proc/PID/stat`` says.

    :ivar state: one letter: R, S, D, Z, ...
    :ivar ticks: clock ticks from boot to its start.
    """

    state: str
    ticks: int

    @property
    def dead(self) -> bool:
        """Whether it has ended, and at most waits to be reaped."""
        return self.state in 'ZXx'


def stat_of(pid: int) -> Stat | None:
    """Read ``/proc/PID/stat``; None if there is no such process."""
    try:
        with open(f'/proc/{pid}/stat', 'rb') as stream:
            # The name in parentheses may itself hold spaces and ")".
            fields = stream.read().rpartition(b')')[2].split()
    except OSError:
        return None
    return Stat(fields[0].decode(), int(fields[19]))


def send_signal(pid: int, ticks: int, number: int) -> None:
    """Send a signal to a process, and to no other that has its pid.

    :param pid: its process id.
    :param ticks: its start, as in :class:`TargetProcess`.
    :param number: the signal. A process that has ended gets none.
    """
    fd = None
    try:
        try:
            fd = os.pidfd_open(pid)
        except OSError as exc:
            if exc.errno != errno.ENOSYS:  # Linux before 5.3.
                raise
        # With the file the pid cannot be given to another: is it still it?
        found = stat_of(pid)
        if found is None or found.ticks != ticks:
            return
        if fd is None:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        pass
    finally:
        if fd is not None:
            os.close(fd)


def taken_mb(pid: int) -> int:
    """MiB in huge pages that a process has mapped."""
    try:
        with open(f'/proc/{pid}/status') as stream:
            match = re.search(r'^HugetlbPages:\s*(\d+) kB', stream.read(),
                              re.MULTILINE)
    except OSError:
        return 0
    return int(match[1]) // 1024 if match else 0
