# SPDX-License-Identifier: Apache-2.0

"""vhost by the clients: each operation right and wrong."""

import os

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target

unique = fixture.unique


class Vhost(fixture.ClientTests):
    """Block and SCSI controllers."""

    application = 'vhost'
    client_class = clients.VhostTgt

    def scsi(self):
        """A new SCSI controller; returns its name."""
        return self.tgt.vhost_create_scsi_controller(unique('scsi.'))

    def read(self, name):
        """The controller as it is now."""
        return self.tgt.vhost_get_controllers(name)[0]

    def test_blk(self):
        bdev, name = self.malloc(), unique('blk.')
        self.assertEqual(name, self.tgt.vhost_create_blk_controller(
            name, bdev, cpumask='0x1', readonly=True))
        found = self.read(name)
        self.assertEqual(('blk', bdev, True, 1, ()),
                         (found.kind, found.bdev, found.readonly,
                          int(found.cpumask, 16), found.scsi_targets))
        if self.tgt.rpc.version >= (18, 7):
            self.assertEqual(os.path.join(self.target.directory, name),
                             os.path.normpath(found.socket))
        self.assertIn(name, [one.ctrlr for one in
                             self.tgt.vhost_get_controllers()])
        self.assertEqual(name, self.tgt.vhost_create_blk_controller(
            name, bdev, readonly=True, exist_ok=True))
        for change, word in (({'readonly': False}, 'readonly True'),
                             ({'dev_name': self.malloc()}, bdev)):
            self.assertFails(
                exceptions.AlreadyExists, [name, word],
                self.tgt.vhost_create_blk_controller, exist_ok=True,
                **{'ctrlr': name, 'dev_name': bdev, 'readonly': True,
                   **change})
        self.assertFails(exceptions.AlreadyExists, name,
                         self.tgt.vhost_create_blk_controller, name,
                         self.malloc())
        self.assertTrue(self.tgt.vhost_delete_controller(name))
        self.assertIsNone(self.tgt.find_controller(name))
        self.assertFalse(self.tgt.vhost_delete_controller(
            name, missing_ok=True))
        for call in (self.tgt.vhost_delete_controller,
                     self.tgt.vhost_get_controllers):
            self.assertFails(exceptions.NotFound, [name, 'does not exist'],
                             call, name)

    def test_blk_that_cannot_be(self):
        bdev = self.malloc()
        for args, error, words in (
                ((unique('blk.'), 'nosuch', None), exceptions.NotFound,
                 "bdev 'nosuch'"),
                ((unique('blk.'), bdev, '0x800000'),
                 exceptions.InvalidParams, "cpumask '0x800000'"),
                (('', bdev, None), exceptions.InvalidValue, 'ctrlr'),
                (('a/b', bdev, None), exceptions.InvalidValue, 'a/b'),
                (('..', bdev, None), exceptions.InvalidValue, '..')):
            with self.subTest(args=args):
                self.assertFails(
                    error, words, self.tgt.vhost_create_blk_controller,
                    *args[:2], cpumask=args[2])

    def test_bdev_that_goes(self):
        bdev, name = self.malloc(), unique('blk.')
        self.tgt.vhost_create_blk_controller(name, bdev)
        self.assertTrue(self.tgt.delete_bdev(bdev))
        self.assertIsNone(self.read(name).bdev)
        self.assertTrue(self.tgt.vhost_delete_controller(name))

    def test_scsi(self):
        name, one, two = self.scsi(), self.malloc(), self.malloc()
        add = self.tgt.vhost_scsi_controller_add_target
        self.assertEqual(3, add(name, 3, one))
        self.assertEqual(0, add(name, None, two))
        self.assertEqual(3, add(name, None, one, exist_ok=True))
        self.assertEqual({3: [(0, one)], 0: [(0, two)]}, {
            scsi.scsi_dev_num: [(lun.id, lun.bdev_name) for lun in scsi.luns]
            for scsi in self.read(name).scsi_targets})
        self.assertEqual(2, len([
            device for device in self.tgt.scsi_get_devices()
            if device.device_name in {scsi.target_name for scsi in
                                      self.read(name).scsi_targets}][:2]))
        remove = self.tgt.vhost_scsi_controller_remove_target
        self.assertTrue(remove(name, 3))
        self.assertTrue(remove(name, 0))
        self.assertEqual((), self.read(name).scsi_targets)
        self.assertFalse(remove(name, 3, missing_ok=True))
        self.assertFails(exceptions.NotFound, [name, '3'], remove, name, 3)
        self.assertTrue(self.tgt.vhost_delete_controller(name))

    def test_scsi_exists(self):
        name = self.scsi()
        self.assertEqual(name, self.tgt.vhost_create_scsi_controller(
            name, exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, name,
                         self.tgt.vhost_create_scsi_controller, name)
        blk = unique('blk.')
        self.tgt.vhost_create_blk_controller(blk, self.malloc())
        self.assertFails(exceptions.AlreadyExists, [blk, "kind 'blk'"],
                         self.tgt.vhost_create_scsi_controller, blk,
                         exist_ok=True)
        self.assertFails(exceptions.InvalidParams, 'cpumask',
                         self.tgt.vhost_create_scsi_controller,
                         unique('scsi.'), cpumask='0x800000')

    def test_target_that_cannot_be(self):
        name, used, other = self.scsi(), self.malloc(), self.malloc()
        blk = unique('blk.')
        self.tgt.vhost_create_blk_controller(blk, self.malloc())
        self.tgt.vhost_scsi_controller_add_target(name, 2, used)
        for args, error, words in (
                (('nosuch', 1, other), exceptions.NotFound, "'nosuch'"),
                ((name, 1, 'nosuch'), exceptions.NotFound, "bdev 'nosuch'"),
                ((name, 2, other), exceptions.AlreadyExists,
                 ['target 2', used]),
                ((blk, 1, other), exceptions.InvalidParams, 'kind blk'),
                ((name, 8, other), exceptions.InvalidValue,
                 'scsi_target_num'),
                ((name, -2, other), exceptions.InvalidValue, '-2')):
            with self.subTest(args=args):
                self.assertFails(
                    error, words, self.tgt.vhost_scsi_controller_add_target,
                    *args)
        self.assertFails(exceptions.NotFound, "'nosuch'",
                         self.tgt.vhost_scsi_controller_remove_target,
                         'nosuch', 1, missing_ok=True)

    def test_all_targets_in_use(self):
        name = self.scsi()
        for number in range(8):
            self.assertEqual(
                number, self.tgt.vhost_scsi_controller_add_target(
                    name, None, self.malloc('1MiB')))
        self.assertFails(exceptions.NoSpace, 'all 8',
                         self.tgt.vhost_scsi_controller_add_target, name,
                         None, self.malloc('1MiB'))

    def test_delete_with_targets(self):
        name = self.scsi()
        self.tgt.vhost_scsi_controller_add_target(name, 0, self.malloc())
        if self.tgt.rpc.version < (23, 1):
            self.assertFails(exceptions.Busy, [name, 'targets'],
                             self.tgt.vhost_delete_controller, name)
            self.tgt.vhost_scsi_controller_remove_target(name, 0)
        self.assertTrue(self.tgt.vhost_delete_controller(name))

    def test_coalescing(self):
        name = self.scsi()
        self.assertTrue(self.tgt.vhost_controller_set_coalescing(
            name, 10, 10000))
        found = self.read(name)
        if 'delay_base_us' in found.raw:                # v18.07
            self.assertEqual((10, 10000), (found.delay_base_us,
                                           found.iops_threshold))
        self.assertFails(exceptions.NotFound, "'nosuch'",
                         self.tgt.vhost_controller_set_coalescing, 'nosuch',
                         10, 10000)

    def test_delayed_start(self):
        name = unique('scsi.')
        if not self.has('vhost_start_scsi_controller'):
            self.assertFails(exceptions.MethodNotFound, 'start',
                             self.tgt.vhost_start_scsi_controller, name)
            self.assertFails(exceptions.InvalidParams, 'delay',
                             self.tgt.vhost_create_scsi_controller, name,
                             delay=True)
            return
        self.tgt.vhost_create_scsi_controller(name, delay=True)
        self.assertTrue(self.tgt.vhost_start_scsi_controller(name))
        self.assertFails(exceptions.NotFound, "'nosuch'",
                         self.tgt.vhost_start_scsi_controller, 'nosuch')
        # v24.01 and v26.05 end at this.
        blk = unique('blk.')
        self.tgt.vhost_create_blk_controller(blk, self.malloc())
        self.assertFails(exceptions.InvalidParams, [blk, 'not sent'],
                         self.tgt.vhost_start_scsi_controller, blk)
        self.assertEqual('blk', self.read(blk).kind)

    def test_transports_of_virtio_blk(self):
        if not self.has('virtio_blk_get_transports'):
            self.assertFails(exceptions.MethodNotFound, 'transports',
                             self.tgt.virtio_blk_get_transports)
            return
        self.assertIn('vhost_user_blk', self.tgt.virtio_blk_get_transports())
        self.assertFails(exceptions.SpdkError, 'nosuch',
                         self.tgt.virtio_blk_create_transport, 'nosuch')
        self.assertFails(exceptions.AlreadyExists, 'vhost_user_blk',
                         self.tgt.virtio_blk_create_transport,
                         'vhost_user_blk')


target.for_releases(globals(), Vhost)
target.for_releases(globals(), Vhost, target.OLD_RELEASES, (
    'test_blk', 'test_blk_that_cannot_be', 'test_scsi', 'test_scsi_exists',
    'test_target_that_cannot_be', 'test_all_targets_in_use',
    'test_coalescing', 'test_delayed_start'))
