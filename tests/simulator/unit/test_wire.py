# SPDX-License-Identifier: Apache-2.0

"""JSON as SPDK reads and writes it."""

import json
import unittest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from spdk_simulator.jsonrpc import grammar
from spdk_simulator.jsonrpc import wire

_SCALARS = (strategies.none() | strategies.booleans()
            | strategies.integers(-2 ** 70, 2 ** 70)
            | strategies.text(strategies.characters(
                exclude_categories=["Cs"]), max_size=20))
_VALUES = strategies.recursive(
    _SCALARS, lambda inner: strategies.lists(inner, max_size=4)
    | strategies.dictionaries(strategies.text(
        strategies.characters(exclude_categories=["Cs"]), max_size=8),
        inner, max_size=4), max_leaves=20)


def plain(value):
    """Turn numbers that kept their text into numbers."""
    if isinstance(value, wire.Number):
        return int(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class Parse(unittest.TestCase):

    def test_wrong(self):
        for text in ("hello", "{'a':1}", "[1,]", '{"a":1,}', "[1 2]",
                     "NaN", '{"x":Infinity}', ".5", "+1",
                     '{"a" 1}', '["\t"]', '["\\x"]', '["\\ud800"]',
                     '["\\udc00"]', "// c\n{}", "\xef\xbb\xbf{}",
                     '"\xff"', '"\xc0\x80"', '"\xed\xa0\x80"', "]", "}",
                     "tru]", "fa]]]", "[" * 65, "[1-]", "-x", "1.x", "1ex",
                     # A character is waited for in whole, or not at all.
                     '"\xc3', '"\xe2\x82', '"\xf0\x9f\x98'):
            with self.subTest(text):
                self.assertRaises(wire.Malformed, wire.parse, text)

    def test_may_go_on(self):
        # What is not known to be wrong before its last byte could be there.
        for text in ("1.", "1e", "1e+", "-", "nx", "nul", "fa]", "[nu]",
                     '"\\', '"\\u00', '"\\ud800', '"\\ud800\\u', " "):
            with self.subTest(text):
                self.assertRaises(wire.Incomplete, wire.parse, text)

    def test_what_ends_a_number_begins_another(self):
        for text, end in (("1-", 1), ("1.5.5", 3), ("1e5e5", 3), ("1+", 1),
                          ("1e5.5", 3), ("-0-0", 2), ("1.0-2", 3)):
            with self.subTest(text):
                self.assertEqual(end, wire.parse(text)[1])

    def test_zero_ends_a_number(self):
        # Seen on a real target: two values, not a wrong one.
        self.assertEqual(("0", 1), wire.parse("01")[:2])
        self.assertRaises(wire.Malformed, wire.parse, "[01]")

    def test_unfinished(self):
        whole = '{"a":[1.5e+3,true,null,"\\u00e9\\\\\xc3\xa9"],"b":{}}'
        for size in range(len(whole)):
            with self.subTest(whole[:size]):
                self.assertRaises(self.of_prefix(whole[:size]), wire.parse,
                                  whole[:size])
        self.assertEqual({"a": ["1.5e+3", True, None, "é\\é"], "b": {}},
                         wire.parse(whole)[0])

    @staticmethod
    def of_prefix(text):
        """What is raised for a part of something right."""
        try:
            text.encode("latin-1").decode()
        except UnicodeDecodeError:
            return wire.Malformed
        return wire.Incomplete

    def test_several(self):
        text = ' {"a":1}[2]"x" 5 null'
        found, pos = [], 0
        while pos < len(text):
            value, pos, _ = wire.parse(text, pos)
            found.append(value)
        self.assertEqual([{"a": "1"}, ["2"], "x", "5", None], found)

    def test_numbers_keep_their_text(self):
        for text in ("0", "-0", "1.0", "1e3", "18446744073709551616"):
            value = wire.parse(f"[{text}]")[0][0]
            self.assertIsInstance(value, wire.Number)
            self.assertEqual(text, value)

    def test_duplicate_members_are_marked(self):
        self.assertIsInstance(wire.parse('{"a":1,"a":2}')[0],
                              wire.Duplicates)
        self.assertNotIsInstance(wire.parse('{"a":1,"b":2}')[0],
                                 wire.Duplicates)

    def test_values_are_counted_as_spdk_does(self):
        head = '{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":['
        for number in (1010, 1011):
            text = head + ",".join(["1"] * number) + "]}}"
            self.assertEqual(number + 14, wire.parse(text)[2])

    def test_members_that_come_twice_are_counted(self):
        for value in ('"x"', '[1,{"y":2}]', '"\\"]{"'):
            text = "{" + ",".join([f'"a":{value}'] * 300) + "}"
            number = {'"x"': 2, '[1,{"y":2}]': 8, '"\\"]{"': 2}[value]
            self.assertEqual(2 + 300 * number, wire.parse(text)[2], value)

    @settings(deadline=None)
    @given(_VALUES)
    def test_every_prefix_is_unfinished_or_whole(self, value):
        data = json.dumps([value], ensure_ascii=False).encode()
        text = data.decode("latin-1")
        parsed, end, _ = wire.parse(text)
        self.assertEqual(len(text), end)
        self.assertEqual([value], plain(parsed))
        self.assertEqual(len(text), grammar.end(text, 0))
        for size in range(len(text)):
            self.assertRaises(self.of_prefix(text[:size]), wire.parse,
                              text[:size])

    @settings(deadline=None)
    @given(strategies.binary(max_size=40))
    def test_no_bytes_make_it_fail_otherwise(self, data):
        try:
            wire.parse(data.decode("latin-1"))
        except (wire.Incomplete, wire.Malformed):
            return


class Encode(unittest.TestCase):

    def test_compact_and_ascii(self):
        self.assertEqual('{"a":[1,true,null,"\\u00E9\\uD83D\\uDE00\\n"]}',
                         wire.encode({"a": [1, True, None, "é😀\n"]}))

    def test_delete_is_no_character(self):
        self.assertEqual('"\\u007F"', wire.encode("\x7f"))

    def test_backslashes_are_left_alone(self):
        self.assertEqual('"\\\\u00e9\\u00E9"', wire.encode("\\u00e9é"))

    def test_numbers_as_they_came(self):
        self.assertEqual("1e3", wire.encode(wire.Number("1e3")))
