# SPDX-License-Identifier: Apache-2.0

"""update() with a puppet as the target: what it asks for, and of whom."""

import json

from cyborg_spdk.drivers import nvmf
from tests.functional.drivers import test_rules as rules


class UpdateTest(rules.NodeCase):

    def setUp(self):
        super().setUp()
        self.node.configure()
        self.driver = nvmf.NvmfDriver()
        self.image = self.node.path('image')
        self.write(b'\0' * 4096)
        self.applied = []
        self.fail_with = None
        self.puppet.extra = {
            'bdev_get_bdevs': lambda _params: self.bdevs,
            'bdev_nvme_apply_firmware': self.apply}
        self.bdevs = [self.nvme('Nvme0n1', '0000:01:00.0'),
                      self.nvme('Nvme0n2', '0000:01:00.0'),
                      self.nvme('Nvme1n1', '0000:02:00.0')]
        self.path = {'host': 'h', 'target': 'spdk_nvmf'}

    def write(self, content):
        with open(self.image, 'wb') as out:
            out.write(content)

    def apply(self, params):
        self.applied.append(params)
        if self.fail_with:
            raise RuntimeError(self.fail_with)
        return 'firmware commit succeeded. Controller reset in progress.'

    @staticmethod
    def nvme(name, address, trtype='PCIe', takes=1):
        return {'name': name, 'product_name': 'NVMe disk',
                'block_size': 512, 'num_blocks': 8, 'driver_specific': {
                    'nvme': [{'trid': {'trtype': trtype, 'traddr': address},
                              'ctrlr_data': {'oacs': {'firmware': takes}}}]}}

    def test_each_controller_gets_it_once(self):
        for path in (self.path, json.dumps(self.path)):
            self.applied.clear()
            self.assertIs(True, self.driver.update(path, self.image))
            self.assertEqual(['Nvme0n1', 'Nvme1n1'], sorted(
                one['bdev_name'] for one in self.applied))
            self.assertEqual({self.image}, {
                one['filename'] for one in self.applied})

    def test_no_controller(self):
        self.bdevs = [self.nvme('Nvme0n1', '192.0.2.1', 'TCP', takes=0),
                      self.nvme('Nvme1n1', '0000:02:00.0', takes=0)]
        self.assertIs(False, self.driver.update(self.path, self.image))
        self.assertEqual([], self.applied)
        self.assertEqual(1, self.told('no NVMe controller'))

    def test_refused_by_the_target(self):
        self.fail_with = 'bdev Nvme0n1 could not be opened'
        self.assertIs(False, self.driver.update(self.path, self.image))
        self.assertEqual(2, self.told('could not be opened'))

    def test_a_controller_in_use_is_left_alone(self):
        """Also where SPDK would not mind: a LUN is no claim."""
        self.puppet.extra.update(
            iscsi_get_target_nodes=lambda _params: [{
                'name': 'iqn.x:disk1', 'pg_ig_maps': [], 'luns': [
                    {'lun_id': 0, 'bdev_name': 'Nvme0n2'}]}],
            iscsi_get_portal_groups=lambda _params: [])
        self.assertIs(False, self.driver.update(self.path, self.image))
        self.assertEqual(['Nvme1n1'], [
            one['bdev_name'] for one in self.applied])
        self.assertEqual(1, self.told("bdev 'Nvme0n2': it is in use"))
        self.bdevs[2]['claimed'] = True
        self.applied.clear()
        self.assertIs(False, self.driver.update(self.path, self.image))
        self.assertEqual([], self.applied)

    def test_a_controller_that_may_be_gone_ends_it(self):
        self.fail_with = 'Controller reset failed.'
        self.assertIs(False, self.driver.update(self.path, self.image))
        self.assertEqual(1, len(self.applied))
        self.assertEqual(1, self.told('not tried after that: 0000:02:00.0'))

    def test_images_that_are_none(self):
        for content in (b'', b'123'):
            self.write(content)
            self.assertIs(False, self.driver.update(self.path, self.image))
        for path in ('/nowhere', self.node.directory, None):
            self.assertIs(False, self.driver.update(self.path, path))
        self.assertEqual([], self.applied)

    def test_control_paths_that_are_not_ours(self):
        for path in (None, '', '{}', '{"domain":"0000"}', 7,
                     {'host': 'h', 'target': 'other'}):
            self.assertIs(False, self.driver.update(path, self.image))

    def test_release_without_it(self):
        del self.puppet.extra['bdev_nvme_apply_firmware']
        self.assertIs(False, self.driver.update(self.path, self.image))

    def test_target_that_is_down(self):
        self.puppet.stop()
        self.assertIs(False, self.driver.update(self.path, self.image))
