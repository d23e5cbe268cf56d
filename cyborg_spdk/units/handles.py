# SPDX-License-Identifier: Apache-2.0

"""Attach handles: the lasting addresses of units.

================  ===========================================
kind of target    members of the flat object, all of them str
================  ===========================================
``nvmf``          ``nqn``, ``nsid``
``vhost``         ``socket``, and ``target`` of a SCSI one
``iscsi``         ``iqn``, ``lun``
================  ===========================================
"""

from collections.abc import Mapping
import hashlib
import json
from typing import Any

from cyborg_spdk import exceptions

_KINDS = {('nqn', 'nsid'): 'nvmf',
          ('socket',): 'vhost',
          ('socket', 'target'): 'vhost',
          ('iqn', 'lun'): 'iscsi'}

#: What callers may give: a dict, or the same as JSON.
AnyHandle = Mapping[str, str] | str


def parse(handle: AnyHandle) -> tuple[str, dict[str, str]]:
    """Understand a handle.

    :param handle: dict, or the same as JSON.
    :returns: pair: kind of target, dict.
    :raises InvalidValue: if it is none that a report has.
    """
    found: Any = handle
    if isinstance(handle, str):
        try:
            found = json.loads(handle)
        except (ValueError, RecursionError):
            raise exceptions.InvalidValue('attach handle', handle,
                                          'it is not JSON') from None
    if not isinstance(found, Mapping) or not all(
            isinstance(value, str) for value in found.values()):
        raise exceptions.InvalidValue('attach handle', handle,
                                      'it is no flat object of strings')
    parts = {str(name): str(value) for name, value in found.items()}
    kind = _KINDS.get(tuple(sorted(parts)))
    if kind is None:
        raise exceptions.InvalidValue(
            'attach handle', json.dumps(parts), 'it has to have nqn and '
            'nsid, socket (and target), or iqn and lun')
    for name in ('nsid', 'lun', 'target'):
        if not parts.get(name, '0').isdecimal():
            raise exceptions.InvalidValue(name, parts[name],
                                          'a number is needed')
    return kind, parts


def text(handle: AnyHandle) -> str:
    """The one spelling of a handle: canonical JSON.

    :param handle: dict, or JSON.
    :raises InvalidValue: if it is none.
    """
    return json.dumps(parse(handle)[1], sort_keys=True,
                      separators=(',', ':'))


def digest(target: str, handle: AnyHandle) -> str:
    """What files of ours are named by: 32 hexadecimal digits.

    :param target: name of the target in the configuration.
    :param handle: dict, or JSON.
    """
    return hashlib.sha256(
        f'{target}\0{text(handle)}'.encode()).hexdigest()[:32]
