# SPDX-License-Identifier: Apache-2.0

"""``framework_get_*``, scheduler, accel, sock, iobuf, keyring: the parts of
SPDK that are mostly options."""

import errno
import re

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.nvme import rpc as nvme_rpc
from spdk_simulator.target import config


@registry.method("framework_get_subsystems")
def get_subsystems(target, params, request):
    """List the subsystems in the order of their initialization."""
    return target.options.subsystems()


@registry.method("framework_get_config")
def get_config(target, params, request):
    """Write the calls that make the present state of a subsystem."""
    name = params["name"]
    if name not in [item["subsystem"]
                    for item in target.options.subsystems()]:
        raise errors.invalid_params(f"Subsystem '{name}' not found")
    calls = config.calls(target, name, params.get("with_batches", False))
    target.answer_later(request, lambda: calls)
    return registry.PENDING


# accel

@registry.method("accel_get_opc_assignments", "accel_get_module_info",
                 "accel_get_stats", "iobuf_get_stats")
def facts(target, params, request):
    """Tell what is fixed here: the software module does everything."""
    reply = target.options.fact(request_name(target, request))
    target.answer_later(request, lambda: reply)
    return registry.PENDING


def request_name(target, request):
    """The current name of the method that was called."""
    return target.methods.table[request.method].canonical


_SETS = {"dhchap_digests": ("sha256", "sha384", "sha512"),
         "dhchap_dhgroups": ("null", "ffdhe2048", "ffdhe3072", "ffdhe4096",
                             "ffdhe6144", "ffdhe8192")}


# What an option must be at least (spdk_iobuf_set_opts(),
# spdk_accel_set_opts()).
_LEAST = {"iobuf_set_options": {
    "small_pool_count": 64, "large_pool_count": 8, "small_bufsize": 4096,
    "large_bufsize": 8192}, "accel_set_options": {"task_count": 8}}


@registry.method("accel_set_options", "iobuf_set_options",
                 "bdev_raid_set_options", "bdev_nvme_set_options")
def set_options(target, params, request):
    """Set the options of a part."""
    name = request_name(target, request)
    if name == "bdev_nvme_set_options":
        _check_nvme(target, params)
        params = _kept_of_nvme(target, params, request)
        if params.get("multipath_opts") is not None:
            module = target.bdevs.modules["nvme"]
            module.multipath_options.update(params.pop("multipath_opts"))
            target.options.calls[name]["multipath_opts"] = \
                module.multipath()
    if name == "bdev_raid_set_options" \
            and params.get("process_window_size_kb") == 0:
        raise errors.invalid()
    if target.release >= (2301 if name == "iobuf_set_options" else 2409):
        params = _enough(target, _LEAST.get(name, {}), params)
    target.options.update(name, params)
    return True


def _enough(target, least, params):
    """Refuse options that are too small.

    :param least: what each must be at least.
    :returns: the parameters; from v23.05 to v24.01 lengths are corrected.
    :raises errors.CallError: EINVAL.
    """
    given = dict(params)
    for name, low in least.items():
        if given.get(name, low) >= low:
            continue
        if not name.endswith("bufsize") \
                or not 2305 <= target.release < 2405:
            raise errors.invalid()
        given[name] = low
    return given


def _check_nvme(target, params):
    options = {**target.options.calls["bdev_nvme_set_options"], **params}
    if (not options["timeout_us"] and options.get("timeout_admin_us")) \
            or options.get("bdev_retry_count", 0) < -1 \
            or not nvme_rpc.resilient(options):
        raise errors.invalid()
    if target.bdevs.modules["nvme"].controllers:
        if target.release < 2209:
            raise errors.not_permitted()
        raise errors.CallError(-errno.EPERM, "RPC not permitted with nvme "
                               "controllers already attached")


def _kept_of_nvme(target, params, request):
    """The options as they are shown: sets in the order of their bits."""
    # SPDK hands this one to its transport and does not keep it.
    kept = {name: value for name, value in params.items()
            if name != "rdma_umr_per_io"}
    if "retry_count" not in target.options.calls["bdev_nvme_set_options"]:
        # Another name of the same; the last one counts.
        for name in request.params or ():
            if name in ("retry_count", "transport_retry_count"):
                kept["transport_retry_count"] = params[name]
    return ordered_sets(kept)


