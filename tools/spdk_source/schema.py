# SPDX-License-Identifier: Apache-2.0
"""The tables that SPDK's build generates from its schema (since v26.05).

As ``include/spdk_internal/rpc_autogen.h.jinja2`` makes them.
"""

from typing import Any

from spdk_source import csource

_CLASSES = ('enum', 'object', 'array', 'bitmask')


def tables(schema: dict[str, Any]) -> dict[str, list[csource.Field]]:
    """Tables of ``struct spdk_json_object_decoder`` by their names.

    :param schema: the parsed ``schema/schema.json`` or ``schema.yaml``.
    """
    made = {}
    for one in schema.get('objects', ()):
        made[f'rpc_{one["name"]}_decoders'] = [
            _field(field) for field in one['fields']
            if field['type'] != 'array']
    for one in schema.get('methods', ()):
        if one['params']:
            made[f'rpc_{one["name"]}_decoders'] = [
                _field(param) for param in one['params']]
    return made


def nested(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the generated decoders take, by their names."""
    made: dict[str, dict[str, Any]] = {}
    for one in schema.get('enums', ()):
        made['rpc_decode_' + one['name']] = {
            'choice': [field['name'] for field in one['fields']]}
    for one in schema.get('objects', ()):
        made['rpc_decode_' + one['name']] = {
            'fields': [list(_field(field)) for field in one['fields']
                       if field['type'] != 'array']}
    for one in schema.get('arrays', ()):
        name = 'rpc_decode_' + one['name']
        made[name] = {'array': _item(one), 'limit': one['max_count']}
        if one.get('bitmask'):
            made[name + '_bitmask'] = dict(made[name])
    for one in schema.get('bitmasks', ()):
        made['rpc_decode_' + one['name']] = {
            'array': 'rpc_decode_' + one['enum'], 'limit': one['width']}
    return made


def _item(array: dict[str, Any]) -> str:
    if array['item_type'] in ('object', 'enum'):
        return 'rpc_decode_' + str(array['class'])
    return _plain(array['item_type'])


def _plain(kind: str) -> str:
    return 'bool' if kind == 'boolean' else kind


def _field(param: dict[str, Any]) -> csource.Field:
    if param.get('decoder'):
        kind = param['decoder']
    elif param.get('deprecated'):
        kind = 'rpc_decode_' + param['name']
    elif param['type'] in _CLASSES:
        kind = 'rpc_decode_' + param['class']
    else:
        kind = _plain(param['type'])
    return (param['name'], csource.decoder_name(kind),
            not param.get('required', False))


def plain(schema: dict[str, Any]) -> dict[str, str]:
    """The types that generated decoders of deprecated parameters read."""
    return {'rpc_decode_' + param['name']: _plain(param['type'])
            for one in (*schema.get('methods', ()),
                        *schema.get('objects', ()))
            for param in one.get('params') or one.get('fields') or ()
            if param.get('deprecated')}
