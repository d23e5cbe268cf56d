# SPDX-License-Identifier: Apache-2.0

"""``bdev_passthru_*`` (``module/bdev/passthru``)."""

from spdk_simulator.bdev import common
from spdk_simulator.bdev import virtual as bdev_virtual
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry

_NAMESPACE = "7e25812e-c8c0-4d3f-8599-16d790555b85"


class Module:
    """The module's state."""

    def __init__(self, target):
        self.target = target
        self.names = bdev_virtual.Associations(target, self._make)

    def _make(self, entry, base):
        target = self.target
        name = entry["name"]
        bdev = bdev_virtual.like("passthru", name, base)
        bdev.product = "passthru"
        derived = bdev_virtual.derived(target.release, _NAMESPACE, base)
        # A UUID that was given is written over up to v24.05.
        bdev.uuid = (entry["uuid"] if target.release >= 2409 else None) \
            or derived
        bdev.domains = base.domains if target.release < 2605 else ()
        bdev.specific = lambda: {"passthru": {
            "name": name, "base_bdev_name": base.name}}
        target.bdevs.claim(base, "passthru")
        bdev_virtual.attach(target, bdev, base)
        try:
            target.bdevs.register(bdev)
        except errors.CallError:
            # The clean-up takes a lock of a bdev that was never registered.
            target.process.abort(f"registering {name}")

    def config(self):
        """The calls that make the bdevs again."""
        calls = []
        for bdev in self.target.bdevs.list:
            if bdev.module == "passthru":
                params = {"base_bdev_name": bdev.base_bdevs[0].name,
                          "name": bdev.name}
                if self.target.release >= 2309:
                    params["uuid"] = bdev.uuid
                calls.append({"method": common.name(
                    self.target.release, "bdev_passthru_create"),
                    "params": params})
        return calls


@registry.method("bdev_passthru_create")
def create(target, params, request):
    """Put a passthru bdev on a bdev, which may come later."""
    common.old_uuid(target.release, params, 2401, errors.INVALID_PARAMS)
    target.bdevs.modules["passthru"].names.add({
        "name": params["name"], "base": params["base_bdev_name"],
        "uuid": params.get("uuid")})
    return common.created(target.release, params["name"])


@registry.method("bdev_passthru_delete")
def delete(target, params, request):
    """Remove one."""
    return common.delete_named(target, params["name"], "passthru", request)
