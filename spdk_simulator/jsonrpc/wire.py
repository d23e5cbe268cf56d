# SPDX-License-Identifier: Apache-2.0

"""JSON as SPDK reads and writes it.

Reading (``lib/json/json_parse.c``): one value at a time from the front of
a buffer; strict; a number keeps its text, since SPDK echoes ids as they
were written and decides itself which numbers are integers. The text given
here is the buffer decoded as latin-1, so that positions are bytes.

The usual case costs one call of the standard library's scanner, linear in
the bytes; only what that refuses is looked at by :mod:`.validate`, to tell
what is unfinished from what is wrong.
"""

import collections
import json
import re

from spdk_simulator.jsonrpc import grammar


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


class Duplicates(dict):
    """A JSON object in which a member comes twice: no decoder takes it.

    :ivar twice: names of these members.
    """

    twice = frozenset()


class Batched(bytes):
    """The replies to a batch; they go out even if nothing comes in."""


class Incomplete(Exception):
    """The buffer ends within the value."""


class Malformed(Exception):
    """The buffer does not begin with a JSON value."""


def _object(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        found = Duplicates(members)
        number = collections.Counter(name for name, _ in pairs)
        found.twice = frozenset(name for name in number if number[name] > 1)
        return found
    return members


def _constant(name):
    raise ValueError(name)


_SCAN = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Number, parse_int=Number,
    parse_constant=_constant, strict=True).raw_decode
_BLANK = re.compile(r"[ \t\n\r]*").match
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]").search
_STRINGS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"').sub
_NO_BRACKET = re.compile(r"[^][{}]+").sub
_SQUARE = str.maketrans("{}", "[]")
_DEPTH = 64


def parse(text, start=0):
    """Read one value.

    :param text: the buffer, decoded as latin-1.
    :param start: where to begin.
    :returns: (value, end, number of JSON values); the end is behind the
        blanks that follow, which SPDK takes along; the number is exact
        only if it may matter (above 1,024 characters).
    :raises Incomplete: more bytes are needed.
    :raises Malformed: no bytes can make it good.
    """
    begin = _BLANK(text, start).end()
    if begin == len(text):
        raise Incomplete
    try:
        value, end = _SCAN(text, begin)
    except (ValueError, RecursionError):
        _refuse(text, begin)
    if not isinstance(value, (dict, list)):
        # A top-level scalar ends where the grammar says so.
        end = _check(text, begin)
    chunk = text[begin:end]
    size = end - begin
    if size > _DEPTH and chunk.count("[") + chunk.count("{") > _DEPTH \
            and _too_deep(chunk):
        raise Malformed
    if not chunk.isascii():
        value = _parse_bytes(chunk)
    if "\\" in chunk and _SURROGATE(chunk):
        _check(text, begin)
    return value, _BLANK(text, end).end(), \
        size if size <= 1024 else count(chunk)


def _parse_bytes(chunk):
    try:
        return _SCAN(chunk.encode("latin-1").decode("utf-8"))[0]
    except UnicodeDecodeError:
        raise Malformed from None


def _too_deep(chunk):
    """Tell whether a valid value is nested deeper than SPDK follows."""
    brackets = _NO_BRACKET("", _STRINGS("", chunk)).translate(_SQUARE)
    for _ in range(_DEPTH):
        brackets = brackets.replace("[]", "")
    return bool(brackets)


def _check(text, begin):
    try:
        return grammar.end(text, begin)
    except grammar.Unfinished:
        raise Incomplete from None
    except grammar.Wrong:
        raise Malformed from None


def _refuse(text, begin):
    _check(text, begin)
    raise Malformed


_VALUES = re.compile(
    r'"(?:[^"\\]|\\.)*"|[\[\]{}]|[^][{}":, \t\n\r]+').findall


def count(text):
    """Count JSON values as SPDK does: brackets and names are values too.

    :param text: a valid value.
    """
    return len(_VALUES(text))


_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|.)").sub


def _upper(match):
    text = match.group()
    return "\\u" + text[2:].upper() if text[1] == "u" else text


def encode(value):
    """Write a value as SPDK's JSON writer does.

    Compact, non-ASCII characters and DEL as ``\\u00E9``, in capitals.
    """
    if type(value) is Number:
        return str(value)
    text = _ENCODE(value)
    if "\\u" in text:
        text = _ESCAPE(_upper, text)
    return text.replace("\x7f", "\\u007F")
