# SPDX-License-Identifier: Apache-2.0

"""Huge pages: how many a program could have, and adding what is missing.

What counts is what DPDK will find when the program starts: free pages that
are not promised to somebody else, whole pages for each process, within the
limits of its control group, by a hugetlbfs that it can write. Pages that the
kernel would lend beyond its pool (``nr_overcommit_hugepages``) do not count:
DPDK looks at the pool only.

Pages are only ever added. An addition that cannot be had in full is taken
back, so that a failed start does not leave the host without memory.
"""

from collections.abc import Callable
from collections.abc import Iterable
import dataclasses
import time
from typing import Protocol

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import cgroups
from cyborg_spdk.host.machine import hugepage_pools
from cyborg_spdk.host.machine import hugetlbfs
from cyborg_spdk.host.machine import meminfo

# Looks at what is free until no target takes any meanwhile.
_LOOKS = 200

# Seconds that a page may be on its way: to be zeroed, on a busy machine.
_SETTLE = 2.0


class Privileged(Protocol):
    """What adds pages and mounts: :mod:`cyborg_spdk.host.privileged`."""

    def add_hugepages(self, conf: cfg.ConfigOpts, size_kb: int,
                      wanted: list[tuple[int | None, int]]) -> list[int]:
        """Add pages; as :func:`.hugepage_pools.add`."""

    def mount_hugetlbfs(self, conf: cfg.ConfigOpts) -> str:
        """Mount a hugetlbfs, and tell where."""


def chosen_size_kb(conf: cfg.ConfigOpts, root: str = '/') -> int:
    """Size of page to use: the option, or the kernel's default.

    :raises HugepageError: if the kernel does not have it.
    """
    size_kb: int | None = conf.spdk.hugepage_size_kb or \
        meminfo.default_size_kb(root)
    if size_kb is None:
        raise exceptions.HugepageError(
            'this kernel has no huge pages; set no_huge for the targets')
    hugepage_pools.pool(size_kb, None, root)
    return size_kb


