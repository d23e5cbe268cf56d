# SPDX-License-Identifier: Apache-2.0

"""The kernel's pools of huge pages: what there is, and adding to it."""

from collections.abc import Iterable
import dataclasses
import os
import re

from cyborg_spdk import exceptions

_SYSFS = 'sys/kernel/mm/hugepages'
_NODES = 'sys/devices/system/node'


@dataclasses.dataclass(frozen=True)
class Pool:
    """Huge pages of one size, of the machine or of one NUMA node.

    :ivar size_kb: size of one page in KiB.
    :ivar node: the NUMA node, or None for the whole machine.
    :ivar total: pages that there are, those lent by overcommitment too.
    :ivar free: pages that nobody has taken.
    :ivar reserved: free pages that are promised to who has not touched them
        yet (the memory of a guest, say); of the machine only.
    :ivar surplus: pages that go back to the kernel when they are let go.
    """

    size_kb: int
    node: int | None
    total: int
    free: int
    reserved: int = 0
    surplus: int = 0

    @property
    def available(self) -> int:
        """Pages that a program that starts now can have."""
        return max(0, self.free - self.reserved)

    @property
    def free_mb(self) -> int:
        """What is available, in MiB."""
        return self.available * self.size_kb // 1024


def pool_path(size_kb: int, node: int | None = None,
              root: str = '/') -> str:
    """Directory of the kernel's counters of one pool."""
    base = _SYSFS if node is None else f'{_NODES}/node{node}/hugepages'
    return os.path.join(root, base, f'hugepages-{size_kb}kB')


def _number(path: str) -> int:
    with open(path) as stream:
        return int(stream.read())


def _number_or_0(path: str) -> int:
    try:
        return _number(path)
    except FileNotFoundError:
        return 0


def sizes_kb(root: str = '/') -> list[int]:
    """Sizes that the kernel has, in KiB, in rising order."""
    try:
        names = os.listdir(os.path.join(root, _SYSFS))
    except OSError:
        return []
    return sorted(int(match[1]) for match in
                  (re.fullmatch(r'hugepages-(\d+)kB', n) for n in names)
                  if match)


def nodes(root: str = '/') -> list[int]:
    """NUMA nodes of the machine, in rising order (list of int)."""
    try:
        names = os.listdir(os.path.join(root, _NODES))
    except OSError:
        return []
    return sorted(int(match[1]) for match in
                  (re.fullmatch(r'node(\d+)', name) for name in names)
                  if match)


def pool(size_kb: int, node: int | None = None, root: str = '/') -> Pool:
    """Read one pool.

    :raises HugepageError: if the kernel has no such size or node.
    """
    path = pool_path(size_kb, node, root)
    try:
        return Pool(size_kb, node,
                    _number(os.path.join(path, 'nr_hugepages')),
                    _number(os.path.join(path, 'free_hugepages')),
                    # Nodes do not tell.
                    _number_or_0(os.path.join(path, 'resv_hugepages')),
                    _number_or_0(os.path.join(path, 'surplus_hugepages')))
    except FileNotFoundError:
        pass
    known = sizes_kb(root)
    if size_kb not in known:
        raise exceptions.HugepageError(
            f"[spdk] hugepage_size_kb {size_kb}: this kernel has "
            f"{' and '.join(map(str, known)) or 'no huge pages'}; choose "
            "one of them")
    raise exceptions.HugepageError(
        f"[spdk] hugepage_nodes {node}: this machine has the nodes "
        f"{', '.join(map(str, nodes(root))) or 'none'}; choose one of them")


def pools(root: str = '/') -> list[Pool]:
    """All pools: for each size the machine's, then those of the nodes."""
    found = []
    for size_kb in sizes_kb(root):
        found.append(pool(size_kb, None, root))
        found += [pool(size_kb, node, root) for node in nodes(root)
                  if os.path.isdir(pool_path(size_kb, node, root))]
    return found


def add(size_kb: int, wanted: Iterable[tuple[int | None, int]],
        root: str = '/') -> list[int]:
    """Add pages to pools; all of them, or none. Needs root.

    The kernel makes pages that it has lent (surplus) a part of the pool
    first; giving back makes them lent again.

    :param size_kb: size of one page in KiB.
    :param wanted: list of (NUMA node, or None for the whole machine; how
        many to add).
    :returns: list of how many of each could be had. If any is less than
        what was wanted, all were given back.
    """
    wanted = list(wanted)
    before, got = [], []
    for node, count in wanted:
        path = os.path.join(pool_path(size_kb, node, root), 'nr_hugepages')
        found = pool(size_kb, node, root)
        before.append((path, found.total - found.surplus))
        if count:
            _write(path, found.total + count)
        got.append(max(0, _number(path) - found.total))
    if got != [count for _, count in wanted]:
        for path, number in before:
            _write(path, number)
    return got


def _write(path: str, number: int) -> None:
    with open(path, 'w') as stream:
        stream.write(f'{number}\n')