def ordered_sets(params):
    """Put the sets among parameters in the order of their bits."""
    kept = dict(params)
    for name, order in _SETS.items():
        if kept.get(name):
            kept[name] = [item for item in order if item in kept[name]]
    return kept


@registry.method("bdev_nvme_set_hotplug")
def set_hotplug(target, params, request):
    """Set how NVMe devices are looked for."""
    period = min(params.get("period_us", 0) or 100000, 10000000)
    target.options.update("bdev_nvme_set_hotplug",
                          {**params, "period_us": period})
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("accel_assign_opc")
def assign_opc(target, params, request):
    """Have a module do an operation; whether it can is seen later."""
    if params["opname"] not in target.options.fact(
            "accel_get_opc_assignments"):
        raise errors.invalid_params("spdk_json_decode_object failed")
    target.options.accel_overrides[params["opname"]] = params["module"]
    return True


# sock

def _impl(target, params):
    name = params["impl_name"]
    key = f"sock_impl_set_options:{name}"
    if key not in target.options.calls:
        raise errors.invalid_params()
    return key


@registry.method("sock_impl_get_options")
def sock_get(target, params, request):
    """Tell the options of a socket implementation."""
    options = dict(target.options.calls[_impl(target, params)])
    del options["impl_name"]
    if 2010 <= target.release < 2104:
        # Shown, but not kept in a configuration yet.
        options = {**options, "enable_quickack": False,
                   "enable_placement_id": False}
    return options


@registry.method("sock_impl_set_options")
def sock_set(target, params, request):
    """Set the options of a socket implementation."""
    target.options.update(_impl(target, params), params)
    return True


@registry.method("sock_set_default_impl")
def sock_set_default(target, params, request):
    """Choose the socket implementation."""
    _impl(target, params)
    target.options.calls["sock_set_default_impl"] = {
        "impl_name": params["impl_name"]}
    return True


@registry.method("sock_get_default_impl")
def sock_get_default(target, params, request):
    """Tell the socket implementation."""
    call = target.options.calls.get("sock_set_default_impl",
                                    {"impl_name": "posix"})
    return {"impl_name": call["impl_name"]}


# spdk_pci_addr_parse(): without a domain, or without a function, too.
_PCI = re.compile(r"\s*(?:[0-9a-fA-F]+[:.])?[0-9a-fA-F]+[:.][0-9a-fA-F]+"
                  r"(?:[.:][0-9a-fA-F]+)?.*", re.DOTALL)


@registry.method("vmd_enable")
def vmd_enable(target, params, request):
    """Look for devices behind a VMD: there is none."""
    target.options.vmd = True
    return True


@registry.early("vmd_rescan", "vmd_remove_device")
def vmd_enabled(target, params):
    """Refuse where devices behind a VMD are not looked for."""
    if not target.options.vmd:
        raise errors.CallError(-1, "VMD subsystem is disabled")


@registry.method("vmd_rescan", "vmd_remove_device")
def vmd(target, params, request):
    """Look again, or remove one."""
    if request.method == "vmd_rescan":
        return {"count": 0}
    if not _PCI.fullmatch(params["addr"]):
        raise errors.CallError(-errno.EINVAL,
                               "Failed to parse PCI address")
    raise errors.no_device()


@registry.method("ioat_scan_accel_module", "ae4dma_scan_accel_module")
def scan_accel(target, params, request):
    """Look for DMA engines: there is none."""
    return True


# keyring

@registry.method("keyring_get_keys")
def get_keys(target, params, request):
    """List the keys."""
    return list(target.options.keys)


@registry.method("keyring_file_add_key")
def add_key(target, params, request):
    """Add a key that is in a file."""
    target.options.keys.add(params["name"], params["path"])
    return True


@registry.method("keyring_file_remove_key")
def remove_key(target, params, request):
    """Remove a key."""
    target.options.keys.remove(params["name"])
    return True


@registry.method("keyring_linux_set_options")
def keyring_linux(target, params, request):
    """Set whether keys of the kernel's keyring are looked for."""
    target.options.keyring_linux = params.get(
        "enable", target.options.keyring_linux)
    return True
