# SPDX-License-Identifier: Apache-2.0

"""An iSCSI unit into a domain, by QEMU's own initiator.

Needs a target with a data path (CYBORG_SPDK_TEST_SPDK_DIR), and QEMU's
iSCSI driver (Debian: qemu-block-extra).
"""

import testtools

from cyborg_spdk import clients
from cyborg_spdk.units.wipe import marks
from tests.functional.fixtures import host
from tests.functional.fixtures import targets
from tests.plug import case
from tests.plug import guest

_IQN = 'iqn.2016-06.io.spdk:disk1'


@testtools.skipUnless(host.SPDK_DIR, 'a simulated target has no data')
class IscsiTest(case.PlugCase):

    KIND = 'iscsi'

    def setUp(self):
        super().setUp()
        self.guest = self.useFixture(guest.Guest(self.host.directory))
        self.target = clients.IscsiTgt(self.client)
        self.target.bdev_malloc_create('Malloc0', 16 << 20, 512)
        self.target.iscsi_create_portal_group(
            1, [f'127.0.0.1:{targets.free_port()}'])
        self.target.iscsi_create_initiator_group(
            1, ['iqn.2016-06.io.spdk:other'], ['ANY'])
        self.target.iscsi_create_target_node(
            'disk1', [(0, 'Malloc0')], [(1, 1)])
        self.unit1 = self.reported('disk1', {'iqn': _IQN, 'lun': '0'})

    def connected(self):
        return [one for one in self.target.iscsi_get_connections()
                if one.target_node_name in (_IQN, 'disk1')]

    def test_there_and_back(self):
        # It needs no shared memory.
        instance, domain = self.libvirtd.create(
            memory='', devices=self.guest.devices)
        self.give(instance, self.unit1)
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual({self.unit1: 'vdz'}, self.disks(domain))
        self.assertEqual(1, len(self.connected()))
        domain.resume()
        # A disk of zeroes.
        self.assertEqual(bytes(16), self.guest.wait())
        # Another has no way in.
        other, _ = self.libvirtd.create(memory='')
        self.give_away(other)
        self.give_away(instance)
        host.wait_until(lambda: self.duty.run() and not self.disks(domain),
                        'the end of the disk')
        host.wait_until(lambda: self.duty.run() and not self.mark(
            self.unit1).in_use, 'the end of the use')
        self.assertEqual([], self.connected())
        self.assertEqual(marks.DIRTY, self.mark(self.unit1).state)
        self.assertEqual(1, self.reserved(self.unit1))

    def test_never_two_writers(self):
        first, domain = self.libvirtd.create(memory='')
        self.give(first, self.unit1)
        self.duty.run()
        second, other = self.libvirtd.create(memory='')
        self.inventory(self.unit1, total=2)
        self.give(second, self.unit1)
        problem, = self.duty.run().problems
        self.assertIn(domain.name(), problem)
        self.assertEqual({}, self.disks(other))
        self.assertEqual(1, len(self.connected()))
