# SPDX-License-Identifier: Apache-2.0
"""Shallow copies of volumes, and volumes that get another parent."""

import errno
import itertools
import os

from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.lvol.rpc_store import layer_of
from spdk_simulator.lvol import store as lvol_store


class _Copies:
    """The shallow copies that nobody has asked about since they ended."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.known = {}


def _copies(target):
    layer = layer_of(target)
    if not hasattr(layer, "copies"):
        layer.copies = _Copies()
    return layer.copies


@registry.method("bdev_lvol_start_shallow_copy")
def start_shallow_copy(target, params, request):
    """Copy the clusters that are a volume's own to a bdev."""
    volume = layer_of(target).of(params["src_lvol_name"])
    copies = _copies(target)
    number = next(copies.numbers)
    base = target.bdevs.find(params["dst_bdev_name"])
    if base is None or base.removing:
        raise lvol_store.failed(errno.ENODEV)
    if base.claim is not None or base.openers:
        raise lvol_store.failed(errno.EPERM)
    error = 0
    if not volume.read_only:
        error = errno.EPERM
    elif volume.clusters * volume.store.cluster > base.size \
            or volume.store.block_size % base.block_size:
        error = errno.EINVAL
    copies.known[number] = (volume.allocated, error)
    return {"operation_id": number}


@registry.method("bdev_lvol_check_shallow_copy")
def check_shallow_copy(target, params, request):
    """Tell how far a shallow copy is; the end is told once."""
    known = _copies(target).known
    if params["operation_id"] not in known:
        raise errors.no_device()
    total, error = known.pop(params["operation_id"])
    reply = {"copied_clusters": 0 if error else total,
             "total_clusters": total}
    if error and not total:
        reply["state"] = "error"
    if error:
        reply.update(state="error", error=os.strerror(error))
    else:
        reply["state"] = "complete"
    return reply


@registry.method("bdev_lvol_set_parent")
def set_parent(target, params, request):
    """Have a volume stand on another snapshot."""
    layer = layer_of(target)
    volume = layer.of(params["lvol_name"])
    parent = layer.of(params["parent_name"])

    def finish():
        if volume is parent:
            raise lvol_store.failed(errno.EINVAL)
        if volume.parent is parent:
            raise lvol_store.failed(errno.EEXIST)
        if not volume.thin or not parent.frozen \
                or parent.store is not volume.store \
                or volume.clusters != parent.clusters:
            raise lvol_store.failed(errno.EINVAL)
        volume.parent = parent
        layer.stand_alone(volume)
        return True

    target.answer_later(request, finish)
    return registry.PENDING


@registry.method("bdev_lvol_set_parent_bdev")
def set_parent_bdev(target, params, request):
    """Have a volume stand on a bdev outside of its store."""
    layer = layer_of(target)
    volume = layer.of(params["lvol_name"])
    bdev = target.bdevs.find(params["parent_name"])

    def finish():
        if bdev is None or bdev.removing:
            raise lvol_store.failed(errno.ENODEV)
        # In the place of a bdev that cannot be claimed stands one whose size
        # is no multiple of a cluster (bs_dev_degraded in vbdev_lvol.c).
        if bdev.uuid == volume.uuid or bdev.size % volume.store.cluster \
                or bdev.claim is not None \
                and bdev.claim[0] != bdev_layer.READ_MANY_WRITE_NONE:
            raise lvol_store.failed(errno.EINVAL)
        if volume.external == bdev.uuid:
            raise lvol_store.failed(errno.EEXIST)
        if not volume.thin:
            raise lvol_store.failed(errno.EINVAL)
        layer.stand_alone(volume)
        volume.parent = None
        layer.stand_on(volume, bdev)
        return True

    target.answer_later(request, finish)
    return registry.PENDING
