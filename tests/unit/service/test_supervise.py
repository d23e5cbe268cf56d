# SPDX-License-Identifier: Apache-2.0

import subprocess
import sys
import threading
from unittest import mock

from oslo_config import cfg
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.host.machine import proc
from cyborg_spdk.host import process
from cyborg_spdk.service import supervise

#: Seconds after which a test fails; none of them takes a part of it.
PATIENCE = 60


class WaitTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.program = subprocess.Popen(
            [sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
        self.addCleanup(self.program.communicate)
        found = process.TargetProcess(
            self.program.pid, 0.0, '', '', '', 0, True,
            proc.stat_of(self.program.pid).ticks)
        conf = cfg.ConfigOpts()
        conf([])
        spdk_conf.register(conf)
        self.duty = supervise.Supervise(
            conf, spdk_conf.target(conf, 'nvmf', 'spdk_nvmf'), print)
        self.duty._seen = supervise._Seen(found)

    def waited(self):
        """Whether it stops waiting for an hour."""
        waiting = threading.Thread(target=self.duty._wait, args=(3600,))
        waiting.start()
        self.program.kill()
        waiting.join(PATIENCE)
        ended = not waiting.is_alive()
        self.duty.stop()
        waiting.join()
        return ended

    def test_for_one_that_ends(self):
        self.assertTrue(self.waited())

    def test_for_one_that_has_ended_before(self):
        self.program.kill()
        self.program.wait()
        self.assertTrue(self.waited())

    def test_on_a_kernel_without_pidfd(self):
        with mock.patch('os.pidfd_open', side_effect=OSError):
            self.assertTrue(self.waited())
