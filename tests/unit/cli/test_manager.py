# SPDX-License-Identifier: Apache-2.0

import argparse
import io
import os
import subprocess
import sys

import fixtures
import testtools

from cyborg_spdk.cli import commands
from cyborg_spdk.cli import manager
from cyborg_spdk.cli import programs
from cyborg_spdk.cli import status
from cyborg_spdk.cli import widths

#: Libraries that take long to import, and help needs none of.
_HEAVY = ('cyborg', 'keystoneauth1', 'futurist', 'jsonschema', 'spdk',
          'cyborg_spdk.drivers', 'cyborg_spdk.clients',
          'cyborg_spdk.desired.keep')


class TestManager(testtools.TestCase):

    def test_each_command_has_a_summary_and_is_there(self):
        found = manager.Manager('cyborg_spdk.cli')
        for name, summary in found.summaries():
            self.assertNotEqual('', summary, name)
            self.assertNotEqual('.', summary[-1], name)
        for name in ('target save-config', 'units plan', 'status'):
            self.assertTrue(callable(found.find_command(name.split())[0]))

    def test_no_other_package_is_read_to_run_a_command(self):
        program = ('import importlib.metadata as m; '
                   'm.packages_distributions = lambda: 1 / 0; '
                   'from cyborg_spdk.cli import main; '
                   "main.main(['status', '--help'])")
        done = subprocess.run([sys.executable, '-c', program], timeout=120,
                              capture_output=True, text=True)
        self.assertIn('--wide', done.stdout, done.stderr)

    def test_help_and_status_import_nothing_that_they_do_not_need(self):
        for words in (['--help'], ['--set', 'spdk.run_path=/nonexistent',
                                   'status']):
            program = (
                'import atexit, sys; from cyborg_spdk.cli import main; '
                'atexit.register(lambda: '
                f'print([name for name in {_HEAVY!r} if name in sys.modules],'
                ' file=sys.stderr)); '
                f'main.main({words!r})')
            done = subprocess.run([sys.executable, '-c', program], timeout=120,
                                  capture_output=True, text=True)
            self.assertEqual('[]', done.stderr.splitlines()[-1], words)


class _Listing(commands.Fitting):
    """A table that is 81 wide with two of its columns, and 86 with all."""

    narrow = ('A', 'C')

    def take_action(self, parsed_args):
        return ('A', 'B', 'C'), [('a1' + 70 * '.', 'b1', 'c1')]


class TestFitting(testtools.TestCase):

    def _run(self, *words):
        app = argparse.Namespace(stdout=io.StringIO())
        listing = _Listing(app, None)
        listing.run(listing.get_parser('x').parse_args(list(words)))
        return app.stdout.getvalue()

    def test_a_table_is_narrow_unless_told_otherwise(self):
        self.assertNotIn('b1', self._run())
        self.assertIn('b1', self._run('--wide'))
        self.assertIn('b1', self._run('-c', 'B'))
        self.assertNotIn('a1', self._run('-c', 'B'))

    def test_programs_get_all_columns(self):
        self.assertIn('b1', self._run('-f', 'json'))
        self.assertEqual(f'a1{70 * "."} b1 c1\n', self._run('-f', 'value'))

    def test_there_is_room_for_more_where_the_terminal_is_wider(self):
        self.assertNotIn('b1', self._run('--max-width', '85'))
        self.assertIn('b1', self._run('--max-width', '86'))


class TestWidths(testtools.TestCase):

    NAMES = ('Unit', 'Read/s', 'Queue', 'Why')
    ROW = ('u', 1, 2, 'w')

    def chosen(self, width, row=ROW, more=('Queue',), least=None):
        return widths.chosen(width, self.NAMES, [row], ('Unit',), more, least)

    def test_those_that_are_worth_most_come_first(self):
        # 1 for the last line, and 3 beside each of 4, 6, 5 and 3.
        for width, names in ((0, 'Unit'), (15, 'Unit Why'),
                             (16, 'Unit Queue'), (22, 'Unit Queue Why'),
                             (31, 'Unit Read/s Queue Why')):
            self.assertEqual(names.split(), self.chosen(width))

    def test_one_that_holds_nothing_is_left_out(self):
        self.assertEqual(['Unit', 'Read/s', 'Queue'],
                         self.chosen(80, ('u', 1, 2, '')))
        self.assertEqual(['Unit', 'Read/s', 'Queue'],
                         self.chosen(80, ('u', 1, 2, commands.Maybe(None))))

    def test_a_column_that_changes_is_taken_as_wide_as_it_gets(self):
        self.assertIn('Read/s', self.chosen(28))
        self.assertNotIn('Read/s', self.chosen(28, least={'Read/s': 10}))

    def test_lines_in_a_cell_are_as_wide_as_the_longest(self):
        self.assertEqual(1 + 3 + 5, widths.whole(['A'], [('one\nthree',)]))


class TestVersion(testtools.TestCase):

    def test_a_table_has_the_release_alone(self):
        text = 'SPDK v26.05 git sha1 d519b163cb'
        self.assertEqual('SPDK v26.05', status.Version(text).human_readable())
        self.assertEqual(text, status.Version(text).machine_readable())
        self.assertEqual('', status.Version(None).human_readable())


class TestAbsolute(testtools.TestCase):

    def test_only_relative_paths_are_changed(self):
        here = os.getcwd()
        self.assertEqual(f'{here}/x.sock', programs.absolute('./x.sock'))
        self.assertEqual(os.path.join(os.path.dirname(here), 'x.sock'),
                         programs.absolute('../x.sock'))
        for same in ('/x.sock', 'tcp://host:1', 'ssh://host/x.sock',
                     'unix:/x.sock', 'host:5260'):
            self.assertEqual(same, programs.absolute(same))

    def test_a_name_alone_is_a_path_where_there_is_such_a_file(self):
        where = self.useFixture(fixtures.TempDir()).path
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(where)
        self.assertEqual('x.sock', programs.absolute('x.sock'))
        with open('x.sock', 'w'):
            pass
        self.assertEqual(os.path.realpath('x.sock'),
                         os.path.realpath(programs.absolute('x.sock')))
        self.assertTrue(os.path.isabs(programs.absolute('x.sock')))
