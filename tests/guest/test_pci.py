# SPDX-License-Identifier: Apache-2.0

"""PCI devices: what is not taken from the kernel, and what is.

The binding itself is done by SPDK's ``setup.sh``, so those tests need a real
SPDK.
"""

import shlex

from tests.guest import case
from tests.guest import image
from tests.guest import machine

_BY_PATH = '/dev/disk/by-path/pci-{}-nvme-1'

_CALL = '''
from cyborg_spdk import exceptions
from cyborg_spdk.host import pci
import sys
try:
    # Not reached: it stands where setup.sh does.
    print(pci.bind('/bin/true', sys.argv[1:]))
except exceptions.SpdkError as exc:
    print(exc)
'''


class PciTest(case.GuestTest):

    def drivers(self):
        """Drivers of the three disks, by address."""
        return {address: self.guest.run(
            f'basename $(readlink /sys/bus/pci/devices/{address}/driver)'
        ).stdout.strip() for address in
            (machine.LISTED, machine.OTHER, machine.SHARED)}

    def disk(self, address):
        """Name of the disk of a controller, wiped, e.g. ``nvme1n1``."""
        path = _BY_PATH.format(address)
        name = self.guest.run(
            f'udevadm settle; wipefs -qa {path}; basename $(readlink '
            f'{path})').stdout.strip()
        self.addCleanup(self.guest.run, f'wipefs -qa {path}; udevadm settle')
        return name


class RefusedTest(PciTest):
    """Each in one clear line."""

    def refused_by_bind(self, pattern, *addresses):
        done = self.guest.run(
            f'{image.PYTHON}/bin/python -c {shlex.quote(_CALL)} '
            + ' '.join(addresses or [machine.LISTED]))
        self.assertRegex(done.stdout, r"^\[spdk\] pci_devices '.*"
                         + pattern)
        self.assertEqual({address: 'nvme' for address in self.drivers()},
                         self.drivers())

    def use(self, command, undo):
        """Use the listed disk; returns its name."""
        name = self.disk(machine.LISTED)
        self.guest.run(command.format(f'/dev/{name}'))
        self.addCleanup(self.guest.run, undo.format(f'/dev/{name}'))
        return name

    def test_addresses(self):
        for address, pattern in [
                ('0000:ff:00.0', 'no such device'),
                ('nvme0', 'write it as lspci -D does'),
                (machine.NETWORK, 'that is no storage'),
                ('0000:20:00.0', 'that is a bridge'),
                ('0000:00:02.0', r'in use \(vda is mounted at /\)')]:
            with self.subTest(address):
                self.refused_by_bind(pattern, address)

    def test_mounted(self):
        name = self.use('mkfs.ext4 -q {0} && mount {0} /mnt', 'umount /mnt')
        self.refused_by_bind(rf'in use \({name} is mounted at /mnt\) and is '
                             'not taken from the kernel')
        # As the operator meets it; the disk is as it was.
        self.configure(case.HUNGRY, pci_devices=machine.LISTED)
        self.refused('target start', f'{name} is mounted at /mnt')
        self.guest.run('touch /mnt/still-there')

    def test_a_mounted_partition(self):
        name = self.use(
            'echo , | sfdisk -q {0} && udevadm settle && mkfs.ext4 -q {0}p1 '
            '&& mount {0}p1 /mnt', 'umount /mnt && wipefs -qa {0}')
        self.refused_by_bind(f'{name}p1 is mounted at /mnt')

    def test_swap(self):
        name = self.use('mkswap -q {0} && swapon {0}', 'swapoff {0}')
        self.refused_by_bind(f'{name} is swap')

    def test_a_volume_group(self):
        name = self.use(
            'vgcreate -qq test {0} && lvcreate -qq -y -L 32M -n one test',
            'vgremove -qq -y test && pvremove -qq {0}')
        self.refused_by_bind(rf'{name} is used by dm-\d')

    def test_a_raid(self):
        name = self.use(
            'mdadm --create --quiet --run --force --level=1 --raid-devices=1 '
            '/dev/md7 {0}', 'mdadm --stop --quiet /dev/md7 && mdadm '
            '--zero-superblock {0}')
        self.refused_by_bind(f'{name} is used by md7')

    def test_a_loop_device(self):
        name = self.use('losetup /dev/loop5 {0}', 'losetup -d /dev/loop5')
        self.refused_by_bind(f'{name} is used by loop5')

    def test_open_in_a_process(self):
        name = self.use(
            'systemd-run -q --unit=reader sh -c "exec sleep infinity < {0}" '
            '&& until ls -l /proc/$(systemctl show -P MainPID reader)/fd | '
            'grep -q {0}; do :; done', 'systemctl stop reader')
        self.refused_by_bind(rf'{name} is open in process \d+ \(sleep\)')

    def test_mounted_and_of_several_controllers(self):
        name = self.disk(machine.SHARED)
        self.guest.run(f'mkfs.ext4 -q /dev/{name} && mount /dev/{name} /mnt')
        self.addCleanup(self.guest.run, 'umount /mnt')
        self.refused_by_bind(f'{name} is mounted at /mnt', machine.SHARED)


if machine.SPDK_DIR:
    class BindTest(PciTest):
        """By setup.sh, from the kernel to a running target."""

        bound_to = 'vfio-pci'

        def setUp(self):
            super().setUp()
            self.disk(machine.LISTED)
            self.addCleanup(self.give_back)
            self.configure(pci_devices=machine.LISTED,
                           target={'memory_mb': 512})

        def give_back(self):
            self.guest.run(f'PCI_ALLOWED="{machine.LISTED} {machine.SHARED}"'
                           f' {machine.SPDK}/scripts/setup.sh reset')

        def test_the_listed_one_and_no_other(self):
            done = self.spdk('target start -v')
            self.assertIn(f'nvmf: bound {machine.LISTED}', done.stderr)
            self.assertEqual(
                {machine.LISTED: self.bound_to, machine.OTHER: 'nvme',
                 machine.SHARED: 'nvme'}, self.drivers())
            # A target that we started has it.
            self.spdk(f'bdev create nvme Disk PCIe {machine.LISTED}')
            self.assertEqual(['Diskn1'], [
                row['Name'] for row in self.table('bdev list')])
            self.spdk('nvmf subsystem create nqn.2016-06.io.spdk:disk '
                      '--namespace Diskn1 --any-host')
            row, = self.table('discover')
            self.assertEqual(256 << 20, row['Size'])
            # Nothing is left to be done.
            pages = self.pages()
            self.assertNotIn('bound', self.spdk('target restart -v').stderr)
            self.assertEqual(pages, self.pages())
            self.assertEqual(1, len(self.table('discover')))
            # It is given back by SPDK's script, as the documentation says.
            self.spdk('target stop')
            self.give_back()
            self.assertEqual('nvme', self.drivers()[machine.LISTED])

        def test_one_with_data(self):
            self.guest.run('mkfs.ext4 -q '
                           + _BY_PATH.format(machine.LISTED))
            self.refused('target start', f'did not bind {machine.LISTED}: '
                         r'.*data@nvme\dn1.*wipefs')
            self.assertEqual('nvme', self.drivers()[machine.LISTED])

        def test_one_that_has_several_controllers(self):
            self.disk(machine.SHARED)
            self.configure(pci_devices=machine.SHARED,
                           target={'memory_mb': 512})
            self.spdk('target start')
            self.assertEqual(self.bound_to, self.drivers()[machine.SHARED])
            self.spdk(f'bdev create nvme Disk PCIe {machine.SHARED}')
