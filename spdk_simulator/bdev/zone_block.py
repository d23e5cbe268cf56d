# SPDX-License-Identifier: Apache-2.0
"""``bdev_zone_block_*`` (``module/bdev/zone_block``)."""

import errno
import os

from spdk_simulator.bdev import common
from spdk_simulator.bdev import virtual as bdev_virtual
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry

_NAMESPACE = "5f3f485a-d6bb-4443-9de7-023683b77389"
_IO = {"read", "write", "zone_management", "zone_append"}


class Module:
    """The module's state."""

    def __init__(self, target):
        self.target = target
        self.names = bdev_virtual.Associations(target, self._make, keep=False)

    def add(self, entry):
        """Add a bdev that is to be made, and make it if its base is there.

        :raises errors.CallError: EEXIST, EINVAL, EPERM.
        """
        if self.names.by_base.get(entry["base"]):
            raise errors.exists()
        self.names.add(entry)

    def _make(self, entry, base):
        target = self.target
        try:
            if base.zoned:
                raise errors.exists()
            size = max(2, 1 << (entry["capacity"] - 1).bit_length())
            if size >= 1 << 64:
                raise errors.invalid()
        except errors.CallError:
            self.names.forget(entry["name"])
            raise
        zones = base.num_blocks // size
        bdev = bdev_virtual.like(
            "zone_block", entry["name"], base, zones * size)
        bdev.product = "zone_block"
        bdev.zoned = {"zone_size": size, "max_open_zones": 0,
                      "optimal_open_zones": entry["optimal"]}
        bdev.io = set(_IO)
        bdev.uuid = bdev_virtual.derived(target.release, _NAMESPACE, base)
        bdev.specific = lambda: {"zoned_block": {
            "name": bdev.name, "base_bdev": base.name,
            "zone_capacity": entry["capacity"],
            "optimal_open_zones": entry["optimal"]}}
        target.bdevs.claim(base, "bdev_zoned_block")
        bdev_virtual.attach(target, bdev, base)
        target.bdevs.register(bdev)

    def config(self):
        """The calls that make the bdevs again."""
        return [{"method": "bdev_zone_block_create", "params": {
            "base_bdev": bdev.base_bdevs[0].name, "name": bdev.name,
            "zone_capacity":
                bdev.specific()["zoned_block"]["zone_capacity"],
            "optimal_open_zones": bdev.zoned["optimal_open_zones"]}}
            for bdev in self.target.bdevs.list
            if bdev.module == "zone_block"]


@registry.method("bdev_zone_block_create")
def create(target, params, request):
    """Put a zoned bdev on a bdev, which may come later."""
    try:
        if not params["zone_capacity"] or not params["optimal_open_zones"]:
            raise errors.system(errno.EINVAL)
        target.bdevs.modules["zone_block"].add({
            "name": params["name"], "base": params["base_bdev"],
            "capacity": params["zone_capacity"],
            "optimal": params["optimal_open_zones"]})
    except errors.CallError as exc:
        raise errors.internal("Failed to create block zoned vbdev: "
                              + os.strerror(-exc.code)) from None
    return params["name"]


@registry.method("bdev_zone_block_delete")
def delete(target, params, request):
    """Remove one."""
    bdev = target.bdevs.find(params["name"])
    if target.release < 2305 and (
            bdev is None or bdev.removing or bdev.module != "zone_block"):
        return False
    return common.delete_named(target, params["name"], "zone_block",
                               request)
