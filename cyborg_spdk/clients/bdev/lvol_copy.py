# SPDX-License-Identifier: Apache-2.0

"""Shallow copies of logical volumes (v24.05)."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients.bdev import lvol_pair
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def start(client: base.Caller, src_lvol_name: str,
          dst_bdev_name: str) -> int:
    """Copy what an lvol itself has, not what its snapshots have.

    v24.05; it goes on in the background: ``bdev_lvol_check_shallow_copy``
    tells how far it is.

    :param src_lvol_name: ``store/name`` or UUID of a read-only lvol, such
        as a snapshot.
    :param dst_bdev_name: a bdev of that size at least, whose blocks are not
        larger; it is claimed until the copy is done, and the rest of it
        stays as it is.
    :returns: number of the operation.
    :raises NotFound: one of the two does not exist.
    :raises InvalidParams: the lvol can be written to, or the bdev does not
        suit.
    :raises PermissionDenied: a module has claimed the bdev.
    """
    method = 'bdev_lvol_start_shallow_copy'
    pair = lvol_pair.read(client, method, src_lvol_name, dst_bdev_name)
    why = _unfit(pair, src_lvol_name, dst_bdev_name)
    if why:
        raise lvol_pair.unfit(method, why)
    result = base.call(
        client, method, src_lvol_name=src_lvol_name,
        dst_bdev_name=dst_bdev_name,
        _about=f'copy of lvol {src_lvol_name!r} to {dst_bdev_name!r}',
        _cause=lambda _exc: claims.claimed(client, dst_bdev_name))
    operation_id: int = result['operation_id']
    return operation_id


def _unfit(pair: lvol_pair.Pair, source_name: str,
           copy_name: str) -> str | None:
    """Why the one cannot be copied to the other, or None.

    SPDK starts such an operation, which then fails without a reason
    (lib/blob/blobstore.c, bs_shallow_copy_blob_open_cpl).
    """
    source, copy = pair.lvol, pair.other
    if source.name == copy.name:
        return f'{copy_name!r} is the lvol itself'
    if source.supported_io_types.get('write'):
        return f'lvol {source_name!r} can be written to: give a snapshot, ' \
            'or bdev_lvol_set_read_only'
    if copy.size < source.size:
        return f'bdev {copy_name!r} has {copy.size} bytes, lvol ' \
            f'{source_name!r} has {source.size}'
    if copy.block_size == 0 or source.block_size % copy.block_size:
        return f'blocks of {copy.block_size} bytes of bdev {copy_name!r} ' \
            f'do not fit those of {source.block_size} of lvol ' \
            f'{source_name!r}'
    return None


def check(client: base.Caller, operation_id: int) -> types.ShallowCopy:
    """How far a shallow copy is (v24.05).

    SPDK forgets an operation once it has told that it is done.

    :param operation_id: what ``bdev_lvol_start_shallow_copy`` returned.
    :returns: :class:`~cyborg_spdk.clients.types.ShallowCopy`.
    :raises NotFound: there is none of that number, or its end was told
        already.
    """
    validate.integer('operation_id', operation_id, 0, 2 ** 32 - 1)

    def cause(exc: exceptions.RpcError) -> errors.Finding | None:
        if not isinstance(exc, exceptions.NotFound):
            return None
        return type(exc), f'there is no shallow copy {operation_id}, or ' \
            'its end was told already'

    return types.ShallowCopy.parse(base.call(
        client, 'bdev_lvol_check_shallow_copy', operation_id=operation_id,
        _about=f'shallow copy {operation_id}', _cause=cause))