def pages_for(needs_mb: Iterable[int], size_kb: int, parts: int = 1) -> int:
    """Pages that some processes take, each whole pages of its own.

    :param needs_mb: MiB of each process.
    :param size_kb: size of a page.
    :param parts: nodes that the pages of each are spread over evenly.
    :returns: pages on each node.
    """
    return sum(-(-need_mb * 1024 // (size_kb * parts))
               for need_mb in needs_mb)


def missing(conf: cfg.ConfigOpts, needs_mb: int | Iterable[int],
            root: str = '/') -> dict[int | None, int]:
    """Pages to add so that an amount of memory is free.

    :param conf: the configuration: ``hugepage_size_kb`` and
        ``hugepage_nodes``.
    :param needs_mb: MiB that each process about to start will take.
    :returns: dict of NUMA node (None: wherever the kernel likes) to number
        of pages, only of those with any.
    :raises HugepageError: for a size or a node that is not there.
    """
    size_kb = chosen_size_kb(conf, root)
    return _lacking(_each(needs_mb), size_kb, _free(conf, size_kb, root))


def _each(needs_mb: int | Iterable[int]) -> list[int]:
    return [needs_mb] if isinstance(needs_mb, int) else list(needs_mb)


@dataclasses.dataclass(frozen=True)
class _Free:
    """Pages that can be had, of the nodes that they are wanted on.

    :ivar nodes: by NUMA node; None is the whole machine.
    :ivar machine: on all of them together, where some are promised to
        others: those may be taken from any node. None where none are.
    """

    nodes: dict[int | None, int]
    machine: int | None


def _free(conf: cfg.ConfigOpts, size_kb: int, root: str) -> _Free:
    wanted = conf.spdk.hugepage_nodes
    allowed = cgroups.allowed_nodes(root)
    _check_nodes(wanted, allowed)
    machine = hugepage_pools.pool(size_kb, None, root)
    if not wanted and allowed is not None and \
            not allowed.issuperset(hugepage_pools.nodes(root)):
        # The kernel would put new pages on other nodes, too.
        wanted = sorted(allowed & frozenset(hugepage_pools.nodes(root)))
    found: dict[int | None, int] = {
        node: hugepage_pools.pool(size_kb, node, root).available
        for node in wanted or [None]}
    return _Free(found, machine.available if machine.reserved else None)


def _check_nodes(wanted: Iterable[int],
                 allowed: frozenset[int] | None) -> None:
    if allowed is None:
        return
    for node in wanted:
        if node not in allowed:
            nodes_ = ', '.join(map(str, sorted(allowed)))
            raise exceptions.HugepageError(
                f'[spdk] hugepage_nodes {node}: processes here may only use '
                f'memory of the nodes {nodes_} (cpuset); choose one of them')


def _lacking(needs_mb: list[int], size_kb: int,
             free: _Free) -> dict[int | None, int]:
    each = pages_for(needs_mb, size_kb, len(free.nodes))
    lacking = {node: max(0, each - count)
               for node, count in free.nodes.items()}
    if free.machine is not None:
        # Enough may lie on each node, but a part of it is promised.
        short = each * len(free.nodes) - free.machine - sum(lacking.values())
        lacking[next(iter(lacking))] += max(0, short)
    return {node: count for node, count in lacking.items() if count}


def _missing_now(conf: cfg.ConfigOpts,
                 needs_mb: Callable[[], int | list[int]], size_kb: int,
                 root: str) -> tuple[dict[int | None, int],
                                     dict[int | None, int]]:
    """What is missing while other targets take what is theirs.

    A page that is taken between two looks would else be missed in one and
    counted in the other.

    :param needs_mb: function that tells what each still needs.
    :returns: pair of dicts as of :func:`missing`: the most and the least
        that it may be; nearly always the same.
    """
    for _ in range(_LOOKS):
        before = _each(needs_mb())
        free = _free(conf, size_kb, root)
        after = _each(needs_mb())
        if before == after:
            break
    return _lacking(before, size_kb, free), _lacking(after, size_kb, free)


def _settled(conf: cfg.ConfigOpts, needs_mb: Callable[[], int | list[int]],
             size_kb: int, root: str) -> dict[int | None, int]:
    """The least that is missing once pages on their way have arrived.

    The kernel counts a page as promised before it is seen in the memory of
    the process that takes it. Where another target takes its pages just
    now, one that is neither free nor seen to be taken is missing twice.
    """
    deadline = time.monotonic() + _SETTLE
    while True:
        _most, least = _missing_now(conf, needs_mb, size_kb, root)
        if not least or time.monotonic() >= deadline:
            return least
        time.sleep(_SETTLE / 100)


def prepare(conf: cfg.ConfigOpts, needs_mb: Callable[[], int | list[int]],
            privileged: Privileged, root: str = '/',
            place: str | None = None, need_mb: int = 0) -> list[str]:
    """Have an amount of memory free in huge pages, and hugetlbfs mounted.

    :param conf: the configuration.
    :param needs_mb: function that tells how many MiB each process about to
        start will still take.
    :param privileged: what adds pages and mounts.
    :param place: control group that the program will be in; None is ours.
    :param need_mb: MiB of the program that is started now.
    :returns: list of str: what was done, for the log.
    :raises HugepageError: if it cannot be had; what is missing and what to
        do is in the message.
    """
    done = []
    size_kb = chosen_size_kb(conf, root)
    check_limits(size_kb, need_mb, root, place)
    short, _least = _missing_now(conf, needs_mb, size_kb, root)
    mounted = hugetlbfs.mount_for(size_kb, need_mb, root) is not None
    if (short or not mounted) and not conf.spdk.manage_hugepages:
        raise exceptions.HugepageError(_refusal(short, size_kb))
    if sum(short.values()) * size_kb > meminfo.available_kb(root):
        raise exceptions.HugepageError(
            _shortage(short, size_kb) + f"the machine has only "
            f"{meminfo.available_kb(root) // 1024} MiB left: free memory, or "
            "lower memory_mb of the targets")
    if short:
        got = privileged.add_hugepages(conf, size_kb, list(short.items()))
        _check_got(short, got, size_kb)
    done += [f"reserved {count} huge pages of {size_kb} KiB"
             + (f" on NUMA node {node}" if node is not None else '')
             for node, count in short.items()]
    if not mounted:
        path = privileged.mount_hugetlbfs(conf)
        done.append(f"mounted hugetlbfs of {size_kb} KiB at {path}")
    left = _settled(conf, needs_mb, size_kb, root)
    if left:
        raise exceptions.HugepageError(
            _shortage(left, size_kb) + 'somebody else took them just now; '
            'try again')
    return done


def check_limits(size_kb: int, need_mb: int, root: str = '/',
                 place: str | None = None) -> None:
    """Refuse what could not be used although the machine has the pages.

    :param size_kb: size of a page.
    :param need_mb: MiB that one process is to take.
    :param place: control group that it will be in; None is ours.
    :raises HugepageError: for a limit of a control group, or a hugetlbfs
        that is read-only or too small.
    """
    limit = cgroups.hugetlb_left(size_kb, root, place)
    need_mb = pages_for([need_mb], size_kb) * size_kb // 1024
    if limit is not None and limit.left_mb < need_mb:
        raise exceptions.HugepageError(
            f"a target needs {need_mb} MiB in huge pages of {size_kb} KiB, "
            f"and {limit.path} leaves {limit.left_mb} MiB; raise that "
            "limit, or lower memory_mb")
    if hugetlbfs.mount_for(size_kb, need_mb, root) is None:
        why_not = hugetlbfs.why_not(size_kb, need_mb, root)
        if why_not is not None:
            raise exceptions.HugepageError(why_not)


def _check_got(short: dict[int | None, int], got: list[int],
               size_kb: int) -> None:
    lacking = [f"{had} of {count}" + _on(node) for (node, count), had
               in zip(short.items(), got, strict=True) if had < count]
    if lacking:
        raise exceptions.HugepageError(
            _shortage(short, size_kb) + f"only {' and '.join(lacking)} "
            "could be had (and all were given back): memory is short or "
            "fragmented; free memory, lower memory_mb, or reserve them at "
            f"boot (hugepagesz={size_kb}K hugepages=N)")


def _shortage(short: dict[int | None, int], size_kb: int) -> str:
    parts = [f"{count}" + _on(node) for node, count in short.items()]
    return f"{' and '.join(parts)} huge pages of {size_kb} KiB are missing; "


def _on(node: int | None) -> str:
    return f" on node {node}" if node is not None else ''


def _refusal(short: dict[int | None, int], size_kb: int) -> str:
    if short:
        path = hugepage_pools.pool_path(size_kb, next(iter(short)))
        return _shortage(short, size_kb) + (
            'set [spdk] manage_hugepages, or add them to what is in '
            f'{path}/nr_hugepages')
    return (f"no hugetlbfs for pages of {size_kb} KiB is mounted; set "
            "[spdk] manage_hugepages, or: mount -t hugetlbfs -o "
            f"pagesize={size_kb}K nodev {hugetlbfs.mount_point(size_kb)}")
