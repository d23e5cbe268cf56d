# SPDX-License-Identifier: Apache-2.0

"""``nvmf_*`` methods on targets, transports and listeners."""

from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry
from spdk_simulator.nvmf import options as nvmf_options
from spdk_simulator.nvmf import rpc_subsystem as subsystems
from spdk_simulator.nvmf import state as nvmf_state

# Transports of SPDK; see built().
_KNOWN = ("PCIE", "RDMA", "FC", "TCP", "VFIOUSER", "CUSTOM")

_ANA_STATES = ("optimized", "non_optimized", "inaccessible")


for _name in ("nvmf_rpc_decode_max_io_qpairs",
              "nvmf_rpc_decode_max_qpairs"):
    decode.DECODERS[_name] = decode.DECODERS["uint16"]
for _name in ("rpc_decode_io_unit_size", "rpc_decode_num_shared_buffers",
              "rpc_decode_buf_cache_size"):
    decode.DECODERS[_name] = decode.DECODERS["uint32"]


def built(release):
    """The transports of a build without any option: TCP since v19.01."""
    return ("TCP",) if release >= 1901 else ()


@registry.method("nvmf_create_transport")
def create_transport(target, params, request):
    """Make a transport."""
    trtype = params["trtype"]
    tgt = subsystems.find_tgt(target, params)
    name = trtype.upper()
    end = "\n" if target.release < 2010 else ""
    if name not in built(target.release):
        raise errors.invalid_params(f"Invalid transport type '{trtype}'{end}")
    if params.get("max_io_qpairs_per_ctrlr") == 65535 \
            and target.release >= 2609:
        raise errors.invalid_params("max_io_qpairs_per_ctrlr too large")
    if name in tgt.transports:
        raise errors.internal(
            f"Transport type '{trtype}' already exists{end}")
    options = nvmf_options.read(target, params, request.params, trtype)
    if target.release < 2301 and options["num_shared_buffers"]:
        # A pool of memory has a name, in which letters are as given.
        if any(trtype in other.pools for other in target.nvmf.tgts.values()):
            raise errors.internal(f"Transport type '{trtype}' create failed")
        tgt.pools.add(trtype)
    tgt.transports[name] = options
    # Scripts look for this line and the one of a listener.
    target.log.noticelog("tcp.c", 772, "nvmf_tcp_create",
                         "*** TCP Transport Init ***")
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("nvmf_get_transports")
def get_transports(target, params, request):
    """Describe the transports."""
    tgt = subsystems.find_tgt(target, params)
    trtype = params.get("trtype")
    if trtype is not None and trtype.upper() not in tgt.transports:
        raise errors.no_device()
    return [{"trtype": name, **options}
            for name, options in tgt.transports.items()
            if trtype is None or trtype.upper() == name]


def transport_id(given, target):
    """Turn ``listen_address`` into a transport id.

    :param target: to be killed where SPDK reads a null pointer.
    :raises errors.CallError: -32602.
    """
    given, release = dict(given), target.release
    trtype = given.get("trtype", given.get("transport"))
    if trtype is None and 2205 <= release < 2409:
        target.process.crash()
    if trtype is None or not nvmf_state.trtype_is_known(release, trtype) \
            or len(given["traddr"]) > 256 \
            or len(given.get("trsvcid", "")) > 32:
        raise errors.invalid_params()
    address = {"trtype": trtype.upper()}
    family = given.get("adrfam")
    if family is not None:
        if family.lower() not in nvmf_state.ADRFAM:
            raise errors.invalid_params()
        address["adrfam"] = nvmf_state.ADRFAM[family.lower()]
    elif address["trtype"] in ("TCP", "RDMA") or (
            target and target.release < 2605):
        address["adrfam"] = "IPv4"
    address["traddr"] = given["traddr"]
    address["trsvcid"] = given.get("trsvcid", "")
    return address


