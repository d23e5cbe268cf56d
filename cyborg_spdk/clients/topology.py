# SPDX-License-Identifier: Apache-2.0

"""What stands on what in a target: as a graph, from one round of reads."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
from typing import Any

from cyborg_spdk.clients import types
from cyborg_spdk import rpc

#: What was read: type to its instances.
Found = Mapping[type[types.Reported], Iterable[Any]]

# What is asked, where the target has it.
_READS: tuple[tuple[str, type[types.Reported]], ...] = (
    ('bdev_get_bdevs', types.Bdev),
    ('bdev_lvol_get_lvstores', types.LvolStore),
    ('nvmf_get_subsystems', types.Subsystem),
    ('vhost_get_controllers', types.VhostController),
    ('iscsi_get_target_nodes', types.TargetNode))


@dataclasses.dataclass(frozen=True)
class Node:
    """One object.

    :ivar id: unique in the graph: ``"bdev Malloc0"``.
    :ivar kind: ``target``, ``subsystem``, ``namespace``, ``controller``,
        ``scsi``, ``node``, ``lun``, ``bdev``, ``lvstore`` or ``group``.
    :ivar label: its name.
    :ivar detail: what else is worth a look, or an empty string.
    """

    id: str
    kind: str
    label: str
    detail: str = ''


class Graph:
    """Objects, and which of them stand on which.

    :ivar nodes: dict of id to :class:`Node`.
    :ivar below: dict of id to list of the ids that it stands on.
    :ivar root: id of the target.
    """

    def __init__(self, name: str, detail: str = '') -> None:
        self.nodes: dict[str, Node] = {}
        self.below: dict[str, list[str]] = {}
        self.root = self.add('target', name, detail)

    def add(self, kind: str, label: str, detail: str = '',
            above: str | None = None, scope: str = '') -> str:
        """Add an object, and that ``above`` stands on it.

        :param above: id of what stands on it, or None.
        :param scope: what makes its label unique.
        :returns: its id.
        """
        key = ' '.join(filter(None, (kind, scope, label)))
        self.nodes.setdefault(key, Node(key, kind, label, detail))
        self.below.setdefault(key, [])
        if above is not None and key not in self.below[above]:
            self.below[above].append(key)
        return key

    def walk(self) -> Iterator[tuple[int, Node, bool, bool]]:
        """Every object below the root, depth first, with its depth.

        What several stand on comes up under each of them, but is followed
        only the first time.

        :returns: iterator of (depth, node, whether it was there before,
            whether it is the last one of its parent).
        """
        seen = set()
        stack = [(0, self.root, True)]
        while stack:
            depth, key, last = stack.pop()
            again = key in seen
            yield depth, self.nodes[key], again, last
            if not again:
                seen.add(key)
                below = self.below[key]
                stack += [(depth + 1, lower, number == len(below) - 1)
                          for number, lower in reversed(
                              list(enumerate(below)))]


def size(count: float) -> str:
    """A size for people: ``64 MiB``."""
    for unit in ('B', 'KiB', 'MiB', 'GiB'):
        if count < 1024:
            return f'{count:.4g} {unit}'
        count /= 1024
    return f'{count:.4g} TiB'


def read(client: rpc.Client, name: str) -> Graph:
    """Read a target.

    :param client: its :class:`cyborg_spdk.rpc.Client`.
    :param name: what to call it.
    :returns: :class:`Graph`.
    :raises SpdkError: it cannot be read.
    """
    asked = [(method, kind) for method, kind in _READS if client.has(method)]
    replies = client.call_many([rpc.Request(method) for method, _ in asked],
                               raise_errors=True)
    found = {kind: kind.parse_list(reply)
             for (_, kind), reply in zip(asked, replies, strict=True)}
    return build(name, found, str(client.version or ''))


def build(name: str, found: Found, detail: str = '') -> Graph:
    """Make the graph of what was read.

    :param name: name of the target.
    :param found: dict of type to list of its instances.
    :param detail: its release.
    :returns: :class:`Graph`.
    """
    graph = Graph(name, detail)
    bdevs = _Bdevs(graph, found.get(types.Bdev, ()),
                   found.get(types.LvolStore, ()))
    for subsystem in found.get(types.Subsystem, ()):
        _add_subsystem(graph, bdevs, subsystem)
    for controller in found.get(types.VhostController, ()):
        _add_controller(graph, bdevs, controller)
    for node in found.get(types.TargetNode, ()):
        _add_target_node(graph, bdevs, node)
    bdevs.add_rest()
    return graph


def _add_subsystem(graph: Graph, bdevs: '_Bdevs',
                   subsystem: types.Subsystem) -> None:
    where = ', '.join(map(str, subsystem.listen_addresses))
    key = graph.add('subsystem', subsystem.nqn, where or 'not listening',
                    graph.root)
    for space in subsystem.namespaces:
        bdevs.add_under(graph.add('namespace', str(space.nsid), '', key,
                                  subsystem.nqn), space.bdev_name)


def _add_controller(graph: Graph, bdevs: '_Bdevs',
                    controller: types.VhostController) -> None:
    key = graph.add('controller', controller.ctrlr,
                    f'vhost-{controller.kind}', graph.root)
    if controller.bdev:
        bdevs.add_under(key, controller.bdev)
    for target in controller.scsi_targets:
        target_key = graph.add('scsi', str(target.scsi_dev_num), '', key,
                               controller.ctrlr)
        for lun in target.luns:
            bdevs.add_under(target_key, lun.bdev_name)


def _add_target_node(graph: Graph, bdevs: '_Bdevs',
                     node: types.TargetNode) -> None:
    key = graph.add('node', node.name, node.alias_name, graph.root)
    for lun in node.luns:
        bdevs.add_under(graph.add('lun', str(lun.lun_id), '', key, node.name),
                        lun.bdev_name)


class _Bdevs:
    """The bdevs of a target, put where they belong as they are met."""

    def __init__(self, graph: Graph, bdevs: Iterable[types.Bdev],
                 stores: Iterable[types.LvolStore]) -> None:
        self.graph = graph
        self.bdevs = list(bdevs)
        self.stores = {store.uuid: store for store in stores}
        self.by_name: dict[str, types.Bdev] = {}
        for bdev in self.bdevs:
            for name in (bdev.uuid, *bdev.aliases, bdev.name):
                if name:
                    self.by_name[name] = bdev
        self.used: set[str] = set()

    def add_under(self, above: str, name: str) -> None:
        """Put a bdev, and what it stands on, under an object."""
        todo = [(above, name)]
        done = set()
        while todo:
            above, name = todo.pop()
            bdev = self.by_name.get(name)
            if bdev is None:
                self.graph.add('bdev', name, 'missing', above)
                continue
            key = self.graph.add(
                'bdev', bdev.alias, f'{bdev.kind.name}, {size(bdev.size)}',
                above)
            self.used.add(bdev.name)
            if key not in done:
                done.add(key)
                key = self._store_under(key, bdev)
                todo += [(key, base) for base in reversed(bdev.bases)]

    def _store_under(self, key: str, bdev: types.Bdev) -> str:
        """Put the store of an lvol under it.

        :returns: id of the store, or ``key`` if the bdev is no lvol.
        """
        store = self.stores.get(bdev.own.get('lvol_store_uuid', ''))
        if store is None:
            return key
        return self.graph.add('lvstore', store.name,
                              f'{size(store.cluster_size)} clusters', key)

    def add_rest(self) -> None:
        """Put the bdevs that nobody uses under the target itself."""
        bases = {base for bdev in self.bdevs for base in bdev.bases}
        left = [bdev for bdev in self.bdevs if bdev.name not in self.used
                and not any(bdev.known_as(base) for base in bases)]
        if left:
            group = self.graph.add('group', 'not exported', '',
                                   self.graph.root)
            for bdev in left:
                self.add_under(group, bdev.name)
