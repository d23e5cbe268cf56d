# SPDX-License-Identifier: Apache-2.0

"""What hangs: a target, QEMU behind it, libvirtd. The service does not."""

import json
import signal

import fixtures
import testtools

from cyborg_spdk import exceptions
from cyborg_spdk.service.plug import rounds
from tests.functional.fixtures import host
from tests.plug import case
from tests.plug import disk_server
from tests.plug import half_target


@testtools.skipIf(host.SPDK_DIR, 'a real target answers')
class HungTest(case.PlugCase):

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(
            'cyborg_spdk.service.plug.hypervisor.CHANGE', 3.0))

    def socket(self, unit):
        return json.loads(self.units[unit]['handle'])['socket']

    def test_a_target_that_does_not_answer_is_not_plugged(self):
        unit = self.unit('blk.0', served=False)
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        problem, = self.duty.run().problems
        self.assertIn('nobody answers there', problem)
        # The domain was not asked: libvirt answers about it.
        self.assertEqual(0, domain.controlInfo()[0])
        self.assertEqual({}, self.disks(domain))
        self.useFixture(disk_server.DiskServer(
            self.socket(unit), self.host.path('disk.img')))
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual({unit: 'vdz'}, self.disks(domain))

    def test_a_target_that_hangs_in_the_middle(self):
        bad, good = self.unit('blk.0', served=False), self.unit('blk.1')
        half = self.useFixture(half_target.HalfTarget(self.socket(bad)))
        (first, hung), (second, well) = (self.libvirtd.create(),
                                         self.libvirtd.create())
        self.give(first, bad)
        self.give(second, good)
        problem, = self.duty.run().problems
        self.assertIn('QEMU does not answer libvirt', problem)
        self.assertEqual({good: 'vdz'}, self.disks(well))
        # Told in the same words, which is once, and not asked again.
        sessions = half.sessions
        self.assertEqual((problem,), self.duty.run().problems)
        self.assertLessEqual(half.sessions - sessions, 1)
        # A service that was started anew does not know of the call.
        host.wait_until(lambda: hung.controlInfo()[2] > 5000, 'some seconds')
        anew = self.another_duty()
        self.assertEqual((problem,), anew.run().problems)
        # The unit is given back while nobody knows whether the disk comes.
        self.give_away(first)
        self.assertEqual([], [plug for plug in anew.run().facts['plugs']
                              if plug['state'] == rounds.LEFT])
        self.assertTrue(self.mark(bad).in_use)
        # The target ends: QEMU answers again, and has no disk.
        half.stop()
        host.wait_until(lambda: hung.controlInfo()[0] == 0, 'QEMU')
        self.assertEqual({}, self.disks(hung))
        host.wait_until(
            lambda: self.duty.run() and not self.mark(bad).in_use,
            'the end of the use')

    def test_libvirtd_hangs(self):
        unit = self.unit('blk.0')
        instance, domain = self.libvirtd.create()
        self.duty.run()
        self.give(instance, unit)
        self.libvirtd.kill(signal.SIGSTOP)
        # Not for longer: on a loaded machine one that runs is as slow.
        with fixtures.MonkeyPatch(
                'cyborg_spdk.service.plug.hypervisor._LOOK', 6.0):
            try:
                for _count in range(2):
                    error = self.assertRaises(exceptions.HypervisorError,
                                              self.duty.run)
                    self.assertIn('libvirtd does not answer', str(error))
                # One that has no connection yet, too.
                self.assertRaises(exceptions.HypervisorError,
                                  self.another_duty().run)
            finally:
                self.libvirtd.kill(signal.SIGCONT)
        host.wait_until(self.runs, 'libvirtd')
        self.assertEqual({unit: 'vdz'}, self.disks(domain))

    def runs(self):
        try:
            return self.duty.run().problems == ()
        except exceptions.HypervisorError:
            return False
