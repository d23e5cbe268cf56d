# SPDX-License-Identifier: Apache-2.0

"""Nova's own code reads the domains that have our disks."""

import testtools

try:
    from nova.virt.libvirt import config as nova_config
    from nova.virt.libvirt import driver as nova_driver
    from nova.virt.libvirt import guest as nova_guest
except ImportError:
    nova_driver = None

from tests.plug import case
from tests.plug import guest


@testtools.skipIf(nova_driver is None, 'Nova is not installed')
class NovaTest(case.PlugCase):

    def setUp(self):
        super().setUp()
        small = self.useFixture(guest.Guest(self.host.directory))
        instance, self.domain = self.libvirtd.create(devices=small.devices)
        self.give(instance, self.unit('blk.0'))
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual(1, len(self.disks(self.domain)))

    def test_its_devices(self):
        found = nova_guest.Guest(self.domain).get_all_devices(
            nova_config.LibvirtConfigGuestDisk)
        self.assertEqual(['hda', 'vdz'],
                         sorted(disk.target_dev for disk in found))
        ours, = (disk for disk in found if disk.target_dev == 'vdz')
        self.assertIsNone(ours.source_path)

    def test_ours_is_none_of_its_own_disks(self):
        parsed = nova_config.LibvirtConfigGuest()
        parsed.parse_str(self.domain.XMLDesc(0))
        disks = nova_driver.LibvirtDriver._get_instance_disk_info_from_config(
            None, parsed, {'block_device_mapping': []})
        # It counts the disk of its own, and looks at no other.
        self.assertEqual([self.host.path('guest.img')],
                         [disk['path'] for disk in disks])
