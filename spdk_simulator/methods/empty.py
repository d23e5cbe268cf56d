# SPDX-License-Identifier: Apache-2.0

"""Lists that are always empty: nothing of the kind is simulated."""

import errno

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry


@registry.method("bdev_virtio_scsi_get_devices")
def nothing(target, params, request):
    """Nothing is there."""
    return []


@registry.method("nbd_get_disks")
def nbd_disks(target, params, request):
    """No bdev is exported as a network block device."""
    if params.get("nbd_device") is not None:
        raise errors.no_device()
    return []


@registry.method("virtio_blk_get_transports")
def virtio_blk_transports(target, params, request):
    """There is the one that is built in."""
    if params.get("name") not in (None, "vhost_user_blk"):
        raise errors.no_device()
    return [{"name": "vhost_user_blk"}]


@registry.method("virtio_blk_create_transport")
def create_virtio_blk_transport(target, params, request):
    """The one that is built in exists from the start."""
    if params["name"] == "vhost_user_blk":
        raise errors.exists()
    raise errors.system(errno.ENOENT)
