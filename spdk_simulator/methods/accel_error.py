# SPDX-License-Identifier: Apache-2.0
"""``accel_error_inject_error`` (``module/accel/error``)."""

from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry

_OPERATIONS = (
    "copy", "fill", "dualcast", "compare", "crc32c", "copy_crc32c",
    "compress", "decompress", "encrypt", "decrypt", "xor", "dif_verify",
    "dif_verify_copy", "dif_generate", "dif_generate_copy", "dix_generate",
    "dix_verify")


@decode.decoder("rpc_decode_accel_error_opcode",
                "rpc_accel_error_decode_opcode")
def _opcode(value):
    return decode.choice(*_OPERATIONS)(value)


@decode.decoder("rpc_decode_accel_error_inject_type")
def _kind(value):
    return decode.choice("disable", "corrupt", "failure")(value)


@registry.method("accel_error_inject_error")
def inject_error(target, params, request):
    """Have operations fail; only of crc32c in the module of this name."""
    if params["opcode"] != "crc32c":
        raise errors.invalid()
    count = params.get("count", 2 ** 64 - 1)
    injected = target.options.accel_errors
    if params["type"] == "disable" or not count:
        injected.pop(params["opcode"], None)
    else:
        injected[params["opcode"]] = {
            "type": params["type"], "count": count,
            "interval": params.get("interval", 0)}
    return True


@registry.method("accel_set_driver")
def set_driver(target, params, request):
    """Choose a driver for sequences of operations: there is none."""
    if params.get("name"):
        raise errors.no_device()
    return True
