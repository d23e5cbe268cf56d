# SPDX-License-Identifier: Apache-2.0

import json
import pathlib

import fixtures
import testtools

import cyborg_spdk
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk import text


class PrintableTest(testtools.TestCase):

    # What SPDK takes as a name -> what a terminal or a log may get.
    CASES = [
        ('Malloc0', 'Malloc0'),
        ('Grün 磁盤 0', 'Grün 磁盤 0'),
        ('a\x1b[2Jb', 'a\\x1b[2Jb'),
        ('a\x9b31mb\x7f', 'a\\x9b31mb\\x7f'),
        ('a\nERROR: b\r\tc', 'a\\nERROR: b\\r\\tc'),
        ('a\u202eb\u2066c\u200fd\u061ce', 'a\\u202eb\\u2066c\\u200fd\\u061ce'),
        ('a\u2028b\u2029c\x85d', 'a\\u2028b\\u2029c\\x85d'),
        ('a\udc9bb', 'a\\udc9bb'),
        ('a\U000e0041b', 'a\\U000e0041b'),
        ('C:\\x', 'C:\\x'),
        (7, '7'),
    ]

    def test_nothing_moves_a_cursor_or_begins_a_line(self):
        for given, expected in self.CASES:
            found = text.printable(given)
            self.assertEqual(expected, found)
            self.assertEqual(found, text.printable(found))

    def test_each_character_of_unicode(self):
        for number in range(0x3000):
            found = text.printable(f'a{chr(number)}b')
            self.assertEqual(1, len(found.splitlines()), hex(number))
            self.assertTrue(found.replace('\xa0', '').replace(
                '\u3000', '').isprintable() or chr(number).isspace(),
                hex(number))

    def test_an_error_is_one_line(self):
        for error in (
                exceptions.InvalidValue('name', 'x', 'a\nERROR: b'),
                exceptions.rpc_error(-1, 'a\x1b[2J\nb', 'm\n'),
                exceptions.StartError('t', 'r', log_tail=['a\nb', '\x9b'])):
            self.assertNotRegex(str(error), '[\n\x1b\x9b]')

    def test_json_means_the_same(self):
        for name in ('ü', 'a\x9b2J', 'b\u202ec\u2028', 'd\x7f', '\U000e0041',
                     'e\n"\\\x1b', '磁盤'):
            given = json.dumps({'name': [name]}, ensure_ascii=False, indent=2)
            found = text.printable_json(given)
            self.assertEqual({'name': [name]}, json.loads(found))
            self.assertEqual(
                found, '\n'.join(map(text.printable, found.split('\n'))))
        self.assertEqual('"Grün"', text.printable_json('"Grün"'))


class LoggersTest(testtools.TestCase):

    def test_a_message_is_one_line_whatever_writes_it(self):
        log = self.useFixture(fixtures.FakeLogger(format='%(message)s'))
        logger = loggers.get('cyborg_spdk.of_this_test')
        logger.error('%s: %s is missing', 't', 'a\x1b[2J\nERROR: b\u202e')
        logger.error('100%')
        self.assertEqual('t: a\\x1b[2J\\nERROR: b\\u202e is missing\n100%\n',
                         log.output)

    def test_each_module_has_one(self):
        """Else a name comes into a log in another way."""
        self.assertEqual([], [
            str(path) for path in pathlib.Path(
                cyborg_spdk.__path__[0]).rglob('*.py')
            if '.getLogger(__name__)' in path.read_text()])
