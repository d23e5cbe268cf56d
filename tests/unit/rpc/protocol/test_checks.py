# SPDX-License-Identifier: Apache-2.0

import unittest

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.rpc.protocol import catalogue
from cyborg_spdk.rpc.protocol import checks
from cyborg_spdk.rpc.protocol import refusals

_NEW = rpc.Version(26, 5)


class ProblemTest(unittest.TestCase):

    def test_what_is_refused(self):
        attach = {'name': 'n', 'trtype': 'tcp', 'traddr': '127.0.0.1'}
        cases = [
            ('bdev_malloc_create', {'num_block': 8, 'block_size': 512},
             'it takes no num_block, did you mean num_blocks? it takes '
             'block_size, num_blocks, [name], [uuid]'),
            ('bdev_malloc_create', {'num_blocks': 8},
             'block_size is missing; it takes block_size, num_blocks'),
            ('bdev_malloc_create', None, 'block_size is missing'),
            ('bdev_malloc_create', {'num_blocks': '8', 'block_size': 512},
             "num_blocks is a number, not '8'"),
            ('bdev_malloc_create', {'num_blocks': True, 'block_size': 512},
             'num_blocks is a number, not True'),
            ('bdev_malloc_delete', {'name': 7}, 'name is a text, not 7'),
            ('bdev_aio_create', {'name': 'a', 'filename': 'f',
                                 'readonly': 'yes'},
             "readonly is true or false, not 'yes'"),
            ('bdev_nvme_attach_controller', {**attach, 'multipath_opts': []},
             'multipath_opts is an object, not []'),
            ('bdev_raid_create', {'name': 'r', 'raid_level': '0',
                                  'base_bdevs': 'a b'},
             "base_bdevs is a list, not 'a b'"),
            ('log_get_flags', {'x': 1}, 'it takes no x; it takes no '
             'parameters'),
            ('nvmf_subsystem_add_ns', {'nqn': 'n', 'namespace': {
                'bdev': 'b'}}, 'it takes no namespace.bdev, did you mean '
             'namespace.bdev_name? namespace takes namespace.bdev_name, ['),
            ('nvmf_subsystem_add_ns', {'nqn': 'n', 'namespace': {}},
             'namespace.bdev_name is missing'),
            ('iscsi_create_portal_group', {'tag': 1, 'portals': [
                {'host': '::1'}, {'hst': '::1', 'port': '3260'}]},
             'it takes no portals[].hst, did you mean portals[].host?')]
        for method, params, words in cases:
            with self.subTest(method, params=params):
                self.assertTrue(checks.varies(method, params))
                found = refusals.problem(method, params, _NEW)
                self.assertIsNotNone(found)
                self.assertIn(words, found)

    def test_what_is_right(self):
        for method, params in [
                ('bdev_malloc_create', {'num_blocks': 8, 'block_size': 512}),
                ('bdev_get_bdevs', None), ('bdev_get_bdevs', {'name': None}),
                ('rpc_get_methods', {'current': True}),
                ('nvmf_subsystem_add_ns', {'nqn': 'n', 'namespace': {
                    'bdev_name': 'b', 'nsid': 3}}),
                ('iscsi_create_portal_group', {'tag': 1, 'portals': [
                    {'host': '::1', 'port': '3260'}]}),
                # A method of a plugin, or one that looks at no parameters.
                ('my_own_method', {'x': 1}), ('iobuf_get_stats', {'x': 1}),
                # What another part of the target reads from them.
                ('nvmf_create_transport', {'trtype': 'TCP',
                                           'c2h_success': True}),
                ('framework_set_scheduler', {'name': 'dynamic',
                                             'core_limit': 80}),
                ('vhost_create_blk_controller', {
                    'ctrlr': 'c', 'dev_name': 'd', 'readonly': True}),
                # A list: what SPDK says of it is its own affair.
                ('bdev_get_bdevs', ['x'])]:
            with self.subTest(method, params=params):
                self.assertIsNone(refusals.problem(method, params, _NEW))

    def test_it_depends_on_the_release_what_must_be_given(self):
        cases = [('bdev_malloc_create', {'num_blocks': 8, 'block_size': 512},
                  'v16.12', None),
                 ('accel_crypto_key_destroy', {}, 'v23.01', None),
                 ('accel_crypto_key_destroy', {}, 'v23.01.1',
                  'key_name is missing; it takes key_name')]
        for method, params, tag, want in cases:
            with self.subTest(method, tag=tag):
                self.assertEqual(want, refusals.problem(
                    method, params, rpc.Version.parse(tag)))

    def test_it_depends_on_the_release_of_what_type_one_is(self):
        raid = {'name': 'r', 'base_bdevs': ['a', 'b']}
        for tag, right, wrong, words in [
                ('v19.01.1', 0, 'raid0', "is a number, not 'raid0'"),
                ('v26.05', 'raid0', 0, 'is a text, not 0')]:
            with self.subTest(tag):
                release = rpc.Version.parse(tag)
                given = {**raid, 'strip_size': 4} if right == 0 else raid
                self.assertIsNone(refusals.problem(
                    'bdev_raid_create', {**given, 'raid_level': right},
                    release))
                self.assertEqual(f'raid_level {words}', refusals.problem(
                    'bdev_raid_create', {**given, 'raid_level': wrong},
                    release))
        # It is right for some release, and no text for any.
        self.assertIsNone(refusals.problem(
            'bdev_raid_create', {**raid, 'raid_level': 0}, None))
        self.assertEqual(
            'raid_level is a number or a text, not []', refusals.problem(
                'bdev_raid_create', {**raid, 'raid_level': []}, None))
        for method, name in [('iscsi_create_target_node', 'header_digest'),
                             ('iscsi_create_target_node', 'data_digest'),
                             ('nvmf_create_target', 'discovery_filter')]:
            self.assertIn(f'{name} is ', refusals.problem(
                method, {name: 5}, _NEW))

    def test_of_a_target_that_is_newer_than_the_table_only_what_is_gone(self):
        newer = rpc.Version(99, 1)
        self.assertIsNone(refusals.problem(
            'bdev_malloc_create', {'brand_new': 1}, newer))
        self.assertIn('name was dropped after v26.01', refusals.problem(
            'bdev_get_iostat', {'name': 'x'}, newer))

    def test_of_an_unknown_release_what_none_takes(self):
        self.assertIn('it takes no nam,', refusals.problem(
            'bdev_get_bdevs', {'nam': 'x'}, None))
        self.assertIn('name is missing', refusals.problem(
            'bdev_malloc_delete', None, None))
        # Each of these is right for some release.
        self.assertIsNone(refusals.problem(
            'bdev_get_iostat', {'name': 'x', 'names': ['x']}, None))

    def test_it_is_an_error_before_it_is_sent(self):
        book = catalogue.TargetMethods(frozenset({'bdev_malloc_delete'}), _NEW)
        with self.assertRaises(exceptions.InvalidParams) as caught:
            book.translate('bdev_malloc_delete', {'nam': 'M0'})
        self.assertEqual(
            'bdev_malloc_delete: Invalid parameters (code -32602): it takes '
            'no nam, did you mean name? it takes name; it was not sent',
            str(caught.exception))


