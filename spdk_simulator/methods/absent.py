# SPDX-License-Identifier: Apache-2.0
"""Methods for devices that no simulated target has.

What a real target answers when it finds no such device either.
"""

import errno
import os
import re
import signal

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.nvme import rpc as nvme_rpc
from spdk_simulator.nvmf import rpc_subsystem as nvmf_rpc_subsystem
from spdk_simulator.nvmf.state import trtype_is_known

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@registry.method("bdev_nvme_opal_init", "bdev_nvme_opal_revert")
def opal(target, params, request):
    """No controller is a self-encrypting drive."""
    raise errors.invalid_params()


@registry.method("bdev_opal_create")
def opal_create(target, params, request):
    """There is no drive to make a locking range on."""
    name = params["nvme_ctrlr_name"]
    number = errno.ENODEV if params["nsid"] == 1 else errno.EINVAL
    raise errors.internal(f"Failed to create opal vbdev from '{name}': "
                          + os.strerror(number))


@registry.method("bdev_opal_get_info")
def opal_info(target, params, request):
    """There is no such bdev."""
    raise errors.internal()


@registry.method("bdev_opal_delete", "bdev_opal_set_lock_state",
                 "bdev_opal_new_user")
def opal_other(target, params, request):
    """There is no such bdev."""
    raise errors.internal(os.strerror(errno.ENODEV))


@registry.method("bdev_nvme_cuse_register", "bdev_nvme_cuse_unregister")
def cuse(target, params, request):
    """Export a controller as a character device."""
    nvme_rpc.find(target, params.get("name"))
    if request.method == "bdev_nvme_cuse_register" \
            and target.release >= 2605:
        raise errors.system(errno.ENOMEM)
    raise errors.no_device()


@registry.method("bdev_ftl_create", "bdev_ftl_load")
def ftl_create(target, params, request):
    """Wait for bdevs that are not there, or refuse those that are."""
    failed = "Failed to create FTL bdev: "
    if target.release < 2004:
        _check_ftl_on_nvme(target, params)
        raise errors.internal(failed + os.strerror(errno.ENODEV))
    if target.release >= 2409 \
            and target.bdevs.find(params["name"]) is not None:
        raise errors.invalid_params(failed + os.strerror(errno.EEXIST))
    old = target.release < 2209
    if old:
        _check_old_ftl(target, params)
    for name in (params["base_bdev"], params.get("cache")):
        if name is None and old:
            continue
        bdev = target.bdevs.find(name)
        if bdev is None or bdev.removing:
            return f"FTL bdev: {params['name']} creation deferred"
    if old and params.get("l2p_path") is not None:
        # Its memory is freed twice.
        target.process.crash(signal.SIGABRT)
    # What it was refused for is told by no other number up to v22.05.
    raise errors.internal(failed + os.strerror(
        errno.ENOMEM if old else errno.EINVAL))


def _check_ftl_on_nvme(target, params):
    """What was checked up to v20.01, when FTL stood on a controller.

    :raises errors.CallError: -32602.
    """
    cache, uuid = params.get("cache"), params.get("uuid")
    trtype, units = params["trtype"], params["punits"]
    if cache is not None and target.bdevs.find(cache) is None:
        raise errors.invalid_params(f"No such bdev: {cache}")
    if not trtype_is_known(target.release, trtype):
        raise errors.invalid_params(
            f"Failed to parse trtype: {trtype}, rc: "
            + os.strerror(errno.ENOENT))
    if trtype.upper() != "PCIE":
        raise errors.invalid_params(
            f"Invalid trtype: {trtype}. Only PCIe is supported")
    found = re.search(r"\b([0-9]+)-([0-9]+)\b", units)
    if not found or not int(found[1]) <= int(found[2]) < 2 ** 32:
        raise errors.invalid_params(
            f"Failed to parse parallel unit range: {units}")
    if uuid is not None and not _UUID.fullmatch(uuid):
        raise errors.invalid_params(f"Failed to parse uuid: {uuid}")


def _check_old_ftl(target, params):
    """What was checked from v20.04 to v22.05, before the base bdev.

    :raises errors.CallError: -32602.
    """
    cache, uuid = params.get("cache"), params.get("uuid")
    if cache is not None and target.bdevs.find(cache) is None:
        raise errors.invalid_params(f"No such bdev: {cache}")
    if uuid is not None and not _UUID.fullmatch(uuid):
        raise errors.invalid_params(f"Failed to parse uuid: {uuid}")


# Answered "false" from v22.09 on, up to these releases.
_FTL_FALSE = {"bdev_ftl_delete": 2305, "bdev_ftl_unload": 2305,
              "bdev_ftl_unmap": 2305, "bdev_ftl_get_stats": 2305}


@registry.method("bdev_ftl_delete", "bdev_ftl_unload", "bdev_ftl_unmap",
                 "bdev_ftl_get_stats", "bdev_ftl_get_properties",
                 "bdev_ftl_set_property")
def ftl(target, params, request):
    """There is no such bdev; v22.01 deletes any."""
    if target.release < 2004:
        return False
    if target.release < 2205 and request.method == "bdev_ftl_delete":
        bdev = target.bdevs.find(params["name"])
        if bdev is None or bdev.removing:
            return False
        target.bdevs.unregister(bdev, lambda: request.result(True))
        return registry.PENDING
    if target.release >= 2209 \
            and target.release < _FTL_FALSE.get(request.method, 0):
        return False
    raise errors.no_device()


