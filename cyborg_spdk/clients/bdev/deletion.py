# SPDX-License-Identifier: Apache-2.0

"""Deleting a bdev, whatever its kind."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate


def delete(client: base.Caller, name: str, *, missing_ok: bool = False,
           sisters: bool = False) -> bool:
    """Delete a block device with the call that fits its module.

    What stands on it goes with it, and so do NVMe-oF namespaces and vhost
    controllers' devices: SPDK asks nobody.

    :param name: its name, alias or UUID.
    :param missing_ok: do not mind if there is none.
    :param sisters: a split, an NVMe namespace and a virtio SCSI disk can
        only be deleted together with all others of the same base,
        controller or device. Without this they are deleted only if there
        are no others.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    :raises NotSupported: SPDK has no call to delete it, or it has
        sisters.
    """
    validate.text('bdev', name)
    bdev = bdevs.find(client, name)
    if bdev is None:
        if missing_ok:
            return False
        raise errors.missing('bdev_delete', {'name': name},
                             f'bdev {name!r} does not exist')
    method, value = _call_for(client, bdev, name, sisters)
    params: reported.Json = {bdev.kind.key: value}
    return base.delete(
        client, method, f'bdev {name!r}',
        lambda: bdevs.find(client, name) is None, missing_ok, **params)


def _call_for(client: base.Caller, bdev: types.Bdev, name: str,
              sisters: bool) -> tuple[str, str]:
    """The call that deletes a bdev, and the value of its parameter."""
    kind = bdev.kind
    if client.rpc.has('delete_bdev'):        # v17.03 to v19.01: any kind
        return 'delete_bdev', bdev.name
    if kind.delete is None:
        raise errors.unsupported(
            'bdev_delete', {'name': name}, f'bdev {name!r} is a '
            f'{bdev.product_name!r}: SPDK has no call to delete one; '
            'delete what it stands on')
    owner = _owner(bdev)
    if kind.of != 'bdev' and not sisters:
        others = [other.name for other in bdevs.get(client)
                  if other.name != bdev.name and other.kind == kind
                  and _owner(other) == owner]
        if others:
            raise errors.unsupported(
                kind.delete, {kind.key: owner},
                f'bdev {name!r} can only be deleted with the others of '
                f'{owner!r}: {", ".join(others)}')
    return kind.delete, owner


def _owner(bdev: types.Bdev) -> str:
    """What the delete call of a bdev's kind wants to be told."""
    if bdev.kind.of == 'base':
        return bdev.bases[0] if bdev.bases else bdev.name
    if bdev.kind.of == 'controller':
        # bdev_nvme.c names them <controller>n<nsid>.
        return bdev.name.rpartition('n')[0]
    if bdev.kind.of == 'device':
        # bdev_virtio_scsi.c names them <device>t<target>.
        return bdev.name.rpartition('t')[0]
    return bdev.name
