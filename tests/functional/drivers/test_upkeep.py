# SPDX-License-Identifier: Apache-2.0

"""What Cyborg may ask of a driver beside reports."""

import json
import types

from oslo_config import cfg

from cyborg_spdk.drivers import nvmf
from tests.functional.drivers import test_rules as rules


class UpkeepTest(rules.NodeCase):

    KINDS = {'nvmf': ['spdk_nvmf'], 'vhost': ['spdk_vhost']}

    def setUp(self):
        super().setUp()
        self.node.configure()
        self.driver = nvmf.NvmfDriver()

    def test_init_host_says_what_doctor_finds(self):
        cfg.CONF.set_override('spdk_dir', '/no/such/spdk', group='spdk')
        self.addCleanup(cfg.CONF.clear_override, 'spdk_dir', group='spdk')
        self.driver.init_host()
        self.assertEqual(1, self.told('installation: '))
        self.assertEqual(0, self.told('spdk_vhost'))

    def test_init_host_with_options_that_cannot_be_used(self):
        self.node.options['nvmf_targets'] = ['No Name']
        self.node.configure()
        self.driver.init_host()
        self.assertEqual(1, self.told("doctor: [spdk] nvmf_targets"))

    def cleanup(self, **info):
        self.driver.cleanup(types.SimpleNamespace(
            std_board_info=json.dumps(info)))

    def test_cleanup_of_what_is_clean_or_none_of_ours(self):
        self.cleanup(target='spdk_nvmf')
        self.assertEqual(0, self.told('cleanup'))
        self.cleanup(target='spdk_vhost')
        self.assertEqual(1, self.told('no target of this kind'))
        for info in (None, 'x', '[]'):
            self.driver.cleanup(types.SimpleNamespace(std_board_info=info))
        self.driver.cleanup(None)
        self.assertEqual(5, self.told('cleanup: '))
