# SPDX-License-Identifier: Apache-2.0

"""``nvmf_*`` methods on subsystems and what is in them."""

import re

from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry
from spdk_simulator.nvmf import state as nvmf_state


def find_tgt(target, params, text="Unable to find a target."):
    """Find the target that the parameters name.

    :raises errors.CallError: -32603.
    """
    tgt = target.nvmf.tgt(params.get("tgt_name"))
    if tgt is None:
        raise errors.internal(text)
    return tgt


def _named_tgt(target, params):
    """Find the target that the parameters name, as from v26.09 on.

    :raises errors.CallError: -32603, -32602.
    """
    name = params.get("tgt_name")
    tgt = target.nvmf.tgt(name)
    if tgt is None and name is None:
        raise errors.internal(
            "No default NVMf target found; specify tgt_name")
    if tgt is None:
        raise errors.invalid_params(f"NVMf target '{name}' not found")
    return tgt


def find_subsystem(target, params, no_tgt="Unable to find a target.",
                   no_subsystem="Invalid parameters"):
    """Find the subsystem that the parameters name.

    :param no_tgt: text of the error without a target, up to v26.05.
    :param no_subsystem: text of the error without a subsystem, likewise.

    :returns: (the :class:`.nvmf.Tgt` that it is in, the subsystem).
    :raises errors.CallError: -32602 or -32603; from v26.09 on it says what
        is missing.
    """
    release, nqn = target.release, params["nqn"]
    tgt = _named_tgt(target, params) if release >= 2609 \
        else find_tgt(target, params, no_tgt)
    subsystem = tgt.subsystems.get(nqn)
    if subsystem is None:
        if release < 2609:
            raise errors.invalid_params(no_subsystem)
        raise errors.invalid_params(f"Subsystem with NQN '{nqn}' not found")
    return tgt, subsystem


def pause(subsystem):
    """See that a subsystem runs, so that it can be changed.

    :raises errors.CallError: -32603.
    """
    if not subsystem.active:
        raise errors.internal()


#: Releases in which a subsystem that is being changed refuses a change; the
#: ones after them put it off.
_BUSY = range(2010, 2405)


def busy(target, subsystem, text="subsystem busy, retry later.\n"):
    """See that nobody else is changing a subsystem.

    :raises errors.CallError: -32603.
    """
    if subsystem.changing and target.release in _BUSY:
        raise errors.internal(text)


def change_later(target, request, subsystem, function, *args):
    """Answer a request when a subsystem has been changed.

    :param function: as for ``target.answer_later``.
    """
    def change():
        subsystem.changing = False
        return function(*args)

    subsystem.changing = True
    target.answer_later(request, change)


@decode.decoder("decode_subsystem_serial_number")
def _serial(value):
    text = decode.string(value)
    if not nvmf_state.printable(text, 20):
        raise decode.Refused
    return text


@decode.decoder("decode_subsystem_model_number")
def _model(value):
    text = decode.string(value)
    if not nvmf_state.printable(text, 40):
        raise decode.Refused
    return text


def _hex(digits):
    def decoder(value):
        text = decode.string(value)
        if not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", text):
            raise decode.Refused
        return text.upper()
    return decoder


decode.DECODERS["decode_ns_nguid"] = _hex(32)
decode.DECODERS["decode_ns_eui64"] = _hex(16)
decode.DECODERS["decode_ns_uuid"] = decode.uuid
decode.DECODERS["rpc_decode_hide_metadata"] = decode.boolean
decode.DECODERS["rpc_decode_max_discard_size_kib"] = \
    decode.DECODERS["uint64"]
decode.DECODERS["rpc_decode_max_write_zeroes_size_kib"] = \
    decode.DECODERS["uint64"]


def _address(target, address):
    """One element of ``listen_addresses``."""
    info = {}
    if target.release < 2405:
        info["transport"] = address["trtype"]
    info.update(address)
    return info


def _namespace(release, subsystem, namespace):
    info = {"nsid": namespace.nsid, "bdev_name": namespace.bdev.name,
            "name": namespace.bdev.name}
    if namespace.nguid.strip("0"):
        info["nguid"] = namespace.nguid
    if namespace.eui64.strip("0"):
        info["eui64"] = namespace.eui64
    if release >= 1804:
        info["uuid"] = namespace.uuid
    if subsystem.ana_reporting and release >= 2110:
        info["anagrpid"] = namespace.anagrpid
    return info


