# SPDX-License-Identifier: Apache-2.0

"""``bdev_kvmalloc_*`` (``module/bdev/kvmalloc``, v26.09): RAM that keeps
values under keys, for NVMe's key/value commands.
"""

from spdk_simulator.bdev import common
from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry

# What NVMe's key/value commands have room for, in bytes.
_MAX_KEY = 16
# Used where a parameter is missing or 0, in bytes.
_DEFAULTS = {"max_key_size": _MAX_KEY, "max_value_size": 128 * 1024,
             "optimal_value_granularity": 4096}
# There are no blocks: create_kvmalloc_disk() tells of bytes without end.
_BLOCKS = 2 ** 64 - 1


@registry.method("bdev_kvmalloc_create")
def create(target, params, request):
    """Make one; see create_kvmalloc_disk()."""
    layer = target.bdevs
    if params.get("max_key_size", 0) > _MAX_KEY:
        raise errors.invalid()
    if 0 < params.get("max_value_size", 0) \
            < params.get("optimal_value_granularity", 0):
        raise errors.invalid()
    name = params.get("name")
    if name is None:
        number = layer.counters.setdefault("KVMalloc", 0)
        layer.counters["KVMalloc"] = number + 1
        name = f"KVMalloc{number}"
    bdev = bdev_layer.Bdev("kvmalloc", name, 1, _BLOCKS,
                           ("nvme_admin", "nvme_io", "nvme_iov_md"))
    bdev.product = "KVMalloc disk"
    bdev.uuid = params.get("uuid")
    bdev.numa_id = params.get("numa_id", -1)
    sizes = {key: params.get(key) or default
             for key, default in _DEFAULTS.items()}
    layer.register(bdev)
    bdev.config = lambda: {
        "method": "bdev_kvmalloc_create",
        "params": {"name": bdev.name, **sizes, "uuid": bdev.uuid}}
    return bdev.name


@registry.method("bdev_kvmalloc_delete")
def delete(target, params, request):
    """Remove one."""
    return common.delete(target, params["name"], "kvmalloc", request)
