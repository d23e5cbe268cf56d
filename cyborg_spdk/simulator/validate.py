# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""A strict JSON grammar that tells unfinished text from wrong text.

Used where the fast scanner refused, or where it takes what SPDK does not:
nesting deeper than 64, UTF-8 that is none, lone surrogates.
"""

import re

MAX_DEPTH = 64

_BLANK = re.compile(r"[ \t\n\r]*").match
_PLAIN = re.compile(r'[\x20\x21\x23-\x5b\x5d-\x7f]*').match
_NUMBER = re.compile(
    r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?").match
_UNFINISHED_NUMBER = re.compile(
    r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*|(?:\.[0-9]+)?[eE][+-]?)?)?\Z").match
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
    """Return the end of one UTF-8 sequence that begins at ``pos``."""
    lead = ord(text[pos])
    if lead < 0xC2 or lead > 0xF4:
        raise Wrong
    size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    tail = text[pos:pos + size].encode("latin-1")
    try:
        tail.decode("utf-8")
    except UnicodeDecodeError as exc:
        if exc.reason == "unexpected end of data" and pos + size > len(text):
            raise Unfinished from None
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
            if word.startswith(text[pos:pos + len(word)]):
                raise Unfinished
            raise Wrong
    if _UNFINISHED_NUMBER(text, pos) and not _NUMBER(text, pos):
        raise Unfinished
    match = _NUMBER(text, pos)
    if not match:
        raise Wrong
    rest = text[match.end():match.end() + 1]
    # A zero ends a number; a figure behind it begins the next one.
    if rest and rest in ".eE+-":
        if _UNFINISHED_NUMBER(text, pos):
            raise Unfinished
        raise Wrong
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
