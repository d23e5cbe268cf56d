# SPDX-License-Identifier: Apache-2.0

"""The duty wipe destroys nothing on a doubt."""

import json

import testtools

from cyborg_spdk.desired import starting
from cyborg_spdk.service import wipe
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import state
from tests.functional.fixtures import host


class WipeTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(host.Host({'vhost': ['vhost']}))
        self.conf = self.host.conf
        self.target = self.host.target('vhost')
        starting.ensure(self.conf, self.target)
        self.client = self.host.client('vhost')
        self.bdev('Malloc0')
        self.controller('blk.0', 'Malloc0')
        self.handle = json.dumps({'socket': self.socket('blk.0')},
                                 separators=(',', ':'))
        state.begin_use(self.conf, self.target, self.handle, 'somebody')
        state.end_use(self.conf, self.target, self.handle, 'somebody')

    def bdev(self, name):
        self.client.call('bdev_malloc_create', name=name, block_size=512,
                         num_blocks=2048)

    def controller(self, name, bdev):
        self.client.call('vhost_create_blk_controller', ctrlr=name,
                         dev_name=bdev)

    def socket(self, name):
        return next(one['socket'] for one in self.client.call(
            'vhost_get_controllers') if one['ctrlr'] == name)

    def refused(self, reason):
        problem, = wipe.WipeUnits(self.conf).run().problems
        self.assertIn(reason, problem)
        self.assertEqual(marks.DIRTY, marks.load(
            self.conf, 'vhost', self.handle).state)

    def test_without_placement_nobody_can_say_that_it_is_free(self):
        self.refused('Placement does not know it')

    def test_another_disk_behind_the_same_handle(self):
        self.client.call('vhost_delete_controller', ctrlr='blk.0')
        self.client.call('bdev_null_create', name='Null0', block_size=512,
                         num_blocks=2048)
        self.controller('blk.0', 'Null0')
        self.refused('the disk behind it is')

    def test_a_disk_that_is_exported_twice(self):
        self.controller('blk.1', 'Malloc0')
        self.refused('is exported as blk.1, too')

    def test_one_in_use_is_left_alone(self):
        state.begin_use(self.conf, self.target, self.handle, 'somebody')
        self.assertEqual((), wipe.WipeUnits(self.conf).run().problems)
        self.assertTrue(marks.load(self.conf, 'vhost', self.handle).in_use)
