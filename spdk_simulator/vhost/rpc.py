# SPDX-License-Identifier: Apache-2.0

"""``vhost_*`` methods (``lib/vhost/vhost_rpc.c``).

Every failure is -32602 with the system's text, whatever the reason.
"""

import errno

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.vhost import state as vhost_state

_CODE = errors.INVALID_PARAMS


def _describe(target, controller):
    release = target.release
    info = {"ctrlr": controller.name, "cpumask": controller.cpumask}
    if release >= 1807:
        info["delay_base_us"] = controller.delay_base_us
        info["iops_threshold"] = controller.iops_threshold
        info["socket"] = controller.path
    if release >= 2305:
        info["sessions"] = []
    if controller.kind == "block":
        block = {"readonly": controller.readonly,
                 "bdev": controller.bdev.name if controller.bdev else None}
        if release >= 2205:
            block["transport"] = controller.transport
        info["backend_specific"] = {"block": block}
    else:
        info["backend_specific"] = {"scsi": [
            {"scsi_dev_num": number, "id": device.id,
             "target_name": device.name,
             "luns": [{"id": lun, "bdev_name": bdev.name}
                      for lun, bdev in device.luns.items()]}
            for number, device in sorted(controller.targets.items())]}
    return info


@registry.method("vhost_get_controllers")
def get_controllers(target, params, request):
    """Describe one controller or all."""
    layer = target.vhost
    name = params.get("name")
    if name is None:
        return [_describe(target, item) for item in layer.ordered()]
    if name not in layer.controllers:
        raise errors.no_device(errors.INTERNAL_ERROR)
    return [_describe(target, layer.controllers[name])]


@registry.method("vhost_create_blk_controller")
def create_blk(target, params, request):
    """Make a block controller for a bdev."""
    try:
        return _create_blk(target, params, request)
    except errors.CallError:
        if target.release < 1810:
            # Whatever was wrong.
            raise errors.not_permitted(_CODE) from None
        raise


def _create_blk(target, params, request):
    layer = target.vhost
    name = params["ctrlr"]
    transport = params.get("transport", "vhost_user_blk")
    if transport != "vhost_user_blk":
        raise errors.invalid(_CODE)
    bdev = target.bdevs.find(params["dev_name"])
    if bdev is None or bdev.removing:
        raise errors.no_device(_CODE)
    if bdev.claim is not None:
        raise errors.not_permitted(_CODE)
    controller = vhost_state.Controller(
        name, "block", layer.cpumask(params.get("cpumask")),
        layer.path(name))
    controller.given_cpumask = params.get("cpumask")
    for option in ("readonly", "packed_ring"):
        # Since v22.05 an option of the transport, not of the method.
        value = request.params.get(option, False)
        if not isinstance(value, bool):
            raise errors.invalid(_CODE)
        setattr(controller, option, value)
    layer.add(controller)
    layer.attach(controller, bdev)
    return True


@registry.method("vhost_create_scsi_controller")
def create_scsi(target, params, request):
    """Make a SCSI controller."""
    layer = target.vhost
    controller = vhost_state.Controller(
        params["ctrlr"], "scsi", layer.cpumask(params.get("cpumask")),
        layer.path(params["ctrlr"]))
    controller.given_cpumask = params.get("cpumask")
    controller.delay = params.get("delay", False)
    controller.started = not controller.delay
    layer.add(controller)
    return True


def _scsi(target, controller):
    """See that a controller is a SCSI one.

    :raises errors.CallError: -32602; from v19.10 to v20.07 a real target
        goes on with a null pointer.
    """
    if controller.kind != "scsi":
        if 1910 <= target.release < 2010:
            target.process.crash()
        raise errors.invalid(_CODE)


@registry.method("vhost_start_scsi_controller")
def start_scsi(target, params, request):
    """Start a SCSI controller that was made with ``delay``."""
    if target.vhost.get(params["ctrlr"]).kind != "scsi":
        # A real target goes on with a null pointer.
        target.process.crash()
    controller = target.vhost.get(params["ctrlr"])
    if controller.started:
        return True
    if not controller.open_socket():
        raise errors.system(errno.EIO, _CODE)
    controller.started = True
    return True


@registry.method("vhost_scsi_controller_add_target")
def add_target(target, params, request):
    """Put a bdev behind a SCSI target; -1 picks the number."""
    layer = target.vhost
    controller = layer.get(params["ctrlr"])
    _scsi(target, controller)
    number = params["scsi_target_num"]
    if number < 0:
        free = [free for free in range(vhost_state.SCSI_TARGETS)
                if free not in controller.targets]
        if not free:
            raise errors.system(errno.ENOSPC, _CODE)
        number = free[0]
    elif number >= vhost_state.SCSI_TARGETS:
        raise errors.invalid(_CODE)
    if number in controller.targets:
        raise errors.exists(_CODE)
    bdev = target.bdevs.find(params["bdev_name"])
    if bdev is None or bdev.removing or bdev.claim is not None:
        raise errors.invalid(_CODE)
    layer.add_target(controller, number, bdev)
    return number if target.release >= 1904 else True


@registry.method("vhost_scsi_controller_remove_target")
def remove_target(target, params, request):
    """Remove a SCSI target."""
    layer = target.vhost
    controller = layer.get(params["ctrlr"])
    number = params["scsi_target_num"]
    if number >= vhost_state.SCSI_TARGETS:
        raise errors.invalid(_CODE)
    if controller.kind != "scsi" and target.release < 1910:
        raise errors.no_device(_CODE)
    _scsi(target, controller)
    if number not in controller.targets:
        raise errors.no_device(_CODE) if target.release < 2004 \
            else errors.system(errno.EBUSY, _CODE)
    layer.remove_target(controller, number)
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("vhost_delete_controller")
def delete_controller(target, params, request):
    """Remove a controller."""
    layer = target.vhost
    controller = layer.get(params["ctrlr"])
    if controller.targets and target.release < 2301:
        raise errors.system(errno.EBUSY, _CODE)
    layer.remove(controller)
    return True


@registry.method("vhost_controller_set_coalescing")
def set_coalescing(target, params, request):
    """Set the coalescing of interrupts."""
    controller = target.vhost.get(params["ctrlr"])
    ticks = params["delay_base_us"] * target.tick_rate // 10 ** 6
    if ticks >= 2 ** 32 - 1 or params["iops_threshold"] < 100:
        raise errors.invalid(_CODE)
    controller.delay_base_us = params["delay_base_us"]
    controller.iops_threshold = params["iops_threshold"]
    return True


@registry.method("scsi_get_devices")
def scsi_get_devices(target, params, request):
    """List the SCSI devices."""
    return [{"id": device.id, "device_name": device.name}
            for device in sorted(target.scsi.devices.values(),
                                 key=lambda device: device.id)]
