# SPDX-License-Identifier: Apache-2.0

"""Bdevs in the memory of the target."""

from typing import Any
from uuid import UUID

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import plain


def create(client: base.Caller, name: str | None, size: int | str,
           block_size: int, *, uuid: str | UUID | None = None,
           exist_ok: bool = False, **options: Any) -> str:
    """Create a bdev in the memory of the target.

    :param name: its name; None lets the target choose ``MallocN``.
    :param size: bytes, or with a unit: ``"64MiB"``.
    :param block_size: bytes of a block, a multiple of 512.
    :param uuid: its UUID; None lets the target choose.
    :param exist_ok: do not mind if it exists with these properties.
    :param options: others that the release has: optimal_io_boundary,
        md_size, md_interleave, dif_type, dif_is_head_of_md,
        physical_block_size, dif_pi_format, numa_id.
    :returns: its name.
    :raises AlreadyExists: the name or the UUID is taken, or ``exist_ok`` is
        set and the existing one has other properties.
    :raises NoSpace: the target has not so much memory.
    """
    return plain.create(client, 'bdev_malloc_create', 'Malloc disk', name,
                        size, block_size, uuid, exist_ok, options)
