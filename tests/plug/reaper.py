# SPDX-License-Identifier: Apache-2.0

"""Runs a daemon, and takes leave of all that it has started: an init.

libvirt waits until a QEMU that it has ended is gone, and as QEMU is a
grandchild that is up to the first process of the machine: in a container
that is often one that does not care.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

_SUBREAPER, _DEATH_SIGNAL = 36, 1


def main(command):
    prctl = ctypes.CDLL(None).prctl
    prctl(_SUBREAPER, 1, 0, 0, 0)
    prctl(_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    process = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda number, _frame: process.send_signal(
        number))
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


if __name__ == '__main__':
    main(sys.argv[1:])
