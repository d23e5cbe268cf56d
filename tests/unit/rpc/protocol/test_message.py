# SPDX-License-Identifier: Apache-2.0

import json
import unittest
from unittest import mock

import hypothesis
from hypothesis import strategies as st

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import limits
from cyborg_spdk.rpc.protocol import message

# A machine that is busy is no failure.
_relaxed = hypothesis.settings(
    deadline=None, database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow])

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=['Cs'])),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.text(st.characters(exclude_categories=['Cs'])), inner),
    max_leaves=20)


def _count(value):
    """JSON values as SPDK's parser counts them."""
    if isinstance(value, dict):
        return 2 + sum(1 + _count(one) for one in value.values())
    if isinstance(value, list):
        return 2 + sum(_count(one) for one in value)
    return 1


def _depth(value):
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


class EncodeTest(unittest.TestCase):

    @_relaxed
    @hypothesis.given(st.dictionaries(
        st.text(st.characters(exclude_categories=['Cs'])), _JSON))
    def test_any_request(self, params):
        data = message.encode('bdev_get_bdevs', params, 7)
        request = json.loads(data)
        self.assertEqual({'jsonrpc': '2.0', 'id': 7,
                          'method': 'bdev_get_bdevs', 'params': params},
                         request)
        self.assertEqual(_count(request), message.value_count(data))
        self.assertEqual(_depth(request), message.nesting(data))

    def test_params_are_left_out_if_there_are_none(self):
        self.assertEqual({'jsonrpc': '2.0', 'id': 1, 'method': 'x'},
                         json.loads(message.encode('x', None, 1)))

    def test_notification_has_no_id(self):
        self.assertEqual({'jsonrpc': '2.0', 'method': 'x'},
                         json.loads(message.encode('x')))
        self.assertEqual({'jsonrpc': '2.0', 'method': 'x', 'params': [1]},
                         json.loads(message.encode('x', [1])))

    def test_any_method_name(self):
        for name in ('', 'a"b', 'a\\b', 'a\nb', '\u00e9', 'a b'):
            self.assertEqual(name, json.loads(
                message.encode(name, None, 1))['method'])

    def test_batch(self):
        data = message.batch([message.encode('a', None, 1),
                              message.encode('b', {}, 2)])
        self.assertEqual(['a', 'b'],
                         [one['method'] for one in json.loads(data)])

    def test_what_spdk_would_hang_up_on_is_refused(self):
        deep = value = []
        for _ in range(100000):
            value.append([])
            value = value[0]
        for params in ({'x': float('nan')}, {'x': float('inf')},
                       {'x': '\ud800'}, {'x': b'bytes'}, {'x': {1, 2}},
                       {(1, 2): 3}, {'x': deep}, 'text', 5, True):
            with self.subTest(params if params != {'x': deep} else 'deep'):
                with self.assertRaises(exceptions.InvalidValue) as caught:
                    message.encode('some_method', params, 1)
                self.assertIn('some_method', str(caught.exception))


class DecodeTest(unittest.TestCase):

    @_relaxed
    @hypothesis.given(st.lists(_JSON.filter(
        lambda value: isinstance(value, (list, dict)))))
    def test_any_texts(self, values):
        piece = b'\n'.join(json.dumps(value).encode() for value in values)
        self.assertEqual(values, list(message.decode(piece)))
        self.assertEqual(values, list(message.decode(bytearray(piece))))

    def test_a_large_piece_is_freed_while_it_is_parsed(self):
        piece = bytearray(b'{"a":1}')
        self.assertEqual([{'a': 1}], list(message.decode(piece)))
        self.assertEqual(0, len(piece))

    def test_bytes_that_are_not_utf8(self):
        self.assertEqual([{'name': 'a\udcff'}],
                         list(message.decode(b'{"name":"a\xff"}')))

    def test_garbage_after_a_text(self):
        values = message.decode(b'{"a":1}oops')
        self.assertEqual({'a': 1}, next(values))
        with self.assertRaises(ValueError):
            next(values)

    def test_id_of_a_reply_that_was_cut(self):
        self.assertEqual(12, message.id_of_cut(
            b'{"jsonrpc":"2.0","id":12,"result":[{"na'))
        self.assertIsNone(message.id_of_cut(b'{"result":[{"na'))


