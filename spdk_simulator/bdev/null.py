# SPDX-License-Identifier: Apache-2.0

"""``bdev_null_*`` (``module/bdev/null``)."""

import errno
import signal

from spdk_simulator.bdev import common
from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry

_IO = ("read", "write", "write_zeroes", "reset")
_MD_SIZES = (0, 8, 16, 32, 64, 128)


def _check(target, params):
    """Refuse with a sentence up to v24.05, with strerror() since."""
    release = target.release
    block_size, md_size = params["block_size"], params.get("md_size", 0)
    dif_type = params.get("dif_type", 0)

    def bad(text):
        return common.bad(release, 2409, errno.EINVAL, text)

    if release < 2409 and block_size < md_size:
        raise bad("Interleaved metadata size can not be greater than "
                  "block size")
    if release >= 2409 and md_size not in _MD_SIZES:
        raise errors.invalid()
    data = block_size - (md_size if release < 2401 else 0)
    if data % 512:
        what = "Data block" if release >= 1910 else "Block"
        raise bad(f"{what} size {block_size} is not a multiple of 512")
    if params.get("physical_block_size", 0) % 512:
        if 2305 <= release < 2409:
            # It goes on after this answer, and gives another.
            target.process.crash()
        raise bad("Physical block size "
                  f"{params['physical_block_size']} is not a multiple of "
                  "512")
    if not params["num_blocks"]:
        raise bad("Disk num_blocks must be greater than 0")
    common.old_uuid(release, params, 2401)
    if not 0 <= dif_type <= 3:
        raise bad("Invalid protection information type")
    if dif_type and not md_size:
        raise bad("Interleaved metadata size should be set for DIF")
    if release >= 2401 and md_size not in _MD_SIZES:
        raise errors.invalid()


@registry.method("bdev_null_create")
def create(target, params, request):
    """Make a disk that forgets everything."""
    release = target.release
    _check(target, params)
    if not params["block_size"]:
        # A real target divides by it.
        target.process.crash(signal.SIGFPE)
    md_size = params.get("md_size", 0)
    block_size = params["block_size"] + (md_size if release >= 2401 else 0)
    bdev = bdev_layer.Bdev("null", params["name"], block_size,
                           params["num_blocks"], _IO)
    bdev.product = "Null disk"
    bdev.uuid = params.get("uuid")
    bdev.physical = params.get("physical_block_size", 0) \
        or params["block_size"]
    bdev.preferred = tuple(params.get(key, 0) for key in (
        "preferred_write_alignment", "preferred_write_granularity",
        "optimal_write_size", "preferred_unmap_alignment",
        "preferred_unmap_granularity"))
    common.metadata(bdev, params, True)
    if release >= 2209:
        bdev.io.add("abort")
    target.bdevs.register(bdev)
    bdev.config = lambda: _config(bdev, release)
    return common.created(release, bdev.name)


def _config(bdev, release):
    params = {"name": bdev.name, "num_blocks": bdev.num_blocks,
              "block_size": bdev.block_size}
    if release >= 2305:
        params["physical_block_size"] = bdev.physical
    if release >= 1910:
        params["md_size"] = bdev.md_size
        params["dif_type"] = bdev.dif_type
        params["dif_is_head_of_md"] = bdev.dif_head
    if release >= 2409:
        params["dif_pi_format"] = bdev.dif_pi_format
    if release >= 1804:
        params["uuid"] = bdev.uuid
    if release >= 2509:
        for key, value in zip((
                "preferred_write_granularity", "preferred_write_alignment",
                "optimal_write_size", "preferred_unmap_granularity",
                "preferred_unmap_alignment"),
                (bdev.preferred[index] for index in (1, 0, 2, 4, 3)),
                strict=True):
            params[key] = value
    return {"method": common.name(release, "bdev_null_create"),
            "params": params}


@registry.method("bdev_null_delete")
def delete(target, params, request):
    """Remove one."""
    return common.delete(target, params["name"], "null", request)


@registry.method("bdev_null_resize")
def resize(target, params, request):
    """Change the size of one; ``new_size`` is in MiB."""
    bdev = target.bdevs.get(params["name"])
    if bdev.module != "null":
        raise errors.CallError(-errno.EINVAL, "Invalid argument")
    size = params["new_size"] * 2 ** 20 % 2 ** 64
    if params["new_size"] < bdev.size // 2 ** 20:
        raise errors.invalid()
    blocks = size // bdev.block_size
    if blocks < bdev.num_blocks:
        # The call itself holds it open.
        raise errors.system(errno.EBUSY)
    if blocks != bdev.num_blocks:
        bdev.num_blocks = blocks
        target.notify("bdev_resize", bdev.name)
    return True
