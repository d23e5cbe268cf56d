# SPDX-License-Identifier: Apache-2.0

"""After a reboot, into a machine without an IOMMU."""

from tests.guest import case
from tests.guest import machine
from tests.guest import test_pci


class AfterRebootTest(case.GuestTest):

    def test_what_a_target_had_is_there_again(self):
        self.spdk('target start')
        self.spdk('bdev create malloc Disk 32M')
        self.spdk('nvmf subsystem create nqn.2016-06.io.spdk:kept '
                  '--namespace Disk:7 --any-host --listen '
                  'tcp://127.0.0.1:4420')
        self.start_agent()  # It saves what there is.
        before = self.table('discover')
        self.assertEqual(1, len(before))
        self.guest.boot(iommu=False)
        self.assertEqual(('stopped', None), self.state())
        self.assertEqual(before, self.table('discover'))


class DoctorTest(case.GuestTest):

    iommu = False

    def test_doctor(self):
        self.configure(case.HUNGRY)
        found = self.doctor(True)
        self.finds(found, 'iommu', 'note', 'there is no IOMMU')
        self.finds(found, 'pci driver', 'ok', 'uio_pci_generic is loaded')
        self.configure(case.HUNGRY, pci_devices=machine.LISTED)
        found = self.doctor(True)
        self.finds(found, 'iommu', 'warning', 'there is no IOMMU')


if machine.SPDK_DIR:
    class BindTest(test_pci.BindTest):

        iommu = False
        bound_to = 'uio_pci_generic'
