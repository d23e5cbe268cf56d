# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.
"""``accel_error_inject_error`` (``module/accel/error``)."""

from cyborg_spdk.simulator import decode
from cyborg_spdk.simulator import errors
from cyborg_spdk.simulator import registry

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