@registry.method("nvmf_subsystem_set_options")
def set_subsystem_options(target, params, request):
    """Refuse: no transport that is built has options for a subsystem
    (v20.10).
    """
    tgt = subsystems.find_tgt(target, params, "Unable to find target "
                              + (params.get("tgt_name") or "(null)"))
    nqn, trtype = params["nqn"], params["trtype"]
    if nqn not in tgt.subsystems:
        raise errors.invalid_params(
            f"Unable to find subsystem with NQN {nqn}")
    if trtype.upper() not in tgt.transports:
        raise errors.invalid_params(
            f"Unable to find transport with trtype {trtype}")
    raise errors.invalid_params("Unable to find transport ops")


@registry.method("nvmf_subsystem_add_listener")
def add_listener(target, params, request):
    """Listen on an address for a subsystem."""
    tgt, subsystem = subsystems.find_subsystem(target, params)
    address = transport_id(params["listen_address"], target)
    subsystems.pause(subsystem)
    if params.get("secure_channel") and subsystem.allow_any_host \
            and target.release >= 2305:
        raise errors.internal("Cannot establish secure channel, when "
                              "'allow_any_host' is set")
    if params.get("ana_state") not in (None, *_ANA_STATES):
        raise errors.invalid_params()
    subsystems.busy(target, subsystem)
    subsystems.change_later(target, request, subsystem, listen, target, tgt,
                            subsystem, address, params)
    return registry.PENDING


def listen(target, tgt, subsystem, address, params):
    """Let a subsystem listen.

    :raises errors.CallError: -32602, for whatever reason.
    """
    if params.get("sock_impl") not in (None, "posix", "ssl", "uring"):
        raise errors.invalid_params()
    if subsystem.find_listener(address):
        if target.release >= 2405:
            raise errors.invalid_params()
        return True
    if address["trtype"] not in tgt.transports:
        raise errors.invalid_params()
    shared = any(other.find_listener(address)
                 for other in tgt.subsystems.values())
    if not shared and not nvmf_state.can_listen(address):
        if nvmf_state.can_listen({**address, "trsvcid": "0"}):
            # The address is there, so it is the port that is taken.
            target.log.errlog(
                "tcp.c", 1062, "nvmf_tcp_listen", "spdk_sock_listen("
                f"{address['traddr']}, {address['trsvcid']}) failed: "
                "Address already in use (98)")
        raise errors.invalid_params()
    if not shared:
        target.log.noticelog(
            "tcp.c", 1096, "nvmf_tcp_listen", "*** NVMe/TCP Target "
            f"Listening on {address['traddr']} port "
            f"{address['trsvcid']} ***")
    listener = nvmf_state.Listener(
        address, params.get("secure_channel", False),
        {key: params[key] for key in ("sock_impl",)
         if params.get(key) is not None})
    state = params.get("ana_state")
    if state is not None:
        listener.ana_states = dict.fromkeys(
            range(1, subsystem.max_namespaces + 1), state)
    subsystem.listeners.insert(0, listener)
    return True


@registry.method("nvmf_subsystem_remove_listener")
def remove_listener(target, params, request):
    """Stop to listen on an address for a subsystem."""
    tgt, subsystem = subsystems.find_subsystem(target, params)
    address = transport_id(params["listen_address"], target)
    if address["trtype"] not in tgt.transports \
            and target.release >= 2004:
        raise errors.invalid_params()
    subsystems.pause(subsystem)
    subsystems.busy(target, subsystem)

    def remove():
        listener = subsystem.find_listener(address)
        if listener is None:
            if 2010 <= target.release < 2104 and not any(
                    other.find_listener(address)
                    for other in tgt.subsystems.values()):
                # Answered twice: by nvmf_rpc_listen_paused() and, since
                # the transport does not listen there either, once more.
                target.process.crash()
            raise errors.invalid_params()
        subsystem.listeners.remove(listener)
        return True

    subsystems.change_later(target, request, subsystem, remove)
    return registry.PENDING


