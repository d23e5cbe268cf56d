# SPDX-License-Identifier: Apache-2.0

"""``bdev_*`` methods of the block device layer (``lib/bdev/bdev_rpc.c``)."""

import errno
import os

from spdk_simulator.bdev import info as bdev_info
from spdk_simulator.bdev import iostat
from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry


_NO_LIMIT = 2 ** 64 - 1
_MOST_MBYTES = _NO_LIMIT // 2 ** 20


@registry.method("bdev_get_bdevs")
def get_bdevs(target, params, request):
    """Describe one bdev or all."""
    layer = target.bdevs
    name = params.get("name")
    if name is None:
        return [bdev_info.describe(target, bdev) for bdev in layer]
    timeout = params.get("timeout", 0)
    bdev = layer.find(name)
    if target.release < 2205:
        if bdev is None:
            raise errors.no_device()
        return [bdev_info.describe(target, bdev)]
    found = bdev if bdev is not None and not bdev.removing else None
    if found is None and timeout:
        _wait_for(target, request, name, timeout)
        return registry.PENDING
    if target.release < 2309:
        if found is None:
            raise errors.no_device()
        return [bdev_info.describe(target, found)]
    # Opened now, described in a message of its own.
    info = None if found is None else [bdev_info.describe(target, found)]
    target.answer_later(request, _found, info)
    return registry.PENDING


def _found(info):
    if info is None:
        raise errors.no_device()
    return info


def _wait_for(target, request, name, timeout):
    """Answer when a bdev of that name appears, or after the time."""
    layer = target.bdevs
    layer.waiting.add(request)

    def appeared(bdev):
        if name == bdev.name or name in bdev.aliases:
            forget()
            target.server.cancel(timer)
            request.result([bdev_info.describe(target, bdev)])

    def expired():
        forget()
        request.error(-errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    def forget():
        layer.waiting.discard(request)
        layer.watchers.remove(appeared)

    layer.watchers.append(appeared)
    timer = target.server.later(timeout / 1000, expired)


@decode.decoder("rpc_decode_reset_iostat_mode",
                "rpc_decode_bdev_reset_stat_mode")
def _reset_mode(value):
    return decode.choice("all", "maxmin", "none")(value)


@decode.decoder("rpc_decode_iostat_bdev_names",
                "rpc_decode_bdev_iostat_names")
def _iostat_names(value):
    return decode.array(value, decode.string, 1024)


@registry.method("bdev_get_iostat")
def get_iostat(target, params, request):
    """Tell the counters of some bdevs or all."""
    names = params.get("names")
    if "name" in params and names is None:
        names = [params["name"]]
    per_channel = params.get("per_channel", False)
    reset = params.get("reset_mode", "none")
    if per_channel and (names is None or len(names) != 1):
        raise errors.invalid()
    chosen = list(target.bdevs) if names is None else [
        target.bdevs.get(name) for name in names]
    reply = {"tick_rate": target.tick_rate}
    if target.release >= 2001:
        reply["ticks"] = target.ticks()
    if per_channel:
        reply["name"] = chosen[0].name
        reply["channels"] = []
    else:
        if len(chosen) > 1:
            chosen.sort(key=iostat.hops(target))
        reply["bdevs"] = [iostat.describe(target, bdev) for bdev in chosen]
        if target.release < 1907:
            reply = [{"tick_rate": target.tick_rate}, *reply["bdevs"]]
    if reset == "all":
        for bdev in chosen:
            bdev.reads = 0
    target.answer_later(request, lambda: reply)
    return registry.PENDING


@registry.method("bdev_reset_iostat")
def reset_iostat(target, params, request):
    """Zero the counters of a bdev or of all."""
    if params.get("mode") == "none":
        return True
    chosen = list(target.bdevs)
    if params.get("name") is not None:
        chosen = [target.bdevs.get(params["name"])]
    for bdev in chosen:
        bdev.reads = 0
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("bdev_set_qos_limit")
def set_qos_limit(target, params, request):
    """Limit a bdev."""
    bdev = target.bdevs.get(params["name"])
    limits = {name: params[name] for name in bdev_layer.QOS
              if params.get(name, _NO_LIMIT) != _NO_LIMIT}
    if not limits:
        raise errors.CallError(-errno.EINVAL, "No rate limits specified")
    if bdev.limiting and not bdev.openers:
        raise errors.invalid_params("Failed to configure rate limit: "
                                    + os.strerror(errno.EAGAIN))
    for name, value in limits.items():
        # Rounded up as lib/bdev does: I/O per second in steps of 1,000.
        if name == "rw_ios_per_sec" and value % 1000:
            value += 1000 - value % 1000
        if name != "rw_ios_per_sec":
            value = min(value, _MOST_MBYTES)
        bdev.qos[name] = value
    bdev.limited = any(bdev.qos.values()) and (
        bdev.limited or bdev in iostat.in_use(target))
    # Without anybody who has it open, v26.05 never ends to switch it on.
    bdev.limiting = target.release >= 2605 and not bdev.openers \
        and any(bdev.qos.values())
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("bdev_set_qd_sampling_period")
def set_qd_sampling_period(target, params, request):
    """Sample the queue depth of a bdev."""
    target.bdevs.get(params["name"]).period = params["period"]
    return True


@registry.method("bdev_examine")
def examine(target, params, request):
    """Let the modules look at a bdev again; by name, there or not."""
    name = params["name"]
    if name in target.bdevs.examine_names:
        raise errors.exists()
    if target.bdevs.options.get("bdev_auto_examine", True):
        raise errors.invalid()
    target.bdevs.examine_names.append(name)
    bdev = target.bdevs.find(name)
    if bdev is not None:
        target.bdevs.run_examiners(bdev)
    return True


@registry.method("bdev_wait_for_examine")
def wait_for_examine(target, params, request):
    """Answer when no module looks at a bdev any more."""
    target.server.poll_once(request.result, True)
    return registry.PENDING


@registry.method("bdev_set_options")
def set_options(target, params, request):
    """Set the options of the layer."""
    options = target.bdevs.options
    pool = params.get("bdev_io_pool_size", options["bdev_io_pool_size"])
    cache = params.get("bdev_io_cache_size", options["bdev_io_cache_size"])
    # Only the thread of the program is there yet.
    if pool < cache * 2 % 2 ** 32:
        raise errors.invalid_params(
            f"Pool size {pool} too small for cache size {cache}")
    options.update((key, value) for key, value in params.items()
                   if key in options)
    return True
