# SPDX-License-Identifier: Apache-2.0

"""Units into domains: real libvirtd and QEMU, real Placement.

The targets are simulated, and QEMU's storage daemon has the data of the
vhost-user sockets; what needs a guest that answers is in tests/guest.
"""

import json
import os
import uuid

import fixtures

from cyborg_spdk import exceptions
from cyborg_spdk.service import options
from cyborg_spdk.service.plug import domain_xml
from cyborg_spdk.service.plug import duty
from cyborg_spdk.service.plug import rounds
from cyborg_spdk.service.plug import wishes
from cyborg_spdk.units import placement
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import state
from tests.functional.fixtures import host
from tests.plug import case


class PlugTest(case.PlugCase):

    def test_there_and_back(self):
        unit = self.unit('blk.0')
        instance, domain = self.libvirtd.create()
        self.assertEqual({}, self.disks(domain))
        self.give(instance, unit)
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual({unit: 'vdz'}, self.disks(domain))
        mark = self.mark(unit)
        self.assertEqual((marks.DIRTY, instance, True),
                         (mark.state, mark.consumer, mark.in_use))
        self.assertEqual(1, self.reserved(unit))
        # Nova stops it: it is still the instance's.
        domain.destroy()
        self.assertEqual([], self.duty.run().facts['plugs'])
        self.assertTrue(self.mark(unit).in_use)
        self.take(instance)
        plugs = self.duty.run().facts['plugs']
        self.assertEqual([rounds.LEFT], [one['state'] for one in plugs])
        mark = self.mark(unit)
        self.assertEqual((marks.DIRTY, False), (mark.state, mark.in_use))
        self.assertEqual(1, self.reserved(unit))

    def test_two_units_and_a_name_that_is_taken(self):
        first, second = self.unit('blk.0'), self.unit('blk.1')
        other = self.host.path('other.img')
        with open(other, 'wb') as stream:
            stream.truncate(1 << 20)
        os.chmod(other, 0o666)
        instance, domain = self.libvirtd.create(
            devices=f"<disk type='file' device='disk'><source file='{other}'/>"
                    "<target dev='vdz' bus='virtio'/></disk>")
        self.give(instance, first, second)
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual(['vdx', 'vdy'], sorted(
            self.disks(domain).values()))
        # Again: nothing is plugged a second time.
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual(3, len(domain_xml.parse(domain.XMLDesc(0)).disks))

    def test_never_two_writers(self):
        unit = self.unit('blk.0')
        _, foreign = self.libvirtd.create()
        socket = json.loads(self.units[unit]['handle'])['socket']
        os.chmod(os.path.dirname(socket), 0o755)
        os.chmod(os.path.dirname(os.path.dirname(socket)), 0o755)
        os.chmod(socket, 0o666)
        foreign.attachDeviceFlags(
            domain_xml.vhost_user(socket, 'vdb', '').replace(
                domain_xml.ALIAS, 'ua-somebody'), 1)
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        problem, = self.duty.run().problems
        self.assertIn('is a disk of domain', problem)
        self.assertEqual({}, self.disks(domain))

    def test_without_shared_memory_the_flavor_is_named(self):
        unit = self.unit('blk.0', served=False)
        instance, domain = self.libvirtd.create(memory='')
        self.give(instance, unit)
        problem, = self.duty.run().problems
        self.assertIn('hw:mem_page_size', problem)
        self.assertEqual({}, self.disks(domain))
        self.assertIsNone(self.mark(unit))

    def test_a_scsi_unit_is_told(self):
        unit = self.reported('scsi', {'socket': '/x/scsi.0', 'target': '0'})
        instance, _ = self.libvirtd.create()
        self.give(instance, unit)
        problem, = self.duty.run().problems
        self.assertIn('vhost-scsi', problem)

    def test_placement_away_unplugs_nothing(self):
        unit = self.unit('blk.0')
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        self.duty.run()
        self.host.set(placement.GROUP,
                      endpoint_override='http://127.0.0.1:9/')
        away = self.another_duty()
        problem, = away.run().problems
        self.assertIn('Placement cannot be asked', problem)
        self.assertEqual({unit: 'vdz'}, self.disks(domain))
        domain.destroy()
        away.run()
        self.assertTrue(self.mark(unit).in_use)

    def test_another_instances_data_is_not_given_away(self):
        unit = self.unit('blk.0', served=False)
        owner = str(uuid.uuid4())
        self.used_by(unit, owner)
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        self.assertIn(owner, ' '.join(self.duty.run().problems))
        self.assertEqual({}, self.disks(domain))

    def test_a_placement_that_has_forgotten_takes_nothing(self):
        unit = self.unit('blk.0')
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        self.duty.run()
        self.take(instance)
        problem, = self.duty.run().problems
        self.assertIn('no allocation at all', problem)
        self.assertEqual({unit: 'vdz'}, self.disks(domain))
        self.assertTrue(self.mark(unit).in_use)

    def test_data_of_nobody_known_is_not_wiped(self):
        unit = self.unit('blk.0', served=False)
        self.used_by(unit, 'libvirt-qemu')
        state.end_use(self.conf, self.host.target('vhost'),
                      self.units[unit]['handle'])
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        self.assertNotEqual((), self.duty.run().problems)
        mark = self.mark(unit)
        self.assertEqual((marks.DIRTY, 'libvirt-qemu'),
                         (mark.state, mark.consumer))

    def test_foreign_disks_are_left_alone(self):
        other = self.host.path('other.img')
        with open(other, 'wb') as stream:
            stream.truncate(1 << 20)
        os.chmod(other, 0o666)
        _, domain = self.libvirtd.create(
            devices=f"<disk type='file' device='disk'><source file='{other}'/>"
                    "<target dev='vda' bus='virtio'/>"
                    "<alias name='ua-somebody'/></disk>")
        before = domain.XMLDesc(0)
        self.assertEqual([], self.duty.run().facts['plugs'])
        self.assertEqual(before, domain.XMLDesc(0))

    def test_events_wake_it(self):
        self.duty.run()
        self.libvirtd.create()
        host.wait_until(lambda: duty.NAME in self.woken, 'an event')

    def test_libvirt_away(self):
        self.host.set(options.GROUP,
                      libvirt_uri='qemu+unix:///system?socket=/nowhere')
        away = self.another_duty()
        error = self.assertRaises(exceptions.HypervisorError, away.run)
        self.assertIn('/nowhere', str(error))

    def test_answers_are_kept_until_something_happens(self):
        self.useFixture(fixtures.MonkeyPatch(
            'cyborg_spdk.service.plug.wishes.GOOD_FOR', 3600.0))
        unit = self.unit('blk.0', served=False)
        asked = wishes.Wishes(placement.Placement(self.conf))
        instance = str(uuid.uuid4())
        self.assertEqual(frozenset(), asked.of(instance))
        self.give(instance, unit)
        self.assertEqual(frozenset(), asked.of(instance))
        asked.forget(instance)
        self.assertEqual({unit}, asked.of(instance))
        self.take(instance)
        asked.keep([])
        self.assertEqual(frozenset(), asked.of(instance))
