# SPDX-License-Identifier: Apache-2.0

"""What one instance has left is gone before the next one has the unit."""

import fixtures
import testtools

from cyborg_spdk.units.wipe import marks
from tests.functional.fixtures import host
from tests.plug import case

_SECRET = b'of the first instance'


class WipeForPlugTest(case.PlugCase):

    def secret(self):
        """Whether the data of the first instance is on the disk."""
        with open(self.host.path('blk.0.img'), 'rb') as stream:
            return _SECRET in stream.read()

    def used_unit(self):
        """A unit with the data of an instance that has given it back."""
        unit = self.unit('blk.0')
        first, domain = self.libvirtd.create()
        self.give(first, unit)
        self.assertEqual((), self.duty.run().problems)
        with open(self.host.path('blk.0.img'), 'r+b') as stream:
            stream.seek(777 << 9)
            stream.write(_SECRET)
        domain.destroy()
        self.take(first)
        self.duty.run()
        self.assertFalse(self.mark(unit).in_use)
        return unit, first

    def test_the_next_instance_gets_zeroes(self):
        unit, first = self.used_unit()
        second, domain = self.libvirtd.create()
        self.inventory(unit)
        self.give(second, unit)
        del self.woken[:]
        problem, = self.duty.run().problems
        self.assertIn(first, problem)
        self.assertIn('is wiped', problem)
        self.assertEqual({}, self.disks(domain))
        # The end of the wipe wakes the duty; nothing else does.
        host.wait_until(lambda: self.woken, 'the end of the wipe')
        self.assertFalse(self.secret())
        self.assertEqual(marks.CLEAN, self.mark(unit).state)
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual({unit: 'vdz'}, self.disks(domain))
        mark = self.mark(unit)
        self.assertEqual((second, True), (mark.consumer, mark.in_use))

    def test_the_same_instance_finds_its_data(self):
        unit = self.unit('blk.0')
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        self.duty.run()
        with open(self.host.path('blk.0.img'), 'r+b') as stream:
            stream.write(_SECRET)
        # A hard reboot: the domain goes, and comes with the same UUID.
        domain.destroy()
        self.duty.run()
        _, domain = self.libvirtd.create(instance=instance)
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual({unit: 'vdz'}, self.disks(domain))
        self.assertTrue(self.secret())

    def test_what_an_instance_has_allocated_still_is_not_wiped(self):
        unit, first = self.used_unit()
        # Placement gives it to both: nobody knows how that came.
        self.inventory(unit, total=2, reserved=0)
        self.give(first, unit)
        second, domain = self.libvirtd.create()
        self.give(second, unit)
        problem, = self.duty.run().problems
        self.assertIn(first, problem)
        self.assertEqual([], self.duty.wiping())
        self.assertTrue(self.secret())
        self.assertEqual({}, self.disks(domain))

    @testtools.skipIf(host.SPDK_DIR, 'a real target answers')
    def test_a_wipe_that_fails_leaves_it_dirty(self):
        unit, _ = self.used_unit()
        self.inventory(unit)
        second, domain = self.libvirtd.create()
        self.give(second, unit)
        self.servers['blk.0'].stop()
        self.duty.run()
        host.wait_until(lambda: not self.duty.wiping(), 'the end of the wipe')
        self.assertEqual({}, self.disks(domain))
        self.assertNotEqual(marks.CLEAN, self.mark(unit).state)
        # It is told, and tried again after a pause.
        self.assertIn('was not wiped', self.duty.run().problems[-1])
        self.assertEqual([], self.duty.wiping())
        self.useFixture(fixtures.MonkeyPatch(
            'cyborg_spdk.desired.plan.FIRST_PAUSE', 0.0))
        self.assertIn('was not wiped', self.duty.run().problems[-1])
        self.assertEqual([unit], self.duty.wiping())
        host.wait_until(lambda: not self.duty.wiping(), 'the end of the wipe')
