# SPDX-License-Identifier: Apache-2.0
"""The options of an NVMe-oF transport (``lib/nvmf/transport.c, tcp.c``)."""

import signal

from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode

_NO_LIMIT = 2 ** 32 - 1
_MOST_PIECES = 16
# Taken and then not copied.
_LOST = ("disable_command_passthru",)


def defaults(release):
    """A TCP transport's options, in the order of the reply."""
    options = {"max_queue_depth": 128}
    if release >= 2007:
        options["max_io_qpairs_per_ctrlr"] = 127
    else:
        options["max_qpairs_per_ctrlr"] = 128
    options["in_capsule_data_size"] = 4096
    options["max_io_size"] = 131072
    if release < 2605:
        options["io_unit_size"] = 131072
    options["max_aq_depth"] = 128
    if release < 2605:
        options["num_shared_buffers"] = 511
        options["buf_cache_size"] = _NO_LIMIT if release >= 2305 else 32
    else:
        options["iobuf_small_cache_size"] = _NO_LIMIT
        options["iobuf_large_cache_size"] = _NO_LIMIT
    if release < 1910:
        options["c2h_success"] = True
    options["dif_insert_or_strip"] = False
    if release >= 2201:
        options["zcopy"] = False
    options.setdefault("c2h_success", True)
    options["sock_priority"] = 0
    if release >= 2007:
        options["abort_timeout_sec"] = 1
    if release >= 2405:
        options["ack_timeout"] = 0
        options["data_wr_pool_size"] = 0
    if release >= 2601:
        options["disable_command_passthru"] = False
    if release >= 2601:
        options["kas"] = 100
        options["min_kato"] = 10000
    return options


class _Checked:
    """Options on their way to a transport.

    :param failed: the error of what is refused before the transport sees
        it.
    """

    def __init__(self, target, params, raw, failed):
        self.target = target
        self.release = target.release
        self.raw = raw
        self.failed = failed
        # What the transport itself refuses is told later, in other words.
        self.refused = errors.internal("Failed to create transport.") \
            if self.release >= 2305 else failed
        self.options = defaults(self.release)
        for key in self.options:
            if params.get(key) is not None and key not in _LOST:
                self.options[key] = params[key]
        self._qpairs(params)
        if "buf_cache_size" in params and self.release >= 2605:
            self.options["iobuf_small_cache_size"] = \
                params["buf_cache_size"]

    def _qpairs(self, params):
        """How many I/O queues a controller may have, kept in 16 bits with
        the admin queue (nvmf_rpc_decode_max_io_qpairs()); the last of the
        two names counts.
        """
        for name in self.raw if "max_io_qpairs_per_ctrlr" in self.options \
                else ():
            # A relaxed decoder passes over what the release does not have.
            if name in params and name in ("max_io_qpairs_per_ctrlr",
                                           "max_qpairs_per_ctrlr"):
                total = (params[name] + (name[4] == "i")) % 2 ** 16
                self.options["max_io_qpairs_per_ctrlr"] = \
                    (total - 1) % 2 ** 32

    def general(self):
        """What any transport is checked for."""
        options = self.options
        size = options["max_io_size"]
        if self.release >= 2104 and size and (
                size < 8192 or size & (size - 1)):
            raise self.failed
        if self.release >= 2004:
            options["max_aq_depth"] = max(options["max_aq_depth"], 32)
        if options.get("kas") == 0 or options.get("min_kato") == 0:
            raise self.failed
        if "kas" in options:
            step = options["kas"] * 100
            options["min_kato"] = -(-options["min_kato"] // step) * step
        iobuf = self.target.options.calls.get("iobuf_set_options")
        if iobuf is None:
            return
        unit = options.get("io_unit_size")
        if unit is not None and not 0 < unit <= iobuf["large_bufsize"]:
            raise self.failed
        cores = len(self.target.cores())
        for kind in ("small", "large"):
            key, count = f"iobuf_{kind}_cache_size", iobuf[
                f"{kind}_pool_count"]
            wanted = options.get(key, 0)
            if wanted not in (0, _NO_LIMIT) and wanted * cores > count:
                options[key] = count // cores // 2

    def tcp(self):
        """What the TCP transport reads, checks and corrects itself."""
        options = self.options
        for key, kind in (("c2h_success", "bool"),
                          ("control_msg_num", "uint16"),
                          ("sock_priority", "uint32")):
            if key in self.raw:
                try:
                    value = decode.DECODERS[kind](self.raw[key])
                except decode.Refused:
                    raise self.refused from None
                if key in options:
                    options[key] = value
        if options["sock_priority"] > (16 if self.release >= 2010 else 6):
            raise self.refused
        size = options["max_io_size"]
        if options.get("io_unit_size", 0) > size:
            options["io_unit_size"] = size
        if self.release >= 2209:
            self._corrected(size)
        self._buffers(size)

    def _corrected(self, size):
        options = self.options
        options["in_capsule_data_size"] = min(
            options["in_capsule_data_size"], size)
        if options["max_queue_depth"] < 2:
            options["max_queue_depth"] = 128
        if options["max_aq_depth"] > 4096:
            options["max_aq_depth"] = 128

    def _buffers(self, size):
        options = self.options
        unit = options.get("io_unit_size")
        if unit is None:
            unit = self.target.options.calls["iobuf_set_options"][
                "large_bufsize"]
        if not unit and self.release < 2201:
            # A real target divides by it.
            self.target.process.crash(signal.SIGFPE)
        if not unit or size // unit > _MOST_PIECES:
            raise self.refused
        cache = options.get("buf_cache_size", _NO_LIMIT)
        cached = cache * len(self.target.cores()) % 2 ** 32
        if (cache != _NO_LIMIT or self.release < 2305) \
                and cached > options["num_shared_buffers"]:
            raise self.refused


def read(target, params, raw, trtype):
    """Read the options of a new TCP transport.

    :param params: decoded parameters.
    :param raw: the parameters as they came, which the transport reads too.
    :returns: dict, in the order of the reply.
    :raises errors.CallError: -32603.
    """
    end = "\n" if target.release < 2010 else ""
    checked = _Checked(target, params, raw, errors.internal(
        f"Transport type '{trtype}' create failed{end}"))
    checked.general()
    checked.tcp()
    return checked.options
