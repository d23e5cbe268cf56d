# SPDX-License-Identifier: Apache-2.0

"""CPU cores of the targets: each is kept busy to its full, so none twice.

What counts are the cores that a target can have where it will run: those
that are switched on and that its control group allows (cpuset). Without a
``core_mask`` it gets none that the kernel keeps for itself (``isolcpus``) or
that who starts it was told to stay off.
"""

from collections.abc import Iterable
from collections.abc import Sequence
import os
import re

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import enabled
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import cgroups

#: SPDK then takes no lock on its cores, and several targets may share one.
SHARE = '--disable-cpumask-locks'

_ONLINE = 'sys/devices/system/cpu/online'
_ISOLATED = 'sys/devices/system/cpu/isolated'
_NODES = 'sys/devices/system/node'

# DPDK's and SPDK's own limit (SPDK_CPUSET_SIZE, RTE_MAX_LCORE).
_MOST = 1024


def parse(text: str, name: str = 'core mask') -> frozenset[int]:
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


def _parse_mask(text: str) -> set[int]:
    if not re.fullmatch(r'(0[xX])?[0-9a-fA-F]{1,256}', text):
        raise ValueError(text)
    mask = int(text, 16)
    return {bit for bit in range(mask.bit_length()) if mask >> bit & 1}


def _parse_list(text: str) -> set[int]:
    cores: set[int] = set()
    for part in text.split(','):
        match = re.fullmatch(r'\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?', part)
        if not match:
            raise ValueError(part)
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(part)
        cores.update(range(first, last + 1))
    return cores


def _listed(path: str) -> frozenset[int] | None:
    """The cores that a file of the kernel's lists; None if it does not."""
    try:
        with open(path) as stream:
            return cgroups.parse_list(stream.read().strip())
    except (OSError, ValueError):
        return None


def online(root: str = '/') -> frozenset[int]:
    """Cores of this machine that are switched on."""
    found = _listed(os.path.join(root, _ONLINE))
    return frozenset(range(os.cpu_count() or 1)) if found is None else found


def usable(root: str = '/', place: str | None = None) -> frozenset[int]:
    """Cores that a target can run on.

    :param root: of the tree that is looked at.
    :param place: the control group that it will be in; None is ours.
    """
    allowed = cgroups.allowed_cpus(root, place)
    return online(root) if allowed is None else online(root) & allowed


def preferred(root: str = '/', place: str | None = None) -> frozenset[int]:
    """Those that a target is given if nothing is said, unless there are none.

    :param root: of the tree that is looked at.
    :param place: as for :func:`usable`.
    """
    found = usable(root, place)
    # systemd hands its own on to a unit.
    for keep in (_affinity(root, 'self' if place is None else '1'),
                 _not_isolated(root, found)):
        if keep is not None and found & keep:
            found &= keep
    return found


def _not_isolated(root: str, found: frozenset[int]) -> frozenset[int]:
    return found - (_listed(os.path.join(root, _ISOLATED)) or frozenset())


def _affinity(root: str, pid: str) -> frozenset[int] | None:
    try:
        with open(os.path.join(root, 'proc', pid, 'status')) as stream:
            match = re.search(r'^Cpus_allowed_list:\s*(\S+)', stream.read(),
                              re.MULTILINE)
        return cgroups.parse_list(match[1]) if match else None
    except (OSError, ValueError):
        return None


def assign(targets: Sequence[spdk_conf.Target],
           available: Iterable[int] = range(_MOST)
           ) -> dict[str, frozenset[int]]:
    """Cores of each target: its own mask, or the first that is left.

    :param targets: all targets, in the order of the configuration
        (:func:`cyborg_spdk.conf.targets`).
    :param available: cores to give to those without a mask. If there are
        too few, the rest get cores that are not there.
    :returns: dict of target name to frozenset of cores. Targets with one
        RPC address are one process and share their cores.
    :raises ConfigurationError: for a mask that cannot be parsed, or two
        that overlap while both targets are to be started.
    """
    assigned: dict[str, frozenset[int]] = {}
    by_address: dict[str, frozenset[int]] = {}
    free = list(dict.fromkeys([*available, *range(_MOST)]))
    for target in targets:
        if target.core_mask:
            assigned[target.name] = parse(
                target.core_mask, f'[{target.name}] core_mask')
            by_address.setdefault(target.rpc_address,
                                  assigned[target.name])
    _check_overlap(targets, assigned)
    taken: frozenset[int] = frozenset().union(*assigned.values())
    for target in targets:
        if target.name in assigned:
            continue
        if target.rpc_address not in by_address:
            core = next(n for n in free if n not in taken)
            by_address[target.rpc_address] = frozenset([core])
            taken |= {core}
        assigned[target.name] = by_address[target.rpc_address]
    return assigned


def _check_overlap(targets: Sequence[spdk_conf.Target],
                   assigned: dict[str, frozenset[int]]) -> None:
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


def of_target(conf: cfg.ConfigOpts, target: spdk_conf.Target, *,
              available: Iterable[int] | None = None,
              place: str | None = None, root: str = '/') -> frozenset[int]:
    """Cores on which one target is to run, all of them there.

    :param conf: the configuration, for the other targets.
    :param target: a :class:`cyborg_spdk.conf.Target`.
    :param available: cores that it can have; None means those of
        :func:`usable`, and without a mask of :func:`preferred`.
    :param place: the control group that it will be in; None is ours.
    :param root: of the tree that is looked at.
    :raises ConfigurationError: as :func:`assign`, and for a core that
        it cannot have.
    """
    targets = enabled.targets(conf)
    if target.name not in [known.name for known in targets]:
        targets.append(target)
    if available is None:
        found, first = usable(root, place), preferred(root, place)
        first_then_others = [*sorted(first), *sorted(found - first)]
    else:
        found = frozenset(available)
        first_then_others = sorted(found)
    cores = assign(targets, first_then_others)[target.name]
    missing = cores - found
    if missing:
        raise exceptions.ConfigurationError(
            f'[{target.name}] core_mask', target.core_mask or mask(cores),
            _why_not(min(missing), found, root)
            + ('' if target.core_mask else ' (unset, each target gets one '
               'core of its own), or take the target out of [spdk] '
               f'{target.kind}_targets'))
    return cores


def _why_not(core: int, found: frozenset[int], root: str) -> str:
    if core in online(root) and not found >= online(root):
        return (f'core {core} is not among those that processes may use '
                f'where the target runs (cpuset), only {as_list(found)} are; '
                'name cores of those')
    return (f'this machine has no core {core}, only {as_list(found)}; name '
            'cores that it has')


def nodes(cores: Iterable[int], root: str = '/') -> frozenset[int]:
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


def mask(cores: Iterable[int]) -> str:
    """The mask of some cores, as ``-m`` takes it, e.g. ``"0x5"``."""
    return hex(sum(1 << core for core in cores))


def as_list(cores: Iterable[int]) -> str:
    """The shortest list of some cores, e.g. ``"[0,2-3]"``."""
    parts: list[list[int]] = []
    for core in sorted(cores):
        if parts and core == parts[-1][1] + 1:
            parts[-1][1] = core
        else:
            parts.append([core, core])
    return '[' + ','.join(str(a) if a == b else f'{a}-{b}'
                          for a, b in parts) + ']'
