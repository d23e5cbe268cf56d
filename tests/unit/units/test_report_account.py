# SPDX-License-Identifier: Apache-2.0

"""The account of a report, and files that make no sense."""

import fixtures
from oslo_config import cfg
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.units import report_account


class AccountTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.directory = self.useFixture(fixtures.TempDir()).path
        self.conf = cfg.ConfigOpts()
        self.conf([])
        spdk_conf.register(self.conf)
        self.conf.set_override('state_path', self.directory, group='spdk')

    def test_kept(self):
        account = report_account.Account(1.5, 0.25, {
            'spdk_nvmf': report_account.Device(3, 2, 1, 1, frozen='why')})
        report_account.save(self.directory, 'nvmf', account)
        self.assertEqual({'nvmf': account},
                         report_account.load_all(self.conf))

    def test_what_makes_no_sense_is_none(self):
        for text in ('', '[]', '{"version": 9}', '{"version": 1}',
                     '{"version": 1, "at": 1, "seconds": 1, '
                     '"devices": {"a": {"b": 1}}}'):
            with open(f'{self.directory}/last-report-nvmf.json', 'w') as out:
                out.write(text)
            self.assertEqual({}, report_account.load_all(self.conf), text)
