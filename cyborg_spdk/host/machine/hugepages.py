# SPDX-License-Identifier: Apache-2.0

"""Huge pages: how many are free, and reserving those that are missing.

Pages are only ever added. An addition that cannot be had in full is taken
back, so that a failed start does not leave the host without memory.
"""

import dataclasses
import os
import re

from cyborg_spdk import exceptions

_SYSFS = 'sys/kernel/mm/hugepages'
_NODES = 'sys/devices/system/node'

# Looks at what is free until no target takes any meanwhile.
_LOOKS = 200

#: Where hugetlbfs is mounted if it is not; systemd does the same.
MOUNT_POINT = '/dev/hugepages'


@dataclasses.dataclass(frozen=True)
class Pool:
    """Huge pages of one size, of the machine or of one NUMA node.

    :ivar size_kb: size of one page in KiB.
    :ivar node: the NUMA node, or None for the whole machine.
    :ivar total: pages reserved.
    :ivar free: pages that nobody uses.
    """

    size_kb: int
    node: int | None
    total: int
    free: int

    @property
    def free_mb(self):
        """What is free, in MiB."""
        return self.free * self.size_kb // 1024


@dataclasses.dataclass(frozen=True)
class Mount:
    """A mounted hugetlbfs.

    :ivar path: where.
    :ivar size_kb: size of its pages in KiB.
    """

    path: str
    size_kb: int


def pool_path(size_kb, node=None, root='/'):
    """Directory of the kernel's counters of one pool."""
    base = _SYSFS if node is None else f'{_NODES}/node{node}/hugepages'
    return os.path.join(root, base, f'hugepages-{size_kb}kB')


def _number(path):
    with open(path) as stream:
        return int(stream.read())


def default_size_kb(root='/'):
    """The kernel's default size of huge pages in KiB; None without any."""
    try:
        with open(os.path.join(root, 'proc/meminfo')) as stream:
            match = re.search(r'^Hugepagesize:\s*(\d+) kB', stream.read(),
                              re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) if match else None


def sizes_kb(root='/'):
    """Sizes that the kernel has, in KiB, in rising order."""
    try:
        names = os.listdir(os.path.join(root, _SYSFS))
    except OSError:
        return []
    return sorted(int(match[1]) for match in
                  (re.fullmatch(r'hugepages-(\d+)kB', n) for n in names)
                  if match)


def nodes(root='/'):
    """NUMA nodes of the machine, in rising order (list of int)."""
    try:
        names = os.listdir(os.path.join(root, _NODES))
    except OSError:
        return []
    return sorted(int(match[1]) for match in
                  (re.fullmatch(r'node(\d+)', name) for name in names)
                  if match)


def pool(size_kb, node=None, root='/'):
    """Read one pool.

    :raises HugepageError: if the kernel has no such size or node.
    """
    path = pool_path(size_kb, node, root)
    try:
        return Pool(size_kb, node,
                    _number(os.path.join(path, 'nr_hugepages')),
                    _number(os.path.join(path, 'free_hugepages')))
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


def pools(root='/'):
    """All pools: for each size the machine's, then those of the nodes."""
    found = []
    for size_kb in sizes_kb(root):
        found.append(pool(size_kb, None, root))
        found += [pool(size_kb, node, root) for node in nodes(root)
                  if os.path.isdir(pool_path(size_kb, node, root))]
    return found


def mounts(root='/'):
    """Mounted hugetlbfs file systems (list of :class:`Mount`)."""
    found = []
    with open(os.path.join(root, 'proc/mounts')) as stream:
        for line in stream:
            _, path, kind, options = line.split()[:4]
            if kind != 'hugetlbfs':
                continue
            match = re.search(r'(?:^|,)pagesize=(\d+)([KMG])', options)
            size_kb = int(match[1]) * {
                'K': 1, 'M': 1024, 'G': 1 << 20}[match[2]] if match \
                else default_size_kb(root)
            # The kernel writes a blank in a path as \040.
            path = re.sub(r'\\(\d{3})', lambda m: chr(int(m[1], 8)), path)
            found.append(Mount(path, size_kb))
    return found


def chosen_size_kb(conf, root='/'):
    """Size of page to use: the option, or the kernel's default.

    :raises HugepageError: if the kernel does not have it.
    """
    size_kb = conf.spdk.hugepage_size_kb or default_size_kb(root)
    if size_kb is None:
        raise exceptions.HugepageError(
            'this kernel has no huge pages; set no_huge for the targets')
    pool(size_kb, None, root)
    return size_kb


def missing(conf, need_mb, root='/'):
    """Pages to add so that an amount of memory is free.

    :param conf: the configuration: ``hugepage_size_kb`` and
        ``hugepage_nodes``.
    :param need_mb: MiB that the targets about to start will take.
    :returns: dict of NUMA node (None: wherever the kernel likes) to number
        of pages, only of those with any.
    :raises HugepageError: for a size or a node that is not there.
    """
    size_kb = chosen_size_kb(conf, root)
    return _lacking(need_mb, size_kb, _free(conf, size_kb, root))


def _free(conf, size_kb, root):
    """Free pages by NUMA node, of those that pages are wanted on."""
    return {node: pool(size_kb, node, root).free
            for node in conf.spdk.hugepage_nodes or [None]}