def describe(target, subsystem):
    """One element of the reply of ``nvmf_get_subsystems``."""
    release = target.release
    info = {"nqn": subsystem.nqn,
            "subtype": "Discovery" if subsystem.discovery else "NVMe"}
    info["listen_addresses"] = [_address(target, listener.address)
                                for listener in subsystem.listeners]
    info["allow_any_host"] = subsystem.allow_any_host
    info["hosts"] = []
    for nqn in reversed(subsystem.given_hosts or list(subsystem.hosts)):
        info["hosts"].append({"nqn": nqn, **subsystem.hosts[nqn]})
    if subsystem.discovery:
        return info
    info["serial_number"] = subsystem.serial
    if release >= 1904:
        info["model_number"] = subsystem.model
    if subsystem.admin_label:
        info["admin_label"] = subsystem.admin_label
    if release >= 1807 and subsystem.max_namespaces:
        info["max_namespaces"] = subsystem.max_namespaces
    if release >= 2601:
        info["passthrough"] = subsystem.passthrough
    if release >= 2107:
        info["min_cntlid"] = subsystem.min_cntlid
        info["max_cntlid"] = subsystem.max_cntlid
    if release >= 2605:
        info["dmrsl"] = subsystem.dmrsl
        info["wzsl"] = subsystem.wzsl
    info["namespaces"] = [_namespace(release, subsystem, namespace)
                          for _, namespace
                          in sorted(subsystem.namespaces.items())]
    return info


@registry.method("nvmf_get_subsystems")
def get_subsystems(target, params, request):
    """Describe one subsystem or all."""
    if params.get("nqn") is not None and target.release >= 2609:
        return [describe(target, find_subsystem(target, params)[1])]
    tgt = _named_tgt(target, params) if target.release >= 2609 \
        else find_tgt(target, params)
    if params.get("nqn") is not None:
        subsystem = tgt.subsystems.get(params["nqn"])
        if subsystem is None:
            raise errors.no_device()
        return [describe(target, subsystem)]
    return [describe(target, subsystem)
            for subsystem in target.nvmf.subsystems(tgt)]


@registry.method("nvmf_create_subsystem")
def create_subsystem(target, params, request):
    """Make an NVM subsystem."""
    old = target.release < 2004
    tgt = find_tgt(target, params) if old else find_tgt(
        target, params,
        "Unable to find target " + (params.get("tgt_name") or "(null)"))
    if target.release >= 2605:
        _check_sizes(params)
    nqn = params["nqn"]
    failed = errors.invalid_params() if old \
        else errors.internal(f"Unable to create subsystem {nqn}")
    if nqn in tgt.subsystems or not nvmf_state.nqn_is_valid(nqn) \
            or len(tgt.subsystems) >= tgt.max_subsystems \
            or params.get("max_namespaces", 0) > 2 ** 30:
        raise failed
    subsystem = nvmf_state.Subsystem(nqn, False,
                                     max_namespaces(target, params))
    try:
        _numbers(subsystem, params)
    except errors.CallError:
        if not old:
            raise
        # It stays as it is.
        subsystem.active = False
        tgt.add(subsystem)
        raise failed from None
    subsystem.allow_any_host = params.get("allow_any_host", False)
    subsystem.ana_reporting = params.get("ana_reporting", False)
    subsystem.passthrough = params.get("passthrough", False)
    subsystem.enable_nssr = params.get("enable_nssr", False)
    label = params.get("admin_label", "")
    if label and (len(label) < 4 or not nvmf_state.printable(label, 256)):
        raise errors.invalid_params("Invalid admin_label")
    subsystem.admin_label = label
    if target.release >= 2605:
        _sizes(subsystem, params)
    low = params.get("min_cntlid", 1)
    high = params.get("max_cntlid", 65519)
    if not 1 <= low <= high <= 65519:
        raise errors.invalid_params(f"Invalid cntlid range [{low}-{high}]")
    subsystem.min_cntlid, subsystem.max_cntlid = low, high
    if target.release < 2605:
        _kib_sizes(target.release, subsystem, params)
    tgt.add(subsystem)
    change_later(target, request, subsystem, lambda: True)
    return registry.PENDING


