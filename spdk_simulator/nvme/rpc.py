# SPDX-License-Identifier: Apache-2.0

"""``bdev_nvme_*`` (``module/bdev/nvme``), over a simulated fabric.

A controller is attached to a subsystem of this same target: nobody speaks
NVMe here, the two ends just know each other.
"""

import errno

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.nvmf import psk as psks
from spdk_simulator.nvmf import state as nvmf_state

_ADRFAM = {"ipv4": "IPv4", "ipv6": "IPv6"}
_PATH = ("trtype", "traddr", "adrfam", "trsvcid", "subnqn")


def module_of(target):
    """The module's state."""
    return target.bdevs.modules["nvme"]


def _too_long(name, value, size, release=2010):
    # Up to v20.07 it is cut.
    if value is not None and len(value.encode()) >= size \
            and release >= 2010:
        raise errors.CallError(-errno.EINVAL, f"{name} too long: {value}")


def resilient(params):
    """Tell whether the three timeouts of a lost controller agree."""
    loss = params.get("ctrlr_loss_timeout_sec", 0)
    delay = params.get("reconnect_delay_sec", 0)
    fail = params.get("fast_io_fail_timeout_sec", 0)
    if loss == 0:
        return delay == 0 and fail == 0
    if loss < -1 or delay == 0 or (fail != 0 and delay > fail):
        return False
    return loss == -1 or (delay <= loss and fail <= loss)


def address_of(release, params):
    """Read the address of a controller from parameters.

    :returns: dict as shown in ``trid``.
    :raises errors.CallError: EINVAL with a sentence.
    """
    trtype, family = params["trtype"], params.get("adrfam")
    if not nvmf_state.trtype_is_known(release, trtype):
        raise errors.CallError(-errno.EINVAL,
                               f"Failed to parse trtype: {trtype}")
    _too_long("traddr", params["traddr"], 257, release)
    if family is not None and family.lower() not in (
            "ipv4", "ipv6", "ib", "fc"):
        raise errors.CallError(-errno.EINVAL,
                               f"Failed to parse adrfam: {family}")
    _too_long("trsvcid", params.get("trsvcid"), 33, release)
    address = {"trtype": trtype.upper()}
    if family is not None:
        address["adrfam"] = _ADRFAM.get(family.lower(), family)
    address["traddr"] = params["traddr"]
    if params.get("trsvcid"):
        address["trsvcid"] = params["trsvcid"]
    return address


@registry.method("bdev_nvme_attach_controller")
def attach_controller(target, params, request):
    """Attach a controller."""
    module = module_of(target)
    name, trtype = params["name"], params["trtype"].upper()
    if params.get("max_bdevs", 1) == 0:
        raise errors.CallError(-errno.EINVAL, "max_bdevs cannot be zero")
    address = address_of(target.release, params)
    _too_long("subnqn", params.get("subnqn"), 224, target.release)
    _too_long("hostnqn", params.get("hostnqn"), 224, target.release)
    if 2305 <= target.release < 2405 and params.get("psk") is not None \
            and psks.load(params["psk"]) is None:
        raise errors.CallError(
            -errno.EINVAL,
            f"Could not retrieve PSK from file: {params['psk']}")
    for key, size in (("hostaddr", 257), ("hostsvcid", 33)):
        _too_long(key, params.get(key), size, target.release)
    _existing(target, module, name, address, params)
    most = 65536
    if not 0 < params.get("num_io_queues", 1) <= most:
        raise errors.CallError(
            -errno.EINVAL, "num_io_queues out of bounds, min: 1 max: "
            f"{most}" + ("\n" if target.release < 2409 else ""))
    address.setdefault("adrfam", "IPv4")
    subnqn = params.get("subnqn") or ""
    for other in module.controllers.values():
        # Up to v24.05 another host's connection counted, too.
        if {**address, "subnqn": subnqn} in other.trids and (
                target.release < 2409 or other.hostnqn
                == (params.get("hostnqn") or module.hostnqn)):
            raise errors.exists()
    if not 0 < len(name.encode()) < 512 or not resilient(params):
        raise errors.invalid()
    if target.release >= 2405 and any(
            params.get(key) is not None
            and params[key] not in target.options.keys
            for key in ("psk", "dhchap_key", "dhchap_ctrlr_key")):
        raise errors.system(errno.ENOKEY)
    if trtype != "TCP":
        raise errors.no_device()
    subnqn = subnqn or nvmf_state.DISCOVERY
    target.server.later(0.05, _attach, target, request, name, address,
                        subnqn, params)
    return registry.PENDING


def _existing(target, module, name, address, params):
    """Refuse another path under a name where SPDK does."""
    controller = module.controllers.get(name)
    if controller is None:
        return
    release = target.release
    end = "" if release >= 2409 else "\n"
    if params.get("multipath") == "disable":
        raise errors.CallError(
            -errno.EALREADY, f"A controller named {name} already exists "
            f"and multipath is disabled{end}")
    if any((known["traddr"], known.get("trsvcid"))
           == (address["traddr"], address.get("trsvcid"))
           for known in controller.trids):
        raise errors.CallError(
            -errno.EALREADY, f"A controller named {name} already exists "
            f"with the specified network path{end}")
    if params.get("subnqn") != controller.subsystem.nqn:
        raise errors.CallError(
            -errno.EINVAL, f"A controller named {name} already exists, but "
            f"uses a different subnqn ({controller.subsystem.nqn}){end}")


