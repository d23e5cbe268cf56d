# SPDX-License-Identifier: Apache-2.0

"""What stands on what in a target: as a graph, from one round of reads."""

import dataclasses

from cyborg_spdk.clients import types
from cyborg_spdk import rpc

# What is asked, where the target has it.
_READS = (('bdev_get_bdevs', types.Bdev),
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

    def __init__(self, name, detail=''):
        self.nodes, self.below = {}, {}
        self.root = self.add('target', name, detail)

    def add(self, kind, label, detail='', above=None, scope=''):
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

    def walk(self):
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
                stack += [(depth + 1, one, number == len(below) - 1)
                          for number, one in reversed(
                              list(enumerate(below)))]


def size(count):
    """A size for people: ``64 MiB``."""
    for unit in ('B', 'KiB', 'MiB', 'GiB'):
        if count < 1024:
            return f'{count:.4g} {unit}'
        count /= 1024
    return f'{count:.4g} TiB'


def read(client, name):
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


def build(name, found, detail=''):
    """Make the graph of what was read.

    :param name: name of the target.
    :param found: dict of type to list of its instances.
    :param detail: its release.
    :returns: :class:`Graph`.
    """
    graph = Graph(name, detail)
    bdevs = _Bdevs(graph, found.get(types.Bdev, ()),
                   found.get(types.LvolStore, ()))
    for one in found.get(types.Subsystem, ()):
        where = ', '.join(map(str, one.listen_addresses)) or 'not listening'
        key = graph.add('subsystem', one.nqn, where, graph.root)
        for space in one.namespaces:
            bdevs.under(graph.add('namespace', str(space.nsid), '', key,
                                  one.nqn), space.bdev_name)
    for one in found.get(types.VhostController, ()):
        key = graph.add('controller', one.ctrlr, f'vhost-{one.kind}',
                        graph.root)
        if one.bdev:
            bdevs.under(key, one.bdev)
        for scsi in one.scsi_targets:
            target = graph.add('scsi', str(scsi.scsi_dev_num), '', key,
                               one.ctrlr)
            for lun in scsi.luns:
                bdevs.under(target, lun.bdev_name)
    for one in found.get(types.TargetNode, ()):
        key = graph.add('node', one.name, one.alias_name, graph.root)
        for lun in one.luns:
            bdevs.under(graph.add('lun', str(lun.lun_id), '', key, one.name),
                        lun.bdev_name)
    bdevs.rest()
    return graph


class _Bdevs:
    """The bdevs of a target, put where they belong as they are met."""

    def __init__(self, graph, bdevs, stores):
        self.graph = graph
        self.bdevs = bdevs
        self.stores = {one.uuid: one for one in stores}
        self.by_name = {}
        for one in bdevs:
            for name in (one.uuid, *one.aliases, one.name):
                if name:
                    self.by_name[name] = one
        self.used = set()

    def under(self, above, name):
        """Put a bdev, and what it stands on, under an object."""
        todo, done = [(above, name)], set()
        while todo:
            above, name = todo.pop()
            bdev = self.by_name.get(name)
            if bdev is None:
                self.graph.add('bdev', name, 'missing', above)
                continue
            alias = next((one for one in bdev.aliases if '/' in one),
                         bdev.name)
            key = self.graph.add(
                'bdev', alias, f'{bdev.kind.name}, {size(bdev.size)}', above)
            self.used.add(bdev.name)
            if key in done:
                continue
            done.add(key)
            store = self.stores.get(bdev.own.get('lvol_store_uuid'))
            if store is not None:
                key = self.graph.add(
                    'lvstore', store.name,
                    f'{size(store.cluster_size)} clusters', key)
            todo += [(key, base) for base in reversed(bdev.bases)]

    def rest(self):
        """Bdevs that nobody uses: under the target itself."""
        bases = {base for one in self.bdevs for base in one.bases}
        left = [one for one in self.bdevs if one.name not in self.used
                and not any(one.known_as(base) for base in bases)]
        if left:
            group = self.graph.add('group', 'not exported', '',
                                   self.graph.root)
            for one in left:
                self.under(group, one.name)
