# SPDX-License-Identifier: Apache-2.0

"""Methods of old releases that no current one took the place of."""

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.nvmf import rpc_subsystem as subsystems
from spdk_simulator.nvmf import state as nvmf_state


@registry.method("delete_bdev")
def delete_bdev(target, params, request):
    """Remove a bdev of any module (v17.03 to v19.01)."""
    bdev = target.bdevs.find(params["name"])
    if bdev is not None and bdev.removing and target.release < 1804:
        return registry.PENDING
    if bdev is None or bdev.removing:
        if target.release < 1807:
            raise errors.invalid_params()
        raise errors.no_device(errors.INVALID_PARAMS)
    target.bdevs.unregister(bdev, lambda: request.result(True))
    return registry.PENDING


class _Left(Exception):
    """The call fails and leaves behind what it made."""


@registry.method("construct_nvmf_subsystem")
def construct_nvmf_subsystem(target, params, request):
    """Make a subsystem with all that belongs to it (until v18.10).

    What fails takes the whole subsystem with it, mostly; see
    ``spdk_rpc_construct_nvmf_subsystem()``.
    """
    tgt = subsystems.find_tgt(target, params)
    nqn = params["nqn"]
    mode = params.get("mode")
    if nqn in tgt.subsystems or not nvmf_state.nqn_is_valid(nqn) \
            or len(tgt.subsystems) >= tgt.max_subsystems \
            or (mode is not None and mode.lower() != "virtual"):
        raise errors.invalid_params()
    subsystem = nvmf_state.Subsystem(
        nqn, False, params.get("max_namespaces", 0))
    serial = params.get("serial_number")
    if target.release >= 1804 and (serial is None or not nvmf_state.printable(
            serial, 20)):
        if serial is None:
            # A real target reads a null pointer.
            target.process.crash()
        # It stays as it is.
        tgt.add(subsystem)
        raise errors.invalid_params()
    if serial is None or len(serial.encode()) > 20:
        raise errors.invalid_params()
    subsystem.serial = serial
    subsystem.allow_any_host = params.get("allow_any_host", False)
    tgt.add(subsystem)
    try:
        _fill(target, subsystem, params)
    except _Left:
        raise errors.invalid_params() from None
    except errors.CallError:
        target.nvmf.remove_subsystem(tgt, subsystem)
        raise errors.invalid_params() from None
    target.answer_later(request, lambda: True)
    return registry.PENDING


def _fill(target, subsystem, params):
    # What is no NQN is left out.
    hosts = [host for host in params.get("hosts", ())
             if nvmf_state.nqn_is_valid(host)]
    subsystem.hosts = {host: {} for host in hosts}
    if target.release < 1804:
        subsystem.given_hosts = hosts
    for namespace in params.get("namespaces", ()):
        target.nvmf.add_namespace(subsystem, namespace)
    addresses = params.get("listen_addresses")
    if addresses and target.release >= 1804 \
            and not _is_address(target.release, addresses[0]):
        # The subsystem stays as it is.
        raise _Left
    if addresses:
        # No transport is built in.
        raise errors.invalid_params()


def _is_address(release, given):
    """Tell whether a listen address can be read at all."""
    trtype = given.get("trtype", given.get("transport"))
    family = given.get("adrfam")
    return (trtype is not None and nvmf_state.trtype_is_known(release, trtype)
            and (family is None or family.lower() in nvmf_state.ADRFAM)
            and len(given["traddr"].encode()) <= 256
            and len(given["trsvcid"].encode()) <= 32)
