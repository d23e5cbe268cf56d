# SPDX-License-Identifier: Apache-2.0


"""Volumes of ``bdev_lvol_*`` (``module/bdev/lvol``)."""

import errno
import os

from spdk_simulator.bdev import common
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.lvol.rpc_store import CLEAR
from spdk_simulator.lvol.rpc_store import later
from spdk_simulator.lvol.rpc_store import layer_of
from spdk_simulator.lvol import store as lvol_store
from spdk_simulator.lvol import stores as lvol_stores


class Module:
    """The module's state."""

    def __init__(self, target):
        self.layer = lvol_stores.Layer(target)

    def config(self):
        """Stores are on the bdevs, not in the configuration."""
        return []


@registry.method("bdev_lvol_get_lvols")
def get_lvols(target, params, request):
    """Describe the volumes of one store or of all."""
    layer = layer_of(target)
    stores = layer.stores
    if request.params is not None:
        stores = [layer.find(params.get("lvs_uuid"),
                             params.get("lvs_name"))]
    reply = []
    for store in stores:
        for volume in store.lvols:
            info = {"alias": volume.alias, "uuid": volume.uuid,
                    "name": volume.name,
                    "is_thin_provisioned": volume.thin,
                    "is_snapshot": volume.frozen,
                    "is_clone": volume.parent is not None,
                    "is_esnap_clone": volume.external is not None,
                    "is_degraded": volume.degraded}
            if target.release >= 2405:
                info["num_allocated_clusters"] = volume.allocated
            info["lvs"] = {"name": store.name, "uuid": store.uuid}
            reply.append(info)
    return reply


def _one_size(params):
    """Refuse two sizes at a time, in the releases that know two."""
    if params.get("size") and params.get("size_in_mib"):
        raise errors.internal(
            "size is deprecated. Specify only size_in_mib instead.")


def _size(params):
    """The size asked for, in bytes."""
    if params.get("size_in_mib") or "size" not in params:
        return params.get("size_in_mib", 0) * 2 ** 20
    return params["size"]


@registry.method("bdev_lvol_create")
def create(target, params, request):
    """Make a volume."""
    _one_size(params)
    layer = layer_of(target)
    store = layer.find(params.get("uuid"), params.get("lvs_name"))
    if params.get("clear_method") is not None \
            and params["clear_method"].lower() not in CLEAR:
        raise errors.CallError(-errno.EINVAL, "Invalid clean_method option")
    store.check_name(params["lvol_name"])
    volume = lvol_store.Lvol(store, params["lvol_name"],
                       store.clusters(_size(params)),
                       params.get("thin_provision", False))

    def finish():
        if target.release < 2007 and len(store.lvols) + 1 >= store.pages:
            # Each takes a page of metadata, and so does the store.
            raise lvol_store.failed(errno.ENOMEM)
        if volume.allocated > store.free:
            raise lvol_store.failed(errno.ENOSPC)
        if not volume.clusters:
            volume.clusters = 0
        layer.add(volume)
        return common.created(target.release, volume.bdev.name)

    return later(target, request, finish)


@registry.method("bdev_lvol_snapshot")
def snapshot(target, params, request):
    """Freeze a volume's present content under a name."""
    layer = layer_of(target)
    volume = layer.of(params["lvol_name"])

    def finish():
        store = volume.store
        try:
            store.check_name(params.get("snapshot_name", ""))
            if volume.read_only:
                raise errors.invalid()
        except errors.CallError as exc:
            raise lvol_store.failed(-exc.code) from None
        if volume.read_only:
            raise lvol_store.failed(errno.EINVAL)
        frozen = lvol_store.Lvol(store, params["snapshot_name"],
                                 volume.clusters, True)
        frozen.thin = volume.thin
        frozen.allocated = volume.allocated
        frozen.parent = volume.parent
        frozen.external, volume.external = volume.external, None
        frozen.read_only = frozen.frozen = True
        volume.parent = frozen
        volume.thin = True
        volume.allocated = 0
        layer.add(frozen)
        return frozen.bdev.name

    return later(target, request, finish)


@registry.method("bdev_lvol_clone")
def clone(target, params, request):
    """Make a volume that begins as a snapshot."""
    layer = layer_of(target)
    parent = layer.of(params.get("snapshot_name", ""))

    def finish():
        try:
            parent.store.check_name(params.get("clone_name", ""))
        except errors.CallError as exc:
            raise lvol_store.failed(-exc.code) from None
        if not parent.read_only:
            raise lvol_store.failed(errno.EINVAL)
        volume = lvol_store.Lvol(parent.store, params.get("clone_name", ""),
                           parent.clusters, True)
        parent.frozen = True
        volume.parent = parent
        layer.add(volume)
        return volume.uuid

    return later(target, request, finish)


