# SPDX-License-Identifier: Apache-2.0

import os

import fixtures
from oslo_config import cfg
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.service import serve


class ReloadTest(testtools.TestCase):
    """What is said of a configuration that was read anew, or was not."""

    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())
        self.path = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'spdk.conf')
        self.write('[spdk_service]\nduties = wipe\n')
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[self.path])
        spdk_conf.register(conf)
        self.service = serve.Service(conf)

    def write(self, text):
        with open(self.path, 'w') as stream:
            stream.write(text)

    def duties(self):
        return list(self.service.health()[1]['duties'])

    def test_a_file_with_an_error(self):
        self.write('[spdk_service\nduties =\n')
        self.service._reload()
        self.assertIn('was not read anew', self.log.output)
        self.assertNotIn('configuration was read anew', self.log.output)
        self.assertEqual(['wipe'], self.duties())

    def test_a_good_file(self):
        self.write('[spdk_service]\nduties =\n')
        self.addCleanup(lambda: self.service._schedule.close())
        self.addCleanup(lambda: self.service._schedule.stop())
        self.service._reload()
        self.assertIn('configuration was read anew', self.log.output)
        self.assertEqual([], self.duties())