def max_namespaces(target, params):
    """The limit of NSIDs of a new subsystem; 0 is none, up to v20.10."""
    return params.get("max_namespaces", 0) or (
        32 if target.release >= 2101 else 0)


def _numbers(subsystem, params):
    serial = params.get("serial_number")
    if serial is not None:
        if not nvmf_state.printable(serial, 20):
            raise errors.invalid_params(f"Invalid SN {serial}")
        subsystem.serial = serial
    model = params.get("model_number")
    if model is not None:
        if not nvmf_state.printable(model, 40):
            raise errors.invalid_params(f"Invalid MN {model}")
        subsystem.model = model


def _kib_sizes(release, subsystem, params):
    """The limits of discard and write zeroes, up to v26.01."""
    subsystem.extra = {key: params.get(key, 0) for key in (
        "max_discard_size_kib", "max_write_zeroes_size_kib")}
    size = subsystem.extra["max_write_zeroes_size_kib"]
    if size and (size < 3 or size & (size - 1)):
        end = "\n" if release < 2409 else ""
        raise errors.invalid_params(
            f"Invalid max_write_zeroes_size_kib {size}{end}")


def _check_sizes(params):
    """Refuse a limit of write zeroes that WZSL cannot tell."""
    size = params.get("max_write_zeroes_size_kib", 0)
    if size and (size < 8 or size & (size - 1)):
        raise errors.invalid_params(
            f"Invalid max_write_zeroes_size_kib {size}")


def _sizes(subsystem, params):
    """The limits of discard and write zeroes; see NVMe's DMRSL, WZSL."""
    if "dmrsl" in params:
        subsystem.dmrsl = params["dmrsl"]
    if "wzsl" in params:
        subsystem.wzsl = params["wzsl"]
    if "max_discard_size_kib" in params:
        subsystem.dmrsl = params["max_discard_size_kib"] << 1
    if "max_write_zeroes_size_kib" in params:
        size = params["max_write_zeroes_size_kib"]
        subsystem.wzsl = (size >> 2).bit_length() - 1 if size else 0


@registry.method("nvmf_delete_subsystem")
def delete_subsystem(target, params, request):
    """Remove a subsystem, the discovery subsystem too."""
    tgt, subsystem = find_subsystem(target, params)
    if not subsystem.active:
        # It cannot be stopped, which nobody is told.
        return registry.PENDING

    busy(target, subsystem, "Subsystem currently in another state change "
         "try again later.")

    def remove():
        target.nvmf.remove_subsystem(tgt, subsystem)
        return True

    change_later(target, request, subsystem, remove)
    return registry.PENDING


@registry.method("nvmf_subsystem_add_ns")
def add_ns(target, params, request):
    """Make a bdev a namespace."""
    _, subsystem = find_subsystem(target, params)
    pause(subsystem)
    busy(target, subsystem)
    given = params["namespace"]
    if target.release >= 2609:
        for key, size in (("nguid", 32), ("eui64", 16)):
            try:
                given[key] = _hex(size)(given.get(key, "0" * size))
            except decode.Refused:
                raise errors.invalid_params(f"Invalid {key}") from None
    change_later(target, request, subsystem, target.nvmf.add_namespace,
                 subsystem, given)
    return registry.PENDING


@registry.method("nvmf_subsystem_remove_ns")
def remove_ns(target, params, request):
    """Remove a namespace; its bdev stays."""
    _, subsystem = find_subsystem(target, params)
    pause(subsystem)
    busy(target, subsystem)

    def remove():
        if not target.nvmf.remove_namespace(subsystem, params["nsid"]):
            raise errors.invalid_params()
        return True

    change_later(target, request, subsystem, remove)
    return registry.PENDING


@registry.method("nvmf_subsystem_set_ns_ana_group")
def set_ns_ana_group(target, params, request):
    """Move a namespace to another ANA group."""
    _, subsystem = find_subsystem(target, params)

    def change():
        namespace = subsystem.namespaces.get(params["nsid"])
        if namespace is None \
                or not 0 < params["anagrpid"] <= subsystem.max_namespaces:
            raise errors.invalid_params()
        namespace.anagrpid = params["anagrpid"]
        return True

    target.answer_later(request, change)
    return registry.PENDING
