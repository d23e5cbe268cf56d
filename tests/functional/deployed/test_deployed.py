# SPDX-License-Identifier: Apache-2.0
"""The agent of an unprivileged user, beside services that come and go.

Its targets are root's: it has them started by sudo and the privileged
helper. The targets are simulated; that root installed them makes it so.
"""

import os
import signal
import time
import unittest

import psutil
import testtools

from tests.functional.deployed import agent
from tests.functional.deployed import processes
from tests.functional.deployed import services

_NAMES = ('spdk_nvmf', 'spdk_vhost')
_UNITS = [{'CUSTOM_SPDK_NVMF': 1}, {'CUSTOM_SPDK_VHOST': 1}]


@unittest.skipUnless(os.geteuid() == 0, 'services run as their own users')
class DeployedTest(testtools.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.services = services.Services()
        cls.services.setUp()
        cls.addClassCleanup(cls.services.cleanUp)

    def setUp(self):
        super().setUp()
        self.name = f'node-{os.getpid()}-{time.monotonic_ns()}.example.com'
        self.root = self.services.add_host(self.name)
        self.agent = self.useFixture(agent.Agent(
            self.services.placement, self.name,
            transport=self.services.transport, user=agent.NOBODY))
        self.addCleanup(self.tell_log)

    def tell_log(self):
        self.addDetail('agent.log', testtools.content.text_content(
            '\n'.join(self.agent.log())))

    def right_within(self, reports=2, what='Placement'):
        """Wait until Placement is right, and count the reports."""
        before = self.agent.turns()
        processes.wait_until(
            lambda: self.services.units(self.root) == _UNITS
            and all(self.pids()), what)
        # The one that was under way does not count.
        self.assertLessEqual(self.agent.turns() - before, reports + 1)

    def pids(self):
        return [found and found.pid
                for found in map(self.agent.target, _NAMES)]

    def start(self):
        self.agent.process.start()
        self.right_within(1, 'the first start')

    def next_reports(self, number=2):
        """Wait for some reports that begin from now on to be made."""
        wanted = self.agent.turns() + number + 1
        processes.wait_until(lambda: self.agent.turns() >= wanted,
                             f'{number} reports')

    def helper(self):
        """The helper's process, root's."""
        for one in psutil.process_iter(['cmdline', 'uids']):
            words = one.info['cmdline'] or []
            if any(self.name in word for word in words) and \
                    'sudo' not in words and one.info['uids'].real == 0:
                return one
        return None

    def test_first_start_and_restart(self):
        self.start()
        # By root, for the agent's group.
        for name in _NAMES:
            self.assertEqual(0, self.agent.target(name).uids().real)
            status = os.stat(self.agent.path('run', f'{name}.sock'))
            self.assertEqual((0o660, os.stat(self.agent.path('run')).st_gid),
                             (status.st_mode & 0o777, status.st_gid))
        self.assertEqual([], self.agent.complaints())
        self.assertEqual([], self.services.units(
            self.services.add_host(f'other-{self.name}')))
        before = self.pids()
        self.agent.process.stop()
        since = len(self.agent.log())
        self.agent.process.start()
        self.next_reports()
        self.assertEqual(before, self.pids())
        self.right_within()
        self.assertEqual([], self.agent.complaints(since))

    def test_killed(self):
        """A target, then the helper, then both, then the whole agent."""
        self.start()
        self.kill_target('spdk_nvmf')
        self.right_within(what='a killed target')
        self.helper().kill()
        self.next_reports(1)
        self.kill_target('spdk_vhost')
        self.right_within(what='killed helper, then a target')
        hung = self.helper()
        # It would not see that the agent has ended.
        self.addCleanup(hung.kill)
        hung.suspend()
        self.kill_target('spdk_nvmf')
        self.right_within(what='hung helper, then a target')
        complaints = self.agent.complaints()
        self.assertEqual(1, sum('gone (no answer within 5 s)' in line
                                for line in complaints), complaints)
        self.agent.process.stop(signal.SIGKILL)
        self.agent.process.start()
        self.right_within(what='killed agent')

    def kill_target(self, name):
        found = self.agent.target(name)
        found.kill()
        found.wait(processes.PATIENCE)

    def test_sudo_refuses(self):
        """The reports go on, and the log says why and what to do."""
        self.agent.configure(spdk='privsep_helper_command = '
                                  f'sudo -n {self.agent.path("spdk")}/none')
        self.agent.process.start()
        self.next_reports()
        self.assertEqual([], self.services.units(self.root))
        complaints = self.agent.complaints()
        for name in _NAMES:
            self.assertEqual(1, sum(
                f'{name}: not readable' in line and 'allow it in '
                'sudoers' in line for line in complaints), complaints)
        self.assertNotIn('Traceback', '\n'.join(self.agent.log()))

    def test_ended_in_the_middle_of_a_start(self):
        self.agent.process.start()
        processes.wait_until(lambda: any(self.pids()), 'a start')
        self.agent.process.stop(signal.SIGKILL)
        self.agent.process.start()
        self.right_within(what='the agent ended in the middle of a start')
        before = self.pids()
        self.next_reports(1)
        self.assertEqual(before, self.pids())

    def test_services_that_go_away(self):
        self.start()
        before = self.pids()
        since = len(self.agent.log())
        self.addCleanup(self.services.start_again)
        self.services.rabbitmq.process.stop()
        self.services.rabbitmq.start()
        self.next_reports()
        self.right_within(what='RabbitMQ restarted')
        since = len(self.agent.log())
        # A unit that is gone while it is allocated, and nobody to ask.
        self.services.allocate(self.root, 'CUSTOM_SPDK_VHOST')
        self.services.placement_process.stop()
        self.lose_unit()
        self.next_reports(3)
        ours = [line for line in self.agent.complaints(since)
                if 'cyborg_spdk' in line]
        self.assertEqual(1, len(ours), ours)
        self.assertIn('Placement: cannot be asked: ', ours[0])
        self.assertNotIn('spdk_iscsi', '\n'.join(self.agent.log()[since:]))
        self.services.start_placement()
        self.right_within(what='Placement restarted')
        self.next_reports()
        self.assertEqual(_UNITS, self.services.units(self.root))
        self.assertEqual(before, self.pids())

    def lose_unit(self):
        from cyborg_spdk import rpc
        client = rpc.connect(self.agent.path('run', 'spdk_vhost.sock'))
        client.call('vhost_delete_controller', ctrlr='blk.0')
        rpc.disconnect(self.agent.path('run', 'spdk_vhost.sock'))
