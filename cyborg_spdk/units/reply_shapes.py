# SPDX-License-Identifier: Apache-2.0

"""Replies that a report stands on have to look as SPDK sends them.

What looks otherwise is not read as "there is nothing": a target that seems
empty by mistake would lose its accelerators in Cyborg.
"""

from collections.abc import Iterable
from typing import Any

from cyborg_spdk import exceptions

# Members that every release from v18.07 on sends, with their types; a list
# of one shape means a list of objects of that shape.
_BDEV: dict[str, Any] = {'name': str, 'block_size': int, 'num_blocks': int}
_SHAPES: dict[str, Any] = {
    'bdev_get_bdevs': [_BDEV],
    'nvmf_get_subsystems': [{'nqn': str, 'subtype': str}],
    'vhost_get_controllers': [
        {'ctrlr': str, 'socket': str, 'backend_specific': dict}],
    'iscsi_get_target_nodes': [{'name': str, 'luns': [{'lun_id': int}]}],
    'iscsi_get_portal_groups': [
        {'tag': int, 'portals': [{'host': str, 'port': str}]}],
    'accel_get_opc_assignments': dict,
}
_SUBSYSTEM: dict[str, Any] = {'namespaces': [{'nsid': int}],
                              'listen_addresses': [{}]}
_SCSI: dict[str, Any] = {'scsi': [{'scsi_dev_num': int, 'luns': [{}]}]}


def check(address: str, method: str, reply: Any) -> None:
    """Refuse a reply that is none.

    :param address: of the target, for the message.
    :param method: what was called.
    :param reply: the result.
    :raises ProtocolError: naming what is missing or of another type.
    """
    wrong = _wrong(_SHAPES[method], reply, 'result')
    if wrong is None and method == 'nvmf_get_subsystems':
        wrong = _first(_wrong(_SUBSYSTEM, one, one['nqn']) for one in reply
                       if one['subtype'] == 'NVMe')
    if wrong is None and method == 'vhost_get_controllers':
        wrong = _first(_wrong(_SCSI, one['backend_specific'], one['ctrlr'])
                       for one in reply if 'scsi' in one['backend_specific'])
    if wrong:
        raise exceptions.ProtocolError(
            address, f'{method}: {wrong}; is this an SPDK target?')


def _first(found: Iterable[str | None]) -> str | None:
    return next(filter(None, found), None)


def _wrong(shape: Any, value: Any, where: str) -> str | None:
    """What is wrong with a value, or None."""
    if isinstance(shape, type):
        if isinstance(value, shape) and not (
                shape is int and isinstance(value, bool)):
            return None
        return f'{where} is {value!r:.40}, not {shape.__name__}'
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f'{where} is {value!r:.40}, not a list'
        return _first(_wrong(shape[0], one, f'{where}[{place}]')
                      for place, one in enumerate(value))
    if not isinstance(value, dict):
        return f'{where} is {value!r:.40}, not an object'
    return _first(f'{where} has no {name}' if name not in value
                  else _wrong(inner, value[name], f'{where}.{name}')
                  for name, inner in shape.items())
