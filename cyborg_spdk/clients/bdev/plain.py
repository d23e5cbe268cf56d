# SPDX-License-Identifier: Apache-2.0

"""What creating a malloc and a null bdev have in common."""

from typing import Any
from uuid import UUID

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def create(client: base.Caller, method: str, product: str, name: str | None,
           size: int | str, block_size: int, uuid: str | UUID | None,
           exist_ok: bool, options: dict[str, Any]) -> str:
    """Create a bdev that has no more than a size.

    :param method: the call for it.
    :param product: what SPDK calls its product.
    :param options: further parameters.
    :returns: its name.
    """
    if name is not None:
        validate.text('bdev', name)
    validate.block_size(block_size)
    count = validate.blocks('size', size, block_size)
    if uuid is not None:
        uuid = validate.uuid('uuid', uuid)

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        return _uuid_taken(client, uuid) or _refused(exc, name, count)

    wanted: errors.Wanted = {
        'product': (product, lambda bdev: bdev.product_name),
        'block size': (block_size, _data_block_size),
        'blocks': (count, lambda bdev: bdev.num_blocks),
        'uuid': (uuid, lambda bdev: bdev.uuid)}
    return bdevs.created_name(base.create(
        client, method, f'bdev {name!r}' if name else 'a new bdev',
        lambda: bdevs.find(client, name) if name else None,
        wanted, exist_ok, cause, name=name, num_blocks=count,
        block_size=block_size, uuid=uuid, **options)) or name or ''


def _data_block_size(bdev: types.Bdev) -> int:
    # Interleaved metadata is part of the block that is reported.
    inside = bdev.md_size if bdev.raw.get('md_interleave') else 0
    return bdev.block_size - inside


def _uuid_taken(client: base.Caller,
                uuid: str | UUID | None) -> errors.Finding | None:
    for bdev in bdevs.get(client) if uuid else ():
        if bdev.uuid == uuid or uuid in bdev.aliases:
            return (exceptions.AlreadyExists,
                    f'uuid {uuid} is that of bdev {bdev.name!r}')
    return None


def _refused(exc: exceptions.RpcError, name: str | None,
             count: int) -> errors.Finding:
    reason = 'the target has not so much memory' if isinstance(
        exc, exceptions.NoSpace) else \
        'not so much memory, or a value does not suit'
    return type(exc), f'{name or "a new bdev"!r} of {count} blocks: {reason}'
