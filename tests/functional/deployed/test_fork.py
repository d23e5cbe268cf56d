# SPDX-License-Identifier: Apache-2.0
"""The agent's fork, without a broker: each report is written down."""

import os
import signal
import time

import testtools

from tests.functional.deployed import agent
from tests.functional.deployed import processes
from tests.functional.fixtures import cloud

_ALL = {'spdk_nvmf': 1, 'spdk_vhost': 1}


class ForkTest(testtools.TestCase):

    def agent(self, spdk=''):
        name = f'node-{os.getpid()}-{time.monotonic_ns()}.example.com'
        cloud.get().add_host(name)
        return self.useFixture(agent.Agent(
            cloud.get().placement_url, name,
            # A report in full each time, to see what is in it.
            spdk=f'full_report_interval = 0\n{spdk}'))

    def report(self, one, number=1):
        """What report NUMBER has of the targets."""
        found = processes.wait_until(
            lambda: one.reports()[number - 1:], f'report {number}')[0]
        self.assertNotEqual(one.process.pid, found['pid'])
        return {name: units for name, units in found.items()
                if name.startswith('spdk_')}

    def test_the_first_report_has_all_targets(self):
        one = self.agent()
        began = time.monotonic()
        one.process.start()
        self.assertEqual(_ALL, self.report(one))
        self.assertLess(time.monotonic() - began, 40)
        self.assertEqual([], one.complaints())
        # The process that made the drivers has started nothing.
        master = f' {one.process.pid} '
        self.assertEqual([], [line for line in one.log()
                              if master in line and 'cyborg_spdk' in line])

    def test_one_after_the_other(self):
        one = self.agent(spdk='parallel = false')
        one.process.start()
        self.assertEqual(_ALL, self.report(one))

    def test_the_agent_is_restarted_with_its_targets_running(self):
        one = self.agent()
        one.process.start()
        self.report(one)
        before = [one.target(name).pid for name in _ALL]
        one.process.stop()
        number = len(one.reports())
        one.process.start()
        self.assertEqual(_ALL, self.report(one, number + 1))
        self.assertEqual(before, [one.target(name).pid for name in _ALL])

    def test_killed_targets_are_in_the_next_report(self):
        one = self.agent()
        one.process.start()
        self.report(one)
        for name in _ALL:
            found = one.target(name)
            found.send_signal(signal.SIGKILL)
            found.wait(processes.PATIENCE)
        number = len(one.reports())
        # The one that was being made, and the next.
        self.assertEqual(_ALL, self.report(one, number + 2))
        self.assertNotIn(None, [one.target(name) for name in _ALL])

    def test_the_worker_is_killed(self):
        """The master forks another one."""
        one = self.agent()
        one.process.start()
        self.report(one)
        before = one.reports()[0]['pid']
        os.kill(before, signal.SIGKILL)
        found = processes.wait_until(
            lambda: [report for report in one.reports()
                     if report['pid'] != before], 'another worker')[0]
        self.assertEqual(_ALL, {name: found[name] for name in _ALL})
