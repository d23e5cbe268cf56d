# SPDX-License-Identifier: Apache-2.0

import subprocess
import sys

import fixtures
import testtools


def run(*argv):
    """Run the command as a process.

    :returns: (exit status, standard output, standard error).
    """
    done = subprocess.run(
        [sys.executable, '-m', 'cyborg_spdk.cli.main', *argv],
        capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


_LOGGING = """
import logging
import sys
from cyborg_spdk.cli import app
program = app.App()
program.options, _ = program.parser.parse_known_args(sys.argv[1:])
program.configure_logging()
logging.getLogger('of.a.library').error('a%sERROR: b', chr(10))
"""


_CHANGES = """
import logging
import sys
from cyborg_spdk.cli import app
program = app.App()
program.options, _ = program.parser.parse_known_args(sys.argv[1:])
program.configure_logging()
logging.getLogger('of.a.library').info('before')
program.tell_changes()
logging.getLogger('of.a.library').info('after')
"""


class TestCommandLine(testtools.TestCase):

    def test_what_runs_on_tells_of_changes(self):
        for options, told in (((), 'after\n'), (('-q',), ''),
                              (('-v',), 'before\nafter\n')):
            done = subprocess.run(
                [sys.executable, '-W', 'ignore', '-c', _CHANGES, *options],
                check=True, capture_output=True, text=True, timeout=120)
            self.assertEqual(told, done.stderr.replace('INFO: ', ''),
                             options)

    def test_a_message_is_one_line_in_a_log_file_too(self):
        path = self.useFixture(fixtures.TempDir()).join('log')
        subprocess.run([sys.executable, '-c', _LOGGING, '--log-file', path],
                       check=True, capture_output=True, timeout=120)
        with open(path) as stream:
            self.assertRegex(stream.read(), r'^[^\n]*a\\nERROR: b\n\Z')

    def test_no_command_prints_help(self):
        status, out, err = run()
        self.assertEqual((0, ''), (status, err))
        self.assertIn('discover', out)

    def test_version(self):
        status, out, _ = run('--version')
        self.assertEqual(0, status)
        self.assertRegex(out, r'^cyborg-spdk \d+\.\d+')

    def test_unknown_command(self):
        status, out, err = run('discovr-all')
        self.assertEqual(2, status)
        # Which stream it is told on is cliff's choice, and has changed.
        self.assertIn("'discovr-all' is not a cyborg-spdk command",
                      out + err)
        self.assertNotIn('Traceback', err)

    def test_what_is_nearest_is_named(self):
        for typed, first in (('bdev lst', 'bdev list'),
                             ('nvmf subsytem list', 'nvmf subsystem list'),
                             ('vhost controler delete x',
                              'vhost controller delete')):
            _, out, err = run(*typed.split())
            self.assertRegex(out + err, f'one of these\\?\n *{first}\n')
            self.assertNotIn('serve\n', out + err)
        # A group has all that is in it.
        _, out, err = run('bdev')
        self.assertIn('bdev create aio\n', out + err)

    def test_help_behind_options_of_a_command(self):
        status, out, err = run('bdev', 'list', '-t', 'x', '--help')
        self.assertEqual((0, ''), (status, err))
        self.assertIn('usage: cyborg-spdk bdev list', out)

    def test_what_was_not_given_is_no_None(self):
        for typed, told in (('bdev delete x', '--target: name one of '),
                            ('units plan', r'\[spdk\] units_file: name a ')):
            status, _, err = run(*typed.split())
            self.assertEqual(1, status)
            self.assertRegex(err, f'^ERROR: {told}')

    def test_bad_value_is_one_line(self):
        status, out, err = run('--set', 'spdk.rpc_timeout=soon', 'discover')
        self.assertEqual((1, ''), (status, out))
        self.assertEqual(1, len(err.splitlines()), err)
        self.assertIn('spdk.rpc_timeout=soon', err)

    def test_an_abbreviated_command_is_run_once(self):
        # cliff accepts an unambiguous beginning of a command's name.
        status, out, err = run('simulat', '--help')
        self.assertNotIn('recursion', err)
        self.assertEqual(0, status, err)

    def test_rpc_gets_its_options_behind_options_of_ours(self):
        status, out, err = run('--set', 'spdk.rpc_timeout=5', 'rpc', '-s',
                               '/nonexistent/x.sock', 'spdk_get_version')
        self.assertEqual((1, ''), (status, out))
        self.assertIn('/nonexistent/x.sock', err)
        self.assertEqual(1, len(err.splitlines()), err)
