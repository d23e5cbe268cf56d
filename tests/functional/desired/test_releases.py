# SPDX-License-Identifier: Apache-2.0

"""SPDK is upgraded and rolled back under what its targets are to have.

On real ones with ``CYBORG_SPDK_TEST_SPDK_DIR`` and, for the others, their
directories in ``CYBORG_SPDK_TEST_OTHER_SPDK_DIRS``, with colons between.
"""

import json
import os
import unittest

import fixtures

from cyborg_spdk.desired import keep
from cyborg_spdk.desired import starting
from tests.functional.desired import test_losses
from tests.functional.fixtures import host
from tests.functional.fixtures import targets

A = test_losses.A
UUID = '7ac2130a-389f-42c2-a53a-e9e4c73f5777'

#: What v20.10 has saved, as far as later releases do not take it.
_OF_V20_10 = [
    ('sock', [('sock_impl_set_options', {
        'impl_name': 'posix', 'recv_buf_size': 2097152,
        'send_buf_size': 2097152, 'enable_recv_pipe': True,
        'enable_zerocopy_send': False})]),
    ('bdev', [
        ('bdev_set_options', {'bdev_io_pool_size': 65535,
                              'bdev_io_cache_size': 256,
                              'bdev_auto_examine': True}),
        ('bdev_nvme_set_options', {
            'action_on_timeout': 'none', 'timeout_us': 0, 'retry_count': 4,
            'delay_cmd_submit': True}),
        ('bdev_malloc_create', {'name': 'M0', 'num_blocks': 131072,
                                'block_size': 512, 'uuid': UUID})]),
    ('nvmf', [
        ('nvmf_set_config', {'acceptor_poll_rate': 10000,
                             'admin_cmd_passthru': {
                                 'identify_ctrlr': False}}),
        ('nvmf_set_max_subsystems', {'max_subsystems': 1024}),
        ('nvmf_create_subsystem', {'nqn': A, 'allow_any_host': True}),
        ('nvmf_subsystem_add_ns', {'nqn': A, 'namespace': {
            'nsid': 1, 'bdev_name': 'M0', 'uuid': UUID}})])]


#: Directories of other releases that were built, in the order to try them.
OTHERS = list(filter(None, os.environ.get(
    'CYBORG_SPDK_TEST_OTHER_SPDK_DIRS', '').split(':')))


class ReleasesCase(test_losses.DesiredCase):

    def pictured(self):
        return {one['name']: one['uuid']
                for one in self.call('bdev_get_bdevs')}, self.subsystems(), [
            ns.get('uuid') for one in self.call('nvmf_get_subsystems')
            for ns in one.get('namespaces', ())]

    def make_some(self):
        self.call('nvmf_create_transport', trtype='TCP')
        self.call('bdev_malloc_create', name='M0', num_blocks=2048,
                  block_size=512)
        self.call('bdev_null_create', name='N0', num_blocks=2048,
                  block_size=512)
        self.export(A, 'M0', targets.free_port())
        self.look()

    def start_as_of_v20_10(self):
        """With what an old release has saved."""
        os.makedirs(self.host.path('state'), 0o750, exist_ok=True)
        with open(self.host.path('state', 'nvmf.json'), 'w') as stream:
            json.dump({'subsystems': [
                {'subsystem': name, 'config': [
                    {'method': method, 'params': params}
                    for method, params in calls]}
                for name, calls in _OF_V20_10]}, stream)
        with self.assertLogs('cyborg_spdk.desired', 'WARNING') as logs:
            running = starting.ensure(self.host.conf, self.target)
        self.assertEqual((), running.missing)
        self.assertIn('enable_zerocopy_send', ' '.join(logs.output))
        self.assertEqual({'M0': UUID}, self.pictured()[0])
        self.assertEqual((['M0'], []), self.subsystems()[A])


