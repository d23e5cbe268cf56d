# SPDX-License-Identifier: Apache-2.0

"""Typed results, whatever a release adds or lacks."""

import unittest

from cyborg_spdk.clients import types
from cyborg_spdk.clients.types import kinds


class TypesTests(unittest.TestCase):

    def test_fields_that_are_missing_or_wrong(self):
        for kind in (getattr(types, name) for name in types.__all__):
            with self.subTest(kind.__name__):
                self.assertEqual(kind.parse({}), kind.parse(
                    {'new_field': 1, 'name': None, 'nsid': 'x'}))
                self.assertEqual({'new_field': 1},
                                 kind.parse({'new_field': 1}).raw
                                 if kind is not types.AuthGroup
                                 else {'new_field': 1})
                hash(kind.parse({'driver_specific': {}, 'fields': {}}))

    def test_parse_list(self):
        self.assertEqual([], types.Bdev.parse_list(None))
        self.assertEqual(['a'], [one.name for one in types.Bdev.parse_list(
            [{'name': 'a'}, 'garbage', None])])

    def test_number_that_is_a_flag(self):
        self.assertEqual(0, types.Bdev.parse({'block_size': True}).block_size)

    def test_bdev_of_v22_01_and_v26_05(self):
        old = types.Bdev.parse({
            'name': 'Raid0', 'aliases': [], 'product_name': 'Raid Volume',
            'block_size': 512, 'num_blocks': 16384, 'claimed': False,
            'driver_specific': {'raid': {
                'state': 0, 'base_bdevs_list': ['R0', 'R1']}}})
        new = types.Bdev.parse({
            'name': 'Raid0', 'aliases': ['ebab16ad'], 'block_size': 512,
            'product_name': 'Raid Volume', 'num_blocks': 16384,
            'uuid': 'ebab16ad', 'claimed': True, 'claim_type': 'x',
            'driver_specific': {'raid': {
                'state': 'online', 'base_bdevs_list': [
                    {'name': 'R0'}, {'name': 'R1'}, {'name': None}]}}})
        for bdev in (old, new):
            self.assertEqual((8 << 20, 'raid', ('R0', 'R1')),
                             (bdev.size, bdev.kind.name, bdev.bases))
        self.assertFalse(old.known_as('ebab16ad'))
        self.assertTrue(new.known_as('ebab16ad'))

    def test_bases_by_module(self):
        for own, expected in (
                ({'passthru': {'base_bdev_name': 'B'}}, ('B',)),
                ({'error_disk': {'base_bdev': 'B'}}, ('B',)),
                ({'lvol': {'base_bdev': 'B', 'snapshot': False}}, ('B',)),
                ({'aio': {'filename': '/f'}}, ()), ({}, ()),
                ({'nvme': [{'trid': {}}]}, ())):
            with self.subTest(own):
                self.assertEqual(expected, types.Bdev.parse(
                    {'driver_specific': own}).bases)

    def test_bases_that_are_caches(self):
        # vbdev_ocf.c writes into driver_specific itself.
        for product, own, expected in (
                ('SPDK OCF', {'cache_device': 'C', 'core_device': 'B',
                              'mode': 'wt'}, ('C', 'B')),
                ('FTL disk', {'ftl': {'base_bdev': 'B', 'cache': 'C'}},
                 ('B', 'C')),
                ('FTL disk', {'ftl': {'base_bdev': 'B'}}, ('B',))):
            with self.subTest(own):
                self.assertEqual(expected, types.Bdev.parse(
                    {'product_name': product,
                     'driver_specific': own}).bases)

    def test_kinds(self):
        self.assertEqual('bdev_malloc_delete',
                         kinds.of_bdev('Malloc disk').delete)
        unknown = kinds.of_bdev('New Thing')
        self.assertEqual(('new_thing', None), (unknown.name, unknown.delete))
        for kind in kinds.BY_PRODUCT.values():
            self.assertIn(kind.of, ('bdev', 'base', 'controller', 'device'))

    def test_subsystem(self):
        found = types.Subsystem.parse({
            'nqn': 'n', 'subtype': 'NVMe', 'hosts': [{'nqn': 'h'}],
            'listen_addresses': [{'transport': 'TCP', 'traddr': '::1',
                                  'trsvcid': '1'}],
            'namespaces': [{'nsid': 2, 'name': 'M', 'bdev_name': 'M'},
                           {'nsid': 3, 'name': 'old'}]})
        self.assertEqual(('h',), found.hosts)
        self.assertEqual(('TCP', '::1', '1'),
                         found.listen_addresses[0].place)
        self.assertEqual(['M', 'old'], [one.bdev_name
                                        for one in found.namespaces])
        self.assertIsNone(found.namespace(1))
        self.assertEqual('old', found.namespace(3).bdev_name)

    def test_listener(self):
        for raw, expected in (
                ({'address': {'trtype': 'TCP'}}, []),
                ({'address': {}, 'ana_state': 'optimized'},
                 [(0, 'optimized')]),
                ({'address': {}, 'ana_states': [
                    {'ana_group': 1, 'ana_state': 'inaccessible'}]},
                 [(1, 'inaccessible')])):
            found = types.Listener.parse(raw)
            self.assertEqual(expected, [(one.ana_group, one.ana_state)
                                        for one in found.ana_states])

    def test_vhost(self):
        blk = types.VhostController.parse({
            'ctrlr': 'b', 'backend_specific': {
                'block': {'readonly': True, 'bdev': None}}})
        self.assertEqual(('blk', None, True, ()),
                         (blk.kind, blk.bdev, blk.readonly,
                          blk.scsi_targets))
        scsi = types.VhostController.parse({
            'ctrlr': 's', 'backend_specific': {'scsi': [
                {'scsi_dev_num': 3, 'luns': [{'id': 0, 'bdev_name': 'M'}]}]}})
        self.assertEqual(('scsi', None, 3, 'M'),
                         (scsi.kind, scsi.bdev,
                          scsi.scsi_targets[0].scsi_dev_num,
                          scsi.scsi_targets[0].luns[0].bdev_name))
        self.assertIsNone(types.VhostController.parse({}).kind)

    def test_nvme_controller(self):
        trid = {'trtype': 'TCP', 'traddr': '127.0.0.1', 'trsvcid': '4420',
                'subnqn': 'n'}
        place = ('TCP', '127.0.0.1', '4420', 'n')
        for raw in ({'name': 'N', 'trid': trid},
                    {'name': 'N', 'ctrlrs': [{'trid': trid}]}):
            found = types.NvmeController.parse(raw)
            self.assertEqual([place], [one.place for one in found.paths])
        self.assertEqual((), types.NvmeController.parse({}).paths)

    def test_secrets_stay_out(self):
        found = types.AuthGroup.parse({'tag': 1, 'secrets': [
            {'user': 'u', 'secret': 'geheim', 'muser': 'm',
             'msecret': 'auch'}]})
        self.assertEqual(('u',), found.users)
        for word in ('geheim', 'auch'):
            self.assertNotIn(word, repr(found) + repr(found.raw))

    def test_iscsi_of_v18_01(self):
        found = types.TargetNode.parse({
            'name': 'iqn.x', 'luns': [{'bdev_name': 'M', 'id': 4}]})
        self.assertEqual('M', found.lun(4).bdev_name)
        self.assertIsNone(found.lun(0))
