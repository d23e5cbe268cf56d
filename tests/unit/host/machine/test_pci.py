# SPDX-License-Identifier: Apache-2.0

import os
import tempfile
import unittest

from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import pci

DISK = '0000:3b:00.0'
BRIDGE = '0000:00:1c.0'


class PciTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = directory.name
        self.device(DISK, '0x010802', 'nvme')
        self.device(BRIDGE, '0x060400', 'pcieport')
        for name, number in (('nvme0n1', '259:0'), ('nvme0n1p1', '259:1')):
            self.write(f'sys/devices/{DISK}/nvme/nvme0/{name}/dev', number)
            os.makedirs(self.path(
                f'sys/devices/{DISK}/nvme/nvme0/{name}/holders'))
            self.link(f'sys/class/block/{name}',
                      f'sys/devices/{DISK}/nvme/nvme0/{name}')
        self.write('proc/swaps', 'Filename Type Size Used Priority\n')
        self.write('proc/self/mountinfo',
                   '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n')

    def path(self, name):
        return os.path.join(self.root, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), 'w') as stream:
            stream.write(text)

    def link(self, name, to):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        os.symlink(self.path(to), self.path(name))

    def device(self, address, kind, driver):
        self.write(f'sys/devices/{address}/class', kind + '\n')
        self.link(f'sys/bus/pci/devices/{address}',
                  f'sys/devices/{address}')
        os.makedirs(self.path(f'sys/bus/pci/drivers/{driver}'),
                    exist_ok=True)
        self.link(f'sys/devices/{address}/driver',
                  f'sys/bus/pci/drivers/{driver}')

    def check(self, *addresses):
        return pci.check(addresses, self.root)

    def refused(self, address, pattern):
        with self.assertRaisesRegex(exceptions.ConfigurationError,
                                    f'pci_devices.*{pattern}'):
            self.check(address)

    def test_one_that_nobody_uses_is_to_be_bound(self):
        self.assertEqual([DISK], self.check(DISK))
        self.assertEqual([DISK], self.check('3B:00.0'))
        self.assertEqual([], self.check())

    def test_one_that_is_bound_is_left_alone(self):
        os.unlink(self.path(f'sys/devices/{DISK}/driver'))
        os.makedirs(self.path('sys/bus/pci/drivers/vfio-pci'))
        self.link(f'sys/devices/{DISK}/driver',
                  'sys/bus/pci/drivers/vfio-pci')
        self.assertEqual([], self.check(DISK))

    def test_a_mounted_disk(self):
        self.write('proc/self/mountinfo',
                   '22 1 259:0 / /data rw,relatime shared:1 - xfs '
                   '/dev/nvme0n1 rw\n')
        self.refused(DISK, r'in use \(nvme0n1 is mounted at /data\)')

    def test_a_mounted_partition_of_it(self):
        self.write('proc/self/mountinfo',
                   '22 1 0:40 / /data rw - btrfs /dev/nvme0n1p1 rw\n')
        self.refused(DISK, r'nvme0n1p1 is mounted at /data')

    def test_a_disk_of_a_raid_or_a_volume_group(self):
        os.makedirs(self.path('sys/class/block/nvme0n1p1/holders/dm-0'))
        self.refused(DISK, 'nvme0n1p1 is used by dm-0')

    def test_a_disk_behind_a_loop_device(self):
        self.write('sys/block/loop3/loop/backing_file', '/dev/nvme0n1\n')
        self.refused(DISK, 'nvme0n1 is used by loop3')

    def test_a_disk_that_may_have_several_controllers(self):
        # With native multipath the disk is the subsystem's, and what is
        # below the controller has no number.
        for name in ('nvme0n1', 'nvme0n1p1'):
            os.unlink(self.path(f'sys/class/block/{name}'))
        subsystem = 'sys/devices/virtual/nvme-subsystem/nvme-subsys0'
        os.makedirs(self.path(f'sys/devices/{DISK}/nvme/nvme0/nvme0c0n1'))
        self.link('sys/class/block/nvme0c0n1',
                  f'sys/devices/{DISK}/nvme/nvme0/nvme0c0n1')
        self.write(f'{subsystem}/nvme0n1/dev', '259:0')
        self.link('sys/class/block/nvme0n1', f'{subsystem}/nvme0n1')
        self.link(f'{subsystem}/nvme0', f'sys/devices/{DISK}/nvme/nvme0')
        self.link('sys/class/nvme-subsystem/nvme-subsys0', subsystem)
        self.assertEqual([DISK], self.check(DISK))
        self.write('proc/self/mountinfo',
                   '22 1 259:0 / /my\\040data rw - xfs /dev/nvme0n1 rw\n')
        self.refused(DISK, 'nvme0n1 is mounted at /my data')

    def test_swap(self):
        self.write('proc/swaps', 'Filename\n/dev/nvme0n1p1 partition 9 0 0')
        self.refused(DISK, 'nvme0n1p1 is swap')

    def test_what_is_no_disk_for_us(self):
        self.device('0000:02:00.0', '0x020000', 'e1000e')
        self.refused('02:00.0', 'that is no storage .PCI class 0x020000')
        self.refused(BRIDGE, 'that is a bridge')
        self.refused('0000:ff:00.0', 'no such device')
        for text in ('', 'nvme0', '0000:3b:00', '0000:3b:00.9',
                     '0000:3b:00.0;reboot', '../../x'):
            with self.subTest(text):
                self.refused(text, 'write it as lspci -D does')

    def test_what_the_iommu_gives_away_only_together(self):
        self.device('0000:3c:00.0', '0x020000', 'e1000e')
        self.device('0000:3d:00.0', '0x010802', 'vfio-pci')
        for address in (DISK, BRIDGE, '0000:3c:00.0', '0000:3d:00.0'):
            self.link(f'sys/devices/{DISK}/iommu_group/devices/{address}',
                      f'sys/devices/{address}')
        self.assertEqual(['0000:3c:00.0'], pci.group_mates(DISK, self.root))
        self.assertEqual([], pci.group_mates(BRIDGE, self.root))


class WhyNotTest(unittest.TestCase):
    """Lines as v26.05's setup.sh writes them."""

    def test_data_on_the_disk(self):
        self.assertRegex(
            pci._why_not(
                f'{DISK} (1b36 0010): Active devices: data@nvme0n1, so not '
                'binding PCI dev\n0000:41:00.0 (1b36 0010): Skipping denied '
                'controller at 0000:41:00.0\n', [DISK]),
            f'^{DISK} .*data@nvme0n1, so not binding PCI dev; .*wipefs')

    def test_whatever_else(self):
        self.assertIn(
            'No valid drivers found', pci._why_not(
                'No valid drivers found [vfio-pci].\n', [DISK]))
        self.assertRegex(pci._why_not('', [DISK]), '^it said nothing; ')