class DescribeTest(unittest.TestCase):

    def test_a_method_by_its_present_or_a_former_name(self):
        for name in ('bdev_malloc_create', 'construct_malloc_bdev'):
            found = catalogue.describe(name)
            self.assertEqual('bdev_malloc_create', found.name)
            self.assertEqual(('v16.12', None), (found.first, found.last))
            self.assertEqual([('construct_malloc_bdev', 'v16.12',
                               'v22.01.2')], found.former)
            about = {one.name: (one.kind, one.first, one.last)
                     for one in found.parameters}
            self.assertEqual(('uint64', None, None), about['num_blocks'])
            self.assertEqual(('int32', 'v26.01', None), about['numa_id'])

    def test_one_that_is_gone(self):
        found = catalogue.describe('delete_bdev')
        self.assertEqual('v19.01.1', found.last)
        self.assertIn('bdev_malloc_delete', found.replaced)

    def test_words(self):
        about = {one.name: one for one
                 in catalogue.describe('log_set_level').parameters}
        self.assertIn('DEBUG', about['level'].words)

    def test_one_that_no_release_has(self):
        with self.assertRaises(exceptions.MethodNotFound) as caught:
            catalogue.describe('bdev_malloc_creat')
        self.assertIn('did you mean bdev_malloc_create?',
                      str(caught.exception))
