# SPDX-License-Identifier: Apache-2.0

import os

import fixtures
from oslo_config import cfg
import testtools

from cyborg_spdk.cli import conf_files
from cyborg_spdk.cli import saving


class TargetsTest(testtools.TestCase):
    """Whose configuration is saved after a command."""

    def names(self, *addresses, settings=()):
        conf = cfg.ConfigOpts()
        conf_files.load(conf, [], [], [
            'spdk.nvmf_targets=spdk_nvmf,far', 'spdk.run_path=/r',
            'far.rpc_address=tcp://192.0.2.1:5260', *settings])
        return [target.name for target in saving._targets(conf, addresses)]

    def test_a_configured_one_on_this_host(self):
        self.assertEqual(['spdk_vhost'], self.names('/r/spdk_vhost.sock'))
        self.assertEqual(['spdk_vhost'],
                         self.names('unix:/r/spdk_vhost.sock'))

    def test_none_that_is_not_configured_or_not_here(self):
        self.assertEqual([], self.names(
            '/r/other.sock', 'tcp://192.0.2.1:5260',
            'ssh://host/r/spdk_vhost.sock'))

    def test_none_that_is_not_to_be_saved(self):
        self.assertEqual([], self.names(
            '/r/spdk_vhost.sock', settings=['spdk_vhost.save_config=false']))

    def test_one_process_is_saved_once(self):
        self.assertEqual(['spdk_nvmf'], self.names(
            '/r/spdk_nvmf.sock', '/r/spdk_nvmf.sock', settings=[
                'spdk_vhost.rpc_address=/r/spdk_nvmf.sock',
                'spdk_vhost.application=spdk_tgt',
                'spdk_nvmf.application=spdk_tgt']))


class PermissionTest(testtools.TestCase):

    def test_directory(self):
        directory = self.useFixture(fixtures.TempDir()).path
        self.assertTrue(saving._may_write(directory))
        # It may be made, or not.
        self.assertTrue(saving._may_write(os.path.join(directory, 'new')))
        self.assertFalse(saving._may_write(
            os.path.join(directory, 'no', 'new')))

    def test_a_fault_of_another_target_is_none_of_the_command(self):
        directory = self.useFixture(fixtures.TempDir()).path
        conf = cfg.ConfigOpts()
        conf_files.load(conf, [], [], [
            f'spdk.state_path={directory}', 'spdk_vhost.rpc_address=tcp://['])
        saving.save(conf, ['/r/spdk_nvmf.sock'])
        self.assertEqual([], os.listdir(directory))
