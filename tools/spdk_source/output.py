# SPDX-License-Identifier: Apache-2.0
"""How a table is written, and compared with the one that is there."""

from collections.abc import Iterator
import hashlib
import json
from typing import Any

_BY = 'tools/spdk_facts.py wrote this from the source of SPDK; see its --help'


def digest(table: dict[str, Any]) -> str:
    """What tells a table that was edited by hand.

    :param table: a table, with or without its stamp.
    """
    rest = {key: value for key, value in table.items()
            if key not in ('generated', 'sha256')}
    text = json.dumps(rest, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()


def text(table: dict[str, Any]) -> str:
    """A table as JSON with its stamp, one line for each name."""
    table = {'generated': _BY, 'sha256': digest(table), **table}
    parts = [f'{json.dumps(key)}: {_value(value)}'
             for key, value in table.items()]
    return '{\n' + ',\n'.join(parts) + '\n}\n'


def _value(value: Any) -> str:
    if not isinstance(value, dict):
        return _compact(value)
    lines = [f'{json.dumps(key)}: {_compact(inner)}'
             for key, inner in value.items()]
    return '{\n' + ',\n'.join(lines) + '\n}'


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(',', ':'))


def differences(there: Any, made: Any, path: str = '') -> Iterator[str]:
    """What differs between two tables, a line each.

    :param there: the table that is there.
    :param made: what SPDK's source says.
    :param path: where both are in their tables.
    """
    if isinstance(there, dict) and isinstance(made, dict):
        for key in sorted({*there, *made}):
            where = f'{path}.{key}' if path else key
            if key not in made:
                yield f'{where}: SPDK has no such thing'
            elif key not in there:
                yield f'{where}: missing: {_compact(made[key])}'
            else:
                yield from differences(there[key], made[key], where)
    elif there != made:
        yield f'{path}: {_compact(there)}, by SPDK {_compact(made)}'
