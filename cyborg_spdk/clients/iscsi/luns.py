# SPDX-License-Identifier: Apache-2.0

"""LUNs of iSCSI target nodes."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.iscsi import target_nodes
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate


def add(client: base.Caller, name: str, bdev_name: str, *,
        lun_id: int | None = None, exist_ok: bool = False) -> int:
    """Give a target node another LUN.

    :param name: the target node.
    :param bdev_name: the bdev.
    :param lun_id: its number; None takes the first that is free.
    :param exist_ok: do not mind if the bdev is a LUN of it already, of that
        number if one is given.
    :returns: the number.
    :raises NotFound: no such target node or bdev.
    :raises AlreadyExists: the number is taken.
    """
    full = target_nodes.full_name(client, name)
    validate.text('bdev', bdev_name)
    if lun_id is not None:
        validate.integer('lun_id', lun_id, 0, validate.SCSI_LUNS - 1)
    before = target_nodes.get(client, full)[0]
    if exist_ok:
        for number in _numbers(before, bdev_name):
            if lun_id in (None, number):
                return number
    method = 'iscsi_target_node_add_lun'
    taken = before.lun(lun_id) if lun_id is not None else None
    if taken is not None:
        # v18.01 puts the new one in its place (lib/scsi/dev.c).
        raise errors.taken(
            method, {'name': full},
            f'LUN {lun_id} of {full} is bdev {taken.bdev_name!r}')
    base.call(client, method, name=full, bdev_name=bdev_name, lun_id=lun_id,
              _about=f'bdev {bdev_name!r} as LUN of {full}',
              _cause=lambda _exc: claims.claimed(client, bdev_name))
    if lun_id is not None:
        return lun_id
    # SPDK does not tell which number it took.
    after = target_nodes.get(client, full)[0]
    former = _numbers(before, bdev_name)
    return next(number for number in _numbers(after, bdev_name)
                if number not in former)


def _numbers(node: types.TargetNode, bdev_name: str) -> list[int]:
    """Numbers of the LUNs of a node that are one bdev."""
    return [lun.lun_id for lun in node.luns if lun.bdev_name == bdev_name]
