# SPDX-License-Identifier: Apache-2.0

import os

import fixtures
from oslo_config import cfg
import testtools

from cyborg_spdk.cli import conf_files
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions


class TestLoad(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.conf = cfg.ConfigOpts()
        self.path = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'a.conf')

    def write(self, text):
        with open(self.path, 'w') as stream:
            stream.write(text)
        return [self.path]

    def refused(self, files=(), dirs=(), settings=()):
        files = files or self.write('')
        error = self.assertRaises(
            exceptions.ConfigurationError, conf_files.load, self.conf,
            files, list(dirs), list(settings))
        self.assertNotIn('\n', str(error))
        return str(error)

    def test_a_setting_wins_over_the_file(self):
        files = self.write('[spdk]\nrpc_timeout = 3\nstart_timeout = 4\n')
        conf_files.load(self.conf, files, [], ['spdk.rpc_timeout=5'])
        self.assertEqual((5, 4), (self.conf.spdk.rpc_timeout,
                                  self.conf.spdk.start_timeout))

    def test_a_setting_of_a_further_target_in_any_order(self):
        conf_files.load(self.conf, self.write(''), [],
                        ['fast.core_mask=0x8', 'spdk.nvmf_targets=fast'])
        target, = spdk_conf.targets(self.conf, 'nvmf')
        self.assertEqual(('fast', '0x8'), (target.name, target.core_mask))

    def test_a_misspelt_option_is_returned_as_a_warning(self):
        warning, = conf_files.load(
            self.conf, self.write('[spdk_nvmf]\ncore_maks = 1\n'), [], [])
        self.assertIn('did you mean core_mask?', warning)

    def test_a_file_that_does_not_exist(self):
        self.assertIn('/nonexistent/x.conf',
                      self.refused(['/nonexistent/x.conf']))

    def test_a_directory_that_does_not_exist(self):
        self.assertIn('/nonexistent', self.refused(dirs=['/nonexistent']))

    def test_a_file_that_is_no_configuration(self):
        self.assertIn(self.path, self.refused(self.write('no equals sign')))

    def test_settings_that_cannot_be_used(self):
        for setting, told in [
                ('rpc_timeout=5', 'GROUP.OPTION=VALUE'),
                ('spdk.rpc_timeout', 'GROUP.OPTION=VALUE'),
                ('spdk.rpc_timeout=soon', 'soon'),
                ('spdk.rpc_timout=5', 'no option rpc_timout'),
                ('sdpk.rpc_timeout=5', 'no group [sdpk]'),
                ('spdk_nvmf.application=nvmf', 'nvmf_tgt, spdk_tgt')]:
            self.assertIn(told, self.refused(settings=[setting]))