@unittest.skipUnless(host.SPDK_DIR, 'needs real ones')
class RealReleasesTest(ReleasesCase):

    def rolled(self, directory):
        starting.stop(self.host.conf, self.target)
        self.host.set('spdk', spdk_dir=directory)
        return self.ensure()

    @unittest.skipUnless(OTHERS, 'one installation has one release')
    def test_to_others_and_back(self):
        self.ensure()
        self.make_some()
        before, versions = self.pictured(), [str(self.client.version)]
        for directory in (*OTHERS, host.SPDK_DIR):
            running = self.rolled(directory)
            self.assertEqual([], [(one.key, one.why)
                                  for one in running.missing], directory)
            self.assertEqual(before, self.pictured(), directory)
            self.look()
            versions.append(str(self.client.version))
        # The first one comes again, each other is another one.
        self.assertEqual(len(versions) - 1, len(set(versions)), versions)

    def test_what_an_old_release_has_saved(self):
        self.start_as_of_v20_10()
        self.look()
        self.assertEqual((), self.restart().missing)
        # Nothing was reduced: what this one does not know is kept.
        self.assertIn('enable_zerocopy_send', self.state().objects[
            'option:sock_impl_set_options/posix'].params)


@unittest.skipIf(host.SPDK_DIR, 'one installation has one release')
class ReleasesTest(ReleasesCase):

    def release(self, tag):
        """Another release is installed."""
        self.useFixture(fixtures.EnvironmentVariable(
            'CYBORG_SPDK_SIM_VERSION', tag))
        for entry in os.scandir(self.host.path('spdk', 'build', 'bin')):
            # What a program says of itself is asked once for each file.
            os.utime(entry.path)

    def rolled(self, tag):
        # A socket that is left behind keeps v18.01 from starting.
        starting.stop(self.host.conf, self.target)
        self.release(tag)
        running = self.ensure()
        self.assertEqual(tag, str(self.client.version))
        return running

    def there_and_back(self, *tags, fabrics=True):
        """To other releases and back.

        :param fabrics: whether those have NVMe-oF as it is now.
        """
        self.release('v26.05')
        self.ensure()
        self.make_some()
        before = self.pictured()
        for tag in tags:
            running = self.rolled(tag)
            if not fabrics:
                self.assertEqual(sorted(before[0]), self.bdevs(), tag)
                continue
            self.assertEqual([], [(one.key, one.why)
                                  for one in running.missing], tag)
            self.assertEqual(before, self.pictured(), tag)
            self.look()
        self.assertEqual((), self.rolled('v26.05').missing)
        self.assertEqual(before, self.pictured())
        found, = self.call('framework_get_config', name='iobuf')
        self.assertEqual(8192, found['params']['small_pool_count'])

    def test_one_release_back(self):
        self.there_and_back('v25.09', 'v26.09')

    def test_years_back(self):
        self.there_and_back('v24.01', 'v22.01', 'v20.10')

    def test_as_far_as_targets_can_wait(self):
        self.there_and_back('v18.07', fabrics=False)

    def test_one_that_cannot_say_what_it_has(self):
        self.there_and_back('v18.01', fabrics=False)

    def test_what_cannot_be_left_out_refuses_the_object(self):
        self.release('v26.05')
        self.ensure()
        self.call('bdev_null_create', name='N0', num_blocks=2048,
                  block_size=512)
        self.export(A, 'N0', no_auto_visible=True)
        self.look()
        missing = [one for one in self.rolled('v24.01').missing
                   if one.kind != 'option']
        self.assertEqual([f'namespace:{A}/1'],
                         [one.key for one in missing])
        self.assertIn('no_auto_visible', missing[0].why)
        self.assertEqual(([], []), self.subsystems()[A])
        self.rolled('v26.05')
        self.assertEqual((['N0'], []), self.subsystems()[A])

    def test_what_an_old_release_has_saved(self):
        self.release('v26.05')
        self.start_as_of_v20_10()
        # And the way back: nothing was reduced.
        keep.look(self.host.conf, self.target, self.client)
        self.assertEqual((), self.rolled('v20.10').missing)
        self.assertEqual({'M0': UUID}, self.pictured()[0])
