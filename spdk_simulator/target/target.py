# SPDX-License-Identifier: Apache-2.0

"""The state of one simulated target."""

import errno
import os
import time

from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator import errors
from spdk_simulator.iscsi import state as iscsi_state
from spdk_simulator.net import interfaces as net_interfaces
from spdk_simulator.nvmf import state as nvmf_state
from spdk_simulator import scsi
from spdk_simulator.target import modules
from spdk_simulator.target import options
from spdk_simulator.target import scheduler
from spdk_simulator.vhost import state as vhost_state

TICK_RATE = 2_600_000_000

# Name of the shared trace file, and which parts of SPDK a program has.
PROGRAMS = {
    "nvmf_tgt": ("nvmf", {"nvmf"}),
    "vhost": ("vhost", {"scsi", "vhost"}),
    "iscsi_tgt": ("iscsi", {"scsi", "iscsi"}),
    "spdk_tgt": ("spdk_tgt", {"nvmf", "scsi", "vhost", "iscsi"}),
}


class Target:
    """Everything a target knows.

    :param app: the program, a key of :data:`PROGRAMS`.
    :param release: the :class:`.release.Release` that is played.
    :param log: a :class:`.log.Log`.
    :param config: a :class:`.cmdline.Options`.
    """

    def __init__(self, app, release, log, config):
        self.app = app
        self.release = release
        self.log = log
        self.config = config
        self.trace_name, self.parts = PROGRAMS[app]
        self.initialized = False
        self.init_waiters = []
        self.server = None
        self.process = None
        self.methods = None
        self.pid = os.getpid()
        self.started = time.monotonic_ns()
        self.notifications = []
        self.options = options.Options(self)
        self.scheduler = scheduler.Scheduler(self)
        if release < 1804:
            log.level = "INFO"
            if not config.silent:
                log.print_level = "NOTICE"
        self.net = net_interfaces.Interfaces()
        self.bdevs = bdev_layer.Layer(self)
        modules.load(self)
        self.nvmf = nvmf_state.Layer(self) if "nvmf" in self.parts else None
        self.scsi = scsi.Layer() if "scsi" in self.parts else None
        self.vhost = vhost_state.Layer(self) if "vhost" in self.parts else None
        self.iscsi = iscsi_state.Layer(self) if "iscsi" in self.parts else None

    # Time.

    @property
    def tick_rate(self):
        """Ticks per second."""
        return TICK_RATE

    def ticks(self):
        """The time stamp counter."""
        return time.monotonic_ns() * 26 // 10

    def uptime_ticks(self):
        """Ticks since the start."""
        return (time.monotonic_ns() - self.started) * 26 // 10

    # Threads and messages.

    def post(self, function, *args):
        """Run a function after what the present poll still does."""
        self.server.post(function, *args)

    def answer_later(self, request, function, *args):
        """Answer a request from a message; see :meth:`post`.

        :param function: returns the result or raises CallError.
        """
        self.post(self._answer, request, function, args)

    def _answer(self, request, function, args):
        try:
            result = function(*args)
        except errors.CallError as exc:
            method = self.methods.table[request.method].canonical
            request.error(*errors.of_release(exc, method, self.release))
        else:
            request.result(result)

    def cores(self):
        """The cores of the core mask, in order."""
        return self.config.cores

    def cpumask(self):
        """The core mask as SPDK writes it: hexadecimal, no 0x."""
        return f"{sum(1 << core for core in self.cores()):x}"

    def threads(self):
        """SPDK's threads: (id, name, core)."""
        threads = [("app_thread", self.cores()[0])]
        if self.initialized and self.nvmf:
            digits = 3 if self.release >= 2405 else 1
            threads += [(f"nvmf_tgt_poll_group_{number:0{digits}d}", core)
                        for number, core in enumerate(self.cores())]
        if self.initialized and self.iscsi:
            threads += [(f"iscsi_poll_group_{core}", core)
                        for core in self.cores()]
        listed = [(number, *thread)
                  for number, thread in enumerate(threads, 1)]
        if self.vhost:
            listed += self.vhost.threads()
        return listed

    # Notifications (lib/notify).

    def notify(self, kind, context):
        """Record an event for ``notify_get_notifications``."""
        if kind == "bdev_resize" and self.release < 2509:
            return
        self.notifications.append((kind, context))

    # Life.

    def finish_init(self):
        """Leave the startup state.

        :returns: whether the subsystems could be initialized.
        """
        if not self.options.assign_operations() or (
                self.iscsi and not self.iscsi.options_are_valid()):
            return False
        self.initialized = True
        self.scheduler.start()
        if self.nvmf:
            self.nvmf.start()
        if self.iscsi:
            self.iscsi.start()
        waiters, self.init_waiters = self.init_waiters, []
        for request in waiters:
            request.result(True)
        return True

    def shut_down(self):
        """Take away what the target made outside of itself; answer what
        still waits with ESHUTDOWN.
        """
        for request in list(self.bdevs.waiting):
            request.error(-errno.ESHUTDOWN, os.strerror(errno.ESHUTDOWN))
        self.bdevs.waiting.clear()
        if self.vhost:
            self.vhost.shut_down()
        if self.nvmf:
            self.nvmf.shut_down()
        if self.iscsi:
            self.iscsi.shut_down()
