# SPDX-License-Identifier: Apache-2.0

"""The file of units: read, with the line of each value, and validated."""

from collections.abc import Iterable
from typing import Any
import warnings

import jsonschema
import yaml

from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files

_LIMIT = 1 << 20
_DEEPEST = 32

_NAME = '^[a-z0-9][a-z0-9._-]{0,39}$'
_SIZE = {'anyOf': [{'type': 'integer', 'minimum': 1},
                   {'type': 'string', 'minLength': 1}]}
_WIPE = {
    'oneOf': [
        {'enum': ['zeroes', 'nvme', 'format', 'sanitize', 'none']},
        {'type': 'object', 'additionalProperties': False, 'properties': {
            'method': {'enum': ['zeroes', 'nvme', 'format', 'sanitize',
                                'none']},
            'depth': {'type': 'integer', 'minimum': 1, 'maximum': 64},
            'size_mb': {'type': 'integer', 'minimum': 1, 'maximum': 256},
            'rate_mb': {'type': 'integer', 'minimum': 0}}}]}
_DISK = {
    'type': 'object', 'additionalProperties': False,
    'properties': {
        'pci': {'type': 'string', 'pattern':
                '^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]$'},
        'namespace': {'type': 'integer', 'minimum': 1},
        'file': {'type': 'string', 'pattern': '^/'},
        'device': {'type': 'string', 'pattern': '^/dev/'},
        'size': _SIZE,
        'engine': {'enum': ['aio', 'uring']},
        'block_size': {'enum': [512, 4096]}},
    'oneOf': [{'required': ['pci']}, {'required': ['file']},
              {'required': ['device']}]}
_POOL = {
    'type': 'object', 'additionalProperties': False,
    'required': ['name', 'target', 'disks'],
    'properties': {
        'name': {'type': 'string', 'pattern': _NAME},
        'target': {'type': 'string', 'minLength': 1},
        'disks': {'type': 'array', 'minItems': 1, 'items': _DISK},
        'raid': {'type': 'object', 'additionalProperties': False,
                 'required': ['level'], 'properties': {
                     'level': {'enum': [0, 1, '0', '1', '5f', 'concat']},
                     'strip_size_kb': {'type': 'integer', 'minimum': 1}}},
        'cluster_size': _SIZE,
        'thin': {'type': 'boolean'},
        'overcommit': {'type': 'number', 'minimum': 1},
        'wipe': _WIPE}}
_LIMITS = {
    'type': 'object', 'additionalProperties': False, 'properties': {
        name: {'type': 'integer', 'minimum': 0}
        for name in ('rw_ios_per_sec', 'rw_mbytes_per_sec',
                     'r_mbytes_per_sec', 'w_mbytes_per_sec')}}
_UNITS = {
    'type': 'object', 'additionalProperties': False,
    'required': ['pool', 'name', 'size', 'export'],
    'properties': {
        'pool': {'type': 'string'},
        'name': {'type': 'string',
                 'pattern': '^[a-z0-9][a-z0-9._{}:-]{0,39}$'},
        'count': {'type': 'integer', 'minimum': 1, 'maximum': 4096},
        'size': _SIZE,
        'export': {'enum': ['nvmf', 'vhost-blk', 'iscsi']},
        'nqn': {'type': 'string', 'pattern': '^nqn\\.'},
        'listeners': {'type': 'array', 'minItems': 1,
                      'items': {'type': 'string'}},
        'portals': {'type': 'array', 'minItems': 1,
                    'items': {'type': 'string'}},
        'tls': {'type': 'boolean'},
        'encryption': {'type': 'boolean'},
        'qos_class': {'type': 'string',
                      'pattern': '^[a-z0-9][a-z0-9_]{0,39}$'},
        'limits': _LIMITS}}
SCHEMA = {
    'type': 'object', 'additionalProperties': False,
    'required': ['pools'],
    'properties': {'pools': {'type': 'array', 'items': _POOL},
                   'units': {'type': 'array', 'items': _UNITS}}}

_Path = tuple[str | int, ...]


class Document:
    """A file that was read and fits the schema.

    :ivar path: of the file.
    :ivar content: what it holds.
    """

    def __init__(self, path: str, content: dict[str, Any],
                 lines: dict[_Path, int]) -> None:
        self.path = path
        self.content = content
        self._lines = lines

    def error(self, where: Iterable[str | int], value: object,
              reason: str) -> exceptions.InvalidValue:
        """The error about one value: file, line, value, remedy.

        :param where: keys and positions from the top.
        :param value: the value.
        :param reason: what is wrong, and what to do.
        """
        return _error(self.path, self._lines, tuple(where), value, reason,
                      self.content)


