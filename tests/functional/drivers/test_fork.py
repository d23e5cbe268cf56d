# SPDX-License-Identifier: Apache-2.0
"""Drivers in the children of a process that has made, or used, them."""

import json
import os
import signal
import time

import testtools

from tests import forks
from tests.functional.fixtures import background
from tests.functional.fixtures import cloud
from tests.functional.fixtures import targets


class ForkTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(cloud.Host(
            ['spdk_nvmf_driver', 'spdk_vhost_driver']))
        self.targets = self.useFixture(targets.Targets(
            {'nvmf': ['spdk_nvmf'], 'vhost': ['spdk_vhost']},
            self.host.config))
        # A report in full each time: a stub is a target not read.
        self.host.config.config(group='spdk', full_report_interval=0)
        self.drivers = self.host.cloud.tracker(self.host.name).acc_drivers

    def discover(self):
        """For each target: whether it could be read."""
        found = [[json.loads(one.controlpath_id.cpid_info)['target'],
                  not one.stub]
                 for driver in self.drivers for one in driver.discover()]
        # What is saved is not cut off by the end of a child.
        background.settle()
        return found

    ALL = [['spdk_nvmf', True], ['spdk_vhost', True]]

    def pids(self):
        return [self.targets.client(name).peer()[0]
                for name in ('spdk_nvmf', 'spdk_vhost')]

    def test_made_before_the_fork(self):
        self.assertEqual([self.ALL] * 2, forks.each(2, self.discover))
        self.assertEqual(self.ALL, self.discover())

    def test_targets_that_the_parent_is_starting(self):
        for one in self.drivers:
            one.start()
        began = time.monotonic()
        self.assertEqual([self.ALL] * 2, forks.each(2, self.discover))
        self.assertLess(time.monotonic() - began, 60)
        self.assertEqual(self.ALL, self.discover())

    def test_a_parent_that_has_reported(self):
        self.assertEqual(self.ALL, self.discover())
        before = self.pids()
        self.assertEqual([self.ALL] * 3, forks.each(3, self.discover))
        self.assertEqual(before, self.pids())
        self.assertEqual(self.ALL, self.discover())

    def test_all_see_a_target_that_was_killed(self):
        self.discover()
        os.kill(self.pids()[0], signal.SIGKILL)
        self.assertEqual([self.ALL] * 2, forks.each(2, self.discover))
        self.assertEqual(self.ALL, self.discover())

    def test_parent_and_child_at_the_same_time(self):
        self.discover()
        children = [forks.Child(lambda: [self.discover() for _ in range(5)])
                    for _ in range(2)]
        for _ in range(5):
            self.assertEqual(self.ALL, self.discover())
        self.assertEqual([[self.ALL] * 5] * 2,
                         [one.result() for one in children])

    def test_each_asks_placement_by_a_connection_of_its_own(self):
        """Else one takes the answer to the other's question."""
        service = self.drivers[0]._placement
        unknown = self.host.name + '.not'
        expected = service.provider(self.host.name)
        self.assertIsNotNone(expected)
        children = [forks.Child(lambda: [
            service.provider(unknown) for _ in range(30)])
            for _ in range(2)]
        self.assertEqual([expected] * 30, [
            service.provider(self.host.name) for _ in range(30)])
        self.assertEqual([[None] * 30] * 2,
                         [one.result() for one in children])
