# SPDX-License-Identifier: Apache-2.0

"""The locks on the cores that a target runs on (from v23.01 on)."""

import fcntl
import os
import struct

from spdk_simulator.app import cmdline

_CHECKED = 2505
_PATH = "/var/tmp/spdk_cpu_lock_{:03d}"  # noqa: S108


class Locks:
    """The locks of one target, where it honours the host's resources.

    :param options: a :class:`.cmdline.Options`.
    :param log: a :class:`.log.Log`.
    """

    def __init__(self, options, log):
        self.options = options
        self.log = log
        self.held = {}
        self.begun = False

    def start(self):
        """Lock the cores at the start.

        :raises cmdline.Exit: another process has one.
        """
        self.begun = True
        if self.options.release < 2301:
            return
        if not self.options.cpu_locks:
            self.log.noticelog("app.c", 1018, "spdk_app_start",
                               "CPU core locks deactivated.")
        elif self.claim() is not None:
            self.log.errlog(
                "app.c", 986, "spdk_app_start",
                "Unable to acquire lock on assigned core mask - exiting.")
            raise cmdline.Exit(1)

    def end(self):
        """What the end of a program does that never came to its locks.

        Before v25.05 it takes all cores for locked, and another's file for
        its own.
        """
        if self.begun or not 2301 <= self.options.release < _CHECKED:
            return
        try:
            if self.options.hugepages != "honour":
                raise FileNotFoundError
            os.unlink(_PATH.format(0))
        except FileNotFoundError:
            text = "unlink lock fd for core 0, errno: 2"
        else:
            text = "close lock fd for core 1, errno: 9"
        self.log.errlog("app.c", 700, "unclaim_cpu_cores", f"Failed to {text}")

    def claim(self):
        """Lock the cores.

        :returns: the core that another process has, and then none is
            locked; or None.
        """
        if self.options.hugepages != "honour":
            return None
        for core in self.options.cores:
            if core not in self.held and not self._claim(core):
                self.release()
                return core
        return None

    def _claim(self, core):
        fd = os.open(_PATH.format(core),
                     os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.read(fd, 4)
            owner = struct.unpack("i", pid)[0] if len(pid) == 4 else 0
            os.close(fd)
            self.log.errlog(
                "app.c", 855, "claim_cpu_cores",
                f"Cannot create lock on core {core}, probably process "
                f"{owner} has claimed it.")
            return False
        os.pwrite(fd, struct.pack("i", os.getpid()), 0)
        self.held[core] = fd
        return True

    def release(self):
        """Give the locks up."""
        for core, fd in self.held.items():
            os.unlink(_PATH.format(core))
            os.close(fd)
        self.held.clear()
