# SPDX-License-Identifier: Apache-2.0

"""Block devices, lvol stores, RAID, keys."""

import dataclasses

from cyborg_spdk.clients.types import kinds
from cyborg_spdk.clients.types import reported


@dataclasses.dataclass(frozen=True)
class Bdev(reported.Reported):
    """A block device.

    :ivar name: its name; an lvol's is its UUID.
    :ivar product_name: which module it is of, in SPDK's words.
    :ivar block_size: bytes of one block.
    :ivar num_blocks: how many blocks it has.
    :ivar aliases: further names (``lvstore/lvol``; since v22.05 the UUID).
    :ivar uuid: since v18.04, or None.
    :ivar claimed: whether a module has it for itself.
    :ivar claim_type: how, since v23.05 and only while claimed, or None.
    :ivar md_size: bytes of metadata of each block, or 0.
    :ivar zoned: whether it has zones (v19.10).
    :ivar assigned_rate_limits: QoS limits by name; 0 is none (v18.10).
    :ivar supported_io_types: whether it can do an operation, by name.
    :ivar driver_specific: what its module tells; see :attr:`bases`.
    """

    name: str = reported.text('')
    product_name: str = reported.text('')
    block_size: int = reported.number(0)
    num_blocks: int = reported.number(0)
    aliases: tuple = reported.array()
    uuid: str = reported.text()
    claimed: bool = reported.flag()
    claim_type: str = reported.text()
    md_size: int = reported.number(0)
    zoned: bool = reported.flag()
    assigned_rate_limits: dict = reported.mapping()
    supported_io_types: dict = reported.mapping()
    driver_specific: dict = reported.mapping()

    @property
    def size(self):
        """Bytes, metadata not counted."""
        return self.block_size * self.num_blocks

    @property
    def kind(self):
        """Its :class:`~cyborg_spdk.clients.types.kinds.Kind`."""
        return kinds.of_bdev(self.product_name)

    @property
    def own(self):
        """The object that its module adds to ``driver_specific``."""
        for value in self.driver_specific.values():
            if isinstance(value, dict):
                return value
        return {}

    @property
    def bases(self):
        """Names of the bdevs that it stands on (tuple of str).

        ``base_bdev_name``: passthru, delay, crypto, compress, zone_block;
        ``base_bdev``: error, split, lvol, ftl; ``base_bdevs_list``: raid,
        with names alone until v22.09.
        """
        members = self.own.get('base_bdevs_list')
        if isinstance(members, list):
            names = [one.get('name') if isinstance(one, dict) else one
                     for one in members]
        else:
            names = [self.own.get('base_bdev_name')
                     or self.own.get('base_bdev')]
        return tuple(one for one in names if one and isinstance(one, str))

    @property
    def alias(self):
        """``store/name`` of an lvol; the name of any other bdev."""
        return next((one for one in self.aliases if '/' in one), self.name)

    def below(self, bdevs):
        """All bdevs that this one stands on, whatever is between.

        :param bdevs: all that there are.
        :returns: list of :class:`Bdev`; this one is not among them unless
            it stands on itself.
        """
        found, todo = [], [self]
        while todo:
            one = todo.pop()
            names = [*one.bases, one.own.get('external_snapshot_name')]
            if one.own.get('base_snapshot'):
                store = one.alias.partition('/')[0]
                names.append(f'{store}/{one.own["base_snapshot"]}')
            for name in filter(None, names):
                under = next((each for each in bdevs
                              if each.known_as(name)), None)
                if under is not None and under not in found:
                    found.append(under)
                    todo.append(under)
        return found

    def known_as(self, name):
        """Whether ``name`` is its name, one of its aliases or its UUID."""
        return name == self.name or name in self.aliases or (
            self.uuid is not None and name == self.uuid)


