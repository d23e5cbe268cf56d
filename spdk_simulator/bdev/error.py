# SPDX-License-Identifier: Apache-2.0

"""``bdev_error_*`` (``module/bdev/error``): bdevs that fail on demand."""

import errno

from spdk_simulator.bdev import common
from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator.bdev import virtual as bdev_virtual
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry

_IO_TYPES = ("clear", "read", "write", "unmap", "flush", "all")
_ERROR_TYPES = ("failure", "pending", "corrupt_data", "nomem",
                "nvme_failure")


class Module:
    """The module's state: base name -> UUID that was given, or None.

    SPDK saves a UUID that was given, and gives the bdev the one of a part of
    its base all the same (spdk_bdev_part_construct_ext(), seen with v26.05).
    """

    def __init__(self, target):
        self.target = target
        self.bases = {}
        target.bdevs.examiners.append(self.examine)

    def examine(self, bdev):
        """A bdev has appeared."""
        if bdev.name in self.bases and bdev.claim is None:
            try:
                self.make(bdev)
            except errors.CallError:
                return

    def make(self, base):
        """Put an error bdev on a bdev."""
        target = self.target
        bdev = bdev_virtual.like("error", f"EE_{base.name}", base)
        bdev.product = "Error Injection Disk"
        bdev.uuid = bdev_virtual.part_uuid(target.release, base, 0,
                                           base.num_blocks)
        bdev.specific = lambda: {"error_disk": {"base_bdev": base.name}}
        bdev.injected = {}
        target.bdevs.register(bdev)
        target.bdevs.claim(base, "error")
        bdev_virtual.attach(target, bdev, base,
                            lambda: self.bases.pop(base.name, None))

    def config(self):
        """The calls that make the bdevs again."""
        calls = []
        for name, uuid in self.bases.items():
            params = {"base_name": name}
            if uuid:
                params["uuid"] = uuid
            calls.append({"method": common.name(self.target.release,
                                                "bdev_error_create"),
                          "params": params})
        return calls


@registry.method("bdev_error_create")
def create(target, params, request):
    """Put an error bdev on a bdev, which may come later."""
    module = target.bdevs.modules["error"]
    name = params["base_name"]
    if name in module.bases:
        raise errors.exists()
    base = bdev_virtual.open_base(target, name)
    if base is None and target.release < 1804:
        raise errors.no_device()
    common.old_uuid(target.release, params, 2401, errors.INVALID_PARAMS)
    given = params.get("uuid")
    module.bases[name] = None if given == bdev_layer.NIL else given
    if base is not None:
        try:
            module.make(base)
        except errors.CallError as exc:
            if exc.code == -errno.EEXIST and target.release >= 2301:
                # Taken for a base that comes later.
                return True
            del module.bases[name]
            raise
    return True


@registry.method("bdev_error_delete")
def delete(target, params, request):
    """Remove one."""
    return common.delete(target, params["name"], "error", request)


def _check_types(release, io_type, kind):
    kinds = _ERROR_TYPES
    if release < 2605:
        kinds = kinds[:4]
    if release < 2309:
        kinds = kinds[:3 if release >= 2301 else 2]
    for known, value, member in ((_IO_TYPES, io_type, "io_type"),
                                 (kinds, kind, "error_type")):
        if value not in known:
            if release < 2301:
                raise errors.CallError(-errno.EINVAL,
                                       f"Unexpected {member} value")
            if release < 2605:
                raise errors.internal("spdk_json_decode_object failed")
            raise errors.invalid()


@registry.method("bdev_error_inject_error")
def inject_error(target, params, request):
    """Have the next operations fail."""
    io_type, kind = params["io_type"], params["error_type"]
    _check_types(target.release, io_type, kind)
    if target.release >= 2605:
        nvme = params.get("nvme_sct", 0) or params.get("nvme_sc", 0)
        if bool(nvme) != (kind == "nvme_failure"):
            raise errors.CallError(
                -errno.EINVAL, "nvme_sct or nvme_sc should be specified "
                "for NVMe error injection")
    if kind == "corrupt_data" and not params.get("corrupt_value", 0):
        raise errors.invalid()
    bdev = target.bdevs.get(params["name"])
    if bdev.module != "error":
        raise errors.no_device()
    bdev.injected[io_type] = dict(params)
    return True


@registry.method("bdev_error_resume_pending")
def resume_pending(target, params, request):
    """Let operations go on that an error made wait."""
    bdev = target.bdevs.get(params["name"])
    if bdev.module != "error":
        raise errors.no_device()
    return True
