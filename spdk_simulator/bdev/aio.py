# SPDX-License-Identifier: Apache-2.0

"""``bdev_aio_*`` (``module/bdev/aio``): on real files."""

import errno
import fcntl
import os
import stat
import struct

from spdk_simulator.bdev import common
from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry

_IO = ("read", "write", "flush", "reset")
_BLKSSZGET = 0x1268
_BLKGETSIZE64 = 0x80081272


def _measure(filename, readonly):
    """Open a file as the module does.

    :returns: (size in bytes, block size or 0 if it has none of its own).
    :raises errors.CallError: with the error of open().
    """
    flags = os.O_RDONLY if readonly else os.O_RDWR
    try:
        fd = os.open(filename, flags | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as exc:
        raise errors.system(exc.errno) from None
    try:
        info = os.fstat(fd)
        if stat.S_ISBLK(info.st_mode):
            size = fcntl.ioctl(fd, _BLKGETSIZE64, bytes(8))
            block = fcntl.ioctl(fd, _BLKSSZGET, bytes(4))
            return (struct.unpack("Q", size)[0],
                    struct.unpack("i", block)[0])
        return (info.st_size if stat.S_ISREG(info.st_mode) else 0), 0
    finally:
        os.close(fd)


@registry.method("bdev_aio_create")
def create(target, params, request):
    """Make a bdev of a file or a block device of the host."""
    release = target.release
    filename = params.get("filename", params.get("fname"))
    if filename is None:
        raise errors.invalid()
    readonly = params.get("readonly", False)
    size, own = _measure(filename, readonly)
    if params.get("nowait") and not own:
        # bdev_aio_open(): block devices alone can.
        raise errors.system(errno.EOPNOTSUPP)
    block_size = params.get("block_size", 0)
    override = block_size != 0
    if not override:
        block_size = own
    if block_size < max(512, own) or block_size & (block_size - 1) \
            or size % block_size:
        raise errors.invalid()
    bdev = bdev_layer.Bdev("aio", params["name"], block_size,
                           size // block_size, _IO)
    bdev.product = "AIO disk"
    bdev.write_cache = True
    bdev.uuid = params.get("uuid")
    bdev.filename = filename
    facts = {"filename": filename}
    if release >= 2301:
        facts["block_size_override"] = override
        facts["readonly"] = readonly
    if release >= 2405:
        facts["fallocate"] = params.get("fallocate", False)
        if facts["fallocate"]:
            bdev.io.add("unmap")
    if release >= 2601:
        facts["nowait"] = params.get("nowait", False)
    bdev.specific = lambda: {"aio": dict(facts)}
    target.bdevs.register(bdev)
    bdev.config = lambda: _config(bdev, release, facts, override)
    result = common.created(release, bdev.name)
    if release < 2107:
        return result
    target.answer_later(request, lambda: result)
    return registry.PENDING


def _config(bdev, release, facts, override):
    params = {"name": bdev.name}
    if override:
        params["block_size"] = bdev.block_size
    params["filename"] = bdev.filename
    for key in ("readonly", "fallocate"):
        if key in facts:
            params[key] = facts[key]
    if release >= 2409:
        params["uuid"] = bdev.uuid
    if "nowait" in facts:
        params["nowait"] = facts["nowait"]
    return {"method": common.name(release, "bdev_aio_create"),
            "params": params}


@registry.method("bdev_aio_delete")
def delete(target, params, request):
    """Remove one; the file stays."""
    return common.delete(target, params["name"], "aio", request)


@registry.method("bdev_aio_rescan")
def rescan(target, params, request):
    """Take over a changed size of the file."""
    # Up to v22.05 the reply was the error number as a boolean.
    good = target.release >= 2209
    bdev = target.bdevs.find(params["name"])
    if bdev is None or bdev.removing or bdev.module != "aio":
        if target.release < 2205 and bdev is None or good:
            raise errors.no_device()
        return True
    size, _ = _measure(bdev.filename, True)
    if size // bdev.block_size < bdev.num_blocks and bdev.openers:
        if not good:
            return True
        raise errors.system(errno.EBUSY)
    if size // bdev.block_size != bdev.num_blocks:
        bdev.num_blocks = size // bdev.block_size
        target.notify("bdev_resize", bdev.name)
    return good
