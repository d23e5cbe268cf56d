# SPDX-License-Identifier: Apache-2.0

"""In which release answers changed; read from the history of SPDK's files.

Each test names the last release before a change and the first one after.
"""

import signal

from tests.functional.fixtures import simulated

_NQN = 'nqn.2016-06.io.spdk:c1'
_HOST = 'nqn.2016-06.io.spdk:host1'
_ADDRESS = {'trtype': 'TCP', 'adrfam': 'IPv4', 'traddr': '127.0.0.1',
            'trsvcid': '4420'}


class Members(simulated.Case):
    """Which members a reply has."""

    def bdev(self, release):
        """Describe a malloc bdev."""
        call = self.start(release)
        self.malloc('a')
        return call('bdev_get_bdevs')[0]

    def test_io_types(self):
        for name, before, since in (
                ('compare', 'v22.05', 'v22.09'),
                ('copy', 'v24.05', 'v24.09'),
                ('nvme_nssr', 'v25.05', 'v25.09'),
                ('write_uncorrectable', 'v25.09', 'v26.01')):
            self.assertNotIn(name, self.bdev(before)['supported_io_types'])
            self.assertIn(name, self.bdev(since)['supported_io_types'])

    def test_memory_domains(self):
        self.assertNotIn('memory_domains', self.bdev('v23.01'))
        self.assertIn('memory_domains', self.bdev('v23.05'))

    def test_iostat(self):
        for release, known in (('v22.09', False), ('v23.01', True)):
            call = self.start(release)
            self.malloc('a')
            bdev = call('bdev_get_iostat')['bdevs'][0]
            for name in ('bytes_copied', 'io_error',
                         'max_read_latency_ticks'):
                self.assertEqual(known, name in bdev, (release, name))

    def test_histogram(self):
        for release, names in (
                ('v24.09', ['histogram', 'bucket_shift', 'tsc_rate']),
                ('v25.05', ['histogram', 'granularity', 'min_range',
                            'max_range', 'tsc_rate'])):
            call = self.start(release)
            self.malloc('a')
            call('bdev_enable_histogram', name='a', enable=True)
            self.assertEqual(names, list(call('bdev_get_histogram',
                                              name='a')))

    def test_limits_of_a_histogram(self):
        """Up to v25.05 every latency had a bucket."""
        for release, first in (('v25.05', 0), ('v25.09', 1)):
            call = self.start(release)
            self.malloc('a')
            call('bdev_enable_histogram', name='a', enable=True)
            reply = call('bdev_get_histogram', name='a')
            self.assertEqual(first, int(reply['min_range'] > 0), release)

    def test_reactors(self):
        for name, before, since in (('irq', 'v24.01', 'v24.05'),
                                    ('tid', 'v24.05', 'v24.09'),
                                    ('numa_id', 'v26.01', 'v26.05')):
            for release, known in ((before, False), (since, True)):
                call = self.start(release)
                reactor = call('framework_get_reactors')['reactors'][0]
                self.assertEqual(known, name in reactor, (release, name))

    def test_transports(self):
        for name, before, since in (
                ('abort_timeout_sec', 'v20.04', 'v20.07'),
                ('zcopy', 'v21.10', 'v22.01'),
                ('ack_timeout', 'v24.01', 'v24.05'),
                ('disable_command_passthru', 'v25.09', 'v26.01')):
            for release, known in ((before, False), (since, True)):
                call = self.start(release)
                call('nvmf_create_transport', trtype='TCP')
                self.assertEqual(
                    known, name in call('nvmf_get_transports')[0],
                    (release, name))

    def test_cache_of_a_transport(self):
        """Picked by the transport since v23.05."""
        for release, size in (('v23.01', 32), ('v23.05', 2 ** 32 - 1)):
            call = self.start(release)
            call('nvmf_create_transport', trtype='TCP')
            self.assertEqual(size, call('nvmf_get_transports')[0][
                'buf_cache_size'])

    def test_statistics_of_poll_groups(self):
        for name, before, since in (
                ('current_admin_qpairs', 'v21.04', 'v21.07'),
                ('completed_nvme_io', 'v22.09', 'v23.01'),
                ('current_unassociated_qpairs', 'v26.01', 'v26.05')):
            for release, known in ((before, False), (since, True)):
                group = self.start(release)('nvmf_get_stats')[
                    'poll_groups'][0]
                self.assertEqual(known, name in group, (release, name))

    def test_raid(self):
        """Two forms before the present one."""
        for release, state, names in (
                ('v22.09', 1, ['strip_size_kb', 'state', 'raid_level',
                               'destruct_called']),
                ('v23.01', 'configuring', ['strip_size_kb', 'state',
                                           'raid_level', 'num_base_bdevs']),
                ('v23.09', 'configuring', ['strip_size_kb', 'state',
                                           'raid_level', 'num_base_bdevs']),
                ('v24.01', 'configuring', ['uuid', 'strip_size_kb', 'state',
                                           'raid_level'])):
            call = self.start(release)
            call('bdev_raid_create', name='r', strip_size_kb=64,
                 raid_level='raid0', base_bdevs=['x', 'y'])
            reply = call('bdev_raid_get_bdevs', category='all')[0]
            if release == 'v22.09':
                self.assertEqual('r', reply)
                continue
            self.assertEqual('r', reply.pop('name'))
            self.assertEqual(names, list(reply)[:4], release)
            self.assertEqual(state, reply['state'])


