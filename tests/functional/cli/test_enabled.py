# SPDX-License-Identifier: Apache-2.0

"""The command is about the drivers that the agent has, everywhere."""

import json
import os
import subprocess
import sys

from tests.functional.cli import test_discover

_PROGRAM = [sys.executable, '-W', 'ignore', '-m', 'cyborg_spdk.cli.main']


class EnabledTest(test_discover.DiscoverTest):

    def setUp(self):
        super().setUp()
        self.config = os.path.join(self.directory, 'c.conf')
        for name in ('run', 'state'):
            os.mkdir(os.path.join(self.directory, name), 0o750)
        subprocess.run([*_PROGRAM, 'simulate', 'install',
                        os.path.join(self.directory, 'spdk')], check=True,
                       stdout=subprocess.DEVNULL)
        self.addCleanup(self.ours, 'target', 'stop')

    def enable(self, names, more=''):
        with open(self.config, 'w') as out:
            out.write(f'[agent]\nenabled_drivers = {names}\n[spdk]\n'
                      f'run_path = {self.directory}/run\n'
                      f'state_path = {self.directory}/state\n'
                      f'spdk_dir = {self.directory}/spdk\n{more}')

    def ours(self, *args):
        return self.run_program('--config-file', self.config, *args)

    def states(self):
        code, out, _err = self.ours('status', '-f', 'json')
        return code, {row['Target']: row['State']
                      for row in json.loads(out)}

    def test_one_that_is_not_of_the_default(self):
        self.enable('fake_driver, spdk_iscsi_driver')
        self.assertEqual((1, {'spdk_iscsi': 'stopped'}), self.states())
        code, out, err = self.ours('discover')
        self.assertEqual(0, code, err)
        self.assertIn('spdk_iscsi: it runs and has nothing', err)
        self.assertEqual((0, {'spdk_iscsi': 'ready'}), self.states())
        code, out, err = self.ours('stats', '--whole', '-f', 'json',
                                   '--interval', '0.1')
        self.assertEqual((0, ['spdk_iscsi']), (
            code, [row['Target'] for row in json.loads(out)]), err)
        code, out, err = self.ours('topology')
        self.assertEqual((0, 1), (code, out.count('target spdk_')), err)

    def test_those_of_the_readme(self):
        self.enable('spdk_nvmf_driver, spdk_vhost_driver')
        code, out, err = self.ours('target', 'start', '-f', 'json')
        self.assertEqual((0, ['spdk_nvmf', 'spdk_vhost']), (
            code, [row['Target'] for row in json.loads(out)]), err)
        self.assertEqual((0, {'spdk_nvmf': 'ready', 'spdk_vhost': 'ready'}),
                         self.states())
        code, out, err = self.ours('doctor', '-f', 'json')
        rows = json.loads(out)
        self.assertEqual([], [row for row in rows
                              if 'spdk_iscsi' in str(row)
                              and row['Check'] not in ('cyborg',)])
        self.assertEqual(1, sum(
            row['Finding'].startswith('spdk_nvmf_driver, spdk_vhost_driver: '
                                      '[agent]') for row in rows))

    def test_what_is_named_is_shown_whatever_the_agent_has(self):
        self.enable('spdk_nvmf_driver')
        code, out, _err = self.ours('status', 'spdk_iscsi', '-f', 'json')
        self.assertEqual((1, ['stopped']), (
            code, [row['State'] for row in json.loads(out)]))

    def test_a_wrong_name_is_told(self):
        self.enable('spdk_nvme_driver', '[spdk_nvmff]\nstart = false\n')
        _code, _out, err = self.ours('status')
        self.assertIn('did you mean spdk_nvmf_driver?', err)
        self.assertIn('did you mean [spdk_nvmf]?', err)