def _attach(target, request, name, address, subnqn, params):
    module = module_of(target)
    try:
        subsystem = module.connect(
            address, subnqn, params.get("hostnqn") or module.hostnqn,
            params.get("subnqn") == nvmf_state.DISCOVERY)
    except errors.CallError as exc:
        request.error(exc.code, exc.message)
        return
    if name in module.controllers:
        # Another path of a controller that is there: no new bdevs.
        module.controllers[name].more.append(address)
        request.result([bdev.name
                        for bdev in module.controllers[name].bdevs])
        return
    controller = module.attach(name, address, subsystem, params)
    request.result([bdev.name for bdev in controller.bdevs])


def _parsed(params):
    """Refuse parts of a path that cannot be read."""
    for key, size in (("trtype", 33), ("adrfam", 0)):
        value = params.get(key)
        if value is not None and (
                len(value) >= size if size else value.lower() not in (
                    "ipv4", "ipv6", "ib", "fc", "intra_host")):
            raise errors.CallError(-errno.EINVAL,
                                   f"Failed to parse {key}: {value}")
    for key, size in (("traddr", 257), ("trsvcid", 33), ("subnqn", 224),
                      ("hostaddr", 257), ("hostsvcid", 33)):
        _too_long(key, params.get(key), size)


@registry.method("bdev_nvme_detach_controller")
def detach_controller(target, params, request):
    """Detach a controller, or one of its paths."""
    module = module_of(target)
    given = [params.get(key) is not None for key in _PATH]
    if 2010 <= target.release < 2110 and any(given) and not all(given):
        raise errors.invalid_params(
            "trtype, traddr, adrfam, trsvcid, subnqn must all be provided "
            "together or not at all.")
    if target.release >= 2201:
        _parsed(params)
    controller = module.controllers.get(params["name"])
    if controller is None:
        if params["name"] in module.leaving:
            return True
        raise errors.no_device()
    paths = [trid for trid in controller.trids if all(
        params.get(key) is None
        or params[key].lower() == trid.get(key, "").lower()
        for key in _PATH)]
    if not paths:
        raise errors.system(errno.ENXIO)
    if len(paths) < len(controller.trids):
        for trid in paths:
            controller.leave(trid)
        target.answer_later(request, lambda: True)
        return registry.PENDING
    if target.release < 2401:
        # Answered at once; for some time the controller is still there.
        module.detach(controller, lambda: None)
        module.leaving.add(controller.name)
        target.server.later(0.25, module.leaving.discard, controller.name)
        return True
    if controller.detaching:
        raise errors.no_device()
    module.detach(controller, lambda: request.result(True))
    return registry.PENDING


@registry.method("bdev_nvme_get_controllers")
def get_controllers(target, params, request):
    """Describe one controller or all."""
    module = module_of(target)
    release = target.release
    found = list(module.controllers.values())
    if params.get("name") is not None:
        found = [module.controllers.get(params["name"])]
        if found == [None]:
            code = -errno.EINVAL if release >= 2605 else errno.EINVAL
            raise errors.CallError(
                code, f"Controller {params['name']} does not exist")
    reply = []
    for controller in found:
        reply.append({"name": controller.name, "ctrlrs": [
            _path(controller, number, trid, release)
            for number, trid in enumerate(controller.trids)]})
    return reply


@registry.method("bdev_nvme_set_multipath_policy",
                 "bdev_nvme_set_preferred_path")
def choose_paths(target, params, request):
    """Say how the paths of a bdev are used: all lead to the same here."""
    if params.get("policy") == "active_passive" \
            and params.get("selector") is not None:
        raise errors.internal("spdk_json_decode_object failed")
    if target.release < 2405 and "rr_min_io" in params \
            and params.get("selector") != "round_robin":
        raise errors.invalid()
    active = params.get("policy") == "active_active"
    if target.release >= 2405:
        refused = active and params.get("rr_min_io") == 0 \
            and params.get("selector") != "queue_depth"
    else:
        refused = params.get("rr_min_io") == 0 or (
            "rr_min_io" in params and not active)
    if refused:
        raise errors.invalid()
    bdev = target.bdevs.find(params["name"])
    if bdev is None or bdev.module != "nvme":
        raise errors.no_device()
    bdev.multipath = {
        **bdev.multipath, **{key: params[name] for key, name in (
            ("policy", "policy"), ("selector", "selector"),
            ("min_io", "rr_min_io")) if name in params}}
    target.answer_later(request, lambda: True)
    return registry.PENDING


def _path(controller, number, trid, release):
    """One element of ``ctrlrs``."""
    state = "disabled" if controller.disabled else "enabled"
    info = {"state": "deleting" if controller.detaching else state,
            "trid": trid}
    if release >= 2205:
        info["cntlid"] = controller.cntlid + number
    info["host"] = {"nqn": controller.hostnqn,
                    "addr": controller.params.get("hostaddr", ""),
                    "svcid": controller.params.get("hostsvcid", "")}
    if release >= 2605:
        info["host"]["no_shn_notification"] = False
    return info


def find(target, name):
    """Find a controller.

    :raises errors.CallError: ENODEV.
    """
    controller = module_of(target).controllers.get(name)
    if controller is None:
        raise errors.no_device()
    return controller