def _error(path: str, lines: dict[_Path, int], where: _Path, value: object,
           reason: str, content: Any = None) -> exceptions.InvalidValue:
    known = where
    while known and known not in lines:
        known = known[:-1]
    return exceptions.InvalidValue(
        f'{path}, line {lines.get(known, 1)}: {_said(where, content)}',
        value, reason)


def _said(where: _Path, content: Any) -> str:
    """A place as a person says it: ``unit vol{n}, limits rw_ios_per_sec``.

    :param where: keys and positions from the top.
    :param content: what the file holds, as far as it was read.
    """
    if len(where) < 2 or where[0] not in ('pools', 'units'):
        return ' '.join(map(str, where)) or 'the file'
    found = content
    for one in where[:2]:
        try:
            found = found[one]
        except (KeyError, IndexError, TypeError):
            found = None
    name = found.get('name') if isinstance(found, dict) else None
    entry = f'{str(where[0])[:-1]} ' + (
        name if isinstance(name, str) else f'number {int(where[1]) + 1}')
    rest = ' '.join(str(one + 1) if isinstance(one, int) else one
                    for one in where[2:])
    return f'{entry}, {rest}' if rest else entry


def read(path: str) -> Document:
    """Read and validate a file.

    :param path: ``[spdk] units_file``.
    :raises InvalidValue: it names line, value and remedy.
    :raises StateError: if it cannot be read.
    """
    data = trusted_files.read(path, follow=True, limit=_LIMIT)
    if data is None:
        raise exceptions.ConfigurationError(
            '[spdk] units_file', path, 'there is no such file')
    lines: dict[_Path, int] = {}
    try:
        loader = yaml.SafeLoader(data)
        node = loader.get_single_node()
        content = {} if node is None else _value(path, loader, node, (),
                                                 lines, set())
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        if isinstance(exc, exceptions.InvalidValue):
            raise
        mark = getattr(exc, 'problem_mark', None)
        where = f', line {mark.line + 1}' if mark else ''
        raise exceptions.InvalidValue(
            f'{path}{where}', getattr(exc, 'problem', None) or 'the file',
            'it is not YAML; see units.yaml in etc/cyborg_spdk') from None
    _validate(path, content, lines)
    return Document(path, content, lines)


def _value(path: str, loader: yaml.SafeLoader, node: yaml.Node,
           where: _Path, lines: dict[_Path, int], seen: set[int]) -> Any:
    """The value of a node; each node once, so that no alias multiplies."""
    if len(where) > _DEEPEST or id(node) in seen:
        raise _error(path, {where: node.start_mark.line + 1}, where, '...',
                     'it is nested too deep, or an alias; write it out')
    seen.add(id(node))
    lines[where] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_value(path, loader, one, (*where, number), lines, seen)
                for number, one in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    found = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node)
        if not isinstance(key, str) or key in found:
            raise _error(path, {where: key_node.start_mark.line + 1}, where,
                         key, 'it is there twice' if key in found
                         else 'a name is needed')
        found[key] = _value(path, loader, value_node, (*where, key), lines,
                            seen)
    return found


def _validate(path: str, content: Any, lines: dict[_Path, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        errors = sorted(jsonschema.Draft7Validator(SCHEMA).iter_errors(
            content), key=lambda one: list(map(str, one.absolute_path)))
    if not errors:
        return
    found = errors[0]
    # Of alternatives, what fits best says most.
    if found.context:
        deeper = [one for one in found.context
                  if one.validator not in ('type', 'required')]
        found = max(deeper or [found],
                    key=lambda one: len(one.absolute_path))
    where, value = tuple(found.absolute_path), found.instance
    if found.validator == 'additionalProperties':
        name = _unknown(found)
        where, value = (*where, name), value[name]
    raise _error(path, lines, where, _short(value), _reason(found), content)


def _unknown(found: Any) -> str:
    """The first of the keys that are not known."""
    return min(set(found.instance) - set(found.schema['properties']))


def _short(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool)) or \
        value is None else '...'


def _reason(found: Any) -> str:
    wanted = found.validator_value
    if found.validator == 'additionalProperties':
        return (f'{_unknown(found)} is not known here; use '
                + ', '.join(sorted(found.schema['properties'])))
    if found.validator == 'required':
        names = [one for one in wanted if one not in found.instance]
        return f'{names[0]} is missing'
    if found.validator == 'enum':
        return 'use one of ' + ', '.join(map(str, wanted))
    if found.validator == 'type':
        return f'it has to be of type {wanted}'
    if found.validator == 'pattern':
        return f'it has to match {wanted}'
    if found.validator == 'oneOf' and 'pci' in found.schema.get(
            'properties', ()):
        return 'a disk has one of pci, file, device'
    if found.validator in ('minimum', 'maximum', 'minItems'):
        return f'{found.validator} is {wanted}'
    return 'it has another form; see units.yaml in etc/cyborg_spdk'
