# SPDX-License-Identifier: Apache-2.0

"""Changing the size of a bdev, whatever its kind."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import aio
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import lvol
from cyborg_spdk.clients.bdev import null
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import validate

_BY_KIND = {'null': null.resize, 'lvol': lvol.resize}


def resize(client: base.Caller, name: str, size: int | str | None) -> int:
    """Change the size of a bdev with the call that fits its module.

    :param name: its name, alias or UUID.
    :param size: bytes, or with a unit; whole MiB. An aio bdev takes the
        size that its file has now: None.
    :returns: the size that it has then, in bytes.
    :raises NotSupported: its module cannot do that: no release of SPDK can
        resize a malloc bdev.
    """
    bdev = bdevs.get(client, name)[0]
    kind = bdev.kind.name
    if kind == 'aio':
        if size is not None:
            validate.refuse('size', size, 'an aio bdev has the size of its '
                            'file: change that, and give None')
        aio.rescan(client, bdev.name)
    elif kind in _BY_KIND:
        if size is None:
            validate.refuse('size', size, f'a {kind} bdev needs one')
        _BY_KIND[kind](client, bdev.name, size)
    else:
        raise errors.unsupported(
            'bdev_resize', {'name': name},
            f'bdev {name!r} is a {bdev.product_name!r}: SPDK can resize '
            'null, aio and lvol bdevs')
    return bdevs.get(client, bdev.name)[0].size
