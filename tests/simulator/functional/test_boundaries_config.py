# SPDX-License-Identifier: Apache-2.0

"""In which release the configuration that is written changed.

Read from the history of SPDK's files. Each test names the last release
before a change and the first one after.
"""

from tests.functional.fixtures import simulated

_NQN = 'nqn.2016-06.io.spdk:c1'
_HOST = 'nqn.2016-06.io.spdk:host1'
_ADDRESS = {'trtype': 'TCP', 'adrfam': 'IPv4', 'traddr': '127.0.0.1',
            'trsvcid': '4420'}


class Configuration(simulated.Case):
    """What ``framework_get_config`` writes."""

    def params(self, release, subsystem, method):
        """The parameters of the first call of a method."""
        return next(item['params'] for item in self.target.call(
            'framework_get_config', name=subsystem)
            if item['method'] == method)

    def test_order_of_a_subsystem(self):
        for release, last in (
                ('v22.05', 'nvmf_subsystem_add_host'),
                ('v22.09', 'nvmf_subsystem_add_listener')):
            call = self.start(release)
            call('nvmf_create_transport', trtype='TCP')
            call('nvmf_create_subsystem', nqn=_NQN)
            call('nvmf_subsystem_add_host', nqn=_NQN, host=_HOST)
            call('nvmf_subsystem_add_listener', nqn=_NQN,
                 listen_address={**_ADDRESS, 'trsvcid': '0'})
            self.assertEqual(last, call(
                'framework_get_config', name='nvmf')[-1]['method'])

    def test_ana_reporting(self):
        for release, known in (('v21.07', False), ('v21.10', True)):
            self.start(release)('nvmf_create_subsystem', nqn=_NQN)
            self.assertEqual(known, 'ana_reporting' in self.params(
                release, 'nvmf', 'nvmf_create_subsystem'))

    def test_hosts_of_a_namespace(self):
        for release, known in (('v24.05', False), ('v24.09', True)):
            call = self.start(release)
            self.malloc('a')
            call('nvmf_create_subsystem', nqn=_NQN)
            call('nvmf_subsystem_add_ns', nqn=_NQN, namespace={
                'bdev_name': 'a', 'no_auto_visible': True})
            call('nvmf_ns_add_host', nqn=_NQN, nsid=1, host=_HOST)
            methods = [item['method'] for item in call(
                'framework_get_config', name='nvmf')]
            self.assertEqual(known, 'nvmf_ns_add_host' in methods)

    def test_sizes_of_a_subsystem(self):
        """In KiB in v26.01 only; before that they were not written."""
        for release, known in (('v25.09', False), ('v26.01', True),
                               ('v26.05', False)):
            self.start(release)('nvmf_create_subsystem', nqn=_NQN)
            self.assertEqual(known, 'max_discard_size_kib' in self.params(
                release, 'nvmf', 'nvmf_create_subsystem'), release)

    def test_passthru(self):
        for release, known in (('v23.05', False), ('v23.09', True)):
            call = self.start(release)
            self.malloc('a')
            call('bdev_passthru_create', name='p', base_bdev_name='a')
            self.assertEqual(known, 'uuid' in self.params(
                release, 'bdev', 'bdev_passthru_create'))

    def test_attached_controller(self):
        """Members came one after the other."""
        for name, before, since in (
                ('fast_io_fail_timeout_sec', 'v21.10', 'v22.01'),
                ('hdgst', 'v23.01', 'v23.05'),
                ('hostnqn', 'v23.05', 'v23.09'),
                ('hostaddr', 'v24.01', 'v24.05'),
                ('multipath', 'v24.05', 'v24.09')):
            for release, known in ((before, False), (since, True)):
                call = self.start(release)
                call('nvmf_create_transport', trtype='TCP')
                call('nvmf_create_subsystem', nqn=_NQN, allow_any_host=True)
                call('nvmf_subsystem_add_listener', nqn=_NQN,
                     listen_address={**_ADDRESS, 'trsvcid': '0'})
                call('bdev_nvme_attach_controller', name='n', subnqn=_NQN,
                     hostaddr='127.0.0.1', **{**_ADDRESS, 'trsvcid': '0'},
                     **({'multipath': 'multipath'}
                        if release > 'v22' else {}))
                self.assertEqual(known, name in self.params(
                    release, 'bdev', 'bdev_nvme_attach_controller'),
                    (release, name))

    def test_controllers_that_wait(self):
        for release, known in (('v23.09', False), ('v24.01', True)):
            call = self.start(release, 'vhost')
            call('vhost_create_scsi_controller', ctrlr='c')
            self.assertEqual(known, 'delay' in self.params(
                release, 'vhost_scsi', 'vhost_create_scsi_controller'))

    def test_options(self):
        """Of releases between those that were recorded."""
        for subsystem, method, name, before, since in (
                ('bdev', 'bdev_nvme_set_options', 'keep_alive_timeout_ms',
                 'v20.10', 'v21.01'),
                ('bdev', 'bdev_nvme_set_options', 'ctrlr_loss_timeout_sec',
                 'v22.01', 'v22.05'),
                ('bdev', 'bdev_nvme_set_options', 'allow_accel_sequence',
                 'v23.05', 'v23.09'),
                ('bdev', 'bdev_nvme_set_options', 'enable_flush',
                 'v25.05', 'v25.09'),
                ('sock', 'sock_impl_set_options', 'zerocopy_threshold',
                 'v22.01', 'v22.05'),
                ('nvmf', 'nvmf_set_config', 'dhchap_digests',
                 'v24.05', 'v24.09')):
            for release, known in ((before, False), (since, True)):
                self.start(release)
                self.assertEqual(known, name in self.params(
                    release, subsystem, method), (release, name))

    def test_kinds_of_notifications(self):
        for release, known in (('v25.05', False), ('v25.09', True)):
            call = self.start(release, 'vhost')
            self.assertEqual(known, 'bdev_resize' in call('notify_get_types'))

    def test_caches_of_bdevs(self):
        for release, known in (('v23.09', False), ('v24.01', True)):
            self.start(release)
            self.assertEqual(known, 'iobuf_small_cache_size' in self.params(
                release, 'bdev', 'bdev_set_options'))
