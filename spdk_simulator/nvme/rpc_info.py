# SPDX-License-Identifier: Apache-2.0

"""What ``bdev_nvme_*`` tell of controllers, and what they do to them."""

import errno
import os
import re

from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry
from spdk_simulator.nvme import rpc as nvme_rpc


@registry.method("bdev_nvme_get_controller_health_info")
def health_info(target, params, request):
    """Read the health log of a controller."""
    if request.params is None:
        raise errors.internal("Missing device name")
    controller = nvme_rpc.module_of(target).controllers.get(
        params.get("name"))
    if controller is None:
        raise errors.internal("Device not found")
    if controller.disabled:
        raise errors.internal("Internal error.")
    reply = {"model_number": controller.subsystem.model,
             "serial_number": controller.subsystem.serial,
             "firmware_revision": target.release.tag[1:6],
             "traddr": controller.address["traddr"]}
    if target.release >= 2401:
        reply["critical_warning"] = 0
    # 0 K less 273 in 64 bits without a sign: what SPDK writes.
    reply["temperature_celsius"] = 2 ** 64 - 273
    for key in ("available_spare_percentage",
                "available_spare_threshold_percentage", "percentage_used",
                "data_units_read", "data_units_written",
                "host_read_commands", "host_write_commands",
                "controller_busy_time", "power_cycles", "power_on_hours",
                "unsafe_shutdowns", "media_errors", "num_err_log_entries",
                "warning_temperature_time_minutes",
                "critical_composite_temperature_time_minutes"):
        reply[key] = 0
    target.answer_later(request, lambda: reply)
    return registry.PENDING


@registry.method("bdev_nvme_reset_controller", "bdev_nvme_enable_controller",
                 "bdev_nvme_disable_controller")
def reset_controller(target, params, request):
    """Reset a controller, or disconnect it until it is enabled again."""
    module = nvme_rpc.module_of(target)
    controller = nvme_rpc.find(target, params["name"])
    if params.get("cntlid", 0) not in (0, controller.cntlid):
        raise errors.no_device()
    operation = request.method.removeprefix("bdev_nvme_").removesuffix(
        "_controller")

    def finish():
        # What is so already is no error.
        if operation == "disable" and not controller.disabled:
            controller.disabled = True
            module.disconnect(controller)
        elif operation != "disable" \
                and controller.disabled == (operation == "enable"):
            controller.disabled = False
            try:
                module.reconnect(controller)
            except errors.CallError:
                # It goes on trying.
                return True
        return True

    target.answer_later(request, finish)
    return registry.PENDING


@registry.early("bdev_nvme_apply_firmware")
def apply_firmware_early(target, params):
    """Up to v19.10 the text that a parameter replaces is freed, and was
    never set: a real target dies of it.
    """
    if target.release < 2001 and isinstance(params, dict) \
            and {"filename", "bdev_name"} & set(params):
        target.process.crash()


@registry.method("bdev_nvme_apply_firmware")
def apply_firmware(target, params, request):
    """Write firmware: these controllers take none."""
    name, path = params["bdev_name"], params["filename"]
    bdev = target.bdevs.find(name)
    if target.release < 2305 and bdev is None:
        raise errors.internal(f"bdev {name} were not found")
    if target.release >= 2305 and (
            bdev is None or bdev.removing or bdev.claim is not None):
        raise errors.internal(f"bdev {name} could not be opened")
    if bdev.module != "nvme":
        raise errors.internal(
            f"Controller information for {name} were not found.")
    try:
        size = os.stat(path).st_size
    except OSError:
        raise errors.internal("open file failed.") from None
    if size % 4:
        raise errors.internal("Firmware image size is not multiple of 4.")
    raise errors.internal("firmware update not supported")


@decode.decoder("rpc_decode_bdev_nvme_cmd_type")
def _command_type(value):
    return decode.choice("admin", "io")(value)


@registry.method("bdev_nvme_add_error_injection",
                 "bdev_nvme_remove_error_injection")
def error_injection(target, params, request):
    """Have commands fail: there are none."""
    nvme_rpc.find(target, params["name"])
    if params["cmd_type"] == "admin":
        return True
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("bdev_nvme_set_keys")
def set_keys(target, params, request):
    """Change the DH-HMAC-CHAP keys of a controller."""
    for key in ("dhchap_key", "dhchap_ctrlr_key"):
        if params.get(key) is not None \
                and params[key] not in target.options.keys:
            raise errors.system(errno.ENOKEY)
    nvme_rpc.find(target, params["name"])
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.early("bdev_nvme_get_path_iostat")
def paths_counted(target, params):
    """Refuse where the paths' counters are not kept."""
    options = target.options.calls["bdev_nvme_set_options"]
    if not options.get("io_path_stat"):
        raise errors.CallError(
            -errno.EPERM, "RPC not enabled if enable_io_path_stat is false")


@registry.method("bdev_nvme_get_path_iostat")
def path_iostat(target, params, request):
    """Tell the counters of the paths of a bdev."""
    bdev = target.bdevs.get(params["name"])
    if bdev.module != "nvme":
        raise errors.no_device()
    raise errors.system(errno.ENOENT)


# The 64 bytes of a command in URL-safe Base64.
_COMMAND = re.compile(r"[A-Za-z0-9_-]{85}[AQgw](?:==)?")


@decode.decoder("rpc_decode_cmdbuf")
def _command(value):
    if not _COMMAND.fullmatch(decode.string(value)):
        raise decode.Refused
    return value


@registry.method("bdev_nvme_send_cmd")
def send_command(target, params, request):
    """Send a command to a controller: these take none."""
    if params["name"] not in nvme_rpc.module_of(target).controllers:
        raise errors.invalid_params(os.strerror(errno.EINVAL))
    raise errors.internal(os.strerror(errno.EINVAL))


_COUNTERS = ("polls", "idle_polls", "socket_completions",
             "nvme_completions", "queued_requests", "submitted_requests")


@registry.method("bdev_nvme_get_transport_statistics")
def transport_statistics(target, params, request):
    """Tell the counters of the transports."""
    module = nvme_rpc.module_of(target)
    names = {name for controller in module.controllers.values()
             for name in module.threads(controller)}
    reply = {"poll_groups": [
        {"thread": name, "transports": [
            {"trname": "TCP", **dict.fromkeys(_COUNTERS, 0)}]}
        for _, name, _ in target.threads() if name in names]}
    target.answer_later(request, lambda: reply)
    return registry.PENDING


@registry.method("bdev_nvme_get_io_paths")
def io_paths(target, params, request):
    """List the paths: no thread has a channel."""
    reply = {"poll_groups": []}
    target.answer_later(request, lambda: reply)
    return registry.PENDING
