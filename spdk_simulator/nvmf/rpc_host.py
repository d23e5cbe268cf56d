# SPDX-License-Identifier: Apache-2.0

"""``nvmf_*`` methods on hosts and what they may see."""

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.nvmf import psk as psks
from spdk_simulator.nvmf import rpc_subsystem as subsystems
from spdk_simulator.nvmf import state as nvmf_state


def _ns_host(target, params, request, visible):
    _, subsystem = subsystems.find_subsystem(target, params)
    host = params["host"]

    def change():
        namespace = subsystem.namespaces.get(params["nsid"])
        if namespace is None or not namespace.no_auto_visible \
                or not nvmf_state.nqn_is_valid(host):
            raise errors.invalid_params()
        if visible and host not in namespace.hosts:
            namespace.hosts.append(host)
        elif not visible and host in namespace.hosts:
            namespace.hosts.remove(host)
        return True

    target.answer_later(request, change)
    return registry.PENDING


@registry.method("nvmf_ns_add_host")
def ns_add_host(target, params, request):
    """Make a namespace visible to a host."""
    return _ns_host(target, params, request, True)


@registry.method("nvmf_ns_remove_host")
def ns_remove_host(target, params, request):
    """Hide a namespace from a host."""
    return _ns_host(target, params, request, False)


def _given_keys(target, params):
    """The keys of a host that the parameters name.

    :raises errors.CallError: -32602 without such a key.
    """
    keys = {key: params[key] for key in ("dhchap_key", "dhchap_ctrlr_key")
            if params.get(key) is not None}
    if any(key not in target.options.keys for key in keys.values()):
        raise errors.invalid_params()
    return keys


def _known(target, tgt, psk):
    """Tell whether a transport takes a pre-shared key: the name of one; up
    to v24.05, of a file. The transport looks at what it says.
    """
    key = target.options.keys.get(psk) if isinstance(psk, str) else None
    if target.release >= 2405 and key is not None:
        return "TCP" not in tgt.transports or psks.valid(
            psks.load(key["path"]))
    return target.release < 2409 and ("TCP" not in tgt.transports or (
        isinstance(psk, str) and psks.valid(psks.load(psk))))


@registry.method("nvmf_subsystem_add_host")
def add_host(target, params, request):
    """Allow a host."""
    tgt, subsystem = subsystems.find_subsystem(target, params)
    subsystems.pause(subsystem)
    host = params["host"]
    keys = _given_keys(target, params)
    if not nvmf_state.nqn_is_valid(host):
        raise errors.internal()
    if host in subsystem.hosts:
        if target.release >= 2409:
            raise errors.internal()
        return True
    if "dhchap_ctrlr_key" in keys and "dhchap_key" not in keys:
        raise errors.internal()
    psk = request.params.get("psk")
    if psk is not None:
        known = _known(target, tgt, psk)
        if not known:
            raise errors.internal()
        if "TCP" in tgt.transports:
            subsystem.psks[host] = psk
    subsystem.hosts[host] = keys
    return True


@registry.method("nvmf_subsystem_set_keys")
def set_keys(target, params, request):
    """Change the DH-HMAC-CHAP keys of a host."""
    _, subsystem = subsystems.find_subsystem(
        target, params, "Invalid parameters")
    keys = _given_keys(target, params)
    if params["host"] not in subsystem.hosts:
        raise errors.invalid()
    if "dhchap_ctrlr_key" in keys and "dhchap_key" not in keys:
        raise errors.invalid()
    subsystem.hosts[params["host"]] = keys
    return True


@registry.method("nvmf_subsystem_remove_host")
def remove_host(target, params, request):
    """Forbid a host."""
    _, subsystem = subsystems.find_subsystem(target, params)
    subsystems.pause(subsystem)
    if params["host"] not in subsystem.hosts:
        raise errors.internal()
    del subsystem.hosts[params["host"]]
    subsystem.psks.pop(params["host"], None)
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("nvmf_subsystem_allow_any_host")
def allow_any_host(target, params, request):
    """Allow every host, or only the listed ones."""
    _, subsystem = subsystems.find_subsystem(target, params)
    subsystems.pause(subsystem)
    subsystem.allow_any_host = params["allow_any_host"]
    return True
