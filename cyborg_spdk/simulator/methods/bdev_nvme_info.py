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

"""What ``bdev_nvme_*`` tell of controllers, and what they do to them."""

from cyborg_spdk.simulator import errors
from cyborg_spdk.simulator.methods import bdev_nvme
from cyborg_spdk.simulator import registry


@registry.method("bdev_nvme_get_controller_health_info")
def health_info(target, params, request):
    """Read the health log of a controller."""
    controller = bdev_nvme.module_of(target).controllers.get(params["name"])
    if controller is None:
        raise errors.internal(f"nvme ctrlr name '{params['name']}' not "
                              "found")
    reply = {"model_number": controller.subsystem.model,
             "serial_number": controller.subsystem.serial,
             "firmware_revision": target.release.tag[1:6],
             "traddr": controller.address["traddr"]}
    if target.release >= 2301:
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
    """Reset a controller: nothing is lost."""
    bdev_nvme.find(target, params["name"])
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("bdev_nvme_apply_firmware")
def apply_firmware(target, params, request):
    """Write firmware: these controllers take none."""
    bdev = target.bdevs.find(params["bdev_name"])
    if bdev is None:
        raise errors.invalid_params("Parameter error bdev name not found")
    raise errors.internal("firmware update not supported")


@registry.method("bdev_nvme_get_transport_statistics")
def transport_statistics(target, params, request):
    """Tell the counters of the transports."""
    reply = {"poll_groups": [
        {"thread": name, "transports": []}
        for _, name, _ in target.threads()
        if bdev_nvme.module_of(target).controllers]}
    target.answer_later(request, lambda: reply)
    return registry.PENDING


@registry.method("bdev_nvme_get_discovery_info")
def discovery_info(target, params, request):
    """No discovery service is followed."""
    return []


@registry.method("bdev_nvme_get_io_paths")
def io_paths(target, params, request):
    """List the paths: no thread has a channel."""
    reply = {"poll_groups": []}
    target.answer_later(request, lambda: reply)
    return registry.PENDING
