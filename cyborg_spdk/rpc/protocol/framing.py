# SPDX-License-Identifier: Apache-2.0

"""Where replies end in a stream of bytes; no I/O.

SPDK ends each reply with a line feed and puts none into it, so the usual
work is one search for line feeds in the bytes that are new. A peer without
line feeds, or with some inside of a reply, is understood as well, by
following brackets and strings (the exact scan).

Costs: each byte is appended once, searched once, taken out once and, where
the exact scan is needed, scanned once. Nothing is done again because more
came in, so the work is linear in the bytes received, whatever the size of
a reply and wherever it is split.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    #: One or more JSON texts, and whether it is one that was cut.
    Piece = tuple[bytes | bytearray, bool]

#: SPDK cuts a reply at this many bytes (v18.04 and later), without the line
#: feed, and sends the next one right behind it.
REPLY_LIMIT = 32 * 1024 * 1024
#: No text may have as many bytes as this: room for one that was cut, and for
#: what is glued on.
MOST = 2 * REPLY_LIMIT

_NEXT_REPLY = (b'{"jsonrpc":', b'[{"jsonrpc":')
# The module re keeps what it has compiled; at import it would cost each
# command line time, and few replies need it.
_BLANKS = rb"[ \t\r\n]*"
_OUTSIDE = rb'["{}\[\]]'
_INSIDE = rb'["\\]'
_QUOTE, _BACKSLASH, _LINE_FEED = b'"\\\n'


class TooLong(ValueError):
    """A text has no end where SPDK would have cut it.

    :ivar data: its first bytes.
    """

    def __init__(self, size: int, data: bytes) -> None:
        super().__init__(f"a reply of {size} bytes has no end: SPDK cuts it "
                         f"at {REPLY_LIMIT}")
        self.data = data


class Frames:
    """Takes bytes, gives pieces that hold complete JSON texts.

    A piece is ``(data, cut)``: ``data`` (bytes or bytearray) holds one or
    more JSON texts with blanks or nothing between them; ``cut`` tells that
    it is one text, of which the peer sent only the first
    :data:`REPLY_LIMIT` bytes.

    :param limit: size at which the peer cuts a reply.
    :param most: size at which a text without an end is given up.
    """

    def __init__(self, limit: int = REPLY_LIMIT, most: int = MOST) -> None:
        self._limit = limit
        self._most = most
        self._buffer = bytearray()   # begins with a text that is not whole
        self._searched = 0           # no line feed before this offset
        self._scanned = 0            # the exact scan has been up to here
        self._depth = 0
        self._in_string = False
        self._exact = False          # line feeds are not to be relied on

    def __len__(self) -> int:
        """How many bytes of a text that is not complete are held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Piece]:
        """Take bytes as they came from the peer.

        :param data: bytes.
        :returns: list of the pieces that are complete now.
        :raises TooLong: if a text that has begun does not end.
        """
        if not self._buffer and not self._exact \
                and len(data) < self._limit \
                and data.endswith((b"}\n", b"]\n")) \
                and _is_one_text_a_line(data, 0, len(data)):
            return [(data, False)]
        self._buffer += data
        pieces = list(self._pieces(paused=False))
        if len(self._buffer) >= self._most:
            size, first = len(self._buffer), bytes(self._buffer[:200])
            # An error is kept longer than what it tells of.
            self._buffer.clear()
            raise TooLong(size, first)
        return pieces

    def settle(self) -> list[Piece]:
        """Say that the peer has paused; call it when nothing came for long.

        A text without a line feed at its end is recognised then, and so is
        one that was cut with nothing behind it.

        :returns: list of the pieces that are complete, as it turns out.
        """
        return list(self._pieces(paused=True))

    def _pieces(self, paused: bool) -> Iterator[Piece]:
        while True:
            blanks = re.match(_BLANKS, self._buffer)
            start = blanks.end() if blanks else 0
            if start:
                # A line feed behind a text: the peer does send them.
                if _LINE_FEED in self._buffer[:start]:
                    self._exact = False
                self._drop(start)
            if not self._buffer:
                return
            if self._buffer[0] not in b"{[":
                yield self._pop(len(self._buffer)), False
                return
            if self._is_cut(paused):
                yield self._pop(self._limit), True
                continue
            end = self._find_end(paused)
            if end < 0:
                return
            yield self._pop(end), False

    def _find_end(self, paused: bool) -> int:
        if not self._exact:
            end = self._buffer.rfind(b"\n", self._searched)
            if end >= self._limit:
                # A text that was cut may be among these lines.
                end = self._buffer.find(b"\n", self._searched)
            if end < 0:
                self._searched = len(self._buffer)
                return self._scan() if paused else -1
            if self._buffer[end - 1] in b"}]\r" and _is_one_text_a_line(
                    self._buffer, self._searched, end + 1):
                return end
            # A line feed inside of a text.
            self._exact = True
        return self._scan()

    def _is_cut(self, paused: bool) -> bool:
        size = len(self._buffer)
        if size < self._limit:
            return False
        if 0 <= self._buffer.find(b"\n", self._searched) < self._limit:
            return False
        if paused:
            return True
        # A peer without this limit sends something else here.
        return self._buffer.startswith(_NEXT_REPLY, self._limit)

    def _scan(self) -> int:
        pos = self._scanned
        inside, outside = re.compile(_INSIDE), re.compile(_OUTSIDE)
        while True:
            pattern = inside if self._in_string else outside
            match = pattern.search(self._buffer, pos)
            if match is None:
                self._scanned = max(pos, len(self._buffer))
                return -1
            pos = match.end()
            byte = self._buffer[pos - 1]
            if byte == _QUOTE:
                self._in_string = not self._in_string
            elif byte == _BACKSLASH:
                pos += 1
            elif byte in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth <= 0:
                    self._exact = True
                    return pos

    def _pop(self, end: int) -> bytes | bytearray:
        if end >= len(self._buffer) - 1 and \
                bytes(self._buffer[end:]) in (b"", b"\n"):
            whole, self._buffer = self._buffer, bytearray()
            self._drop(0)
            return whole
        with memoryview(self._buffer) as view:
            piece = bytes(view[:end])
        self._drop(end)
        return piece

    def _drop(self, count: int) -> None:
        # Cheap: bytearray moves its start, not its content.
        del self._buffer[:count]
        self._searched = self._scanned = self._depth = 0
        self._in_string = False


def _is_one_text_a_line(data: bytes | bytearray, start: int, end: int
                        ) -> bool:
    """Whether every line behind the first begins with a bracket.

    It does not where a text has several lines, as an indented one.
    """
    lines = data.count(b"\n", start, end)
    return lines == 1 or lines - 1 == data.count(b"\n{", start, end) \
        + data.count(b"\n[", start, end)
