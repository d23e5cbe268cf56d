# SPDX-License-Identifier: Apache-2.0

"""Bdevs on a file or block device of the target's host."""

from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def create(client: base.Caller, filename: str, name: str,
           block_size: int | None = None, *, readonly: bool | None = None,
           exist_ok: bool = False, **options: Any) -> str:
    """Create a bdev on a file or block device of the target's host.

    :param filename: path on the host of the target.
    :param name: name of the bdev.
    :param block_size: bytes of a block, a power of two from 512 on; None
        asks the block device. A regular file needs one.
    :param readonly: refuse writes (v23.01).
    :param exist_ok: do not mind if it exists with these properties.
    :param options: others that the release has: fallocate, uuid, nowait.
    :returns: its name.
    :raises NotFound: the file does not exist.
    :raises AlreadyExists: the name is taken, or ``exist_ok`` is set and
        the existing one has other properties.
    :raises InvalidParams: the block size does not fit the file.
    """
    validate.text('filename', filename, 4095)
    validate.text('bdev', name)
    if block_size is not None:
        validate.power_of_two('block_size', block_size, 512)
    wanted: errors.Wanted = {
        'product': ('AIO disk', lambda bdev: bdev.product_name),
        'filename': (filename, lambda bdev: bdev.own.get('filename')),
        'block size': (block_size, lambda bdev: bdev.block_size),
        'readonly': (readonly, lambda bdev: bdev.own.get('readonly'))}
    return bdevs.created_name(base.create(
        client, 'bdev_aio_create', f'bdev {name!r}',
        lambda: bdevs.find(client, name), wanted, exist_ok,
        lambda exc: _refused(exc, filename, block_size),
        name=name, filename=filename, block_size=block_size,
        readonly=readonly, **options)) or name


def _refused(exc: exceptions.RpcError, filename: str,
             block_size: int | None) -> errors.Finding:
    if isinstance(exc, exceptions.NotFound):
        return type(exc), f'file {filename!r} does not exist on the ' \
            'target\'s host'
    if isinstance(exc, exceptions.InvalidParams):
        return type(exc), f'file {filename!r} with block size ' \
            f'{block_size}: a regular file needs a block size, and its ' \
            'length must be a multiple of it, two blocks at least'
    return type(exc), f'file {filename!r}'


def rescan(client: base.Caller, name: str) -> bool:
    """Let an aio bdev see that its file has another size (v22.01).

    :param name: its name.
    :returns: True.
    :raises NotFound: there is no aio bdev of that name.
    """
    validate.text('bdev', name)
    wrong = bdevs.not_of_kind(client, name, 'aio')
    if wrong:
        raise errors.missing('bdev_aio_rescan', {'name': name}, wrong[1])
    # v22.01 answers "false" when it went well (bdev_aio_rpc.c).
    base.call(client, 'bdev_aio_rescan', name=name, _false_ok=True,
              _about=f'aio bdev {name!r}')
    return True
