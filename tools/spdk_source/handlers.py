# SPDX-License-Identifier: Apache-2.0
"""What the function behind an RPC method takes and answers.

A function decodes its parameters by one call of
``spdk_json_decode_object()``, itself or in a function that it calls, or
refuses any, or does not look at them.
"""

import dataclasses
import re
from typing import Any

from spdk_source import csource

_DECODE = r'spdk_json_decode_object(_relaxed)?\s*\(\s*{}\s*,\s*(\w+)'
_SEND = re.compile(
    r'spdk_jsonrpc_send_error_response(?:_fmt)?\s*\(\s*[\w>.-]+\s*,'
    r'(?:\s*id\s*,)?')
_GOTO = re.compile(r'goto\s+(\w+)\s*;')
_STRING = re.compile(r'"((?:\\.|[^"\\])*)"')
_CODES = {'SPDK_JSONRPC_ERROR_PARSE_ERROR': -32700,
          'SPDK_JSONRPC_ERROR_INVALID_REQUEST': -32600,
          'SPDK_JSONRPC_ERROR_METHOD_NOT_FOUND': -32601,
          'SPDK_JSONRPC_ERROR_INVALID_PARAMS': -32602,
          'SPDK_JSONRPC_ERROR_INTERNAL_ERROR': -32603,
          '-EINVAL': -22, '-ENOMEM': -12}
_CALL = (r'(\w+)\(([^;{{}}()]*\b{}\b'
         r'(?:[^;{{}}()]|\(\w+\))*)\)')
_MAX_DEPTH = 4

Error = list[Any]


@dataclasses.dataclass
class Found:
    """Where a function decodes its parameters."""

    table: str
    relaxed: bool
    absent_ok: bool
    error: Error | None


class Handlers:
    """The functions and tables of one release.

    :param sources: path -> :class:`csource.Source`.
    :param tables: tables that SPDK's build generates, by name.
    """

    def __init__(self, sources: dict[str, csource.Source],
                 tables: dict[str, list[csource.Field]]) -> None:
        self._sources = sources
        self._tables = tables
        self._functions: dict[str, str] = {}
        for path, source in sources.items():
            for name in source.functions:
                self._functions.setdefault(name, path)

    def spec(self, path: str, name: str) -> dict[str, Any] | None:
        """Describe a method by its function.

        :param path: the file that registers it.
        :param name: the function's name.
        :returns: ``fields`` (list, or None for no parameters at all),
            ``relaxed``, ``absent_ok``, ``absent_error`` (it has an error
            of its own for that) and ``error``, each only if it says
            something; None if there is no such function.
        """
        where = self._find(path, name)
        if where is None:
            return None
        function = where[1]
        # Before v17.07 the identifier of the request comes behind them.
        param = 'params' if 'params' in function.params \
            else function.params[-1]
        found = self._decode(where[0], function, param, 0)
        if found is None:
            return _without_table(function.body, param)
        spec: dict[str, Any] = {
            'fields': [list(field) for field
                       in self.table(where[0], found.table)]}
        if found.relaxed:
            spec['relaxed'] = True
        if found.absent_ok:
            spec['absent_ok'] = True
        if found.error is not None:
            spec['error'] = found.error
        absent = _absent(function.body, param)
        if absent and _SEND.search(_block(function.body, absent.start())):
            spec['absent_error'] = True
        return spec

    def table(self, path: str, name: str) -> list[csource.Field]:
        """A table by its name, looked for in a file first."""
        own = self._sources[path].tables
        if name in own:
            return own[name]
        if name in self._tables:
            return self._tables[name]
        for source in self._sources.values():
            if name in source.tables:
                return source.tables[name]
        raise ValueError(f'{path}: no table {name}')

    def _find(self, path: str, name: str) \
            -> tuple[str, csource.Function] | None:
        if name not in self._sources[path].functions:
            if name not in self._functions:
                return None
            path = self._functions[name]
        return path, self._sources[path].functions[name]

    def _decode(self, path: str, function: csource.Function, param: str,
                depth: int) -> Found | None:
        own = _own_decode(function.body, param)
        if own is not None or depth == _MAX_DEPTH:
            return own
        for call in re.finditer(_CALL.format(param), function.body):
            where = self._find(path, call[1])
            args = [arg.strip() for arg in call[2].split(',')]
            if where is None or where[1] is function or param not in args \
                    or len(args) != len(where[1].params):
                continue
            inner = dict(zip(where[1].params, args, strict=True))
            found = self._decode(
                *where, where[1].params[args.index(param)], depth + 1)
            if found is not None:
                found.table = inner.get(found.table, found.table)
                found.absent_ok |= _is_guarded(
                    function.body[:call.start()], param)
                found.error = found.error or _error(function.body,
                                                    call.start())
                return found
        return None


