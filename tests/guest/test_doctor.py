# SPDX-License-Identifier: Apache-2.0

"""What doctor says of a machine that is in order, and of others."""

from tests.guest import case
from tests.guest import machine


class DoctorTest(case.GuestTest):

    def test_in_order(self):
        self.configure(case.HUNGRY)
        found = self.doctor(True)
        self.assertEqual([], [one for ones in found.values() for one in ones
                              if one[0] in ('warning', 'failure')])
        self.finds(found, 'memory', 'ok', '256 huge pages of 2048 KiB will '
                   'be reserved')
        self.finds(found, 'memory', 'ok', 'hugetlbfs is mounted at '
                   '/dev/hugepages')
        self.finds(found, 'iommu', 'ok', r'\d+ groups')
        self.finds(found, 'manager', 'ok', 'transient units of systemd')

    def test_vfio(self):
        self.guest.run('modprobe -r vfio-pci vfio_iommu_type1')
        self.finds(self.doctor(True), 'pci driver', 'ok',
                   'vfio-pci is loaded when it is needed')
        self.guest.run('modprobe vfio-pci')
        self.finds(self.doctor(True), 'pci driver', 'ok',
                   'vfio-pci is loaded$')

    def test_devices(self):
        self.guest.run(f'mkfs.ext4 -q /dev/disk/by-path/pci-{machine.OTHER}'
                       f'-nvme-1 && mount /dev/disk/by-path/pci-'
                       f'{machine.OTHER}-nvme-1 /mnt')
        self.addCleanup(
            self.guest.run, f'umount /mnt; wipefs -qa /dev/disk/by-path/pci-'
            f'{machine.OTHER}-nvme-1')
        # The last is a part of the chipset, as is the SMBus.
        self.configure(pci_devices=','.join([
            machine.LISTED, machine.OTHER, '0000:00:1f.2']))
        found = self.doctor(False)
        self.finds(found, 'pci devices', 'ok',
                   f'{machine.LISTED} will be bound')
        self.finds(found, 'pci devices', 'failure',
                   rf'{machine.OTHER}.*in use \(nvme\dn1 is mounted at /mnt')
        self.finds(found, 'pci devices', 'warning', '0000:00:1f.2 cannot be '
                   'used without .*0000:00:1f.3, of the same IOMMU group')

    def test_hugetlbfs(self):
        self.guest.run('umount /dev/hugepages')
        self.configure(case.HUNGRY)
        self.finds(self.doctor(True), 'memory', 'ok',
                   'hugetlbfs will be mounted at /dev/hugepages')
        self.configure(case.HUNGRY, manage_hugepages='false')
        found = self.doctor(False)
        self.finds(found, 'memory', 'failure', 'hugetlbfs is not mounted')
        self.finds(found, 'memory', 'failure',
                   '256 huge pages of 2048 KiB are missing')

    def test_a_user_with_no_way_to_root(self):
        self.configure(case.HUNGRY)
        found = self.doctor(False, user='cyborg')
        remedy = self.finds(found, 'privilege', 'failure', 'no way to root')
        self.assertIn('privsep_helper_command', remedy[2])

    def test_limits_of_a_user(self):
        self.guest.run('install -d -o cyborg /run/cyborg-spdk '
                       '/var/lib/cyborg-spdk')
        self.configure(case.HUNGRY, target={'no_huge': 'true'},
                       pci_devices=machine.LISTED)
        found = self.doctor(True, 'prlimit --memlock=65536',
                            user='cyborg')
        self.finds(found, 'limits', 'warning', '65536 bytes of locked')
        self.finds(found, 'manager', 'warning', 'nvmf: detached by a double '
                   'fork, and stopped with the service')
        found = self.doctor(True, 'prlimit --memlock=unlimited')
        self.assertEqual(['ok'], [one[0] for one in found['limits']])