class FastTest(unittest.TestCase):
    """What another decoder takes it reads as json does."""

    def setUp(self):
        super().setUp()
        self.assertIsNotNone(message._fast_decoder(), 'install msgspec')

    def both(self, piece):
        """See that it makes no difference; return the values or the error.
        """
        found = []
        for smallest in (0, 1 << 62):
            with mock.patch.object(message, '_LARGE', smallest):
                try:
                    found.append(repr(list(message.decode(piece))))
                except message.NotJson as exc:
                    found.append(str(exc))
        self.assertEqual(found[1], found[0])
        return found[0]

    def test_where_they_could_differ(self):
        for piece in (
                b'{"a":1,"b":3,"a":2}', b'[1]\n[2]\n', b'[]x',
                b'\xef\xbb\xbf[]',
                b'[18446744073709551616,-9223372036854775809]',
                b'[1e400,-1e400,1e-400,-0,-0.0,1E5]', b'[NaN,-Infinity]',
                b'["\\ud800","\\udc00","\\ud83d\\ude00"]', b'["\xff"]',
                b'["\xed\xa0\x80"]', b'["a\nb"]', b'["a\x01b"]', b'[01]',
                b'[1.]',
                b'[1,]', b'{1:2}', b'["\\x41"]', b'[' + b'1' * 5000 + b']',
                b'[' * 100000 + b']' * 100000, b'[' * 500 + b']' * 500,
                b'[2.2250738585072011e-308,0.30000000000000004440892098500626'
                b',1.7976931348623157e308]'):
            with self.subTest(piece[:40]):
                self.both(piece)

    @_relaxed
    @hypothesis.given(_JSON, st.lists(st.tuples(
        st.integers(0, 1 << 16), st.sampled_from(
            b'\x00\x01"\\\\{}[]:,0129.-+eE\xff\xc3\x80 \ttrufalsnN')),
        max_size=3))
    def test_whatever_comes(self, value, changes):
        piece = bytearray(json.dumps([value], ensure_ascii=False).encode())
        for at, byte in changes:
            piece[at % len(piece)] = byte
        self.both(bytes(piece))

    def test_the_memory_of_a_large_piece_is_freed(self):
        piece = bytearray(b'[' + b'1,' * (1 << 20) + b'1]')
        self.assertEqual((1 << 20) + 1, len(next(message.decode(piece))))
        self.assertEqual(0, len(piece))


class LimitsTest(unittest.TestCase):

    def test_bytes(self):
        for limit in (limits.SMALL, limits.LARGE):
            size = limit[0] - len(message.encode('m', {'x': ''}, 1))
            fitting = message.encode('m', {'x': 'y' * size}, 1)
            self.assertEqual(limit[0], len(fitting))
            limits.check('m', fitting, limit)
            with self.assertRaises(exceptions.RequestTooLarge) as caught:
                limits.check('m', message.encode(
                    'm', {'x': 'y' * (size + 1)}, 1), limit)
            self.assertEqual((limit[0] + 1, limit[0], 'bytes'), (
                caught.exception.size, caught.exception.limit,
                caught.exception.unit))

    def test_values(self):
        # A real target answers 1,010 elements and hangs up on 1,011.
        def request(count):
            return message.encode('m', {'a': [1] * count}, 1)
        limits.check('m', request(1010), limits.SMALL)
        with self.assertRaises(exceptions.RequestTooLarge) as caught:
            limits.check('m', request(1011), limits.SMALL)
        self.assertIn('1025 JSON values', str(caught.exception))
        limits.check('m', request(8178), limits.LARGE)
        self.assertFalse(limits.fits('m', request(8179), limits.LARGE))

    def test_nesting(self):
        def request(depth):
            value = []
            for _ in range(depth - 3):
                value = [value]
            return message.encode('m', {'x': value}, 1)
        limits.check('m', request(64), limits.LARGE)
        with self.assertRaises(exceptions.RequestTooLarge) as caught:
            limits.check('m', request(65), limits.LARGE)
        self.assertIn('65 levels of nesting', str(caught.exception))