_TRANSPORTS = ("user", "pci", "vfio-user")
_KINDS = ("blk", "scsi")
_PCI = re.compile(r"(?:[0-9a-fA-F]{1,8}[:.])?[0-9a-fA-F]{1,2}[:.]"
                  r"[0-9a-fA-F]{1,2}(?:[.:][0-7])?")


@registry.method("bdev_virtio_attach_controller")
def virtio_attach(target, params, request):
    """Nobody is behind any address."""
    counted = params.get("vq_count") or params.get("vq_size")
    sign = -1 if target.release >= 2605 else 1

    def known(key, words):
        # Up to v26.01 any text was taken and then looked at.
        if params[key] not in words:
            raise errors.CallError(
                errno.EINVAL, f"Invalid {key} '{params[key]}'")

    known("trtype", _TRANSPORTS)
    if params["trtype"] != "user" and counted:
        name = {"pci": "PCI"}.get(params["trtype"], params["trtype"])
        raise errors.CallError(
            sign * errno.EINVAL, "vq_count or vq_size is not allowed for "
            f"{name} transport type.")
    address = params["traddr"]
    if params["trtype"] == "pci" and not _PCI.fullmatch(address):
        raise errors.CallError(sign * errno.EINVAL,
                               f"Invalid PCI address '{address}'")
    known("dev_type", _KINDS)
    # Of a SCSI device that is not set up, -1 comes back.
    number = errno.EPERM if params["dev_type"] == "scsi" else errno.EINVAL
    raise errors.invalid_params(os.strerror(number))


@registry.method("construct_virtio_user_scsi_bdev",
                 "construct_virtio_pci_scsi_bdev")
def old_virtio_attach(target, params, request):
    """Nobody is behind any address (v18.01)."""
    address = params.get("pci_address")
    if address is not None and not _PCI.fullmatch(address):
        raise errors.invalid_params(os.strerror(errno.EINVAL))
    raise errors.invalid_params(os.strerror(errno.EPERM))


@registry.method("remove_virtio_scsi_bdev")
def old_virtio_detach(target, params, request):
    """There is none (v18.01)."""
    raise errors.invalid_params(os.strerror(errno.ENODEV))


@registry.method("bdev_virtio_detach_controller")
def virtio_detach(target, params, request):
    """There is none."""
    raise errors.no_device()


@registry.method("bdev_virtio_blk_set_hotplug")
def virtio_hotplug(target, params, request):
    """Set how PCI devices are looked for."""
    return True


def _nbd_number(path):
    """The number in ``/dev/nbdN``, or None."""
    digits = path.removeprefix("/dev/nbd")
    return digits if digits != path and digits.isdigit() else None


@registry.method("nbd_start_disk")
def nbd_start(target, params, request):
    """Export a bdev through a kernel that has no such device."""
    path = params.get("nbd_device")
    if path is None:
        raise errors.CallError(-errno.ENODEV, "nbd device not found")
    if _nbd_number(path) is None:
        raise errors.CallError(-errno.ENODEV, f"illegal nbd device {path}")
    if target.bdevs.get(params["bdev_name"]).claim is not None:
        raise errors.not_permitted()
    raise errors.system(errno.ENOENT)


@registry.method("nbd_stop_disk")
def nbd_stop(target, params, request):
    """Nothing is exported."""
    raise errors.no_device()


@registry.method("nvmf_publish_mdns_prr")
def publish_mdns(target, params, request):
    """Without Avahi, nothing is published."""
    nvmf_rpc_subsystem.find_tgt(target, params)
    raise errors.CallError(-errno.EOPNOTSUPP,
                           os.strerror(errno.EOPNOTSUPP))


@registry.method("nvmf_stop_mdns_prr")
def stop_mdns(target, params, request):
    """Nothing is published."""
    nvmf_rpc_subsystem.find_tgt(target, params)
    return True


@registry.method("bdev_nvme_start_mdns_discovery",
                 "bdev_nvme_stop_mdns_discovery",
                 "bdev_nvme_get_mdns_discovery_info")
def mdns_discovery(target, params, request):
    """Without Avahi, nothing is found."""
    raise errors.system(errno.EOPNOTSUPP)


@registry.method("blobfs_detect")
def blobfs_detect(target, params, request):
    """Look for a file system of SPDK's on a bdev: there is none."""
    bdev = target.bdevs.find(params["bdev_name"])
    if bdev is None or bdev.removing:
        raise errors.internal(os.strerror(errno.ENODEV))
    target.answer_later(request, lambda: False)
    return registry.PENDING


@registry.method("blobfs_create")
def blobfs_create(target, params, request):
    """Make a file system of SPDK's on a bdev; nobody could mount it."""
    bdev = target.bdevs.find(params["bdev_name"])
    if bdev is None or bdev.removing:
        raise errors.internal(os.strerror(errno.ENODEV))
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("blobfs_set_cache_size")
def blobfs_cache(target, params, request):
    """Set the size of the cache of files."""
    if not params["size_in_mb"]:
        raise errors.invalid_params("spdk_json_decode_object failed")
    return True
