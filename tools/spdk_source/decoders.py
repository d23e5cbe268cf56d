# SPDX-License-Identifier: Apache-2.0
"""What the functions take that decode one parameter."""

import re
from typing import Any

from spdk_source import csource
from spdk_source import handlers

_OBJECT = re.compile(r'spdk_json_decode_object(_relaxed)?\s*\(\s*\w+\s*,\s*'
                     r'(\w+)')
_CHOICE = re.compile(r'spdk_json_strequal\s*\(\s*\w+\s*,\s*"([^"]+)"')
_ARRAY = re.compile(r'spdk_json_decode_array\s*\(\s*\w+\s*,\s*(\w+)')


def describe(known: handlers.Handlers, path: str, function: csource.Function) \
        -> dict[str, Any] | None:
    """Describe a decoder that takes an object or an array.

    :param known: the release's functions and tables.
    :param path: the file that the function is in.
    :returns: ``fields`` (and ``relaxed``) of an object, ``array``: the type
        of the elements, or ``choice``: words; None if it takes something
        else.
    """
    match = _OBJECT.search(function.body)
    if match is not None:
        spec: dict[str, Any] = {'fields': [
            list(field) for field in known.table(path, match[2])]}
        if match[1]:
            spec['relaxed'] = True
        return spec
    match = _ARRAY.search(function.body)
    if match is not None:
        return {'array': csource.decoder_name(match[1])}
    words = _CHOICE.findall(function.body)
    return {'choice': words} if words else None


_PLAIN = re.compile(r'\bspdk_json_(?:decode|number_to)_(\w+)\s*\(')
_TEXT = re.compile(r'\bspdk_json_(?:strequal|strdup)\s*\(')


def plain(body: str) -> str:
    """SPDK's type that a decoder of its own reads.

    :param body: the function's body.
    :returns: ``'string'``, ``'uint32'``, ...; ``''`` if it is not clear.
    """
    match = _PLAIN.search(body)
    if match is not None:
        return match[1]
    return 'string' if _TEXT.search(body) else ''
