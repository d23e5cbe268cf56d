# SPDX-License-Identifier: Apache-2.0

"""What is to be done for a pool, and what stands in the way.

No I/O, but that an export is asked who uses it where that decides.
"""

import dataclasses

from cyborg_spdk.clients import types
from cyborg_spdk.units.declared import model
from cyborg_spdk.units.pools import disks
from cyborg_spdk.units.pools import observe

LOOK, FILE, DISK, RAID, STORE, VOLUME, NOTE, GROW, SHRINK, DELETE, CRYPTO, \
    EXPORT, LIMITS = ACTIONS = (
        'find store', 'make file', 'add disk', 'make raid', 'make store',
        'make volume', 'take up', 'grow', 'shrink', 'delete', 'encrypt',
        'export', 'limit')

_PAGE = 4096


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do.

    :ivar action: one of :data:`ACTIONS`.
    :ivar what: the disk, store or unit.
    :ivar detail: more of it, for people.
    :ivar lost: what is lost by it, or None.
    :ivar blocked: why it is not done, with the remedy, or None.
    :ivar disk: the disk that it is about, or None.
    :ivar unit: the unit that it is about, or None.
    """

    action: str
    what: str
    detail: str = ''
    lost: str | None = None
    blocked: str | None = None
    disk: model.Disk | None = None
    unit: model.Unit | None = None


@dataclasses.dataclass(frozen=True)
class Told:
    """What the operator allows by name, or by an option of the command.

    :ivar overwrite: pools whose disks may be overwritten.
    :ivar shrink: whether free units may be made smaller.
    :ivar delete: whether free units that are not declared may be deleted.
    """

    overwrite: frozenset[str] = frozenset()
    shrink: bool = False
    delete: bool = False


def make(pool: model.Pool, units: list[model.Unit],
         seen: observe.Observed, told: Told = Told()) -> list[Step]:
    """Plan what makes a pool as it is declared.

    :param pool: the pool.
    :param units: its units.
    :param seen: what there is.
    :param told: what the operator allows.
    :returns: steps in the order in which they are done; if one is blocked
        then nothing of the pool is done.
    """
    if seen.down:
        return [Step('ask', pool.target.name,
                     blocked=seen.down)]
    steps = _base(pool, seen, told)
    if any(one.action == LOOK for one in steps):
        return steps
    volumes = seen.volumes(pool.name)
    for unit in units:
        # It gets the name of its unit by the step that makes that.
        birth = seen.birth(unit.name)
        if birth:
            volumes.pop(birth.temporary, None)
    size = _room(pool, units, volumes, seen)
    if size:
        steps.append(size)
    for unit in units:
        steps += _unit(pool, unit, volumes.get(unit.name), seen, told)
    declared = {one.name for one in units}
    for name, bdev in sorted(volumes.items()):
        if name not in declared:
            steps += _undeclared(pool, name, bdev, seen, told)
    return steps


def _base(pool: model.Pool, seen: observe.Observed,
          told: Told) -> list[Step]:
    """Disks, RAID and store. To add a disk writes nothing to it."""
    steps = [step for disk in pool.disks for step in _disk(pool, disk, seen)]
    if pool.raid and seen.bdev(pool.top) is None:
        steps.append(Step(RAID, pool.top, f'{pool.raid} of '
                          f'{len(pool.disks)} disks'))
    store = seen.store(pool.name)
    if store is not None:
        if store.base_bdev != pool.top:
            steps.append(Step(STORE, pool.name, blocked='a store of that '
                              f'name is on {store.base_bdev}; name the pool '
                              'otherwise'))
        return steps
    full = [(disk, seen.contents[disk.bdev]) for disk in pool.disks
            if disk.bdev in seen.contents
            and seen.contents[disk.bdev].foreign]
    if full and steps and seen.noted:
        # Made here once: it comes with its disks.
        return [*steps, Step(LOOK, pool.name)]
    return [*steps, _store(pool, full, seen, told)]


def _store(pool: model.Pool,
           full: list[tuple[model.Disk, disks.Content]],
           seen: observe.Observed, told: Told) -> Step:
    """A store on disks that are empty, or may be overwritten."""
    other = next((one for one in seen.lvstores
                  if one.base_bdev == pool.top), None)
    blocked = lost = None
    if other:
        lost = f'the store {other.name} with all its volumes'
    elif full:
        lost = '; '.join(f'{disk.place}: {content.foreign}'
                         for disk, content in full)
    if lost and pool.name not in told.overwrite:
        blocked = f'{lost}; to lose it: --overwrite {pool.name}'
    if pool.thin and pool.wipe.get('method') != 'none' and not all(
            disk.kind == 'file' and disk.engine == 'aio' or
            disk.kind == 'device' and disk.engine == 'aio'
            for disk in pool.disks):
        blocked = ('thin volumes need disks that zero what is unmapped: aio '
                   'alone does; make them thick, or set wipe: none')
    return Step(STORE, pool.name, 'on ' + pool.top, lost, blocked)


def _disk(pool: model.Pool, disk: model.Disk,
          seen: observe.Observed) -> list[Step]:
    content = seen.contents.get(disk.bdev)
    if content is not None and content.used:
        return [Step(DISK, disk.place, f'as {disk.bdev}', blocked='it is in '
                     f'use ({content.used}) and is not taken; take it out '
                     'of the pool, or end that', disk=disk)]
    if seen.bdev(disk.bdev) is not None:
        return []
    if content is None or content.exists:
        return [Step(DISK, disk.place, f'as {disk.bdev}', disk=disk)]
    blocked = None
    if disk.kind != 'file' or disk.size is None:
        blocked = f'{disk.place} does not exist' + (
            ', and has no size to be made with' if disk.kind == 'file'
            else '')
    elif seen.noted:
        blocked = (f'{disk.place} is gone, and the pool was on it; bring it '
                   f'back, or remove pool-{pool.name}.json in [spdk] '
                   'state_path to begin anew')
    return [Step(FILE, disk.place, f'{(disk.size or 0) >> 20} MiB, as '
                 f'{disk.bdev}', blocked=blocked, disk=disk)]


def capacity(pool: model.Pool, seen: observe.Observed) -> int | None:
    """Clusters that a pool has for volumes; None if nobody knows yet.

    Of a store that is yet to be made, as blobstore.c counts: a page of
    metadata for each cluster, masks, and a super block.
    """
    store = seen.store(pool.name)
    if store is not None:
        return int(store.total_data_clusters)
    sizes = []
    for disk in pool.disks:
        bdev, content = seen.bdev(disk.bdev), seen.contents.get(disk.bdev)
        size = bdev.size if bdev else disk.size \
            if content is None or not content.exists else content.size
        if not size:
            return None
        sizes.append(int(size))
    least = min(sizes)
    total = {None: least, 'raid1': least, 'concat': sum(sizes),
             'raid0': least * len(sizes),
             'raid5f': least * (len(sizes) - 1)}[pool.raid]
    clusters = total // pool.cluster_size
    masks = 3 * -(-(clusters // 8 + 16) // _PAGE)
    return clusters - -(-(clusters + masks + 1) * _PAGE
                        // pool.cluster_size)


def _room(pool: model.Pool, units: list[model.Unit],
          volumes: dict[str, types.Bdev],
          seen: observe.Observed) -> Step | None:
    """Whether all units find room; said before anything is made."""
    total = capacity(pool, seen)
    if total is None:
        return None
    wanted = sum(one.size for one in units) + sum(
        int(one.size) for name, one in volumes.items()
        if name not in {unit.name for unit in units})
    need = -(-wanted // pool.cluster_size)
    most = int(total * pool.overcommit) if pool.thin else total
    if need <= most:
        return None
    what = f'{need * pool.cluster_size >> 20} MiB are wanted, ' \
        f'{most * pool.cluster_size >> 20} MiB there'
    if not pool.thin:
        remedy = 'fewer or smaller units, or more disks'
    else:
        remedy = f'overcommit is {pool.overcommit:g}; raise it if the ' \
            'consumers will not write all'
    return Step('fit', pool.name, blocked=f'{what}: {remedy}')


def _unit(pool: model.Pool, unit: model.Unit, bdev: types.Bdev | None,
          seen: observe.Observed, told: Told) -> list[Step]:
    export = seen.exports.get(unit.name, observe.Export())
    mib = f'{unit.size >> 20} MiB'
    steps = []
    if bdev is None:
        steps.append(Step(VOLUME, unit.volume,
                          mib + (', thin' if pool.thin else ', thick'),
                          unit=unit))
    elif seen.is_new(unit.name, bdev):
        steps.append(Step(NOTE, unit.volume, 'it was made, and is not known '
                          'as clean yet', unit=unit))
    if bdev is not None and bdev.size < unit.size:
        steps.append(_grow(pool, unit, bdev, export, seen))
    shrink = [_shrink(pool, unit, bdev, export, told)] \
        if bdev is not None and bdev.size > unit.size else []
    if export.handle:
        steps += shrink
    if unit.encryption and seen.bdev(unit.bdev) is None:
        steps.append(Step(CRYPTO, unit.bdev, unit=unit))
    if not export.complete:
        steps.append(Step(EXPORT, unit.address, unit.export, unit=unit))
    elif not _is_same(unit, export, seen):
        steps.append(Step(
            EXPORT, unit.address, unit.export, unit=unit, blocked=f'it is '
            f'there with bdev {export.bdev}, not {unit.bdev}; delete it'))
    found = seen.bdev(unit.bdev)
    limits = dict(unit.limits)
    if limits and (found is None or any(
            found.assigned_rate_limits.get(name, 0) != value
            for name, value in limits.items())) and not export.user:
        steps.append(Step(LIMITS, unit.bdev, ', '.join(
            f'{name} {value}' for name, value in limits.items()), unit=unit))
    # It is wiped through its export.
    return steps if export.handle else steps + shrink


def _is_same(unit: model.Unit, export: observe.Export,
             seen: observe.Observed) -> bool:
    bdev = seen.bdev(unit.bdev)
    return bdev is not None and export.bdev is not None and bdev.known_as(
        export.bdev)


def _grow(pool: model.Pool, unit: model.Unit, bdev: types.Bdev,
          export: observe.Export, seen: observe.Observed) -> Step:
    blocked = None
    if export.user and not pool.thin and not seen.clean(pool.name):
        # What it grows by may be somebody else's data, and cannot be wiped
        # before the consumer sees it.
        blocked = (f'{export.user} uses it, and the free space of '
                   f'{pool.name} may have data: volumes were made or '
                   'deleted there by hand; it can grow when it is free')
    return Step(GROW, unit.volume, f'{bdev.size >> 20} MiB to '
                f'{unit.size >> 20} MiB', blocked=blocked, unit=unit)


def _lost(pool: model.Pool) -> str:
    return 'all its data' + (
        ', which are not wiped: wipe is none' if pool.wipe.get(
            'method') == 'none' else '')


def _shrink(pool: model.Pool, unit: model.Unit, bdev: types.Bdev,
            export: observe.Export, told: Told) -> Step:
    blocked = None
    if export.user:
        blocked = f'{export.user} uses it; it stays as large as it is'
    elif not told.shrink:
        blocked = 'its data would be lost; to lose it: --shrink'
    return Step(SHRINK, unit.volume, f'{bdev.size >> 20} MiB to '
                f'{unit.size >> 20} MiB', _lost(pool), blocked,
                unit=unit)


def _undeclared(pool: model.Pool, name: str, bdev: types.Bdev,
                seen: observe.Observed, told: Told) -> list[Step]:
    if not told.delete:
        return []
    blocked = None
    export = seen.others.get(name)
    # Of one that was interrupted the export is away, and it was wiped.
    going = seen.noted is not None and name in seen.noted.going
    if export is None and not going and not seen.is_new(name, bdev):
        blocked = 'it is not exported, so that it cannot be wiped; delete ' \
            'it by hand'
    elif export and export.user:
        blocked = f'{export.user} uses it; it stays'
    if seen.noted is not None and any(
            birth.temporary == name for birth in seen.noted.coming.values()):
        # An apply that was interrupted has made it, for a unit that is no
        # longer declared.
        blocked = None
    elif seen.noted is None or name not in seen.noted.volumes:
        blocked = 'it was not made here; delete it by hand'
    return [Step(DELETE, f'{pool.name}/{name}', f'{bdev.size >> 20} MiB',
                 _lost(pool), blocked)]
