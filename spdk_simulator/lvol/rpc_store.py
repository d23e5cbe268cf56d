# SPDX-License-Identifier: Apache-2.0


"""Stores of ``bdev_lvol_*`` (``module/bdev/lvol``)."""

import errno

from spdk_simulator.bdev import common
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.lvol import store as lvol_store

CLEAR = ("none", "unmap", "write_zeroes")


def layer_of(target):
    """The state of the module (:class:`.lvol.Layer`)."""
    return target.bdevs.modules["lvol"].layer


def later(target, request, function, *args):
    """Answer from a message; see :meth:`.target.Target.answer_later`."""
    target.answer_later(request, function, *args)
    return registry.PENDING


@registry.method("bdev_lvol_create_lvstore")
def create_lvstore(target, params, request):
    """Make a store on a bdev."""
    base = target.bdevs.find(params["bdev_name"])
    if base is None and target.release < 2010:
        raise errors.CallError(
            -errno.ENODEV, f"Bdev {params['bdev_name']} not found")
    if params.get("clear_method") is not None \
            and params["clear_method"].lower() not in CLEAR:
        raise errors.CallError(-errno.EINVAL,
                               "Invalid clear_method parameter")
    try:
        store = _create_store(target, params)
    except errors.CallError as exc:
        if target.release >= 2305 or exc.code == errors.INVALID_PARAMS:
            raise
        # The sign was wrong in both places.
        raise errors.CallError(-exc.code,
                               f"Unknown error {exc.code}") from None
    return later(target, request, lambda: common.created(
        target.release, store.uuid))


def _create_store(target, params):
    name = params["lvs_name"]
    if not name or len(name.encode()) >= lvol_store.NAME_MAX:
        raise errors.invalid()
    page = params.get("md_page_size", 0)
    if page and (not 4096 <= page <= 65536 or page & (page - 1)):
        raise errors.invalid()
    base = target.bdevs.get(params["bdev_name"])
    return layer_of(target).create_store(
        base, name, params.get("cluster_sz", 0),
        params.get("num_md_pages_per_cluster_ratio", 0), page,
        (params.get("clear_method") or "unmap").lower())


@registry.method("bdev_lvol_rename_lvstore")
def rename_lvstore(target, params, request):
    """Rename a store."""
    layer = layer_of(target)
    old, new = params["old_name"], params["new_name"]
    for store in layer.stores:
        if store.name == old:
            break
    else:
        raise errors.CallError(-errno.ENOENT, f"Lvol store {old} not found")

    def rename():
        if new != old:
            if layer.taken(new):
                raise lvol_store.failed(errno.EEXIST)
            store.name = new
            for volume in store.lvols:
                if volume.bdev is None:
                    continue
                target.bdevs.rename_alias(
                    volume.bdev, volume.bdev.aliases[0], volume.alias)
        return True

    return later(target, request, rename)


@registry.method("bdev_lvol_delete_lvstore")
def delete_lvstore(target, params, request):
    """Remove a store with all its volumes."""
    layer = layer_of(target)
    store = layer.find(params.get("uuid"), params.get("lvs_name"))

    target.post(layer.delete_store, store, lambda: request.result(True))
    return registry.PENDING


@registry.method("bdev_lvol_get_lvstores")
def get_lvstores(target, params, request):
    """Describe one store or all."""
    layer = layer_of(target)
    stores = layer.stores
    if request.params is not None:
        stores = [layer.find(params.get("uuid"), params.get("lvs_name"))]
    reply = []
    for store in stores:
        info = {"uuid": store.uuid, "name": store.name,
                "base_bdev": store.base.name,
                "total_data_clusters": store.total,
                "free_clusters": store.free,
                "block_size": store.shown_block_size(target.release),
                "cluster_size": store.cluster}
        if target.release >= 2601:
            info["max_growable_size"] = store.max_growable
        reply.append(info)
    return reply


@registry.method("bdev_lvol_grow_lvstore")
def grow_lvstore(target, params, request):
    """Take over a base bdev that has grown."""
    store = layer_of(target).find(params.get("uuid"), params.get("lvs_name"))

    def grow():
        store.grow()
        return True

    return later(target, request, grow)