@registry.method("bdev_lvol_clone_bdev")
def clone_bdev(target, params, request):
    """Make a volume that begins as another bdev."""
    layer = layer_of(target)
    try:
        store = layer.find(None, params["lvs_name"])
    except errors.CallError:
        raise errors.invalid_params("lvs does not exist") from None
    bdev = target.bdevs.find(params["bdev"])
    if bdev is None or bdev.removing:
        raise errors.invalid_params("bdev does not exist")
    if bdev.module == "lvol" and bdev.lvol.store is store:
        raise errors.invalid_params(
            "bdev is an lvol in same lvs as clone; "
            "use bdev_lvol_clone instead")

    def finish():
        try:
            store.check_name(params.get("clone_name", ""))
        except errors.CallError as exc:
            raise lvol_store.failed(-exc.code) from None
        if bdev.size % store.cluster:
            raise lvol_store.failed(errno.EINVAL)
        volume = lvol_store.Lvol(store, params.get("clone_name", ""),
                           bdev.size // store.cluster, True)
        layer.stand_on(volume, bdev)
        layer.add(volume)
        return volume.uuid

    return later(target, request, finish)


@registry.method("bdev_lvol_rename")
def rename(target, params, request):
    """Rename a volume."""
    bdev = target.bdevs.find(params["old_name"])
    if bdev is None or bdev.removing or bdev.module != "lvol":
        raise errors.no_device()
    volume, new = bdev.lvol, params["new_name"]

    def finish():
        # Also its own name: the alias is added before it is looked at.
        if f"{volume.store.name}/{new}" in target.bdevs.by_name \
                or any(other.name == new for other in volume.store.lvols):
            raise lvol_store.failed(errno.EEXIST)
        # The alias comes first, and stays where the volume keeps its name.
        target.bdevs.rename_alias(bdev, bdev.aliases[0],
                                  f"{volume.store.name}/{new}")
        if volume.read_only:
            raise lvol_store.failed(errno.EPERM)
        volume.name = new
        return True

    return later(target, request, finish)


@registry.method("bdev_lvol_inflate", "bdev_lvol_decouple_parent")
def inflate(target, params, request):
    """Make a clone independent of its snapshot."""
    layer = layer_of(target)
    volume = layer.of(params["name"])
    inflate_all = request.method.endswith("inflate") \
        or "inflate" in request.method

    def finish():
        # All of it where it cannot be told what of the bdev is used.
        every = inflate_all or volume.external is not None
        if volume.parent is None and not every:
            raise lvol_store.failed(errno.EINVAL)
        if not volume.thin:
            return True
        if every:
            needed = volume.clusters - volume.allocated
        else:
            needed = max(0, min(volume.parent.allocated, volume.clusters)
                         - volume.allocated)
        if needed > volume.store.free:
            raise lvol_store.failed(errno.ENOSPC)
        volume.allocated += needed
        if not every and volume.parent.external is not None:
            # Looked for among the volumes (bs_inflate_blob_done()).
            raise lvol_store.failed(errno.ENOENT)
        volume.thin = volume.thin and not every
        volume.parent = None if every else volume.parent.parent
        layer.stand_alone(volume)
        return True

    return later(target, request, finish)


@registry.method("bdev_lvol_resize")
def resize(target, params, request):
    """Change the size of a volume."""
    _one_size(params)
    layer = layer_of(target)
    volume = layer.of(params["name"])
    size = _size(params)

    def finish():
        if volume.read_only:
            raise lvol_store.failed(errno.EPERM)
        layer.resize(volume, volume.store.clusters(size))
        return True

    return later(target, request, finish)


@registry.method("bdev_lvol_set_read_only")
def set_read_only(target, params, request):
    """Take the right to write from a volume."""
    layer = layer_of(target)
    volume = layer.of(params["name"])

    def finish():
        volume.read_only = True
        layer.writable(volume)
        return True

    return later(target, request, finish)


@registry.method("bdev_lvol_delete")
def delete(target, params, request):
    """Remove a volume."""
    layer = layer_of(target)
    if layer.without_bdev(params["name"]):
        # Seen on v24.01 and v26.05.
        target.process.crash()
    volume = layer.of(params["name"])
    if len(volume.clones) > 1:
        raise errors.internal(os.strerror(errno.EPERM))
    layer.forget(volume, lambda: request.result(True))
    return registry.PENDING
