# SPDX-License-Identifier: Apache-2.0
"""What a C file of SPDK declares: functions, tables, registrations.

This is no parser of C. It relies on what SPDK's ``scripts/check_format.sh``
holds every file to: a function's name begins a line, and its braces stand in
the first column.
"""

import dataclasses
import re

Field = tuple[str, str, bool]

_COMMENT = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', re.S)
_FUNCTION = re.compile(
    r'^(?:\w[\w \t*]*[ \t*])?(\w+)\(([^;{}()]*)\)\n\{(.*?)^\}', re.M | re.S)
_TABLE = re.compile(
    r'struct spdk_json_object_decoder\s+(\w+)\[\]\s*=\s*\{(.*?)\};', re.S)
_FIELD = re.compile(r'\{\s*"([^"]+)"\s*,([^{}]*)\}')
_REGISTER = re.compile(
    r'SPDK_RPC_REGISTER\(\s*"(\w+)"\s*,\s*(\w+)\s*(?:,\s*([^)]*?)\s*)?\)')
_ALIAS = re.compile(
    r'^SPDK_RPC_REGISTER_ALIAS_DEPRECATED\(\s*(\w+)\s*,\s*(\w+)\s*\)', re.M)
_PREFIX = 'spdk_json_decode_'


@dataclasses.dataclass(frozen=True)
class Function:
    """A function of a C file: names of its parameters, and its body."""

    name: str
    params: tuple[str, ...]
    body: str


@dataclasses.dataclass(frozen=True)
class Source:
    """What one C file declares.

    :ivar functions: by name.
    :ivar tables: tables of ``struct spdk_json_object_decoder`` by name.
    :ivar registered: ``(method, function, state mask or '')``.
    :ivar aliases: ``(deprecated name, method)``.
    """

    functions: dict[str, Function]
    tables: dict[str, list[Field]]
    registered: list[tuple[str, str, str]]
    aliases: list[tuple[str, str]]


def parse(text: str) -> Source:
    """Read a C file.

    :param text: its content.
    :raises ValueError: if a table has an entry that is not understood.
    """
    text = _COMMENT.sub(_without_comment, text)
    functions = {}
    for name, params, body in _FUNCTION.findall(text):
        functions[name] = Function(name, _names(params), body)
    return Source(
        functions, {name: _fields(name, body)
                    for name, body in _TABLE.findall(text)},
        [match for match in _REGISTER.findall(text)],
        [(alias, method) for method, alias in _ALIAS.findall(text)])


def _without_comment(match: re.Match[str]) -> str:
    return ' ' if match[0].startswith('/') else match[0]


def _names(params: str) -> tuple[str, ...]:
    return tuple(words[-1] for words in
                 (re.findall(r'\w+', one) for one in params.split(','))
                 if words)


def _fields(table: str, body: str) -> list[Field]:
    fields = []
    for name, rest in _FIELD.findall(body):
        parts = [part.strip() for part in rest.split(',') if part.strip()]
        optional = parts[-1] == 'true'
        if parts[-1] in ('true', 'false'):
            parts.pop()
        fields.append((name, decoder_name(parts[-1].split()[-1]), optional))
    if 2 * len(fields) != body.count('"'):
        raise ValueError(f'{table}: an entry is not understood')
    return fields


def decoder_name(function: str) -> str:
    """The name of a type: without SPDK's prefix where it is SPDK's own."""
    return function.removeprefix(_PREFIX)
