# SPDX-License-Identifier: Apache-2.0

"""``nvmf_*`` methods on targets as a whole and on who is connected."""

from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry
from spdk_simulator.jsonrpc import wire
from spdk_simulator.nvmf import rpc_subsystem as subsystems


@decode.decoder("decode_discovery_filter")
def _discovery_filter(value):
    """Words with commas between them; each is looked at as far as its
    length is known, so that more may follow.
    """
    if type(value) not in (str, wire.Number):
        raise decode.Refused
    words = [word for word in value.split(",") if word]
    for word in words:
        if word.startswith("match_any"):
            if len(words) > 1:
                raise decode.Refused
        elif not word.startswith(("transport", "address", "svcid")):
            raise decode.Refused
    return str(value)


@registry.method("nvmf_subsystem_get_controllers")
def get_controllers(target, params, request):
    """List the hosts that are connected."""
    _, subsystem = subsystems.find_subsystem(
        target, params, "Unable to find a target")
    module = target.bdevs.modules["nvme"]
    reply = []
    for controller in subsystem.controllers.values():
        info = {"cntlid": controller.cntlid}
        if target.release >= 2509:
            info["cntrltype"] = "io"
        info["hostnqn"] = controller.hostnqn
        info["hostid"] = controller.hostid
        # The admin queue is one of them.
        info["num_io_qpairs"] = 1 + len(module.threads(controller))
        reply.append(info)
    target.answer_later(request, lambda: reply)
    return registry.PENDING


@registry.method("nvmf_subsystem_get_qpairs")
def get_qpairs(target, params, request):
    """List the queue pairs of the hosts that are connected."""
    _, subsystem = subsystems.find_subsystem(
        target, params, "Unable to find a target")
    reply = []
    module = target.bdevs.modules["nvme"]
    queues = [(controller, queue)
              for controller in subsystem.controllers.values()
              for queue in range(1 + len(module.threads(controller)))]
    for controller, queue in queues:
        info = {"cntlid": controller.cntlid, "qid": queue}
        info["state"] = "enabled" if target.release >= 2405 else "active"
        if target.release >= 2409:
            info["thread"] = poll_group(target)
            info["hostnqn"] = controller.hostnqn
        info["listen_address"] = dict(controller.address)
        if target.release >= 2405:
            info["peer_address"] = {**controller.address,
                                    "trsvcid": str(controller.port)}
        reply.append(info)
    target.answer_later(request, lambda: reply)
    return registry.PENDING


def poll_group(target, number=0):
    """The name of a poll group's thread."""
    if target.release < 2004:
        # The threads of the reactors themselves.
        return f"reactor_{target.cores()[number]}" if number \
            else "app_thread"
    digits = 3 if target.release >= 2405 else 1
    return f"nvmf_tgt_poll_group_{number:0{digits}d}"


@registry.method("nvmf_get_stats")
def get_stats(target, params, request):
    """Tell the counters of the poll groups."""
    tgt = subsystems.find_tgt(target, params)
    release = target.release
    connected = [controller for subsystem in tgt.subsystems.values()
                 for controller in subsystem.controllers.values()]
    groups = []
    for number, _ in enumerate(target.cores()):
        mine = connected if number == 0 else []
        group = {"name": poll_group(target, number),
                 "admin_qpairs": target.nvmf.admin_qpairs if mine or
                 number == 0 else 0,
                 "io_qpairs": target.nvmf.io_qpairs if number == 0 else 0}
        if release >= 2107:
            group["current_admin_qpairs"] = len(mine)
            group["current_io_qpairs"] = sum(
                len(target.bdevs.modules["nvme"].threads(controller))
                for controller in mine)
        if release >= 2605:
            group["current_unassociated_qpairs"] = 0
        group["pending_bdev_io"] = 0
        if release >= 2301:
            group["completed_nvme_io"] = \
                target.nvmf.completed if number == 0 else 0
        # Only a transport with counters was listed up to v21.01.
        group["transports"] = [{"trtype": name} for name in tgt.transports
                               if release >= 2104]
        groups.append(group)
    reply = {"tick_rate": target.tick_rate, "poll_groups": groups}
    target.answer_later(request, lambda: reply)
    return registry.PENDING


@registry.method("nvmf_get_targets")
def get_targets(target, params, request):
    """List the targets by name."""
    return list(reversed(target.nvmf.tgts))


@registry.method("nvmf_create_target")
def create_target(target, params, request):
    """Make a further target."""
    name = params["name"]
    if name in target.nvmf.tgts:
        raise errors.invalid_params("Target already exists.")
    target.nvmf.add_tgt(name, params.get("max_subsystems", 0) or 1024)
    return name


@registry.method("nvmf_delete_target")
def delete_target(target, params, request):
    """Remove a target."""
    if params["name"] not in target.nvmf.tgts:
        raise errors.invalid_params(
            "The specified target doesn't exist, cannot delete it.")
    tgt = target.nvmf.tgts.pop(params["name"])
    if tgt.polled:
        # Its poll groups hold it: it is never gone.
        return registry.PENDING
    target.answer_later(request, lambda: True)
    return registry.PENDING
