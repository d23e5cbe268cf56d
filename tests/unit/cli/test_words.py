# SPDX-License-Identifier: Apache-2.0

import os
import subprocess
import sys

import testtools

from cyborg_spdk.cli import words

_COMPLETION = os.path.join(os.path.dirname(__file__), '..', '..', '..',
                           'etc', 'completion', 'cyborg-spdk')


class TestWords(testtools.TestCase):

    def test_commands(self):
        self.assertIn('discover', words.following(['']))
        self.assertEqual(['save-config'],
                         words.following(['target', 'sa']))
        self.assertEqual(['list'],
                         words.following(['nvmf', 'subsystem', 'l']))
        self.assertEqual([], words.following(['nonsense', '']))

    def test_options_of_a_command(self):
        self.assertEqual(['--simulate'],
                         words.following(['discover', '--sim']))

    def test_targets(self):
        self.assertEqual(['spdk_nvmf'],
                         words.following(['target', 'stop', 'spdk_n']))
        self.assertEqual(['spdk_vhost'],
                         words.following(['bdev', 'list', '-t', 'spdk_v']))

    def test_methods(self):
        self.assertEqual(['nvmf_create_subsystem', 'nvmf_create_target',
                          'nvmf_create_transport'],
                         words.following(['rpc', 'nvmf_create_']))
        self.assertIn('bdev_get_bdevs',
                      words.following(['rpc', '-s', './x', 'bdev_']))

    def test_bash_completes(self):
        program = (f'source {_COMPLETION}; '
                   'program() { shift; "$PYTHON" -m cyborg_spdk.cli.main '
                   'complete-words "$@"; }; '
                   'COMP_WORDS=(cyborg-spdk target st); COMP_CWORD=2; '
                   '_cyborg_spdk program; printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(
            ['bash', '-c', program], text=True, capture_output=True,
            timeout=120, env={**os.environ, 'PYTHON': sys.executable})
        self.assertEqual((['start', 'status', 'stop'], ''),
                         (done.stdout.split(), done.stderr))
