# SPDX-License-Identifier: Apache-2.0

import testtools

from cyborg_spdk import exceptions
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

    def test_names_of_files(self):
        for given, expected in (('a/../b', 'a_.._b'), ('..', '_.'),
                                ('-rf', '_rf'), ('', '_'), ('ä\0', '__'),
                                ('x' * 300, 'x' * 200)):
            self.assertEqual(expected, text.file_name(given))