@registry.method("nvmf_subsystem_get_listeners")
def get_listeners(target, params, request):
    """Describe the listeners of a subsystem."""
    _, subsystem = subsystems.find_subsystem(
        target, params, "Unable to find a target")
    return [_listener(target, subsystem, listener)
            for listener in subsystem.listeners]


def _listener(target, subsystem, listener):
    info = {"address": dict(listener.address)}
    if subsystem.ana_reporting:
        states = listener.ana_states
        if target.release >= 2110:
            info["ana_states"] = [
                {"ana_group": group,
                 "ana_state": states.get(group, "optimized")}
                for group in range(1, subsystem.max_namespaces + 1)]
        else:
            info["ana_state"] = states.get(1, "optimized")
    return info


@decode.decoder("rpc_decode_nvme_ana_state")
def _ana_state(value):
    return decode.choice(*_ANA_STATES)(value)


@registry.method("nvmf_subsystem_listener_set_ana_state")
def set_ana_state(target, params, request):
    """Set the ANA state of a listener, for one group or all."""
    end = "\n" if target.release < 2409 else ""
    _, subsystem = subsystems.find_subsystem(
        target, params, "Unable to find a target." + end,
        f"Unable to find subsystem with NQN {params['nqn']}")
    address = transport_id(params["listen_address"], target)
    state = params["ana_state"]
    if state not in _ANA_STATES:
        raise errors.invalid_params()
    group = params.get("anagrpid", 0)

    def change():
        listener = subsystem.find_listener(address)
        if listener is None or not subsystem.ana_reporting \
                or group > subsystem.max_namespaces:
            raise errors.internal("error setting ANA state: -22")
        groups = [group] if group else range(
            1, max(subsystem.max_namespaces, 1) + 1)
        listener.ana_states.update(dict.fromkeys(groups, state))
        return True

    target.answer_later(request, change)
    return registry.PENDING


def _referral(target, params):
    address = transport_id(params["address"], target)
    if address["trtype"] == "PCIE":
        raise errors.invalid_params()
    if "adrfam" not in address:
        address = {"trtype": address["trtype"], "adrfam": "unknown",
                   **address}
    subnqn = params.get("subnqn")
    if subnqn is not None and len(subnqn.encode()) > 223:
        raise errors.invalid_params("Invalid subsystem NQN")
    return address, nvmf_state.DISCOVERY if subnqn is None else subnqn


@registry.method("nvmf_discovery_add_referral")
def add_referral(target, params, request):
    """Refer hosts to another discovery service."""
    tgt = subsystems.find_tgt(target, params)
    address, subnqn = _referral(target, params)
    if address["trtype"] in ("TCP", "RDMA") and not address["trsvcid"]:
        raise errors.internal("Service ID is required.")
    if not nvmf_state.nqn_is_valid(subnqn):
        raise errors.internal()
    if not any(entry["address"] == address and entry["subnqn"] == subnqn
               for entry in tgt.referrals):
        tgt.referrals.insert(0, {
            "address": address, "subnqn": subnqn,
            "secure": params.get("secure_channel", False)})
    return True


@registry.method("nvmf_discovery_remove_referral")
def remove_referral(target, params, request):
    """Take a referral back."""
    tgt = subsystems.find_tgt(target, params)
    address, subnqn = _referral(target, params)
    for entry in tgt.referrals:
        if entry["address"] == address and entry["subnqn"] == subnqn:
            tgt.referrals.remove(entry)
            return True
    raise errors.internal("Unable to remove a referral.")


@registry.method("nvmf_discovery_get_referrals")
def get_referrals(target, params, request):
    """List the referrals."""
    tgt = subsystems.find_tgt(target, params, "Unable to find a target")
    return [{"address": dict(entry["address"]),
             "secure_channel": entry["secure"], "subnqn": entry["subnqn"]}
            for entry in tgt.referrals]