def _lacking(need_mb, size_kb, free):
    each = -(-need_mb * 1024 // (size_kb * len(free)))
    return {node: each - count for node, count in free.items()
            if count < each}


def _missing_now(conf, need_mb, size_kb, root):
    """What is missing while other targets take what is theirs.

    A page that is taken between two looks would else be missed in one and
    counted in the other.

    :param need_mb: function that tells what all still need.
    :returns: pair of dicts as of :func:`missing`: the most and the least
        that it may be; nearly always the same.
    """
    for _ in range(_LOOKS):
        before = need_mb()
        free = _free(conf, size_kb, root)
        after = need_mb()
        if before == after:
            break
    return _lacking(before, size_kb, free), _lacking(after, size_kb, free)


def available_kb(root='/'):
    """Memory that the kernel could give, in KiB."""
    with open(os.path.join(root, 'proc/meminfo')) as stream:
        match = re.search(r'^MemAvailable:\s*(\d+) kB', stream.read(),
                          re.MULTILINE)
    return int(match[1]) if match else 0


def add(size_kb, wanted, root='/'):
    """Add pages to pools; all of them, or none. Needs root.

    :param size_kb: size of one page in KiB.
    :param wanted: list of (NUMA node, or None for the whole machine; how
        many to add).
    :returns: list of how many of each could be had. If any is less than
        what was wanted, all were given back.
    """
    before, got = [], []
    for node, count in wanted:
        path = os.path.join(pool_path(size_kb, node, root), 'nr_hugepages')
        before.append((path, _number(path)))
        _write(path, before[-1][1] + count)
        got.append(max(0, _number(path) - before[-1][1]))
    if got != [count for _, count in wanted]:
        for path, number in before:
            _write(path, number)
    return got


def _write(path, number):
    with open(path, 'w') as stream:
        stream.write(f'{number}\n')


def prepare(conf, need_mb, call, root='/'):
    """Have an amount of memory free in huge pages, and hugetlbfs mounted.

    :param conf: the configuration.
    :param need_mb: function that tells how many MiB the targets about to
        start will still take.
    :param call: runs a function of :mod:`cyborg_spdk.host.privileged` by
        its name.
    :returns: list of str: what was done, for the log.
    :raises HugepageError: if it cannot be had; what is missing and what to
        do is in the message.
    """
    done = []
    size_kb = chosen_size_kb(conf, root)
    short, _least = _missing_now(conf, need_mb, size_kb, root)
    mounted = any(m.size_kb == size_kb for m in mounts(root))
    if (short or not mounted) and not conf.spdk.manage_hugepages:
        raise exceptions.HugepageError(_refusal(short, size_kb))
    if sum(short.values()) * size_kb > available_kb(root):
        raise exceptions.HugepageError(
            _shortage(short, size_kb) + f"the machine has only "
            f"{available_kb(root) // 1024} MiB left: free memory, or lower "
            "memory_mb of the targets")
    if short:
        got = call('add_hugepages', size_kb, list(short.items()))
        _check_got(short, got, size_kb)
    done += [f"reserved {count} huge pages of {size_kb} KiB"
             + (f" on NUMA node {node}" if node is not None else '')
             for node, count in short.items()]
    if not mounted:
        path = mount_point(size_kb, root)
        call('mount_hugetlbfs', path, size_kb)
        done.append(f"mounted hugetlbfs of {size_kb} KiB at {path}")
    _most, left = _missing_now(conf, need_mb, size_kb, root)
    if left:
        raise exceptions.HugepageError(
            _shortage(left, size_kb) + 'somebody else took them just now; '
            'try again')
    return done


def _check_got(short, got, size_kb):
    lacking = [f"{had} of {count}" + _on(node) for (node, count), had
               in zip(short.items(), got, strict=True) if had < count]
    if lacking:
        raise exceptions.HugepageError(
            _shortage(short, size_kb) + f"only {' and '.join(lacking)} "
            "could be had (and all were given back): memory is short or "
            "fragmented; free memory, lower memory_mb, or reserve them at "
            f"boot (hugepagesz={size_kb}K hugepages=N)")


def mount_point(size_kb, root='/'):
    """Where to mount hugetlbfs for a size of page."""
    if size_kb == default_size_kb(root):
        return MOUNT_POINT
    return f'{MOUNT_POINT}-{size_kb}kB'


def _shortage(short, size_kb):
    parts = [f"{count}" + _on(node) for node, count in short.items()]
    return f"{' and '.join(parts)} huge pages of {size_kb} KiB are missing; "


def _on(node):
    return f" on node {node}" if node is not None else ''


def _refusal(short, size_kb):
    if short:
        path = pool_path(size_kb, next(iter(short))) + '/nr_hugepages'
        return _shortage(short, size_kb) + (
            'set [spdk] manage_hugepages, or add them to what is in '
            f'{path}')
    return (f"no hugetlbfs for pages of {size_kb} KiB is mounted; set "
            "[spdk] manage_hugepages, or: mount -t hugetlbfs -o "
            f"pagesize={size_kb}K nodev {mount_point(size_kb)}")
