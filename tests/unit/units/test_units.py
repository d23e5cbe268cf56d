# SPDX-License-Identifier: Apache-2.0

import json

import testtools

from cyborg_spdk.units import traits
from cyborg_spdk.units import unit as unit_module
from tests.unit.units import recorded


def _bdev(name, product='Malloc disk', block_size=512, blocks=2048,
          **more):
    return {'name': name, 'product_name': product, 'block_size': block_size,
            'num_blocks': blocks, **more}


class SubsystemsTest(testtools.TestCase):

    def test_recorded_replies_of_every_release(self):
        for release in recorded.RELEASES:
            replies = recorded.load(release)
            found = unit_module.of_subsystems(
                replies['nvmf_get_subsystems'],
                unit_module.index(replies['bdev_get_bdevs']))
            handles = [json.loads(unit.handle) for unit in found]
            cnode1 = [handle['nsid'] for handle in handles
                      if handle['nqn'].endswith('cnode1')]
            self.assertEqual(['1', '2', '5'], cnode1, release)
            for unit in found:
                self.assertEqual(32768 * 512, unit.size, unit)
                self.assertIn('CUSTOM_SPDK_BACKEND_MALLOC', unit.traits)
                self.assertIn('CUSTOM_SPDK_BLOCK_SIZE_512', unit.traits)
            first = found[0]
            self.assertIn('CUSTOM_SPDK_NVMF_TCP', first.traits)
            self.assertIn('TCP 127.0.0.1:4420', first.reach)
            self.assertIn('TCP [::1]:4425', first.reach)
            self.assertEqual(
                '{"nqn":"nqn.2016-06.io.spdk:cnode1","nsid":"1"}',
                first.handle)

    def test_what_is_listed_in_another_order_is_the_same(self):
        replies = recorded.load('v26.05')
        bdevs = unit_module.index(replies['bdev_get_bdevs'])
        one = unit_module.of_subsystems(replies['nvmf_get_subsystems'], bdevs)
        other = unit_module.of_subsystems(replies['nvmf_get_subsystems'][::-1],
                                         bdevs)
        self.assertEqual(one, other)

    def test_listener_of_old_releases(self):
        self.assertEqual('RDMA 192.0.2.1:4420', unit_module.listener(
            {'transport': 'RDMA', 'traddr': '192.0.2.1',
             'trsvcid': '4420'}))

    def test_namespaces_are_in_the_order_of_their_numbers(self):
        subsystem = {'nqn': 'nqn.2016-06.io.spdk:a', 'subtype': 'NVMe',
                     'listen_addresses': [], 'namespaces': [
                         {'nsid': number, 'name': 'b'}
                         for number in (10, 9, 1)]}
        found = unit_module.of_subsystems([subsystem], {'b': _bdev('b')})
        self.assertEqual(['1', '9', '10'], [
            json.loads(unit.handle)['nsid'] for unit in found])
        self.assertEqual('no listener', found[0].reach)

    def test_bdev_that_is_gone(self):
        subsystem = {'nqn': 'nqn.2016-06.io.spdk:a', 'subtype': 'NVMe',
                     'namespaces': [{'nsid': 1, 'bdev_name': 'b'}]}
        unit, = unit_module.of_subsystems([subsystem], {})
        self.assertIsNone(unit.bdev)
        self.assertEqual(0, unit.size)

    def test_bdev_by_its_alias(self):
        bdevs = unit_module.index([_bdev('f116d380', 'Logical Volume',
                                        aliases=['lvs/one'])])
        subsystem = {'nqn': 'nqn.2016-06.io.spdk:a', 'subtype': 'NVMe',
                     'namespaces': [{'nsid': 1, 'bdev_name': 'lvs/one'}]}
        unit, = unit_module.of_subsystems([subsystem], bdevs)
        self.assertEqual('f116d380', unit.bdev)
        self.assertIn('CUSTOM_SPDK_BACKEND_LVOL', unit.traits)


class ControllersTest(testtools.TestCase):

    def test_recorded_replies_of_every_release(self):
        for release in recorded.RELEASES:
            replies = recorded.load(release)
            found = {unit.title: unit for unit in unit_module.of_controllers(
                replies['vhost_get_controllers'],
                unit_module.index(replies['bdev_get_bdevs']))}
            blk = found['blk.0']
            self.assertEqual('{"socket":"/var/tmp/vhost/blk.0"}', blk.handle)
            self.assertIn('CUSTOM_SPDK_VHOST_BLK', blk.traits)
            self.assertNotIn('CUSTOM_SPDK_READ_ONLY', blk.traits)
            self.assertIn('CUSTOM_SPDK_READ_ONLY', found['blk.2'].traits)
            scsi = found['scsi.0 target 1']
            self.assertEqual(
                '{"socket":"/var/tmp/vhost/scsi.0","target":"1"}',
                scsi.handle)
            self.assertEqual('Malloc3', scsi.bdev)
            self.assertIn('CUSTOM_SPDK_VHOST_SCSI', scsi.traits)

    def test_controller_without_targets_has_nothing_to_give(self):
        self.assertEqual([], unit_module.of_controllers(
            [{'ctrlr': 'scsi.1', 'socket': '/s', 'backend_specific': {
                'scsi': []}}], {}))


class TargetNodesTest(testtools.TestCase):

    def test_recorded_replies_of_every_release(self):
        for release in recorded.RELEASES:
            replies = recorded.load(release)
            found = {unit.title: unit for unit in unit_module.of_target_nodes(
                replies['iscsi_get_target_nodes'],
                replies['iscsi_get_portal_groups'],
                unit_module.index(replies['bdev_get_bdevs']))}
            unit = found['iqn.2016-06.io.spdk:disk3 LUN 5']
            self.assertEqual(
                '{"iqn":"iqn.2016-06.io.spdk:disk3","lun":"5"}', unit.handle)
            self.assertIn('127.0.0.1:3260', unit.reach)
            self.assertIn('CUSTOM_SPDK_ISCSI', unit.traits)


class TraitsTest(testtools.TestCase):

    def test_backends(self):
        for product, trait in (
                ('NVMe disk', 'CUSTOM_SPDK_BACKEND_NVME'),
                ('AIO disk', 'CUSTOM_SPDK_BACKEND_AIO'),
                ('NVMe ZNS disk', 'CUSTOM_SPDK_BACKEND_NVME_ZNS'),
                ('SPDK OCF', 'CUSTOM_SPDK_BACKEND_OCF'),
                ('Pooled Device', 'CUSTOM_SPDK_BACKEND_RAID'),
                ('Some new disk (v2)', 'CUSTOM_SPDK_BACKEND_SOME_NEW_DISK_V2'),
                ('übel', 'CUSTOM_SPDK_BACKEND_BEL')):
            self.assertIn(trait, traits.of_bdev(_bdev('b', product)))

    def test_nothing_that_can_be_spelt(self):
        self.assertIsNone(traits.spell('BACKEND', '日本'))
        self.assertEqual({'CUSTOM_SPDK_BLOCK_SIZE_4096'},
                         traits.of_bdev(_bdev('b', '', 4096)))

    def test_accel_names_only_what_hardware_does(self):
        self.assertEqual(
            {'CUSTOM_SPDK_ACCEL_CRC32C_DSA'},
            traits.of_accel({'crc32c': 'dsa', 'copy': 'software'}))
        self.assertEqual(set(), traits.of_accel(None))
        replies = recorded.load('v26.05')
        self.assertEqual(set(), traits.of_accel(
            replies['accel_get_opc_assignments']))
