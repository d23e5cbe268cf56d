# SPDX-License-Identifier: Apache-2.0

"""Block devices, lvol stores, RAID, keys."""

from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses
from typing import Any

from cyborg_spdk.clients.types import kinds
from cyborg_spdk.clients.types import reported

#: Members of :attr:`Bdev.own` that name further bases, by kind.
CACHE_KEYS = {'ftl': ('cache',), 'ocf': ('cache_device', 'core_device')}


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
    aliases: tuple[str, ...] = reported.array()
    uuid: str | None = reported.text()
    claimed: bool = reported.flag()
    claim_type: str | None = reported.text()
    md_size: int = reported.number(0)
    zoned: bool = reported.flag()
    assigned_rate_limits: reported.Json = reported.mapping()
    supported_io_types: reported.Json = reported.mapping()
    driver_specific: reported.Json = reported.mapping()

    @property
    def size(self) -> int:
        """Bytes, metadata not counted."""
        return self.block_size * self.num_blocks

    @property
    def kind(self) -> kinds.Kind:
        """Its :class:`~cyborg_spdk.clients.types.kinds.Kind`."""
        return kinds.of_bdev(self.product_name)

    @property
    def own(self) -> reported.Json:
        """What its module tells: the object in ``driver_specific``.

        An ocf bdev has no object there: its members are in
        ``driver_specific`` itself (vbdev_ocf.c).
        """
        for value in self.driver_specific.values():
            if isinstance(value, dict):
                return value
        return self.driver_specific

    @property
    def bases(self) -> tuple[str, ...]:
        """Names of the bdevs that it stands on (tuple of str).

        ``base_bdev_name``: passthru, delay, crypto, compress, zone_block;
        ``base_bdev``: error, split, lvol, ftl, with ``cache`` for the cache
        of an ftl bdev (bdev_ftl.c); ``base_bdevs_list``: raid, with names
        alone until v22.09; ``cache_device`` and ``core_device``: ocf
        (vbdev_ocf.c).
        """
        own = self.own
        members = own.get('base_bdevs_list')
        if not isinstance(members, list):
            members = [own.get('base_bdev_name') or own.get('base_bdev'),
                       *(own.get(key) for key in CACHE_KEYS.get(
                           self.kind.name, ()))]
        return names(members)

    @property
    def alias(self) -> str:
        """``store/name`` of an lvol; the name of any other bdev."""
        return next((alias for alias in self.aliases if '/' in alias),
                    self.name)

    def known_as(self, name: str | None) -> bool:
        """Whether ``name`` is its name, one of its aliases or its UUID."""
        return name == self.name or name in self.aliases or (
            self.uuid is not None and name == self.uuid)

    def below(self, bdevs: 'Sequence[Bdev]') -> 'list[Bdev]':
        """All bdevs that this one stands on, whatever is between.

        :param bdevs: all that there are.
        :returns: list of :class:`Bdev`; this one is not among them unless
            it stands on itself.
        """
        below: list[Bdev] = []
        todo = [self]
        while todo:
            for name in todo.pop().directly_below:
                bdev = next((other for other in bdevs
                             if other.known_as(name)), None)
                if bdev is not None and bdev not in below:
                    below.append(bdev)
                    todo.append(bdev)
        return below

    @property
    def directly_below(self) -> tuple[str, ...]:
        """Its bases and, of an lvol, the snapshot that it stands on."""
        snapshot = self.own.get('base_snapshot')
        store = self.alias.partition('/')[0]
        return names([*self.bases, self.own.get('external_snapshot_name'),
                      f'{store}/{snapshot}' if snapshot else None])


def names(reported_names: Iterable[Any]) -> tuple[str, ...]:
    """The names in a list of names, or of objects that have a name."""
    plain = [each.get('name') if isinstance(each, dict) else each
             for each in reported_names]
    return tuple(name for name in plain if name and isinstance(name, str))


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
    free_clusters: int | None = reported.number()
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
    error: str | None = reported.text()

    @property
    def is_done(self) -> bool:
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
    uuid: str | None = reported.text()
    strip_size_kb: int = reported.number(0)
    raid_level: str = reported.text('')
    state: str | None = reported.text()
    superblock: bool = reported.flag()
    members: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: reported.Json) -> 'Raid':
        """See :meth:`Reported.parse`."""
        raid = dataclasses.replace(super().parse(raw), members=names(
            raw.get('base_bdevs_list') or ()))
        level = raw.get('raid_level')
        if isinstance(level, int):              # until v19.10
            return dataclasses.replace(raid, raid_level=f'raid{level}')
        return raid


@dataclasses.dataclass(frozen=True)
class Key(reported.Reported):
    """A key of the keyring; SPDK does not tell the key itself.

    :ivar name: its name.
    :ivar path: the file that it is in, for the file module.
    :ivar removed: whether it goes when nobody uses it any more.
    """

    name: str = reported.text('')
    path: str | None = reported.text()
    removed: bool = reported.flag()


@dataclasses.dataclass(frozen=True)
class Version(reported.Reported):
    """Release of the target, as it tells it.

    :ivar version: one line: ``SPDK v26.05 git sha1 d519b163cb``.
    :ivar fields: ``major``, ``minor``, ``patch``, ``suffix``, ``commit``.
    """

    version: str = reported.text('')
    fields: reported.Json = reported.mapping()
