# SPDX-License-Identifier: Apache-2.0

"""``bdev_delay_*`` (``module/bdev/delay``)."""

from spdk_simulator.bdev import common
from spdk_simulator.bdev import virtual as bdev_virtual
from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry

_NAMESPACE = "4009b574-6430-4f1b-bc40-ace811091027"
_LATENCIES = ("avg_read_latency", "p99_read_latency", "avg_write_latency",
              "p99_write_latency")
_IO = {"read", "write", "unmap", "write_zeroes", "flush", "reset", "abort",
       "zcopy"}


class Module:
    """The module's state."""

    def __init__(self, target):
        self.target = target
        self.names = bdev_virtual.Associations(target, self._make)

    def _make(self, entry, base):
        target = self.target
        bdev = bdev_virtual.like("delay", entry["name"], base)
        bdev.product = "delay"
        bdev.numa_id = base.numa_id
        bdev.uuid = entry["uuid"] or bdev_virtual.derived(
            target.release, _NAMESPACE, base)
        bdev.domains = base.domains if target.release < 2605 else ()
        if target.release < 2405:
            bdev.md_size = bdev.dif_type = 0
        bdev.latencies = {
            name: _kept(target, latency)
            for name, latency in entry["latencies"].items()}
        target.bdevs.register(bdev)
        bdev.specific = lambda: {"delay": self.facts(bdev)}
        target.bdevs.claim(base, "delay")
        bdev_virtual.attach(target, bdev, base)

    def facts(self, bdev):
        """Name, base, UUID and latencies, as shown and as configured."""
        facts = {"name": bdev.name,
                 "base_bdev_name": bdev.base_bdevs[0].name}
        if self.target.release >= 2305:
            facts["uuid"] = bdev.uuid
        facts.update(bdev.latencies)
        return facts

    def config(self):
        """The calls that make the bdevs again."""
        return [{"method": common.name(self.target.release,
                                       "bdev_delay_create"),
                 "params": self.facts(bdev)}
                for bdev in self.target.bdevs.list
                if bdev.module == "delay"]


def _kept(target, latency):
    """Microseconds as they come back from ticks of 64 bits."""
    ticks = target.tick_rate // 10 ** 6 * latency % 2 ** 64
    if target.release < 1910:
        # Divided first: whole seconds.
        return ticks // target.tick_rate * 10 ** 6
    return ticks * 10 ** 6 % 2 ** 64 // target.tick_rate


@registry.method("bdev_delay_create")
def create(target, params, request):
    """Put a delay bdev on a bdev, which may come later."""
    common.old_uuid(target.release, params, 2401)
    latencies = {name: params[name] for name in _LATENCIES}
    if latencies["p99_read_latency"] < latencies["avg_read_latency"] \
            or latencies["p99_write_latency"] \
            < latencies["avg_write_latency"]:
        raise errors.invalid()
    target.bdevs.modules["delay"].names.add({
        "name": params["name"], "base": params["base_bdev_name"],
        "uuid": params.get("uuid"), "latencies": latencies})
    return common.created(target.release, params["name"])


@registry.method("bdev_delay_delete")
def delete(target, params, request):
    """Remove one."""
    return common.delete_named(target, params["name"], "delay", request)


@decode.decoder("rpc_decode_bdev_delay_latency_type")
def _latency_type(value):
    return decode.choice("avg_read", "p99_read", "avg_write",
                         "p99_write")(value)


@registry.method("bdev_delay_update_latency")
def update_latency(target, params, request):
    """Change one of the latencies."""
    kind = params["latency_type"] + "_latency"
    if kind not in _LATENCIES:
        raise errors.invalid_params("Please specify a valid latency type.")
    bdev = target.bdevs.find(params["delay_bdev_name"])
    if bdev is None or bdev.removing or (
            bdev.module != "delay" and target.release >= 2205):
        raise errors.invalid_params("The requested bdev does not exist.")
    if bdev.module != "delay":
        raise errors.CallError(errors.INVALID_REQUEST,
                               "The requested bdev is not a delay bdev.")
    bdev.latencies[kind] = _kept(target, params["latency_us"])
    return True
