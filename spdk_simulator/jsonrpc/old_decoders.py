# SPDX-License-Identifier: Apache-2.0
"""Decoders of releases before v26.05, under the names that they had."""

from spdk_simulator.jsonrpc import decode

_COMMANDS = decode.choice("admin", "io")

for _name, _words in (
        ("rpc_accel_error_decode_type", ("disable", "corrupt", "failure")),
        ("rpc_error_bdev_decode_io_type", (
            "clear", "read", "write", "unmap", "flush", "all")),
        ("rpc_error_bdev_decode_error_type", (
            "failure", "pending", "corrupt_data", "nomem")),
        ("rpc_decode_data_direction", ("h2c", "c2h")),
        ("rpc_decode_mp_policy", ("active_passive", "active_active")),
        ("rpc_decode_mp_selector", ("round_robin", "queue_depth")),
        ("rpc_error_injection_decode_cmd_type", ("admin", "io")),
        ("rpc_decode_cmd_type", ("admin", "io")),
        ("bdev_nvme_decode_multipath", ("disable", "failover",
                                        "multipath")),
        ("rpc_decode_action_on_timeout", ("none", "abort", "reset"))):
    decode.DECODERS[_name] = decode.choice(*_words)

for _name in ("bdev_nvme_decode_reftag", "bdev_nvme_decode_guard"):
    decode.DECODERS[_name] = decode.boolean


@decode.decoder("rpc_decode_cluster_sz")
def _cluster_size(value):
    """A size in bytes, as text: a multiple of a page, of 1 MiB or more."""
    text = decode.string(value)
    factor = {"k": 2 ** 10, "m": 2 ** 20, "g": 2 ** 30}.get(
        text[-1:].lower(), 1)
    digits = text if factor == 1 else text[:-1]
    if not digits.isdigit():
        raise decode.Refused
    size = int(digits) * factor
    if size % 4096 or size < 2 ** 20:
        raise decode.Refused
    return size


for _name in ("decode_mdisk_uuid", "rpc_bdev_ftl_decode_uuid"):
    decode.DECODERS[_name] = decode.uuid
decode.DECODERS["decode_conn_sched"] = decode.choice(
    "roundrobin", "hostip", "transport")
