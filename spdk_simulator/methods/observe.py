# SPDX-License-Identifier: Apache-2.0

"""``log_*``, ``trace_*``, ``notify_*``: what a target tells of its work."""

from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry
from spdk_simulator.log import LEVELS
from spdk_simulator.methods import framework
from spdk_simulator.target import tracing


@decode.decoder("rpc_decode_log_level")
def _level(value):
    return decode.choice(*LEVELS)(value)


@registry.method("log_get_level")
def log_get_level(target, params, request):
    """Tell the level of what goes to syslog."""
    return target.log.level


@registry.method("log_get_print_level")
def log_get_print_level(target, params, request):
    """Tell the level of what is printed."""
    return target.log.print_level


@registry.method("log_set_level", "log_set_print_level")
def log_set_level(target, params, request):
    """Set a level."""
    level = params["level"].upper()
    if level not in LEVELS:
        if target.release < 1910:
            raise errors.invalid_params()
        raise errors.invalid_params("invalid log level")
    if framework.request_name(target, request) == "log_set_level":
        target.log.level = level
    else:
        target.log.print_level = level
    return True


@registry.method("log_get_flags")
def log_get_flags(target, params, request):
    """Tell which parts log details."""
    return dict(target.options.log_flags)


@registry.method("log_set_flag", "log_clear_flag")
def log_set_flag(target, params, request):
    """Switch details of a part, or of all."""
    flags = target.options.log_flags
    name = params["flag"]
    if name == "all":
        names = list(flags)
    elif name in flags:
        names = [name]
    elif target.release < 2409:
        return True
    else:
        raise errors.invalid_params("invalid log flag")
    on = framework.request_name(target, request) == "log_set_flag"
    flags.update(dict.fromkeys(names, on))
    return True


@registry.method("log_enable_timestamps")
def log_enable_timestamps(target, params, request):
    """Switch the time stamps of log lines."""
    target.log.timestamps = params["enabled"]
    return True


# trace

def _groups(target):
    return target.options.facts["trace_get_tpoint_group_mask"]


def _mask(group):
    """The mask of the points of a group that are on."""
    return group.get(tracing.MASK, int(group.get("tpoint_mask", "0x0"), 16))


def _group_mask(target):
    return sum(int(group["mask"], 16) for name, group
               in _groups(target).items()
               if name != "tpoint_group_mask" and group["enabled"])


@registry.method("trace_get_tpoint_group_mask")
def trace_get(target, params, request):
    """Tell which trace points are on."""
    groups = _groups(target)
    groups["tpoint_group_mask"] = f"0x{_group_mask(target):x}"
    return {name: group if name == "tpoint_group_mask" else {
        key: value for key, value in group.items() if key != tracing.MASK}
        for name, group in groups.items()}


@registry.method("trace_get_info")
def trace_info(target, params, request):
    """Tell where the trace is and which points are on."""
    reply = {"tpoint_shm_path":
             f"/dev/shm/{tracing.name(target)}",  # noqa: S108
             "tpoint_group_mask": f"0x{_group_mask(target):x}"}
    for name, group in _groups(target).items():
        if name != "tpoint_group_mask":
            reply[name] = {"mask": group["mask"],
                           "tpoint_mask": f"0x{_mask(group):x}"}
    return reply


@registry.method("trace_enable_tpoint_group", "trace_disable_tpoint_group")
def trace_group(target, params, request):
    """Switch a group of trace points, or all."""
    on = "enable" in framework.request_name(target, request)
    groups = _groups(target)
    names = [name for name in groups if name != "tpoint_group_mask"]
    if params["name"] != "all":
        if params["name"] not in names:
            raise errors.invalid_params()
        names = [params["name"]]
    for name in names:
        tracing.switch(groups[name], (1 << 64) - 1 if on else 0)
    return True


@registry.method("trace_set_tpoint_mask", "trace_clear_tpoint_mask")
def trace_mask(target, params, request):
    """Switch single trace points of a group."""
    groups = _groups(target)
    name = params["name"]
    if name == "all":
        # Of the mask of all groups the highest bit is taken.
        name = list(groups)[-1]
    if name not in groups or name == "tpoint_group_mask":
        raise errors.invalid_params()
    group = groups[name]
    now = _mask(group)
    mask = params.get("tpoint_mask", 0)
    on = "set" in framework.request_name(target, request)
    tracing.switch(group, now | mask if on else now & ~mask)
    return True


@registry.method("trace_clear")
def trace_clear(target, params, request):
    """Empty the trace."""
    return True


# notify

@registry.method("notify_get_types")
def notify_types(target, params, request):
    """List the kinds of notifications."""
    return target.options.facts["notify_get_types"]


@registry.method("notify_get_notifications")
def notifications(target, params, request):
    """List notifications from an id on."""
    first = params.get("id", 0)
    most = params.get("max", 2 ** 64 - 1)
    known = target.notifications
    # The ring keeps 1,024 of them.
    first = max(first, len(known) - 1024)
    return [{"type": known[number][0], "ctx": known[number][1],
             "id": number}
            for number in range(first, min(len(known), first + most))]
