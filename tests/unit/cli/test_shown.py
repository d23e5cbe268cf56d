# SPDX-License-Identifier: Apache-2.0

import io
import json
import logging

from cliff import app
from cliff import commandmanager
from cliff import lister
import testtools

from cyborg_spdk.cli import commands
from cyborg_spdk.cli import shown

_NAME = 'a\x1b[2Jb\nERROR: forged \u202ec\x9b'


class _List(lister.Lister):

    def take_action(self, parsed_args):
        return ('Name', 'Bases'), [(_NAME, commands.Words([_NAME]))]


class ShownTest(testtools.TestCase):

    def show(self, form):
        out = io.StringIO()
        program = app.App('', '0', commandmanager.CommandManager('none'),
                          stdout=out)
        command = _List(program, None)
        shown.make_printable(command)
        command.run(command.get_parser('x').parse_args(['-f', form]))
        return out.getvalue()

    def test_nothing_reaches_the_terminal(self):
        for form in ('table', 'value', 'csv'):
            found = self.show(form)
            for one in '\x1b\x9b\u202e':
                self.assertNotIn(one, found)
            self.assertFalse([line for line in found.splitlines()
                              if line.startswith('ERROR')], found)
        self.assertEqual(1, len(self.show('value').splitlines()))

    def test_a_program_reads_what_is_there(self):
        self.assertEqual([{'Name': _NAME, 'Bases': [_NAME]}],
                         json.loads(self.show('json')))

    def test_a_message_is_one_line(self):
        found = shown.Formatter('%(levelname)s: %(message)s').format(
            logging.LogRecord('x', logging.ERROR, 'x', 1, 'of %s', (_NAME,),
                              None))
        self.assertEqual('ERROR: of a\\x1b[2Jb\\nERROR: forged \\u202ec\\x9b',
                         found)
