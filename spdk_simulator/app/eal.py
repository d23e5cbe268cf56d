# SPDX-License-Identifier: Apache-2.0

"""What DPDK's EAL takes as cores, and which of its options it refuses.

From ``lib/eal/common/eal_common_options.c`` of DPDK. What is refused is told
by the exit status and SPDK's own messages; of DPDK's only the texts are
written that say which core there is not.
"""

import re

from spdk_simulator.jsonrpc import ctext

_MAX_LCORES = 128
_SET = r"(?:[0-9]+(?:-[0-9]+)?|\([0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*\))"
_LCORE = re.compile(rf"({_SET})(?:@({_SET}))?(?:,|\Z)")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAMES = frozenset((
    "allow", "base-virtaddr", "block", "create-uio-dev", "file-prefix",
    "force-max-simd-bitwidth", "huge-dir", "huge-unlink",
    "huge-worker-stack", "in-memory", "iova-mode", "lcores", "legacy-mem",
    "log-color", "log-level", "log-timestamp", "main-lcore",
    "match-allocations", "mbuf-pool-ops-name", "no-hpet", "no-huge",
    "no-pci", "no-shconf", "no-telemetry", "numa-limit", "numa-mem",
    "proc-type", "single-file-segments", "socket-limit", "socket-mem",
    "syslog", "telemetry", "trace", "trace-bufsz", "trace-dir",
    "trace-mode", "vdev", "vfio-intr", "vfio-vf-token",
    "vmware-tsc-map"))


class Refused(Exception):
    """EAL refuses an option."""


def mask(text):
    """Read ``-c``: a core mask.

    :returns: list of cores.
    :raises Refused: it is none, or empty.
    """
    digits = text.lstrip(" \t")
    if digits[:2] in ("0x", "0X"):
        digits = digits[2:]
    digits = digits.rstrip(" \t")
    if not re.fullmatch("[0-9a-fA-F]+", digits):
        raise Refused
    return _some(bits(int(digits, 16)))


def bits(number):
    """The places of the bits that are set."""
    return [place for place in range(number.bit_length())
            if number >> place & 1]


def core_list(text):
    """Read ``-l``: cores and ranges of cores.

    :returns: list of cores.
    :raises Refused: it is none, or empty.
    """
    found = []
    first = None
    text = text.strip(" \t")
    while True:
        text = text.lstrip(" \t")
        number, rest = ctext.leading(text, 10)
        if not text or number < 0:
            raise Refused
        behind = rest.lstrip(" \t")[:1]
        if behind == "-":
            first = number
        elif behind in ("", ","):
            found += range(number if first is None else first, number + 1)
            first = None
        else:
            raise Refused
        if not rest:
            return _some(found)
        text = rest[1:]


def lcores(text):
    """Read ``--lcores``: ``(0,1)@(2-3),4``.

    :returns: dict of lcore -> list of CPUs.
    :raises Refused: it is none, or empty.
    """
    found = {}
    text = text.strip(" \t")
    pos = 0
    while pos < len(text):
        match = _LCORE.match(text, pos)
        if not match:
            raise Refused
        own, cpus = map(_members, match.groups())
        for lcore in own:
            found[lcore] = cpus or ([lcore] if match.group(1)[0] != "("
                                    else own)
        pos = match.end()
    if text.endswith(","):
        raise Refused
    _some(found)
    return found


def _members(text):
    found = []
    for part in (text or "").strip("()").split(","):
        first, _, last = part.partition("-")
        if first:
            ends = sorted((int(first), int(last or first)))
            found += range(ends[0], ends[1] + 1)
    return found


def _some(cores):
    if not cores or max(cores) >= 2 ** 16:
        raise Refused
    return sorted(set(cores))


def check(options):
    """Check the other options.

    :param options: a :class:`.cmdline.Options`, its cores read.
    :raises Refused: one is not taken.
    """
    if options.main_core > 0 and (options.main_core >= _MAX_LCORES or
                                  options.main_core not in options.cores):
        raise Refused
    if options.iova_mode not in (None, "pa", "va"):
        raise Refused
    if options.single_file and options.huge_unlink:
        raise Refused
    if options.vf_token is not None and not _UUID.fullmatch(
            options.vf_token):
        raise Refused
    for word in options.env_context.split():
        name = word[2:].partition("=")[0]
        if word.startswith("--") and name not in _NAMES:
            raise Refused(f"unrecognized option '{word}'")
