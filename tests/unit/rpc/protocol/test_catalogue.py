# SPDX-License-Identifier: Apache-2.0

import unittest

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.rpc.protocol import catalogue
from cyborg_spdk.rpc.protocol import checks
from cyborg_spdk.rpc.protocol import parameters
from cyborg_spdk.rpc.protocol import readonly


def _served(tag):
    """What a target of a release could serve at most."""
    release = rpc.Version.parse(tag)
    return frozenset(
        name for name, ranges in catalogue.data()['methods'].items()
        if any(rpc.Version.parse(first) <= release
               and (last is None or release <= rpc.Version.parse(last))
               for first, last in ranges))


def _target(tag):
    return catalogue.TargetMethods(_served(tag), rpc.Version.parse(tag))


class TableTest(unittest.TestCase):

    def test_every_name_in_it_is_a_method(self):
        table = catalogue.data()
        known = table['methods'].keys()
        for part in ('renamed', 'param_names', 'replaced'):
            self.assertLessEqual(table[part].keys(), known, part)
        for name in known:
            for one in (parameters.of(name) or {}).values():
                self.assertTrue(one.periods, (name, one.name))
        for names in table['renamed'].values():
            self.assertLessEqual(set(names), known)
            self.assertEqual(len(set(names)), len(names))

    def test_every_release_in_it_is_one(self):
        table = catalogue.data()
        releases = set(table['releases'])
        ranges = [one for some in table['methods'].values() for one in some]
        ranges += [(period.first, period.last) for name in table['methods']
                   for one in (parameters.of(name) or {}).values()
                   for period in one.periods]
        for first, last in ranges:
            self.assertLessEqual({first, last} - {None}, releases)
            if first and last:
                self.assertLessEqual(rpc.Version.parse(first),
                                     rpc.Version.parse(last))

    def test_what_reads_is_known(self):
        self.assertLessEqual(readonly.READ_ONLY,
                             catalogue.data()['methods'].keys())
        for name in catalogue.data()['methods']:
            if 'create' in name or 'delete' in name or '_set_' in name:
                self.assertNotIn(name, readonly.READ_ONLY)

    def test_a_read_that_resets_is_not_repeated(self):
        self.assertTrue(readonly.is_read_only('bdev_get_iostat', None))
        self.assertTrue(readonly.is_read_only('bdev_get_iostat',
                                              {'per_channel': True}))
        self.assertFalse(readonly.is_read_only('bdev_get_iostat',
                                               {'reset_mode': 'all'}))


