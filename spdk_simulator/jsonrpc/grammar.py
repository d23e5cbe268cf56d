# SPDX-License-Identifier: Apache-2.0

"""A strict JSON grammar that tells unfinished text from wrong text.

Used where the fast scanner refused, or where it takes what SPDK does not:
nesting deeper than 64, UTF-8 that is none, lone surrogates.
"""

import re

MAX_DEPTH = 64

_BLANK = re.compile(r"[ \t\n\r]*").match
_PLAIN = re.compile(r'[\x20\x21\x23-\x5b\x5d-\x7f]*').match
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)").match
_EXPONENT = re.compile(r"[eE][+-]?").match
_FIGURES = re.compile(r"[0-9]+").match
_HEX = re.compile(r"[0-9a-fA-F]{4}").match
_HEX_PREFIX = re.compile(r"[0-9a-fA-F]{0,3}\Z").match


class Unfinished(Exception):
    """The text ends too early."""


class Wrong(Exception):
    """The text is not JSON, whatever may follow."""


def _string(text, pos):
    """Return the end of a string whose quote is at ``pos``."""
    pos += 1
    while True:
        pos = _PLAIN(text, pos).end()
        if pos >= len(text):
            raise Unfinished
        char = text[pos]
        if char == '"':
            return pos + 1
        if char == "\\":
            pos = _escape(text, pos)
        elif char >= "\x80":
            pos = _multibyte(text, pos)
        else:
            raise Wrong


def _escape(text, pos):
    if pos + 1 >= len(text):
        raise Unfinished
    kind = text[pos + 1]
    if kind in '"\\/bfnrt':
        return pos + 2
    if kind != "u":
        raise Wrong
    code = _hex(text, pos + 2)
    if 0xDC00 <= code <= 0xDFFF:
        raise Wrong
    if not 0xD800 <= code <= 0xDBFF:
        return pos + 6
    tail = text[pos + 6:pos + 8]
    if not "\\u".startswith(tail):
        raise Wrong
    if len(tail) < 2:
        raise Unfinished
    if not 0xDC00 <= _hex(text, pos + 8) <= 0xDFFF:
        raise Wrong
    return pos + 12


def _hex(text, pos):
    if _HEX(text, pos):
        return int(text[pos:pos + 4], 16)
    if _HEX_PREFIX(text, pos):
        raise Unfinished
    raise Wrong


def _multibyte(text, pos):
    """Return the end of one UTF-8 sequence that begins at ``pos``.

    One that the text ends within is wrong: ``utf8_valid()`` does not wait
    for the rest.
    """
    lead = ord(text[pos])
    if lead < 0xC2 or lead > 0xF4:
        raise Wrong
    size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    try:
        text[pos:pos + size].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise Wrong from None
    return pos + size


def _scalar(text, pos):
    char = text[pos]
    if char == '"':
        return _string(text, pos)
    for word in ("true", "false", "null"):
        if char == word[0]:
            if text.startswith(word, pos):
                return pos + len(word)
            # Looked at when all of its letters could be there.
            raise Unfinished if len(text) - pos < len(word) else Wrong
    return _number(text, pos)


def _number(text, pos):
    """Return the end of a number; it goes on as long as it can.

    What follows begins the next value: ``01`` and ``1-`` are two each.
    """
    match = _INTEGER(text, pos)
    if not match:
        raise Unfinished if text[pos:] == "-" else Wrong
    pos = match.end()
    if text.startswith(".", pos):
        pos = _figures(text, pos + 1)
    match = _EXPONENT(text, pos)
    return _figures(text, match.end()) if match else pos


def _figures(text, pos):
    match = _FIGURES(text, pos)
    if not match:
        raise Unfinished if pos >= len(text) else Wrong
    return match.end()


def end(text, start):
    """Find where the value that begins at ``start`` ends.

    :param text: the buffer, decoded as latin-1.
    :returns: the position behind it.
    :raises Unfinished: more text is needed.
    :raises Wrong: it is not JSON.
    """
    stack = []
    pos = start
    expect = "value"
    while True:
        pos = _BLANK(text, pos).end()
        if pos >= len(text):
            raise Unfinished
        char = text[pos]
        if expect in ("value", "value or end"):
            if char in "[{":
                if len(stack) >= MAX_DEPTH:
                    raise Wrong
                stack.append(char)
                pos += 1
                expect = "value or end" if char == "[" else "name or end"
                continue
            if char == "]" and expect == "value or end":
                stack.pop()
                pos += 1
            else:
                pos = _scalar(text, pos)
        elif expect in ("name", "name or end"):
            if char == "}" and expect == "name or end":
                stack.pop()
                pos += 1
            elif char == '"':
                pos = _BLANK(text, _string(text, pos)).end()
                if pos >= len(text):
                    raise Unfinished
                if text[pos] != ":":
                    raise Wrong
                pos += 1
                expect = "value"
                continue
            else:
                raise Wrong
        elif char == ",":
            pos += 1
            expect = "value" if stack[-1] == "[" else "name"
            continue
        elif char == ("]" if stack[-1] == "[" else "}"):
            stack.pop()
            pos += 1
        else:
            raise Wrong
        if not stack:
            return pos
        expect = "comma or end"
