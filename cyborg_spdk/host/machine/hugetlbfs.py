# SPDX-License-Identifier: Apache-2.0

"""The mounted hugetlbfs: which one can a program use?"""

import dataclasses
import os
import re

from cyborg_spdk.host.machine import meminfo

#: Where hugetlbfs is mounted if it is not; systemd does the same.
MOUNT_POINT = '/dev/hugepages'


@dataclasses.dataclass(frozen=True)
class Mount:
    """A mounted hugetlbfs.

    :ivar path: where.
    :ivar size_kb: size of its pages in KiB.
    :ivar writable: whether it is not mounted read-only.
    :ivar limit_mb: MiB that it holds at most (``size=``), or None.
    """

    path: str
    size_kb: int | None
    writable: bool = True
    limit_mb: int | None = None

    def left_mb(self) -> int | None:
        """MiB that it can take still, or None for no limit."""
        if self.limit_mb is None:
            return None
        try:
            found = os.statvfs(self.path)
        except OSError:
            return self.limit_mb
        return min(self.limit_mb, found.f_bavail * found.f_frsize >> 20)


def mounts(root: str = '/') -> list[Mount]:
    """Mounted hugetlbfs file systems, as they are seen from here."""
    found: dict[str, Mount] = {}
    with open(os.path.join(root, 'proc/mounts')) as stream:
        for line in stream:
            _, path, kind, text = line.split()[:4]
            # The kernel writes a blank in a path as \\040.
            path = re.sub(r'\\(\d{3})', lambda m: chr(int(m[1], 8)), path)
            # What is mounted later hides what was there.
            found.pop(path, None)
            if kind == 'hugetlbfs':
                found[path] = _mount(path, text.split(','), root)
    return list(found.values())


def _mount(path: str, options: list[str], root: str) -> Mount:
    values = dict(one.partition('=')[::2] for one in options)
    match = re.fullmatch(r'(\d+)([KMG])', values.get('pagesize', ''))
    size_kb = int(match[1]) * {'K': 1, 'M': 1024, 'G': 1 << 20}[match[2]] \
        if match else meminfo.default_size_kb(root)
    limit = re.fullmatch(r'(\d+)([KMG]?)', values.get('size', ''))
    limit_mb = int(limit[1]) * {
        '': 1, 'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}[limit[2]] >> 20 \
        if limit else None
    return Mount(path, size_kb, 'ro' not in options, limit_mb)


def mount_for(size_kb: int, need_mb: int, root: str = '/') -> Mount | None:
    """The hugetlbfs that a program can use, or None.

    :param size_kb: size of its pages.
    :param need_mb: MiB that the program will take.
    """
    for mount in mounts(root):
        left_mb = mount.left_mb()
        if mount.size_kb == size_kb and mount.writable and (
                left_mb is None or left_mb >= need_mb):
            return mount
    return None


def why_not(size_kb: int, need_mb: int, root: str) -> str | None:
    """What is wrong with the hugetlbfs where ours would be, or None."""
    path = mount_point(size_kb, root)
    for mount in mounts(root):
        if mount.path != path:
            continue
        if mount.size_kb != size_kb:
            return (f"{path} is a hugetlbfs for pages of {mount.size_kb} "
                    f"KiB; mount one for pages of {size_kb} KiB elsewhere")
        if not mount.writable:
            return (f"the hugetlbfs {path} is mounted read-only; mount -o "
                    f"remount,rw {path}")
        return (f"the hugetlbfs {path} holds {mount.left_mb()} MiB more "
                f"(size=), and {need_mb} MiB are needed; mount -o "
                f"remount,size=... {path}")
    return None


def mount_point(size_kb: int, root: str = '/') -> str:
    """Where to mount hugetlbfs for a size of page."""
    if size_kb == meminfo.default_size_kb(root):
        return MOUNT_POINT
    return f'{MOUNT_POINT}-{size_kb}kB'
