# SPDX-License-Identifier: Apache-2.0

import json
import unittest

import hypothesis
from hypothesis import strategies as st

from cyborg_spdk.rpc.protocol import framing
from cyborg_spdk.rpc.protocol import message

# A machine that is busy is no failure.
_relaxed = hypothesis.settings(
    deadline=None, database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow])

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12)
_REPLIES = st.lists(st.builds(
    lambda number, value: {'jsonrpc': '2.0', 'id': number, 'result': value},
    st.integers(0, 9), _VALUES), max_size=8)


def _compact(value):
    return json.dumps(value, separators=(',', ':')).encode()


def _raw(value):
    return json.dumps(value, ensure_ascii=False,
                      separators=(',', ':')).encode('utf-8', 'replace')


def _values(pieces):
    values = []
    for data, cut in pieces:
        if cut:
            values.append(('cut', bytes(data)))
        else:
            values += message.decode(data)
    return values


def _split(data, cuts):
    at = 0
    for cut in sorted(cut % (len(data) + 1) for cut in cuts):
        yield data[at:cut]
        at = cut
    yield data[at:]


class FramesTest(unittest.TestCase):

    @_relaxed
    @hypothesis.given(_REPLIES, st.lists(st.integers(0, 10000)))
    def test_lines_split_anywhere(self, replies, cuts):
        data = b''.join(_compact(reply) + b'\n' for reply in replies)
        frames = framing.Frames()
        values = []
        for part in _split(data, cuts):
            values += _values(frames.feed(part))
        self.assertEqual(replies, values)
        self.assertEqual(0, len(frames))

    @_relaxed
    @hypothesis.given(_REPLIES, st.lists(st.integers(0, 10000)),
                      st.sampled_from([b'', b' ', b'\r\n', b'\n\n']))
    def test_any_separator_split_anywhere(self, replies, cuts, separator):
        data = b''.join(_raw(reply) + separator for reply in replies)
        expected = [json.loads(_raw(reply)) for reply in replies]
        frames = framing.Frames()
        values = []
        for part in _split(data, cuts):
            values += _values(frames.feed(part))
            values += _values(frames.settle())
        self.assertEqual(expected, values)

    @_relaxed
    @hypothesis.given(_REPLIES, st.lists(st.integers(0, 10000)))
    def test_indented_replies_split_anywhere(self, replies, cuts):
        data = b''.join(json.dumps(reply, indent=2).encode() + b'\n'
                        for reply in replies)
        frames = framing.Frames()
        values = []
        for part in _split(data, cuts):
            values += _values(frames.feed(part))
        values += _values(frames.settle())
        self.assertEqual(replies, values)

    def test_nothing_is_given_before_it_is_whole(self):
        frames = framing.Frames()
        self.assertEqual([], frames.feed(b'{"a":[1,2'))
        self.assertEqual([], frames.settle())
        self.assertEqual([], frames.feed(b'],"b":"}'))
        self.assertEqual([], frames.settle())
        self.assertEqual([{'a': [1, 2], 'b': '}\\"'}],
                         _values(frames.feed(b'\\\\\\""}\n')))

    def test_after_a_reply_without_line_feed_the_next_is_given_at_once(self):
        frames = framing.Frames()
        self.assertEqual([], frames.feed(b'{"a":1}'))
        self.assertEqual([{'a': 1}], _values(frames.settle()))
        self.assertEqual([{'a': 2}, {'a': 3}],
                         _values(frames.feed(b'{"a":2}{"a":3}{"a"')))
        self.assertEqual([{'a': 4}], _values(frames.feed(b':4}')))

    def test_a_cut_reply_and_the_next_glued_on(self):
        head = b'{"jsonrpc":"2.0","id":1,"result":"'
        cut = head + b'x' * (100 - len(head))
        whole = b'{"jsonrpc":"2.0","id":2,"result":true}\n'
        first = b'{"jsonrpc":"2.0","id":0,"result":1}\n'
        for size in (1, 7, 64, 1000):
            with self.subTest(size):
                frames = framing.Frames(limit=100)
                values = []
                data = first + cut + whole + first
                for at in range(0, len(data), size):
                    values += _values(frames.feed(data[at:at + size]))
                self.assertEqual([0, 'cut', 2, 0], [
                    value[0] if isinstance(value, tuple) else value['id']
                    for value in values])
                self.assertEqual(cut, values[1][1])

    def test_a_cut_reply_with_nothing_behind_it(self):
        frames = framing.Frames(limit=100)
        self.assertEqual([], frames.feed(b'{"a":"' + b'x' * 94))
        self.assertEqual(('cut', b'{"a":"' + b'x' * 94),
                         _values(frames.settle())[0])
        self.assertEqual(0, len(frames))

    def test_a_peer_without_the_limit(self):
        frames = framing.Frames(limit=100)
        values = []
        for part in (b'{"a":"' + b'x' * 94, b'x' * 94, b'"}\n{"b":1}\n'):
            values += _values(frames.feed(part))
        self.assertEqual([{'a': 'x' * 188}, {'b': 1}], values)

    def test_what_is_no_json_is_given_at_once(self):
        frames = framing.Frames()
        (data, cut), = frames.feed(b'HTTP/1.1 400 Bad Request\r\n')
        self.assertEqual(b'HTTP/1.1 400 Bad Request\r\n', data)
        self.assertFalse(cut)

    def test_each_byte_is_looked_at_a_bounded_number_of_times(self):
        # The work for one reply in n parts, counted in bytes that the
        # searches start from.
        for separator in (b'\n', b''):
            frames = framing.Frames()
            if not separator:
                frames.feed(b'{}')
                frames.settle()
            searched = _Counting(frames)
            body = b'{"a":"' + b'{x}\\"' * 40000 + b'"}' + separator
            for at in range(0, len(body), 100):
                frames.feed(body[at:at + 100])
            self.assertLess(searched.bytes, 8 * len(body))


class _Counting:
    """Counts how many bytes are behind the offsets that searches begin at.

    What a search finds nothing in is searched to its end, so a search that
    begins at an old offset again and again shows here.
    """

    def __init__(self, frames):
        self.bytes = 0
        counting = self

        class Buffer(bytearray):

            def rfind(self, what, start=0, *end):
                counting.bytes += len(self) - start
                return super().rfind(what, start, *end)

            def find(self, what, start=0, *end):
                counting.bytes += len(self) - start
                return super().find(what, start, *end)

        frames._buffer = Buffer(frames._buffer)
