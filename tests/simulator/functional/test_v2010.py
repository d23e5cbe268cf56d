# SPDX-License-Identifier: Apache-2.0

"""Answers of real v20.10 targets, and until when they were given."""

import signal

from tests.functional.fixtures import simulated

_NQN = 'nqn.2016-06.io.spdk:c1'


class Answers(simulated.Case):
    """What v20.10 answers otherwise than v22.01."""

    def test_strip_size_of_a_raid(self):
        """In blocks, too, up to v21.01."""
        for release, strip in (('v20.10', [128, 64]), ('v21.04', [64])):
            call = self.start(release)
            self.malloc('a', 'b')
            call('bdev_raid_create', name='r', strip_size_kb=64,
                 raid_level='RAID0', base_bdevs=['a', 'b'])
            raid = call('bdev_get_bdevs', name='r')[0][
                'driver_specific']['raid']
            self.assertEqual(strip, [raid[name] for name in (
                'strip_size', 'strip_size_kb') if name in raid])

    def test_level_of_a_raid(self):
        self.start('v20.10')
        for level in ('concat', 'raid1', 'bogus', 0):
            self.refused(-32603, 'spdk_json_decode_object failed',
                         'bdev_raid_create', name='r', strip_size_kb=64,
                         raid_level=level, base_bdevs=['a'])
        self.refused(-32602, 'please use only one strip size option',
                     'bdev_raid_create', name='r', strip_size_kb=4,
                     strip_size=4, raid_level='raid0', base_bdevs=['a'])

    def test_configured_transport(self):
        for release, last in (('v20.04', 'max_aq_depth'),
                              ('v20.07', 'abort_timeout_sec'),
                              ('v20.10', 'abort_timeout_sec')):
            call = self.start(release)
            call('nvmf_create_transport', trtype='TCP')
            params = next(item['params'] for item in call(
                'framework_get_config', name='nvmf')
                if item['method'] == 'nvmf_create_transport')
            self.assertEqual(last, list(params)[-1])
            self.assertEqual(release == 'v20.10', 'c2h_success' in params)

    def test_options_of_a_subsystem(self):
        call = self.start('v20.10')

        def refused(text, **params):
            self.refused(-32602, text, 'nvmf_subsystem_set_options',
                         nqn=_NQN, trtype='TCP', **params)

        refused(f'Unable to find subsystem with NQN {_NQN}')
        call('nvmf_create_subsystem', nqn=_NQN)
        refused('Unable to find transport with trtype TCP')
        call('nvmf_create_transport', trtype='TCP')
        refused('Unable to find transport ops')

    def test_open_channel(self):
        self.start('v20.10')
        self.malloc('a')
        for name, code, text in (('x', -19, 'No such device'),
                                 ('a', -22, 'Invalid argument')):
            self.refused(code, text, 'bdev_ocssd_delete', name=name)
        for units, code, text in (('x', -22, 'Failed to parse range'),
                                  ('1-2', -19, 'No such device')):
            self.refused(code, text, 'bdev_ocssd_create', ctrlr_name='x',
                         bdev_name='y', range=units)

    def test_part_of_a_path(self):
        """Up to v21.07 the whole of it was to be told."""
        text = ('trtype, traddr, adrfam, trsvcid, subnqn must all be '
                'provided together or not at all.')
        for release, code, message in (
                ('v20.10', -32602, text), ('v21.07', -32602, text),
                ('v21.10', -19, 'No such device')):
            self.start(release)
            self.refused(code, message, 'bdev_nvme_detach_controller',
                         name='x', subnqn=_NQN)

    def test_interfaces(self):
        self.start('v20.10')
        self.refused(-32602, 'IP address x is not found in interface 1',
                     'net_interface_delete_ip_address', ifc_index=1,
                     ip_address='x')
        self.refused(-1, 'Interface 99999 not available',
                     'net_interface_add_ip_address', ifc_index=99999,
                     ip_address='127.0.0.1')

    def test_options_of_sockets(self):
        call = self.start('v20.10')
        self.assertIn('enable_quickack', call('sock_impl_get_options',
                                              impl_name='posix'))
        written = call('framework_get_config', name='sock')[0]['params']
        self.assertNotIn('enable_quickack', written)

    def test_split_of_a_claimed_bdev(self):
        """Kept up to v21.01, though refused."""
        for release, again in (('v20.10', 'File exists'),
                               ('v21.04', 'Cannot allocate memory')):
            call = self.start(release)
            self.malloc('a')
            call('bdev_passthru_create', name='p', base_bdev_name='a')
            for text in ('Cannot allocate memory', again):
                self.refused(-32602, "Failed to create 2 split bdevs from "
                             f"'a': {text}", 'bdev_split_create',
                             base_bdev='a', split_count=2)

    def test_listener_that_is_not_there(self):
        """To remove it ended v20.10 and v21.01."""
        params = {'nqn': _NQN, 'listen_address': {
            'trtype': 'TCP', 'adrfam': 'IPv4', 'traddr': '127.0.0.1',
            'trsvcid': '4420'}}
        for release, ends in (('v20.10', True), ('v21.01', True),
                              ('v21.04', False)):
            call = self.start(release)
            call('nvmf_create_transport', trtype='TCP')
            call('nvmf_create_subsystem', nqn=_NQN)
            if ends:
                self.killed(signal.SIGSEGV,
                            'nvmf_subsystem_remove_listener', **params)
            else:
                self.refused(-32602, 'Invalid parameters',
                             'nvmf_subsystem_remove_listener', **params)
