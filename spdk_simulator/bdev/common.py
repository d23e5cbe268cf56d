# SPDX-License-Identifier: Apache-2.0

"""What the methods of several bdev modules share."""

import errno
import uuid

from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry
from spdk_simulator import release as releases

# Modules whose RPC deletes by name without a look at the module's own
# list: another module's bdev was refused inside, and answered false.
_OLD_DELETE = 2205

#: The memory domain of the system's memory (v24.05 to v26.01).
SYSTEM = {"dma_device_id": "system", "dma_device_type": 1}


def name(release, method):
    """The name that a release writes into its configuration."""
    if release >= 1910:
        return method
    for alias, entries in releases.data("parameters")["aliases"].items():
        if entries[0][0] == method:
            return alias
    return method


def created(release, bdev_name):
    """The result of a create: an array of names up to v18.04."""
    return bdev_name if release >= 1807 else [bdev_name]


def bad(release, since, number, text):
    """A refusal that had a sentence before a release, strerror() since."""
    if release >= since:
        return errors.system(number)
    return errors.CallError(-number, text)


def old_uuid(release, params, since, code=-errno.EINVAL):
    """Parse a UUID where the decoder took any string.

    :param since: the release whose decoder parses it.
    :param code: of the error if it is none.
    :raises errors.CallError: it is none.
    """
    if release < since and params.get("uuid") is not None:
        try:
            params["uuid"] = decode.uuid(params["uuid"])
        except decode.Refused:
            raise errors.CallError(
                code, "Failed to parse bdev UUID") from None


def metadata(bdev, params, interleave):
    """Copy what describes metadata and protection information."""
    bdev.md_size = params.get("md_size", 0)
    bdev.md_interleave = interleave
    bdev.dif_type = params.get("dif_type", 0)
    bdev.dif_head = params.get("dif_is_head_of_md", False)
    bdev.dif_pi_format = params.get("dif_pi_format", 0)


def io_types(bdev, release):
    """Add what RAM disks can do since v22.09, and what they tell of DMA."""
    if release >= 2209:
        bdev.io |= {"abort"}
    if release >= 2409:
        bdev.io |= {"zcopy", "copy"}
    if release >= 2605:
        bdev.io |= {"compare"}
    if 2305 <= release < 2605:
        bdev.domains = ({"dma_device_id": "SPDK_ACCEL_DMA_DEVICE",
                         "dma_device_type": 2},)
        if release >= 2405:
            bdev.domains = (SYSTEM, *bdev.domains)


def delete(target, bdev_name, module, request):
    """Begin to remove a bdev of a module; answered when it is gone.

    :raises errors.CallError: ENODEV if there is none of this name, or (as
        from v22.05 on) it is another module's.
    """
    layer = target.bdevs
    bdev = layer.find(bdev_name)
    if target.release < _OLD_DELETE:
        if bdev is None:
            raise errors.no_device()
        if bdev.module != module or bdev.removing:
            return False
    elif bdev is None or bdev.removing or bdev.module != module:
        raise errors.no_device()
    layer.unregister(bdev, lambda: request.result(True))
    return registry.PENDING


def derived_uuid(namespace, *parts):
    """The UUID that SPDK derives from others (SHA-1, version 5)."""
    space = uuid.UUID(namespace)
    data = b"".join(part.encode() if isinstance(part, str) else part
                    for part in parts)
    return str(sha1_uuid(space, data))


def sha1_uuid(space, data):
    """A version 5 UUID of bytes."""
    import hashlib
    digest = hashlib.sha1(space.bytes + data, usedforsecurity=False).digest()
    return uuid.UUID(bytes=digest[:16], version=5)


def delete_named(target, name, module, request):
    """Delete a bdev of a module that remembers the names it has to make.

    :param module: ``"passthru"`` or ``"delay"``.
    :returns: as :func:`delete`.
    """
    result = delete(target, name, module, request)
    if result is registry.PENDING:
        target.bdevs.modules[module].names.forget(name)
    return result
