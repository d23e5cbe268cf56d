# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

import os
import tempfile
import unittest

from cyborg_spdk import exceptions
from cyborg_spdk.host import pci

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

    def test_swap(self):
        self.write('proc/swaps', 'Filename\n/dev/nvme0n1p1 partition 9 0 0')
        self.refused(DISK, 'nvme0n1p1 is swap')

    def test_what_is_no_disk_for_us(self):
        self.refused(BRIDGE, 'that is a bridge')
        self.refused('0000:ff:00.0', 'no such device')
        for text in ('', 'nvme0', '0000:3b:00', '0000:3b:00.9',
                     '0000:3b:00.0;reboot', '../../x'):
            with self.subTest(text):
                self.refused(text, 'write it as lspci -D does')
