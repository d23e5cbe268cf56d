# SPDX-License-Identifier: Apache-2.0

"""``bdev_malloc_*`` (``module/bdev/malloc``)."""

import errno
import functools
import signal

from spdk_simulator.bdev import common
from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry

# Memory that malloc bdevs may use in all. A real target has its huge pages.
MEMORY = 256 * 2 ** 30

_IO = ("read", "write", "unmap", "write_zeroes", "flush", "reset")
_MD_SIZES = (0, 8, 16, 32, 64, 128)


# Bytes of protection information and of a block with it, by format.
_FORMATS = {0: (8, 512), 1: (16, 4096), 2: (16, 4096)}


def _check_protection(params):
    """Refuse protection information that cannot be (spdk_dif_ctx_init())."""
    kind = params.get("dif_type", 0)
    if not kind:
        return
    size, block = _FORMATS.get(params.get("dif_pi_format", 0), (0, 0))
    if not 0 <= kind <= 3 or not size \
            or params.get("md_size", 0) < size or params["block_size"] % block:
        raise errors.invalid()


def _check(target, params):
    release = target.release
    if not params["num_blocks"]:
        raise common.bad(release, 2301, errno.EINVAL,
                         "Disk num_blocks must be greater than 0")
    common.old_uuid(release, params, 2301)
    whole = release < 1810 or release >= 2104
    if (whole and params["block_size"] % 512) \
            or params.get("physical_block_size", 0) % 512:
        raise errors.invalid()
    if params.get("numa_id", -1) not in (-1, 0):
        raise errors.invalid()
    if params.get("md_size", 0) not in _MD_SIZES:
        raise errors.invalid()
    if release < 2409:
        _check_protection(params)


@registry.method("bdev_malloc_create")
def create(target, params, request):
    """Make a RAM disk."""
    layer = target.bdevs
    release = target.release
    _check(target, params)
    md_size = params.get("md_size", 0)
    interleave = params.get("md_interleave", False)
    block_size = params["block_size"] + (md_size if interleave else 0)
    size = params["num_blocks"] * block_size
    if not size or layer.memory + size > MEMORY:
        raise errors.system(errno.ENOMEM)
    name = params.get("name")
    if name is None:
        name = f"Malloc{layer.counters['Malloc']}"
        layer.counters["Malloc"] += 1
    _check_protection(params)
    if 2305 <= release < 2405 and md_size and not interleave \
            and not params.get("dif_type", 0):
        # Not with a bdev that takes part in sequences of acceleration.
        raise errors.invalid()
    if not params["block_size"]:
        target.process.crash(signal.SIGFPE)
    bdev = bdev_layer.Bdev("malloc", name, block_size,
                           params["num_blocks"], _IO)
    bdev.product = "Malloc disk"
    bdev.uuid = params.get("uuid")
    bdev.numa_id = params.get("numa_id", -1)
    bdev.write_cache = True
    bdev.physical = params.get("physical_block_size", 0) \
        or params["block_size"]
    bdev.boundary = params.get("optimal_io_boundary", 0)
    common.metadata(bdev, params, interleave)
    common.io_types(bdev, release)
    if bdev.dif_type:
        bdev.domains = ()
    layer.register(bdev)
    layer.memory += size
    bdev.on_destroy = functools.partial(_free, layer, size)
    bdev.config = lambda: _config(bdev, release)
    return common.created(release, bdev.name)


def _free(layer, size, bdev):
    layer.memory -= size


def _config(bdev, release):
    params = {"name": bdev.name, "num_blocks": bdev.num_blocks,
              "block_size": bdev.block_size}
    if release >= 2305:
        params["physical_block_size"] = bdev.physical
    if release >= 1804:
        params["uuid"] = bdev.uuid
    if release >= 2201:
        params["optimal_io_boundary"] = bdev.boundary
    if release >= 2409:
        params.update(
            md_size=bdev.md_size, dif_type=bdev.dif_type,
            dif_is_head_of_md=bdev.dif_head,
            dif_pi_format=bdev.dif_pi_format)
    if release >= 2601:
        params["numa_id"] = bdev.numa_id
    return {"method": common.name(release, "bdev_malloc_create"),
            "params": params}


@registry.method("bdev_malloc_delete")
def delete(target, params, request):
    """Remove a RAM disk."""
    return common.delete(target, params["name"], "malloc", request)
