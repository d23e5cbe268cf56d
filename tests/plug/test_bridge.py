# SPDX-License-Identifier: Apache-2.0

"""An NVMe-oF unit into a domain, by the vhost target of its host.

Between simulated targets goes nothing: there it is one spdk_tgt that is both
ends, and QEMU's storage daemon has the data.
"""

import uuid

import testtools

from cyborg_spdk import clients
from cyborg_spdk.desired import starting
from cyborg_spdk.units import internal
from cyborg_spdk.units.wipe import marks
from tests.functional.fixtures import host
from tests.functional.fixtures import targets
from tests.plug import case
from tests.plug import disk_server
from tests.plug import guest

_NQN = 'nqn.2016-06.io.spdk:disk1'


class BridgeTest(case.PlugCase):

    KIND = 'nvmf'
    ALSO = ('vhost',)

    def start_targets(self):
        if not host.SPDK_DIR:
            for kind in (self.KIND, *self.ALSO):
                self.host.set(kind, application='spdk_tgt',
                              rpc_address=self.host.path('run', 'both.sock'),
                              extra_args=['-S', self.host.path('run')])
        super().start_targets()

    def setUp(self):
        super().setUp()
        self.guest = self.useFixture(guest.Guest(self.host.directory))
        call = self.client.call
        call('bdev_malloc_create', name='Malloc0', block_size=512,
             num_blocks=2048)
        call('nvmf_create_transport', trtype='TCP')
        call('nvmf_create_subsystem', nqn=_NQN)
        # Not that of the bdev: a target takes no UUID twice.
        call('nvmf_subsystem_add_ns', nqn=_NQN, namespace={
            'bdev_name': 'Malloc0', 'uuid': str(uuid.uuid4()),
            'nguid': uuid.uuid4().hex})
        call('nvmf_subsystem_add_listener', nqn=_NQN, listen_address={
            'trtype': 'TCP', 'adrfam': 'IPv4', 'traddr': '127.0.0.1',
            'trsvcid': str(targets.free_port())})
        self.unit1 = self.reported('disk1', {'nqn': _NQN, 'nsid': '1'})
        self.bridge = internal.PLUG + self.unit1
        self.server = None

    @property
    def vhost(self):
        return clients.VhostTgt(self.host.client('vhost'))

    def hosts(self):
        subsystem, = [one for one in self.client.call('nvmf_get_subsystems')
                      if one['nqn'] == _NQN]
        return [one['nqn'] for one in subsystem['hosts']]

    def plugged(self):
        """Rounds until there is no problem."""
        outcome = self.duty.run()
        if not host.SPDK_DIR and outcome.problems:
            # It is made, and no data is behind it yet.
            problem, = outcome.problems
            self.assertIn('nobody answers there', problem)
            if self.server is not None:
                self.server.stop()
            self.server = self.useFixture(disk_server.DiskServer(
                self.vhost.find_controller(self.bridge).socket,
                self.host.path('disk1.img')))
            outcome = self.duty.run()
        self.assertEqual((), outcome.problems)

    def test_there_and_back(self):
        instance, domain = self.libvirtd.create(devices=self.guest.devices)
        self.give(instance, self.unit1)
        self.plugged()
        self.assertEqual({self.unit1: 'vdz'}, self.disks(domain))
        self.assertEqual(
            [f'nqn.2014-08.org.nvmexpress:uuid:{instance}'], self.hosts())
        self.assertEqual(
            (marks.DIRTY, instance, True),
            (self.mark(self.unit1).state, self.mark(self.unit1).consumer,
             self.mark(self.unit1).in_use))
        domain.resume()
        # A disk of zeroes.
        self.assertEqual(bytes(16), self.guest.wait())
        self.assertEqual((), self.duty.run().problems)
        self.give_away(instance)
        host.wait_until(lambda: self.duty.run() and not self.disks(domain),
                        'the end of the disk')
        host.wait_until(lambda: self.duty.run() and not self.mark(
            self.unit1).in_use, 'the end of the use')
        # Nothing of the bridge is left, and nobody is let in.
        self.assertIsNone(self.vhost.find_controller(self.bridge))
        self.assertIsNone(self.vhost.find_bdev(f'{self.bridge}n1'))
        self.assertEqual([], self.hosts())
        self.assertEqual(marks.DIRTY, self.mark(self.unit1).state)
        self.assertEqual(1, self.reserved(self.unit1))

    def test_never_two_writers(self):
        first, domain = self.libvirtd.create()
        self.give(first, self.unit1)
        self.plugged()
        second, other = self.libvirtd.create()
        self.inventory(self.unit1, total=2)
        self.give(second, self.unit1)
        problem, = self.duty.run().problems
        self.assertIn(domain.name(), problem)
        self.assertEqual({}, self.disks(other))
        self.assertEqual([f'nqn.2014-08.org.nvmexpress:uuid:{first}'],
                         self.hosts())

    @testtools.skipUnless(host.SPDK_DIR, 'they are one simulated target')
    def test_the_vhost_target_ends(self):
        instance, domain = self.libvirtd.create(devices=self.guest.devices)
        self.give(instance, self.unit1)
        self.plugged()
        domain.destroy()
        pid = self.host.client('vhost').peer()[0]
        host.kill(pid)
        # A local vhost target that is away is told, and takes nothing away.
        _, domain = self.libvirtd.create(devices=self.guest.devices,
                                         instance=instance)
        self.assertNotEqual((), self.duty.run().problems)
        self.assertTrue(self.mark(self.unit1).in_use)
        starting.ensure(self.conf, self.host.target('vhost'))
        self.plugged()
        self.assertEqual({self.unit1: 'vdz'}, self.disks(domain))
        domain.resume()
        self.assertEqual(bytes(16), self.guest.wait())

    def test_without_a_vhost_target_that_is_said(self):
        self.addCleanup(self.host.set, 'spdk', vhost_targets=['vhost'])
        self.host.set('spdk', vhost_targets=[])
        instance, domain = self.libvirtd.create()
        self.give(instance, self.unit1)
        problem, = self.another_duty().run().problems
        self.assertIn('vhost_targets', problem)
        self.assertEqual({}, self.disks(domain))

    @testtools.skipIf(host.SPDK_DIR, 'they are two targets')
    def test_a_target_that_has_the_disk_itself(self):
        call = self.client.call
        call('nvmf_subsystem_remove_ns', nqn=_NQN, nsid=1)
        call('nvmf_subsystem_add_ns', nqn=_NQN,
             namespace={'bdev_name': 'Malloc0'})
        instance, domain = self.libvirtd.create()
        self.give(instance, self.unit1)
        for _count in range(2):
            problem, = self.duty.run().problems
            self.assertIn('vhost-blk', problem)
        self.assertEqual({}, self.disks(domain))

    def test_deleted_while_the_service_was_away(self):
        instance, domain = self.libvirtd.create()
        self.give(instance, self.unit1)
        self.plugged()
        domain.destroy()
        self.take(instance)
        anew = self.another_duty()
        host.wait_until(lambda: anew.run() and not self.mark(
            self.unit1).in_use, 'the end of the use')
        self.assertIsNone(self.vhost.find_controller(self.bridge))
        self.assertIsNone(self.vhost.find_bdev(f'{self.bridge}n1'))
        self.assertEqual([], self.hosts())
