# SPDX-License-Identifier: Apache-2.0

"""What a control group lets its processes use: CPUs, nodes, huge pages.

Of version 1 and 2, and where both are mounted: each controller is looked for
where it is. A group's own value is bounded by those of the groups above it,
as far as they can be seen from here (in a container: up to its own).
"""

from collections.abc import Iterator
import dataclasses
import os
import re

#: Where systemd puts the transient units of targets.
SYSTEM_SLICE = '/system.slice'

# A limit of version 1 from which on there is none (in fact 2**63 - 4096).
_UNLIMITED = 1 << 60


@dataclasses.dataclass(frozen=True)
class Limit:
    """A limit on huge pages.

    :ivar path: the file that says it.
    :ivar left_mb: MiB that its processes can take still.
    """

    path: str
    left_mb: int


@dataclasses.dataclass(frozen=True)
class _Hierarchy:
    """Groups as they are mounted.

    :ivar point: where.
    :ivar top: which group that is.
    :ivar version: 1 or 2.
    :ivar path: the group of this process.
    """

    point: str
    top: str
    version: int
    path: str

    def directories(self, place: str | None) -> Iterator[str]:
        """Directories of a group and of those above it."""
        path = self.path if place is None else place
        top = self.top.rstrip('/')
        if top and (path + '/').startswith(top + '/'):
            path = path[len(top):]
        parts = [part for part in path.split('/') if part not in ('', '..')]
        while parts:
            yield os.path.join(self.point, *parts)
            parts.pop()
        yield self.point


def _hierarchies(controller: str, root: str) -> Iterator[_Hierarchy]:
    """Where a controller may be: version 1 first, since it is there only
    if version 2 does not have it.
    """
    paths = _own_paths(root)
    found = []
    for point, top, kind, options in _mounts(root):
        if kind == 'cgroup' and controller in options:
            found.append(_Hierarchy(point, top, 1,
                                    paths.get(controller, '/')))
        elif kind == 'cgroup2':
            found.append(_Hierarchy(point, top, 2, paths.get('', '/')))
    yield from sorted(found, key=lambda one: one.version)


def _mounts(root: str) -> Iterator[tuple[str, str, str, list[str]]]:
    try:
        with open(os.path.join(root, 'proc/self/mountinfo')) as stream:
            lines = stream.read().splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split()
        # id parent major:minor root point options ... - type source options
        at = fields.index('-')
        if fields[at + 1] in ('cgroup', 'cgroup2'):
            yield (os.path.join(root, fields[4].lstrip('/')), fields[3],
                   fields[at + 1], fields[at + 3].split(','))


def _own_paths(root: str) -> dict[str, str]:
    """The groups of this process by controller; ``''`` for version 2."""
    found = {}
    try:
        with open(os.path.join(root, 'proc/self/cgroup')) as stream:
            for line in stream:
                _, controllers, path = line.rstrip('\n').split(':', 2)
                for name in controllers.split(','):
                    found[name] = path
    except (OSError, ValueError):
        pass
    return found


def _text(path: str) -> str | None:
    try:
        with open(path) as stream:
            return stream.read().strip()
    except OSError:
        return None


def parse_list(text: str) -> frozenset[int]:
    """Numbers of a list as the kernel writes it, e.g. ``"0-3,8"``.

    :raises ValueError: if it is none.
    """
    found: set[int] = set()
    for part in text.split(','):
        match = re.fullmatch(r'\s*(\d+)(?:-(\d+))?\s*', part)
        if not match:
            raise ValueError(text)
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(found)


def _effective(kind: str, root: str,
               place: str | None) -> frozenset[int] | None:
    """``cpus`` or ``mems`` of the cpuset of a group; None: no limit."""
    for hierarchy in _hierarchies('cpuset', root):
        names = (f'cpuset.{kind}.effective',) if hierarchy.version == 2 \
            else (f'cpuset.effective_{kind}', f'cpuset.{kind}',
                  f'{kind}')
        for directory in hierarchy.directories(place):
            for name in names:
                text = _text(os.path.join(directory, name))
                if text:
                    try:
                        return parse_list(text)
                    except ValueError:
                        continue
    return None


def allowed_cpus(root: str = '/',
                 place: str | None = None) -> frozenset[int] | None:
    """CPUs that processes of a group may use; None if nothing says.

    :param root: of the tree that is looked at.
    :param place: the group, e.g. :data:`SYSTEM_SLICE`; None is ours.
    """
    return _effective('cpus', root, place)


def allowed_nodes(root: str = '/',
                  place: str | None = None) -> frozenset[int] | None:
    """NUMA nodes whose memory they may use; as :func:`allowed_cpus`."""
    return _effective('mems', root, place)


def hugetlb_left(size_kb: int, root: str = '/',
                 place: str | None = None) -> Limit | None:
    """The tightest limit on huge pages of one size.

    :param size_kb: size of a page in KiB.
    :returns: None if there is no limit.
    """
    size = f'{size_kb}KB' if size_kb < 1024 else \
        f'{size_kb >> 10}MB' if size_kb < 1 << 20 else f'{size_kb >> 20}GB'
    found: list[Limit] = []
    for hierarchy in _hierarchies('hugetlb', root):
        most, used = ('max', 'current') if hierarchy.version == 2 else (
            'limit_in_bytes', 'usage_in_bytes')
        for directory in hierarchy.directories(place):
            for kind in ('', 'rsvd.'):
                base = os.path.join(directory, f'hugetlb.{size}.{kind}')
                limit = _text(base + most)
                if not limit or limit == 'max' or int(limit) >= _UNLIMITED:
                    continue
                left = int(limit) - int(_text(base + used) or 0)
                found.append(Limit(base + most, max(0, left) >> 20))
    return min(found, key=lambda one: one.left_mb, default=None)
