# SPDX-License-Identifier: Apache-2.0

"""Losses of disks that are reached over a network."""

import os
import socket
import unittest

from cyborg_spdk.desired import keep
from cyborg_spdk.desired import starting
from tests.functional.desired import test_losses
from tests.functional.fixtures import host
from tests.functional.fixtures import targets

A, B, C = test_losses.A, test_losses.B, test_losses.C
UUID = '7ac2130a-389f-42c2-a53a-e9e4c73f577{}'


@unittest.skipUnless(host.SPDK_DIR, 'simulated targets do not connect')
class ControllerTest(test_losses.DesiredCase):
    """The disks of another target, over NVMe/TCP."""

    KINDS = {'nvmf': ['nvmf', 'far']}

    def setUp(self):
        super().setUp()
        self.port = targets.free_port()
        self.far()
        self.ensure()
        self.call('nvmf_create_transport', trtype='TCP')

    def far(self):
        """Start the other target, with a disk."""
        starting.ensure(self.host.conf, self.host.target('far'), force=True)
        client = self.host.client('far')
        client.call('nvmf_create_transport', trtype='TCP')
        client.call('bdev_malloc_create', name='M', num_blocks=32768,
                    block_size=512, uuid=UUID.format(9))
        client.call('nvmf_create_subsystem', nqn=B, allow_any_host=True)
        client.call('nvmf_subsystem_add_ns', nqn=B,
                    namespace={'bdev_name': 'M', 'nsid': 1,
                               'uuid': UUID.format(9)})
        client.call('nvmf_subsystem_add_listener', nqn=B, listen_address={
            'trtype': 'TCP', 'adrfam': 'ipv4', 'traddr': '127.0.0.1',
            'trsvcid': str(self.port)})

    def attach(self, **options):
        self.call('bdev_nvme_attach_controller', name='Nvme0', trtype='TCP',
                  adrfam='ipv4', traddr='127.0.0.1',
                  trsvcid=str(self.port), subnqn=B, **options)
        self.export(A, 'Nvme0n1')
        self.look()

    def far_pid(self):
        return starting.lifecycle.status(
            self.host.conf, self.host.target('far')).pid

    def test_lost_past_its_timeout_and_back(self):
        self.attach(ctrlr_loss_timeout_sec=2, reconnect_delay_sec=1)
        host.kill(self.far_pid())
        if host.SPDK_DIR is None:
            # The simulator notices nothing; to the target this is the same.
            self.call('bdev_nvme_detach_controller', name='Nvme0')
        host.wait_until(lambda: 'Nvme0n1' not in self.bdevs())
        self.assertEqual(
            ['bdev:Nvme0n1', f'namespace:{A}/1',
             f'nvme:Nvme0@TCP:127.0.0.1:{self.port}'],
            sorted(one.key for one in keep.look(
                self.host.conf, self.target, self.client).missing))
        self.far()
        # A try at once, whatever the pause is.
        host.wait_until(lambda: not keep.look(
            self.host.conf, self.target, self.client).missing)
        self.assertEqual(['Nvme0n1'], self.subsystems()[A][0])

    def test_away_at_the_start(self):
        self.attach()
        host.kill(self.far_pid())
        for pid in self.host.processes():
            host.kill(pid)
        self.assertEqual(3, len(self.ensure().missing))
        self.far()
        host.wait_until(lambda: not self.look().missing)
        self.assertEqual(['Nvme0n1'], self.subsystems()[A][0])

    def test_detached_while_it_served_is_detached(self):
        if self.client.version < (22, 5):
            self.skipTest('this SPDK may have lost it at any moment')
        self.attach(ctrlr_loss_timeout_sec=600, reconnect_delay_sec=1)
        self.call('bdev_nvme_detach_controller', name='Nvme0')
        result = self.look()
        self.assertIn(f'nvme:Nvme0@TCP:127.0.0.1:{self.port}',
                      result.changes.deleted)
        self.assertEqual([f'namespace:{A}/1'],
                         [one.key for one in result.missing])
        self.kill()
        self.assertEqual([f'namespace:{A}/1'],
                         [one.key for one in self.ensure().missing])
        self.assertEqual([], self.call('bdev_nvme_get_controllers'))

    def drop_packets(self):
        """Nobody answers at the other target's port. Returns how to end it.

        A queue that is full has the kernel drop what comes.
        """
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(('127.0.0.1', self.port))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            self.addCleanup(one.close)
            one.setblocking(False)
            one.connect_ex(('127.0.0.1', self.port))
        host.wait_until(self.is_silent)

        def end():
            for one in (listener, *waiting):
                one.close()

        return end

    def is_silent(self):
        with socket.socket() as probe:
            probe.settimeout(0.2)
            try:
                probe.connect(('127.0.0.1', self.port))
            except TimeoutError:
                return True
        return False

    def test_one_that_does_not_answer_delays_nobody(self):
        path = self.disk('D.img')
        self.call('bdev_aio_create', name='D', filename=path,
                  block_size=512)
        self.export(C, 'D')
        self.attach()
        host.kill(self.far_pid())
        self.kill()
        end = self.drop_packets()
        away = {'bdev:Nvme0n1', f'namespace:{A}/1',
                f'nvme:Nvme0@TCP:127.0.0.1:{self.port}'}
        self.assertEqual(away, {one.key for one in self.ensure().missing})
        self.assertEqual(['D'], self.subsystems()[C][0])
        # Others are lost and made while it is tried again.
        for _ in range(2):
            os.rename(path, path + '.away')
            self.call('bdev_aio_delete', name='D')
            self.assertLess(away, {one.key for one in self.look().missing})
            os.rename(path + '.away', path)
            self.look()
            self.assertEqual(['D'], self.subsystems()[C][0])
        end()
        self.far()
        host.wait_until(lambda: not self.look().missing)
        self.assertEqual(['Nvme0n1'], self.subsystems()[A][0])
        # However often it was tried, there is one way to it.
        controller, = self.call('bdev_nvme_get_controllers')
        self.assertEqual(1, len(controller.get('ctrlrs') or [controller]))

    def test_an_initiator_sees_the_same_disk_after_a_repair(self):
        self.attach()
        far = self.host.target('far')
        client = self.host.client('far')

        def look():
            return keep.look(self.host.conf, far, client, at_once=True,
                             confirm=0.2)

        look()
        client.call('bdev_malloc_delete', name='M')
        self.assertEqual([f'namespace:{B}/1'],
                         [one.key for one in look().missing])
        host.wait_until(lambda: 'Nvme0n1' not in self.bdevs())
        # Another disk behind it: what it says of itself is the same.
        client.call('bdev_malloc_create', name='M', num_blocks=32768,
                    block_size=512, uuid=UUID.format(8))
        self.assertEqual([f'namespace:{B}/1'], look().made)
        host.wait_until(lambda: 'Nvme0n1' in self.bdevs())
        bdev, = self.call('bdev_get_bdevs', name='Nvme0n1')
        self.assertEqual(UUID.format(9), bdev['uuid'])