class TargetMethodsTest(unittest.TestCase):

    def test_names(self):
        cases = {
            'v18.01': 'get_bdevs', 'v19.07.1': 'get_bdevs',
            'v19.10': 'bdev_get_bdevs', 'v26.05': 'bdev_get_bdevs'}
        for tag, name in cases.items():
            self.assertEqual(name, _target(tag).name_of('bdev_get_bdevs'))
        # Three names in turn.
        for tag, name in {'v18.10': 'scan_ioat_copy_engine',
                          'v20.01': 'ioat_scan_copy_engine',
                          'v22.01': 'ioat_scan_accel_engine',
                          'v26.05': 'ioat_scan_accel_module'}.items():
            self.assertEqual(name,
                             _target(tag).name_of('ioat_scan_accel_module'))
        self.assertIsNone(_target('v18.01').name_of('bdev_raid_create'))

    def test_params_that_a_release_lacks_are_refused(self):
        cases = [
            ('v22.01', 'bdev_get_bdevs', {'name': 'x', 'timeout': 5},
             'timeout needs v22.05, the target is v22.01'),
            ('v26.05', 'bdev_get_iostat', {'name': 'x'},
             'name was dropped after v26.01'),
            ('v18.04', 'bdev_malloc_create', {'optimal_io_boundary': 8},
             'optimal_io_boundary needs v22.01')]
        for tag, method, params, words in cases:
            with self.subTest(tag):
                self.assertTrue(checks.varies(method, params))
                with self.assertRaises(exceptions.InvalidParams) as caught:
                    _target(tag).translate(method, params)
                self.assertIn(words, str(caught.exception))
                self.assertIn('it was not sent', str(caught.exception))

    def test_params_that_a_release_has_are_sent(self):
        for tag, method, params in [
                ('v22.05', 'bdev_get_bdevs', {'name': 'x', 'timeout': 5}),
                ('v26.01', 'bdev_get_iostat', {'name': 'x'}),
                ('v26.05', 'bdev_get_iostat', {'names': ['x']}),
                ('v26.05', 'no_such_method', {'x': 1})]:
            target = catalogue.TargetMethods(_served(tag) | {'no_such_method'},
                                  rpc.Version.parse(tag))
            self.assertEqual((method, params),
                             target.translate(method, params))

    def test_members_of_an_object_are_parameters_too(self):
        method = 'nvmf_subsystem_add_ns'
        for member, tag, words in [
                ('anagrpid', 'v21.07', 'namespace.anagrpid needs v21.10'),
                ('hide_metadata', 'v26.09',
                 'namespace.hide_metadata was dropped after v26.05')]:
            value = True if member == 'hide_metadata' else 1
            params = {'nqn': 'n', 'namespace': {'bdev_name': 'b',
                                                member: value}}
            with self.subTest(member):
                self.assertTrue(checks.varies(method, params))
                with self.assertRaises(exceptions.InvalidParams) as caught:
                    _target(tag).translate(method, params)
                self.assertIn(words, str(caught.exception))
                self.assertEqual((method, params),
                                 _target('v26.05').translate(method, params))
        self.assertFalse(checks.varies(
            method, {'nqn': 'n', 'namespace': {'bdev_name': 'b'}}))

    def test_what_v26_09_changes(self):
        create = {'nqn': 'n', 'admin_label': 'rack 7'}
        kib = {'nqn': 'n', 'max_discard_size_kib': 8}
        transport = {'trtype': 'TCP', 'io_unit_size': 8192}
        attach = {'name': 'n', 'trtype': 'TCP', 'traddr': '127.0.0.1',
                  'disable_sq_flow_control': True}
        cases = [
            ('v26.05', 'nvmf_create_subsystem', create,
             'admin_label needs v26.09'),
            ('v26.09', 'nvmf_create_subsystem', kib,
             'max_discard_size_kib was dropped after v26.05'),
            ('v26.09', 'nvmf_create_transport', transport,
             'io_unit_size was dropped after v26.05'),
            ('v26.05', 'bdev_nvme_attach_controller', attach,
             'disable_sq_flow_control needs v26.09'),
            ('v26.05', 'nvmf_set_config', {'discovery_filters': []},
             'discovery_filters needs v26.09')]
        other = {'v26.05': 'v26.09', 'v26.09': 'v26.05'}
        for tag, method, params, words in cases:
            with self.subTest(method):
                with self.assertRaises(exceptions.InvalidParams) as caught:
                    _target(tag).translate(method, params)
                self.assertIn(words, str(caught.exception))
                self.assertEqual(
                    (method, params),
                    _target(other[tag]).translate(method, params))
        self.assertIn('use multipath_opts', _target('v26.09').explain(
            'bdev_nvme_set_multipath_policy'))
        self.assertTrue(_target('v26.09').has('bdev_kvmalloc_create'))

    def test_a_build_before_its_release(self):
        served = _served('v26.05') | _served('v26.09')
        for suffix in ('-pre', '-rc1'):
            target = catalogue.TargetMethods(
                served, rpc.Version(26, 9, 0, suffix))
            # It may have what comes and what goes: it has the last word.
            for params in ({'nqn': 'n', 'admin_label': 'rack 7'},
                           {'nqn': 'n', 'max_discard_size_kib': 8}):
                with self.subTest(suffix, params=params):
                    self.assertEqual(
                        ('nvmf_create_subsystem', params),
                        target.translate('nvmf_create_subsystem', params))
            # Nothing that went before, or comes later.
            with self.assertRaises(exceptions.InvalidParams):
                target.translate('bdev_get_iostat', {'name': 'x'})
            # Where there is a choice, what the release has is taken.
            self.assertTrue(target.supports('nvmf_create_subsystem',
                                          'admin_label'))
            self.assertFalse(target.supports('nvmf_create_subsystem',
                                           'max_discard_size_kib'))
            self.assertTrue(target.has('bdev_nvme_set_multipath_policy'))

    def test_releases_that_the_table_does_not_know(self):
        # Later: as the newest that it knows. Maintenance: as its series.
        for version, method, param, want in [
                (rpc.Version(27, 1), 'nvmf_create_subsystem',
                 'admin_label', True),
                (rpc.Version(27, 1), 'nvmf_create_subsystem',
                 'max_discard_size_kib', False),
                (rpc.Version(27, 1, 0, '-pre'), 'nvmf_create_subsystem',
                 'max_discard_size_kib', False),
                (rpc.Version(26, 5, 1), 'nvmf_create_subsystem',
                 'max_discard_size_kib', True),
                (rpc.Version(26, 5, 1), 'nvmf_create_subsystem',
                 'admin_label', False),
                (rpc.Version(26, 5, 0, '-3.el9'), 'nvmf_create_subsystem',
                 'max_discard_size_kib', True),
                (rpc.Version(26, 1, 2), 'bdev_get_iostat', 'name', True)]:
            target = catalogue.TargetMethods(frozenset({method}), version)
            with self.subTest(str(version), param=param):
                self.assertEqual(want, target.supports(method, param))
                params = {'nqn': 'n', param: 'x'}
                if method == 'bdev_get_iostat':
                    del params['nqn']
                elif param.endswith('kib'):
                    params[param] = 8
                if want:
                    self.assertEqual((method, params),
                                     target.translate(method, params))
                else:
                    self.assertRaises(exceptions.InvalidParams,
                                      target.translate, method, params)

    def test_params_are_renamed(self):
        params = {'ctrlr': 'c', 'scsi_target_num': 0, 'bdev_name': 'b'}
        self.assertEqual(
            ('add_vhost_scsi_lun',
             {'ctrlr': 'c', 'scsi_dev_num': 0, 'lun_name': 'b'}),
            _target('v17.10').translate('vhost_scsi_controller_add_target',
                                      params))
        self.assertEqual(
            ('add_vhost_scsi_lun', params),
            _target('v18.01').translate('vhost_scsi_controller_add_target',
                                      params))

    def test_a_call_that_fits_every_release_of_its_name_need_not_wait(self):
        self.assertFalse(checks.varies('bdev_get_bdevs', {'name': 'x'}))
        self.assertFalse(checks.varies('bdev_get_bdevs', None))
        self.assertFalse(checks.varies('unheard_of', {'name': 'x'}))
        self.assertTrue(checks.varies('bdev_get_bdevs', {'timeout': 1}))

    def test_supports(self):
        self.assertTrue(_target('v24.01').supports('bdev_get_bdevs',
                                                 'timeout'))
        self.assertFalse(_target('v22.01').supports('bdev_get_bdevs',
                                                  'timeout'))
        self.assertFalse(_target('v18.01').supports('accel_get_stats', 'x'))

    def test_why_a_method_is_missing(self):
        cases = [
            ('v18.01', 'nvmf_create_transport', 'since v18.10'),
            ('v18.10', 'accel_get_stats', 'since v23.05'),
            ('v26.05', 'get_bdevs', 'called bdev_get_bdevs now'),
            ('v26.05', 'get_luns', 'vhost_get_controllers'),
            ('v26.05', 'delete_bdev', 'bdev_malloc_delete'),
            ('v26.05', 'blobfs_create', 'dropped it after'),
            ('v26.05', 'net_get_interfaces', 'ip addr'),
            ('v26.05', 'bdev_get_bdev', 'did you mean bdev_get_bdevs?'),
            ('v26.05', 'zzz', 'no SPDK release has it')]
        for tag, method, words in cases:
            with self.subTest(method):
                with self.assertRaises(exceptions.MethodNotFound) as caught:
                    _target(tag).translate(method, None)
                self.assertIn(words, str(caught.exception))
        nvmf = catalogue.TargetMethods(frozenset({'bdev_get_bdevs'}),
                                       rpc.Version(26, 5))
        self.assertIn('this program does not serve it',
                      nvmf.explain('vhost_get_controllers'))

    def test_a_target_that_cannot_list_its_methods(self):
        target = catalogue.TargetMethods(None, None)
        method = name = 'ioat_scan_accel_module'
        tried = []
        while (name := target.next_name(method, name)) is not None:
            tried.append(name)
        self.assertEqual(['ioat_scan_accel_engine', 'ioat_scan_copy_engine',
                          'scan_ioat_copy_engine'], tried)
        self.assertFalse(target.has('bdev_get_bdevs'))

    def test_the_release_is_guessed_from_the_methods(self):
        for tag in ('v17.10', 'v18.01', 'v18.04', 'v18.07', 'v18.10',
                    'v19.01', 'v26.05'):
            with self.subTest(tag):
                self.assertEqual(rpc.Version.parse(tag),
                                 catalogue.guess_version(_served(tag)))
        self.assertIsNone(catalogue.guess_version(None))