class Refusals(simulated.Case):
    """What is refused, and how."""

    def test_host_that_is_there(self):
        call = self.start('v24.05')
        call('nvmf_create_subsystem', nqn=_NQN)
        for _ in range(2):
            self.assertIs(True, call('nvmf_subsystem_add_host', nqn=_NQN,
                                     host=_HOST))
        call = self.start('v24.09')
        call('nvmf_create_subsystem', nqn=_NQN)
        call('nvmf_subsystem_add_host', nqn=_NQN, host=_HOST)
        self.refused(-32603, 'Internal error', 'nvmf_subsystem_add_host',
                     nqn=_NQN, host=_HOST)

    def test_size_of_written_zeroes(self):
        """A power of two in KiB, or none."""
        text = 'Invalid max_write_zeroes_size_kib 3'
        for release, end in (('v24.05', '\n'), ('v24.09', ''),
                             ('v26.01', '')):
            self.start(release)
            self.refused(-32602, text + end, 'nvmf_create_subsystem',
                         nqn=_NQN, max_write_zeroes_size_kib=3)

    def test_controller_that_is_not_there(self):
        for release, code in (('v26.01', 22), ('v26.05', -22)):
            self.start(release)
            self.refused(code, 'Controller x does not exist',
                         'bdev_nvme_get_controllers', name='x')

    def test_nobody_listens(self):
        for release, code, text in (
                ('v25.09', -19, 'No such device'),
                ('v26.01', -5, 'Input/output error')):
            self.start(release)
            self.refused(code, text, 'bdev_nvme_attach_controller',
                         name='n', subnqn=_NQN, **_ADDRESS)

    def test_base_of_a_raid(self):
        """From v23.01 to v23.09 the base bdev was named."""
        for release, text in (
                ('v22.09', 'Failed to add any base bdev to RAID bdev r'),
                ('v23.01', 'Failed to add base bdev b to RAID bdev r'),
                ('v23.09', 'Failed to add base bdev b to RAID bdev r'),
                ('v24.01', 'Failed to create RAID bdev r')):
            call = self.start(release)
            self.malloc('a', 'b')
            call('bdev_passthru_create', name='p', base_bdev_name='b')
            self.refused(-1, text + ': Operation not permitted',
                         'bdev_raid_create', name='r', strip_size_kb=64,
                         raid_level='raid0', base_bdevs=['a', 'b'])

    def test_flag_that_is_not_there(self):
        self.assertIs(True, self.start('v24.05')('log_set_flag', flag='x'))
        self.start('v24.09')
        self.refused(-32602, 'invalid log flag', 'log_set_flag', flag='x')

    def test_node_that_is_not_there(self):
        name = 'iqn.2016-06.io.spdk:x'
        call = self.start('v23.01', 'iscsi_tgt')
        self.assertIs(False, call('iscsi_delete_target_node', name=name))
        self.start('v23.05', 'iscsi_tgt')
        self.refused(-2, 'No such file or directory',
                     'iscsi_delete_target_node', name=name)

    def test_zones_that_are_not_there(self):
        call = self.start('v23.01')
        self.assertIs(False, call('bdev_zone_block_delete', name='x'))
        self.start('v23.05')
        self.refused(-19, 'No such device', 'bdev_zone_block_delete',
                     name='x')

    def test_ftl_that_is_not_there(self):
        for release in ('v22.09', 'v23.01'):
            self.assertIs(False, self.start(release)('bdev_ftl_delete',
                                                     name='x'))
        for release in ('v22.05', 'v23.05'):
            self.start(release)
            self.refused(-19, 'No such device', 'bdev_ftl_delete', name='x')

    def test_delay_of_another_bdev(self):
        params = {'delay_bdev_name': 'a', 'latency_type': 'avg_read',
                  'latency_us': 1}
        for release, code, text in (
                ('v22.01', -32600, 'The requested bdev is not a delay bdev.'),
                ('v22.05', -32602, 'The requested bdev does not exist.')):
            self.start(release)
            self.malloc('a')
            self.refused(code, text, 'bdev_delay_update_latency', **params)

    def test_errors_that_can_be_injected(self):
        for release, known in (('v23.05', False), ('v23.09', True)):
            call = self.start(release)
            self.malloc('a')
            call('bdev_error_create', base_name='a')
            params = {'name': 'EE_a', 'io_type': 'read',
                      'error_type': 'nomem'}
            if known:
                self.assertIs(True, call('bdev_error_inject_error',
                                         **params))
            else:
                self.refused(-32603, 'spdk_json_decode_object failed',
                             'bdev_error_inject_error', **params)

    def test_controller_with_targets(self):
        """A SCSI controller went with its targets since v23.01."""
        for release, good in (('v22.09', False), ('v23.01', True)):
            call = self.start(release, 'vhost')
            self.malloc('a')
            call('vhost_create_scsi_controller', ctrlr='c')
            call('vhost_scsi_controller_add_target', ctrlr='c',
                 scsi_target_num=0, bdev_name='a')
            if good:
                self.assertIs(True, call('vhost_delete_controller',
                                         ctrlr='c'))
            else:
                self.refused(-32602, 'Device or resource busy',
                             'vhost_delete_controller', ctrlr='c')


class Endings(simulated.Case):
    """What ended a target."""

    def offline(self, release):
        """Make a RAID bdev that lost a base bdev."""
        call = self.start(release)
        self.malloc('a', 'b')
        call('bdev_raid_create', name='r', strip_size_kb=64,
             raid_level='raid0', base_bdevs=['a', 'b'])
        call('bdev_malloc_delete', name='b')

    def test_empty_place_of_a_raid(self):
        """A new bdev's name was compared with none."""
        params = {'name': 'c', 'num_blocks': 2048, 'block_size': 512}
        for release in ('v23.01', 'v23.05'):
            self.offline(release)
            self.killed(signal.SIGSEGV, 'bdev_malloc_create', **params)
        for release in ('v22.09', 'v23.09'):
            self.offline(release)
            self.assertEqual('c', self.target.call('bdev_malloc_create',
                                                   **params))
