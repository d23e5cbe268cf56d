# SPDX-License-Identifier: Apache-2.0


"""Options that NVMe-oF targets are made with, before there is one
(``module/event/subsystems/nvmf/nvmf_rpc.c``).
"""

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.jsonrpc import wire
from spdk_simulator.methods import framework
from spdk_simulator.vhost import state as vhost_state

_FILTERS = ("transport", "address", "svcid")


@registry.early("nvmf_set_max_subsystems")
def called_once(target, params):
    """Refuse a second call; one with 0 does not count."""
    if target.nvmf.max_subsystems:
        raise errors.internal("Must not call more than once")


@registry.method("nvmf_set_max_subsystems")
def set_max_subsystems(target, params, request):
    """Set how many subsystems the target may have; 0: as many as ever."""
    number = params.get("max_subsystems", 0)
    target.nvmf.max_subsystems = number
    if number:
        target.options.update("nvmf_set_max_subsystems",
                              {"max_subsystems": number})
    return True


@registry.method("nvmf_set_crdt")
def set_crdt(target, params, request):
    """Set the command retry delay times; what is not given is 0."""
    times = {name: params.get(name, 0)
             for name in ("crdt1", "crdt2", "crdt3")}
    target.nvmf.crdt = list(times.values())
    target.options.update("nvmf_set_crdt", times)
    return True


def _mask(target, text):
    """Check that poll groups get cores that there are.

    :returns: the mask as it is shown.
    """
    try:
        mask = vhost_state.parse_mask(
            text.strip(" \t") if type(text) in (str, wire.Number) else "")
    except ValueError:
        mask = -1
    if mask < 0 or any(mask >> core & 1 and core not in target.cores()
                       for core in range(mask.bit_length())):
        # The one that there was is forgotten.
        target.options.calls["nvmf_set_config"].pop("poll_groups_mask",
                                                    None)
        raise errors.invalid_params()
    return f"{mask:x}"


@registry.method("nvmf_set_config")
def set_config(target, params, request):
    """Set what all targets have in common."""
    params = framework.ordered_sets(params)
    call = target.options.calls["nvmf_set_config"]
    if "poll_groups_mask" in params:
        params["poll_groups_mask"] = _mask(target,
                                           params["poll_groups_mask"])
        # It stands between the options of old and those of keys.
        later = [name for name in call if name.startswith("d")
                 and not name.startswith("disc")]
        rest = {name: call.pop(name) for name in later}
        call.setdefault("poll_groups_mask", "")
        call.update(rest)
    if "discovery_filter" in params:
        words = [name for name in _FILTERS if any(
            word.startswith(name)
            for word in params["discovery_filter"].split(","))]
        if target.release >= 2605 and words:
            # Each is taken for the next one when they are shown.
            words = [_FILTERS[_FILTERS.index(word) + 1] for word in words
                     if word != _FILTERS[-1]]
        params["discovery_filter"] = ",".join(words) or "match_any"
    if "discovery_filters" in params:
        params["discovery_filters"] = [
            name for name in _FILTERS if name in params["discovery_filters"]]
    target.options.update("nvmf_set_config", params)
    target.nvmf.config.update(params)
    return True
