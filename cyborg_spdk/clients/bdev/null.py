# SPDX-License-Identifier: Apache-2.0

"""Bdevs that forget what is written to them."""

from typing import Any
from uuid import UUID

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import plain
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def create(client: base.Caller, name: str, size: int | str, block_size: int,
           *, uuid: str | UUID | None = None, exist_ok: bool = False,
           **options: Any) -> str:
    """Create a bdev that forgets what is written to it.

    :param name: its name.
    :param size: bytes, or with a unit: ``"64MiB"``.
    :param block_size: bytes of a block, a multiple of 512.
    :param uuid: its UUID; None lets the target choose.
    :param exist_ok: do not mind if it exists with these properties.
    :param options: others that the release has: md_size, dif_type,
        dif_is_head_of_md, physical_block_size, dif_pi_format.
    :returns: its name.
    :raises AlreadyExists: the name or the UUID is taken, or ``exist_ok`` is
        set and the existing one has other properties.
    """
    validate.text('bdev', name)
    return plain.create(client, 'bdev_null_create', 'Null disk', name, size,
                        block_size, uuid, exist_ok, options)


def resize(client: base.Caller, name: str, new_size: int | str) -> bool:
    """Make a null bdev larger (v21.01).

    :param name: its name.
    :param new_size: bytes, or with a unit; whole MiB, not less than it
        has.
    :returns: True.
    :raises NotFound: there is no null bdev of that name.
    :raises InvalidParams: it is larger than that already.
    """
    validate.text('bdev', name)
    mebibytes = validate.mebibytes('new_size', new_size)

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        return bdevs.not_of_kind(client, name, 'null') or (
            type(exc), f'null bdev {name!r} cannot become smaller '
            f'({mebibytes} MiB)')

    return base.act(client, 'bdev_null_resize', name=name,
                    new_size=mebibytes, _about=f'null bdev {name!r}',
                    _cause=cause)
