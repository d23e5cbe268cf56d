# SPDX-License-Identifier: Apache-2.0

"""Parameters as SPDK's decoders take them."""

import unittest

from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import wire


def number(text):
    return wire.Number(text)


class Scalars(unittest.TestCase):

    def test_integers(self):
        for kind, text, expected in (
                ("uint8", "255", 255), ("uint8", "256", None),
                ("uint16", "65536", None), ("uint32", "1024.0", 1024),
                ("uint32", "1024.5", None), ("uint32", "1e3", 1000),
                ("uint32", "1500e-2", 15), ("uint32", "-1", None),
                ("uint32", "-0", None), ("uint32", "1e400", None),
                ("uint64", "18446744073709551615", 2 ** 64 - 1),
                ("uint64", "18446744073709551616", None),
                ("int32", "-2147483648", -2 ** 31),
                ("int32", "2147483648", None), ("int32", "-1.5", None),
                ("int32", "-0", 0), ("uint8", "0e5", 0),
                ("uint8", "0.0", None), ("uint8", "0e-1", None),
                ("uint8", "10.0e-1", 1), ("uint8", "1" + "0" * 19 + "e-19", 1),
                ("uint8", "1" + "0" * 20 + "e-20", None),
                ("uint64", "2e19", None), ("uint64", "3" + "0" * 19, None),
                ("uint64", "1e0000000000000000000000019", 10 ** 19),
                ("uint64", "9" * 5000, None),
                ("uint64", "1e" + "9" * 5000, None)):
            with self.subTest(kind=kind, text=text):
                function = decode.DECODERS[kind]
                if expected is None:
                    self.assertRaises(decode.Refused, function,
                                      number(text))
                else:
                    self.assertEqual(expected, function(number(text)))

    def test_numbers_of_more_than_64_bits_wrapped(self):
        # Noticed only where the result is smaller than what was before.
        for text, expected in (
                ("30000000000000000000", 3 * 10 ** 19 - 2 ** 64),
                ("18446744073709551616", None), ("255", 255),
                ("3e19", 3 * 10 ** 19 - 2 ** 64), ("-1", None)):
            with self.subTest(text):
                function = decode.WRAPPING["uint64"]
                if expected is None:
                    self.assertRaises(decode.Refused, function,
                                      number(text))
                else:
                    self.assertEqual(expected, function(number(text)))
        self.assertEqual(-5, decode.WRAPPING["int32"](number("-5")))

    def test_wrong_types(self):
        for kind in ("uint32", "int32", "bool", "string", "uuid"):
            for value in (None, [], {}, "5" if kind != "string" else 7):
                self.assertRaises(decode.Refused, decode.DECODERS[kind],
                                  value)
        self.assertRaises(decode.Refused, decode.string, number("7"))
        self.assertRaises(decode.Refused, decode.string, "a\0b")

    def test_uuid(self):
        text = "6CBF7A3E-4b1d-4c4a-9f0e-2f7f1d3b0a11"
        self.assertEqual(text.lower(), decode.uuid(text))
        self.assertRaises(decode.Refused, decode.uuid, "not-a-uuid")


class Objects(unittest.TestCase):

    fields = [("name", decode.string, False),
              ("size", decode.DECODERS["uint32"], True)]

    def test_taken(self):
        self.assertEqual({"name": "a"},
                         decode.obj({"name": "a"}, self.fields))
        self.assertEqual({"name": "a"}, decode.obj(
            {"name": "a", "more": 1}, self.fields, relaxed=True))

    def test_refused(self):
        for value in ({}, [], None, {"name": None}, {"name": "a", "x": 1},
                      {"name": "a", "size": "1"},
                      wire.Duplicates({"name": "a"})):
            with self.subTest(value):
                self.assertRaises(decode.Refused, decode.obj, value,
                                  self.fields)

    def test_arrays(self):
        self.assertEqual(["a"], decode.array(["a"], decode.string, 1))
        self.assertRaises(decode.Refused, decode.array, ["a", "b"],
                          decode.string, 1)
        self.assertRaises(decode.Refused, decode.array, {}, decode.string)