def _own_decode(body: str, param: str) -> Found | None:
    """How a function decodes its parameters itself.

    Some try twice: first as they should be, then with what others read.
    """
    matches = list(re.finditer(_DECODE.format(param), body))
    if not matches:
        return None
    first = matches[0]
    again = [match for match in matches if match[2] == first[2]]
    errors = [_error(body, match.start()) for match in again]
    return Found(first[2], any(match[1] for match in again),
                 _is_guarded(body[:first.start()], param),
                 next((error for error in errors if error), None))


def _is_guarded(before: str, param: str) -> bool:
    """Whether what follows is done only if there are parameters."""
    return bool(re.search(
        rf'if\s*\(\s*{param}\s*(!=\s*NULL\s*)?(\)|&&)|'
        rf'if\s*\(\s*NULL\s*!=\s*{param}', before)
        or _absent(before, param))


def _absent(before: str, param: str) -> re.Match[str] | None:
    """Where it is asked whether there are no parameters."""
    return re.search(rf'if\s*\(\s*(!{param}|{param}\s*==\s*NULL)\s*\)',
                     before)


def _without_table(body: str, param: str) -> dict[str, Any]:
    match = re.search(
        rf'if\s*\(\s*{param}\s*(!=\s*NULL\s*)?\)', body)
    if match is None:
        return {}
    error = _error(body, match.start())
    return {} if error is None else {'fields': None, 'error': error}


def _error(body: str, start: int) -> Error | None:
    """What is answered if the condition behind a place is true."""
    block = _block(body, start)
    match = _SEND.search(block)
    if match is not None:
        return _sent(block[match.end():], block[:match.start()])
    jump = _GOTO.search(block)
    if jump is None:
        return None
    label = re.search(rf'^{jump[1]}:', body, re.M)
    match = label and _SEND.search(body, label.end())
    return _sent(body[match.end():], block) if match else None


def _block(body: str, start: int) -> str:
    opening = body.find('{', start)
    if opening < 0:
        return ''
    depth = 0
    for at in range(opening, len(body)):
        depth += {'{': 1, '}': -1}.get(body[at], 0)
        if not depth:
            return body[opening:at]
    return body[opening:]


def _sent(text: str, before: str) -> Error:
    """Code and text of an error.

    :param text: the arguments of the call that sends it, from the code on.
    :param before: what is done before, where variables may be set.
    """
    code, _, rest = text.partition(',')
    code = _assigned(code.strip(), before)
    message = rest[:rest.find(';')].strip().removesuffix(')').strip()
    literal = re.search(rf'snprintf\(\s*{re.escape(message)}\s*,[^,"]*,'
                        r'\s*("(?:\\.|[^"\\])*")', before)
    if literal:
        message = literal[1]
    if message.startswith('"'):
        message = ''.join(_STRING.findall(message))
        message = message.encode().decode('unicode_escape')
    elif message == 'buf' or message.startswith('strerror'):
        # The words of an error number, as later releases write it.
        message = 'spdk_strerror(-rc)'
    return [_CODES.get(code, code), message]


def _assigned(name: str, before: str) -> str:
    values: list[str] = re.findall(rf'\b{re.escape(name)}\s*=\s*([-\w]+)\s*;',
                                   before)
    return values[-1] if values else name
