# SPDX-License-Identifier: Apache-2.0

import os

import fixtures
from oslo_config import cfg
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import enabled


class EnabledTest(testtools.TestCase):

    def conf(self, *texts):
        """The configuration of files with these contents."""
        directory = self.useFixture(fixtures.TempDir()).path
        args = []
        for number, text in enumerate(texts):
            path = os.path.join(directory, f'{number}.conf')
            with open(path, 'w') as out:
                out.write(text)
            args += ['--config-file', path]
        conf = cfg.ConfigOpts()
        conf(args, default_config_files=[])
        spdk_conf.register(conf)
        return conf

    def names(self, *texts):
        return [target.name for target in enabled.targets(self.conf(*texts))]

    def test_what_the_agent_has(self):
        conf = self.conf('[agent]\nenabled_drivers = fake_driver, '
                         'spdk_iscsi_driver\n')
        found = enabled.find(conf)
        self.assertEqual((('iscsi',), ('spdk_iscsi_driver',), ()),
                         (found.kinds, found.drivers, found.problems))
        self.assertIn('enabled_drivers', found.reason)
        self.assertEqual(['spdk_iscsi'], [
            target.name for target in enabled.targets(conf)])

    def test_the_last_file_says(self):
        self.assertEqual(['spdk_vhost'], self.names(
            '[agent]\nenabled_drivers = spdk_nvmf_driver\n',
            '[agent]\nenabled_drivers = spdk_vhost_driver\n'))

    def test_none_of_ours(self):
        for text in ('', '[agent]\nenabled_drivers = fake_driver\n'):
            self.assertEqual(['spdk_nvmf', 'spdk_vhost'], self.names(text))
            self.assertIn('names none', enabled.find(self.conf(text)).reason)

    def test_an_option_of_iscsi_says_that_it_matters(self):
        for text in ('[spdk]\niscsi_targets = other\n',
                     '[spdk]\niscsi_targets = other\n[other]\nstart = 0\n'):
            self.assertEqual(['spdk_nvmf', 'spdk_vhost', 'other'],
                             self.names(text))
        self.assertEqual(['spdk_nvmf', 'spdk_vhost', 'spdk_iscsi'],
                         self.names('[spdk_iscsi]\nmemory_mb = 900\n'))

    def test_where_cyborg_has_registered_it(self):
        conf = self.conf('')
        conf.register_opt(cfg.ListOpt('enabled_drivers', default=['x']),
                          group='agent')
        self.assertEqual(('nvmf', 'vhost'), enabled.find(conf).kinds)
        conf.set_override('enabled_drivers', ['spdk_iscsi_driver'],
                          group='agent')
        self.assertEqual(['iscsi'], enabled.of_agent(conf))

    def test_a_name_that_looks_like_ours(self):
        found = enabled.find(self.conf(
            '[agent]\nenabled_drivers = spdk_nvme_driver, '
            'spdk_vhost_driver, nvmf_spdk_driver\n'))
        self.assertEqual(('vhost',), found.kinds)
        self.assertEqual((
            '[agent] enabled_drivers: spdk_nvme_driver is no driver of ours; '
            'did you mean spdk_nvmf_driver?',), found.problems)
