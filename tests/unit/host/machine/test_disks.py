# SPDX-License-Identifier: Apache-2.0

"""Who uses a disk or a file, as a tree of the kernel's files tells."""

import os

import fixtures
import testtools

from cyborg_spdk.host.machine import disks


class DisksTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.root = self.useFixture(fixtures.TempDir()).path
        self.put('proc/swaps', 'Filename Type\n/dev/sda2 partition\n'
                 '/srv/swapfile file\n')
        self.put('proc/self/mountinfo',
                 '30 1 8:1 / /data\\040here rw - ext4 /dev/sda1 rw\n')
        for number, name in enumerate(('sda', 'sda1', 'sda2', 'sda3')):
            place = f'sys/class/block/{name}'
            self.put(f'{place}/dev', f'8:{number}\n')
            if number:
                self.put(f'{place}/partition', f'{number}\n')
                self.put(f'sys/class/block/sda/{name}/partition', '1\n')
        self.put('sys/class/block/sda3/holders/dm-0/dev', '253:0\n')
        self.put('sys/block/loop3/loop/backing_file', '/srv/image\n')
        self.put('sys/block/loop4/loop/backing_file', '/dev/sda3\n')

    def put(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as out:
            out.write(text)

    def test_a_disk_and_its_partitions(self):
        self.assertEqual(['sda', 'sda1', 'sda2', 'sda3'],
                         disks.of_device('/dev/sda', self.root))
        self.assertEqual(['sda2'], disks.of_device('/dev/sda2', self.root))
        self.assertEqual([], disks.of_device('/dev/sdz', self.root))

    def test_users(self):
        for name, found in (
                ('sda', []), ('sda1', ['sda1 is mounted at /data here']),
                ('sda2', ['sda2 is swap']),
                ('sda3', ['sda3 is used by dm-0', 'sda3 is used by loop4'])):
            self.assertEqual(found, disks.users(name, self.root))
        for path, found in (
                ('/srv/image', ['/srv/image is used by loop3']),
                ('/srv/swapfile', ['/srv/swapfile is swap']),
                ('/srv/other', [])):
            self.assertEqual(found, disks.users_of_file(path, self.root))
