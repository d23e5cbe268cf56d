# SPDX-License-Identifier: Apache-2.0

"""Commands about what a target is to have, as processes."""

import json
import os
import subprocess
import sys

import fixtures

from cyborg_spdk.desired import starting
from tests.functional.fixtures import host

NQN = 'nqn.2016-06.io.spdk:cnode1'


class CommandTest(fixtures.TestWithFixtures):

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(host.Host())

    def run_command(self, *arguments, status=0):
        done = subprocess.run(
            [sys.executable, '-m', 'cyborg_spdk.cli.main', '--config-file',
             self.host.config_file(), *arguments],
            capture_output=True, text=True, timeout=host.PATIENCE,
            check=False)
        self.assertEqual(status, done.returncode, done)
        return done

    def shown(self, *arguments, status=0):
        """The rows that a command shows, and what it says beside them."""
        done = self.run_command(*arguments, '-f', 'json', status=status)
        return json.loads(done.stdout), done.stderr

    def lose_a_disk(self):
        """A subsystem whose disk is away. Returns how to bring it back."""
        starting.ensure(self.host.conf, self.host.target())
        path = self.host.path('D.img')
        with open(path, 'wb') as file:
            file.truncate(16 << 20)
        call = self.host.client().call
        call('bdev_aio_create', name='D', filename=path, block_size=512)
        call('nvmf_create_subsystem', nqn=NQN, allow_any_host=True)
        call('nvmf_subsystem_add_ns', nqn=NQN,
             namespace={'bdev_name': 'D', 'nsid': 1})
        os.rename(path, path + '.away')
        return lambda: os.rename(path + '.away', path)

    def test_what_is_missing_has_a_status_of_its_own(self):
        bring_back = self.lose_a_disk()
        for command, result in (('restart', 'restarted'),
                                ('start', 'was running')):
            (row,), said = self.shown('target', command, 'nvmf', status=3)
            self.assertEqual((result, 2), (row['Result'], row['Missing']))
            self.assertIn('bdev D is missing: bdev_aio_create: No such file',
                          said)
        (row,), said = self.shown('status', status=3)
        self.assertEqual(('ready', 3, 2), (
            row['State'], row['Saved objects'], row['Missing']))
        self.assertIn('bdev D is missing', said)
        _, said = self.shown('discover', status=3)
        self.assertIn('bdev D is missing', said)
        rows, _ = self.shown('target', 'diff', 'nvmf', status=3)
        self.assertEqual(
            [('bdev:D', 'missing'), (f'namespace:{NQN}/1', 'missing')],
            [(row['Object'], row['State']) for row in rows])
        bring_back()
        (row,), said = self.shown('target', 'start', 'nvmf')
        self.assertEqual((0, ''), (row['Missing'], said))
        self.assertEqual([], self.shown('target', 'diff', 'nvmf')[0])
        self.assertEqual(0, self.shown('status')[0][0]['Missing'])

    def test_what_is_forgotten_is_not_made_again(self):
        bring_back = self.lose_a_disk()
        self.shown('target', 'restart', 'nvmf', status=3)
        for wrong in (['bdev:E'], [f'subsystem:{NQN}'], []):
            done = self.run_command('target', 'forget', 'nvmf', *wrong,
                                    status=1)
            self.assertEqual(1, len(done.stderr.splitlines()), done)
        done = self.run_command('target', 'forget', 'nvmf', 'bdev:D')
        self.assertEqual([f'namespace:{NQN}/1: forgotten',
                          'bdev:D: forgotten'],
                         sorted(done.stdout.splitlines(), reverse=True))
        bring_back()
        (row,), _ = self.shown('target', 'restart', 'nvmf')
        self.assertEqual(0, row['Missing'])
        self.assertEqual([], self.host.client().call('bdev_get_bdevs'))
        self.assertEqual([], self.shown('target', 'diff', 'nvmf')[0])

    def test_from_start_to_stop(self):
        shown = json.loads(self.run_command(
            'target', 'start', '-f', 'json').stdout)
        self.assertEqual([('nvmf', 'started')],
                         [(row['Target'], row['Result']) for row in shown])
        shown, = json.loads(self.run_command(
            'target', 'status', '-f', 'json').stdout)
        self.assertEqual('ready', shown['State'])
        self.host.client().call('bdev_malloc_create', name='Malloc0',
                                num_blocks=2048, block_size=512)
        path = self.host.path('copy.json')
        self.run_command('target', 'save-config', 'nvmf', path)
        self.assertIn('saved', self.run_command(
            'target', 'save-config', 'nvmf').stdout)
        shown, = json.loads(self.run_command(
            'target', 'restart', 'nvmf', '-f', 'json').stdout)
        self.assertEqual('restarted', shown['Result'])
        self.assertEqual(1, len(self.host.client().call('bdev_get_bdevs')))
        self.host.client().call('bdev_malloc_delete', name='Malloc0')
        done = self.run_command('target', 'load-config', 'nvmf', path)
        self.assertRegex(done.stdout, r'nvmf: \d+ calls made, \d+ left out,'
                         ' 0 failed')
        self.assertEqual(1, len(self.host.client().call('bdev_get_bdevs')))
        done = self.run_command('target', 'load-config', 'nvmf', path,
                                status=1)
        self.assertIn('bdev_malloc_create', done.stderr)
        self.run_command('target', 'stop')
        shown, = json.loads(self.run_command(
            'status', '-f', 'json', status=1).stdout)
        self.assertEqual(('stopped', 1),
                         (shown['State'], shown['Saved objects']))

    def test_load_with_a_restart(self):
        starting.ensure(self.host.conf, self.host.target())
        path = self.host.path('other.json')
        with open(path, 'w') as stream:
            json.dump({'subsystems': [{'subsystem': 'bdev', 'config': [
                {'method': 'bdev_malloc_create', 'params': {
                    'name': 'New', 'num_blocks': 2048,
                    'block_size': 512}}]}]}, stream)
        self.run_command('target', 'load-config', 'nvmf', path, '--restart')
        self.assertEqual(['New'], [
            bdev['name'] for bdev in
            self.host.client().call('bdev_get_bdevs')])

    def test_one_reason_is_told_once(self):
        done = self.run_command(
            '--set', 'spdk.nvmf_targets=nvmf,other',
            '--set', 'spdk.spdk_dir=/none', 'target', 'start', '-f', 'json',
            status=1)
        self.assertEqual(['failed', 'failed'], [
            row['Result'] for row in json.loads(done.stdout)])
        self.assertEqual(1, len(done.stderr.splitlines()), done.stderr)
        self.assertIn('/none', done.stderr)

    def test_mistakes(self):
        for arguments, text in [
                (['target', 'start', 'typo'],
                 "target 'typo': the configuration has only nvmf"),
                (['target', 'load-config', 'nvmf', '/none/x'],
                 '/none/x: there is no such file'),
                (['target', 'load-config', 'nvmf', __file__],
                 'not JSON'),
                (['target', 'save-config', 'nvmf'], 'cannot connect')]:
            with self.subTest(arguments):
                done = self.run_command(*arguments, status=1)
                self.assertIn(text, done.stderr)
                self.assertNotIn('Traceback', done.stderr)
                self.assertEqual(1, len(done.stderr.splitlines()),
                                 done.stderr)
