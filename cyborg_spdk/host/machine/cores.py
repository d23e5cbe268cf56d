# SPDX-License-Identifier: Apache-2.0

"""CPU cores of the targets: each is kept busy to its full, so none twice."""

import os
import re

from cyborg_spdk import enabled
from cyborg_spdk import exceptions

#: SPDK then takes no lock on its cores, and several targets may share one.
SHARE = '--disable-cpumask-locks'

_ONLINE = '/sys/devices/system/cpu/online'
_NODES = 'sys/devices/system/node'

# DPDK's and SPDK's own limit (SPDK_CPUSET_SIZE, RTE_MAX_LCORE).
_MOST = 1024


def parse(text, name='core mask'):
    """Cores that a mask or a list names.

    :param text: as SPDK's ``-m`` takes it: hexadecimal with or without
        ``0x``, or a list like ``[0,2-4]``.
    :param name: the option, for the message.
    :returns: frozenset of int, never empty.
    :raises ConfigurationError: if SPDK would refuse it.
    """
    text = text.strip()
    try:
        if text.startswith('[') and text.endswith(']'):
            cores = _parse_list(text[1:-1])
        else:
            cores = _parse_mask(text)
    except ValueError:
        cores = set()
    if not cores or max(cores) >= _MOST:
        raise exceptions.ConfigurationError(
            name, text, 'use a mask like 0x3 or a list like [0,2-3] of at '
            f'least one core below {_MOST}')
    return frozenset(cores)


def _parse_mask(text):
    if not re.fullmatch(r'(0[xX])?[0-9a-fA-F]{1,256}', text):
        raise ValueError(text)
    mask = int(text, 16)
    return {bit for bit in range(mask.bit_length()) if mask >> bit & 1}


def _parse_list(text):
    cores = set()
    for part in text.split(','):
        match = re.fullmatch(r'\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?', part)
        if not match:
            raise ValueError(part)
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(part)
        cores.update(range(first, last + 1))
    return cores


def online():
    """Cores of this machine that are switched on (frozenset of int)."""
    try:
        with open(_ONLINE) as stream:
            return frozenset(_parse_list(stream.read().strip()))
    except (OSError, ValueError):
        return frozenset(range(os.cpu_count() or 1))


def assign(targets):
    """Cores of each target: its own mask, or the first that is left.

    :param targets: all targets, in the order of the configuration
        (:func:`cyborg_spdk.conf.targets`).
    :returns: dict of target name to frozenset of cores. Targets with one
        RPC address are one process and share their cores.
    :raises ConfigurationError: for a mask that cannot be parsed, or two
        that overlap while both targets are to be started.
    """
    assigned = {}
    by_address = {}
    for target in targets:
        if target.core_mask:
            assigned[target.name] = parse(
                target.core_mask, f'[{target.name}] core_mask')
            by_address.setdefault(target.rpc_address,
                                  assigned[target.name])
    _check_overlap(targets, assigned)
    taken = frozenset().union(*assigned.values())
    for target in targets:
        if target.name in assigned:
            continue
        if target.rpc_address not in by_address:
            core = next(n for n in range(_MOST) if n not in taken)
            by_address[target.rpc_address] = frozenset([core])
            taken |= {core}
        assigned[target.name] = by_address[target.rpc_address]
    return assigned


def _check_overlap(targets, assigned):
    started = [t for t in targets if t.start and t.name in assigned
               and SHARE not in t.extra_args]
    for n, target in enumerate(started):
        for other in started[:n]:
            both = assigned[target.name] & assigned[other.name]
            if both and target.rpc_address != other.rpc_address:
                raise exceptions.ConfigurationError(
                    f'[{target.name}] core_mask', target.core_mask,
                    f'core {min(both)} is also used by {other.name}; give '
                    f'each target cores of its own, or {SHARE} in '
                    'extra_args')


def of_target(conf, target, *, available=None):
    """Cores on which one target is to run, all of them there.

    :param conf: the configuration, for the other targets.
    :param target: a :class:`cyborg_spdk.conf.Target`.
    :param available: cores of the machine; None means those online.
    :returns: frozenset of int.
    :raises ConfigurationError: as :func:`assign`, and for a core that
        this machine does not have.
    """
    targets = enabled.targets(conf)
    if target.name not in [known.name for known in targets]:
        targets.append(target)
    cores = assign(targets)[target.name]
    available = online() if available is None else frozenset(available)
    missing = cores - available
    if missing:
        raise exceptions.ConfigurationError(
            f'[{target.name}] core_mask', target.core_mask or mask(cores),
            f'this machine has no core {min(missing)}, only '
            f'{as_list(available)}; name cores that it has'
            + ('' if target.core_mask else ' (unset, each target gets one '
               'core of its own), or take the target out of [spdk] '
               f'{target.kind}_targets'))
    return cores


def nodes(cores, root='/'):
    """NUMA nodes that some cores are on.

    :param cores: iterable of int.
    :returns: frozenset of int; empty if the kernel does not say.
    """
    found = set()
    base = os.path.join(root, _NODES)
    try:
        names = os.listdir(base)
    except OSError:
        return frozenset()
    for name in names:
        match = re.fullmatch(r'node(\d+)', name)
        if not match:
            continue
        with open(os.path.join(base, name, 'cpulist')) as stream:
            text = stream.read().strip()
        if text and not _parse_list(text).isdisjoint(cores):
            found.add(int(match[1]))
    return frozenset(found)


def mask(cores):
    """The mask of some cores, as ``-m`` takes it, e.g. ``"0x5"``."""
    return hex(sum(1 << core for core in cores))


def as_list(cores):
    """The shortest list of some cores, e.g. ``"[0,2-3]"``."""
    parts = []
    for core in sorted(cores):
        if parts and core == parts[-1][1] + 1:
            parts[-1][1] = core
        else:
            parts.append([core, core])
    return '[' + ','.join(str(a) if a == b else f'{a}-{b}'
                          for a, b in parts) + ']'
