# SPDX-License-Identifier: Apache-2.0

"""What systemd is told of the service (``sd_notify(3)``)."""

import os
import socket


def notify(state: str) -> bool:
    """Tell systemd something, if it wants to know.

    :param state: for example ``"READY=1"``; several lines are several
        assignments.
    :returns: whether it was told.
    """
    path = os.environ.get('NOTIFY_SOCKET', '')
    if not path.startswith(('/', '@')):
        return False
    if path.startswith('@'):  # A name in the abstract namespace.
        path = '\0' + path[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(path)
            sock.sendall(state.encode())
        except OSError:
            return False
    return True


def watchdog_seconds() -> float | None:
    """How often systemd wants a sign of life, in seconds; None: never."""
    microseconds = os.environ.get('WATCHDOG_USEC', '')
    pid = os.environ.get('WATCHDOG_PID', '')
    if not microseconds.isdigit() or (
            pid.isdigit() and int(pid) != os.getpid()):
        return None
    return int(microseconds) / 1e6 or None
