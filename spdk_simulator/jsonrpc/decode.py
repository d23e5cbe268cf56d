# SPDX-License-Identifier: Apache-2.0

"""Parameters as SPDK's JSON decoders take them (``lib/json/json_util.c``).

Each decoder gets a parsed value and returns what the method works with, or
raises :class:`Refused`. The tables of each method are data
(``data/parameters.json``); decoders that a method has of its own are added
with :func:`decoder` where the method is.
"""

import functools
import re
import uuid as _uuid

from spdk_simulator.jsonrpc import wire

DECODERS = {}


class Refused(Exception):
    """A value that a decoder does not take."""


def decoder(*names):
    """Register a function as the decoder that SPDK knows by these names."""
    def register(function):
        for name in names:
            DECODERS[name] = function
        return function
    return register


_NUMBER = re.compile(
    r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?").fullmatch
_BITS = 2 ** 64


def number(value, low, high, wraps=False):
    """Read an integer; ``1024.0`` and ``1e3`` are integers too.

    As ``json_number_split()`` in ``lib/json/json_util.c`` does it.

    :param wraps: whether it is noticed too late that a number has more than
        64 bits (up to v26.01): most are then taken for another.
    """
    if type(value) is not wire.Number:
        raise Refused
    result = int(value) if len(value) < 20 and value.isdigit() \
        else _integer(value, wraps)
    if not low <= result <= high:
        raise Refused
    return result


def _integer(text, wraps):
    minus, whole, fraction, sign, exponent = _NUMBER(text).groups("")
    digits = _figures(whole + fraction, wraps)
    shift = _figures(exponent, wraps)
    if shift >= _BITS // 2:
        raise Refused
    shift = (-shift if sign == "-" else shift) - len(fraction)
    while shift < 0 and digits and not digits % 10:
        digits //= 10
        shift += 1
    if not digits and shift > 0:
        shift = 0
    while shift > 0:
        more = digits * 10
        if more >= _BITS and not wraps or more % _BITS < digits:
            break
        digits = more % _BITS
        shift -= 1
    if shift:
        raise Refused
    return -digits if minus else digits


def _figures(text, wraps):
    """Read figures into 64 bits."""
    text = text.lstrip("0")
    if len(text) < 20:
        return int(text or "0")
    result = 0
    for figure in text:
        more = result * 10 + int(figure)
        if more >= _BITS and not wraps or more % _BITS < result:
            raise Refused
        result = more % _BITS
    return result


def _unsigned(bits, wraps):
    limit = 2 ** bits - 1

    def decode(value):
        if type(value) is wire.Number and value[0] == "-":
            raise Refused
        return number(value, 0, limit, wraps)
    return decode


#: The decoders of releases in which numbers wrap.
WRAPPING = {}

for _bits in (8, 16, 32, 64):
    DECODERS[f"uint{_bits}"] = _unsigned(_bits, False)
    WRAPPING[f"uint{_bits}"] = _unsigned(_bits, True)


@decoder("int32")
def int32(value, wraps=False):
    """A signed 32-bit integer."""
    return number(value, -2 ** 31, 2 ** 31 - 1, wraps)


WRAPPING["int32"] = functools.partial(int32, wraps=True)


@decoder("bool")
def boolean(value):
    """``true`` or ``false``, nothing else."""
    if value is True or value is False:
        return value
    raise Refused


@decoder("string")
def string(value):
    """A string without NUL."""
    if type(value) is not str or "\0" in value:
        raise Refused
    return value


_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@decoder("uuid")
def uuid(value):
    """A UUID, returned in lower case with hyphens."""
    text = string(value)
    if not _UUID.fullmatch(text):
        raise Refused
    return str(_uuid.UUID(text))


def obj(value, fields, relaxed=False):
    """Read an object against a table.

    :param value: the parsed value.
    :param fields: ``[(name, decoder, optional), ...]``.
    :param relaxed: whether unknown members are ignored.
    :returns: dict of what was there.
    :raises Refused: what SPDK's decoder refuses: no object, an unknown
        member, one twice, one of the wrong type, a missing one.
    """
    if not isinstance(value, dict) or isinstance(value, wire.Duplicates):
        raise Refused
    result = {}
    for name, kind, optional in fields:
        if name in value:
            result[name] = kind(value[name])
        elif not optional:
            raise Refused
    if not relaxed and len(result) != len(value):
        raise Refused
    return result


def array(value, function, limit=None):
    """Read an array, each element by ``function``.

    :param limit: how many elements are taken at most.
    """
    if not isinstance(value, list):
        raise Refused
    if limit is not None and len(value) > limit:
        raise Refused
    return [function(item) for item in value]


def choice(*names, anycase=False):
    """Make a decoder of one of some words; returns the word.

    :param anycase: whether capital letters are small ones to it.
    """
    def decode(value):
        text = string(value)
        if anycase:
            text = text.lower()
        if text not in names:
            raise Refused
        return text
    return decode