@dataclasses.dataclass(frozen=True)
class LvolStore(reported.Reported):
    """A store of logical volumes.

    :ivar name: its name.
    :ivar uuid: its UUID.
    :ivar base_bdev: the bdev that it is on.
    :ivar cluster_size: bytes of its unit of space.
    :ivar total_data_clusters: how many it has.
    :ivar free_clusters: how many of them are free.
    :ivar block_size: bytes.
    """

    name: str = reported.text('')
    uuid: str = reported.text('')
    base_bdev: str = reported.text('')
    cluster_size: int = reported.number(0)
    total_data_clusters: int = reported.number(0)
    free_clusters: int = reported.number()
    block_size: int = reported.number(0)


@dataclasses.dataclass(frozen=True)
class Lvol(reported.Reported):
    """A logical volume as its store tells it (v23.05).

    :ivar alias: ``store/name``.
    :ivar uuid: its UUID, which is also the name of its bdev.
    :ivar name: its name in the store.
    :ivar is_thin_provisioned: whether it takes space only as written.
    :ivar is_snapshot: whether it is one.
    :ivar is_clone: whether it stands on a snapshot.
    :ivar is_esnap_clone: whether it stands on a bdev outside the store.
    :ivar is_degraded: whether that bdev is missing.
    """

    alias: str = reported.text('')
    uuid: str = reported.text('')
    name: str = reported.text('')
    is_thin_provisioned: bool = reported.flag()
    is_snapshot: bool = reported.flag()
    is_clone: bool = reported.flag()
    is_esnap_clone: bool = reported.flag()
    is_degraded: bool = reported.flag()


@dataclasses.dataclass(frozen=True)
class ShallowCopy(reported.Reported):
    """How far a shallow copy of an lvol is (v24.05).

    :ivar state: ``in progress``, ``complete`` or ``error``.
    :ivar copied_clusters: how many clusters are copied.
    :ivar total_clusters: how many there are.
    :ivar error: why it failed, or None.
    """

    state: str = reported.text('')
    copied_clusters: int = reported.number(0)
    total_clusters: int = reported.number(0)
    error: str = reported.text()

    @property
    def is_done(self):
        """Whether it has ended, well or not."""
        return self.state in ('complete', 'error')


@dataclasses.dataclass(frozen=True)
class Raid(reported.Reported):
    """A RAID bdev as its module tells it.

    :ivar name: its name.
    :ivar uuid: its UUID, or None.
    :ivar strip_size_kb: KiB, or 0.
    :ivar raid_level: ``raid0``, ``raid1``, ``raid5f``, ``concat``.
    :ivar state: ``online``, ``configuring``, ``offline``; None in v22.01,
        which tells a number.
    :ivar superblock: whether it has one on its members.
    :ivar members: names of its members (tuple of str).
    """

    name: str = reported.text('')
    uuid: str = reported.text()
    strip_size_kb: int = reported.number(0)
    raid_level: str = reported.text('')
    state: str = reported.text()
    superblock: bool = reported.flag()
    members: tuple = ()

    @classmethod
    def parse(cls, raw):
        """See :meth:`Reported.parse`."""
        names = [one.get('name') if isinstance(one, dict) else one
                 for one in raw.get('base_bdevs_list') or ()]
        found = dataclasses.replace(super().parse(raw), members=tuple(
            one for one in names if isinstance(one, str)))
        level = raw.get('raid_level')
        if isinstance(level, int):              # until v19.10
            found = dataclasses.replace(found, raid_level=f'raid{level}')
        return found


@dataclasses.dataclass(frozen=True)
class Key(reported.Reported):
    """A key of the keyring; SPDK does not tell the key itself.

    :ivar name: its name.
    :ivar path: the file that it is in, for the file module.
    :ivar removed: whether it goes when nobody uses it any more.
    """

    name: str = reported.text('')
    path: str = reported.text()
    removed: bool = reported.flag()


@dataclasses.dataclass(frozen=True)
class Version(reported.Reported):
    """Release of the target, as it tells it.

    :ivar version: one line: ``SPDK v26.05 git sha1 d519b163cb``.
    :ivar fields: ``major``, ``minor``, ``patch``, ``suffix``, ``commit``.
    """

    version: str = reported.text('')
    fields: dict = reported.mapping()
