# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.
"""Methods for devices that no simulated target has.

What a real target answers when it finds no such device either.
"""

import errno
import os

from cyborg_spdk.simulator import decode
from cyborg_spdk.simulator import errors
from cyborg_spdk.simulator.methods import bdev_nvme
from cyborg_spdk.simulator.methods import nvmf
from cyborg_spdk.simulator import registry


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
    bdev_nvme.find(target, params["name"])
    raise errors.no_device()


@registry.method("bdev_ftl_create")
def ftl_create(target, params, request):
    """Wait for bdevs that are not there, or refuse those that are."""
    failed = "Failed to create FTL bdev: "
    if target.bdevs.find(params["name"]) is not None:
        raise errors.invalid_params(failed + os.strerror(errno.EEXIST))
    for name in (params["base_bdev"], params["cache"]):
        bdev = target.bdevs.find(name)
        if bdev is None or bdev.removing:
            return f"FTL bdev: {params['name']} creation deferred"
    raise errors.internal(failed + os.strerror(errno.EINVAL))


@registry.method("bdev_ftl_delete", "bdev_ftl_unmap", "bdev_ftl_get_stats",
                 "bdev_ftl_get_properties", "bdev_ftl_set_property")
def ftl(target, params, request):
    """There is no such bdev."""
    raise errors.no_device()


@decode.decoder("rpc_decode_bdev_virtio_trtype")
def _virtio_transport(value):
    return decode.choice("user", "pci", "vfio-user")(value)


@decode.decoder("rpc_decode_bdev_virtio_dev_type")
def _virtio_kind(value):
    return decode.choice("blk", "scsi")(value)


@registry.method("bdev_virtio_attach_controller")
def virtio_attach(target, params, request):
    """Nobody is behind any address."""
    counted = params.get("vq_count") or params.get("vq_size")
    if params["trtype"] != "user" and counted:
        name = {"pci": "PCI"}.get(params["trtype"], params["trtype"])
        raise errors.CallError(
            -errno.EINVAL, "vq_count or vq_size is not allowed for "
            f"{name} transport type.")
    raise errors.invalid_params(os.strerror(errno.EINVAL))


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
    target.bdevs.get(params["bdev_name"])
    raise errors.system(errno.ENOENT)


@registry.method("nbd_stop_disk")
def nbd_stop(target, params, request):
    """Nothing is exported."""
    raise errors.no_device()


@registry.method("nvmf_publish_mdns_prr")
def publish_mdns(target, params, request):
    """Without Avahi, nothing is published."""
    nvmf.find_tgt(target, params)
    raise errors.CallError(-errno.EOPNOTSUPP,
                           os.strerror(errno.EOPNOTSUPP))


@registry.method("nvmf_stop_mdns_prr")
def stop_mdns(target, params, request):
    """Nothing is published."""
    nvmf.find_tgt(target, params)
    return True


@registry.method("bdev_nvme_start_mdns_discovery",
                 "bdev_nvme_stop_mdns_discovery",
                 "bdev_nvme_get_mdns_discovery_info")
def mdns_discovery(target, params, request):
    """Without Avahi, nothing is found."""
    raise errors.system(errno.EOPNOTSUPP)
