# SPDX-License-Identifier: Apache-2.0

"""Whether zeroes over a unit leave nothing of its last consumer.

Seen on SPDK v26.05: a thin volume never zeroes a cluster that it gets, so
where its base does not zero what is unmapped, each first write shows the
rest of the cluster as another tenant has left it. SPDK says nothing: a blob
store takes the unmap of such a base for done.
"""

from collections.abc import Iterable

from cyborg_spdk.clients import types
from cyborg_spdk import exceptions
from cyborg_spdk.units import holders as holders_module


def find(name: str | None, bdevs: Iterable[types.Bdev],
         unit: str) -> types.Bdev:
    """The bdev of a unit.

    :param name: its name, or None if the unit has none.
    :param bdevs: all bdevs of the target.
    :param unit: the unit, for the message.
    :raises WipeError: if it is not there.
    """
    found = next((one for one in bdevs if name and one.known_as(name)), None)
    if found is None:
        raise exceptions.WipeError(
            f'{unit} has no disk behind it at present; it stays dirty until '
            'it is back and wiped')
    return found


def check_free(unit: str, held: holders_module.Holders) -> None:
    """Refuse what somebody has, or may have at any moment.

    :param unit: the unit, for the message.
    :param held: who holds it.
    :raises WipeError: with the reason and the remedy.
    """
    if held.connected:
        raise exceptions.WipeError(
            f'{unit} is in use by {held.connected[0]}; end that first')
    if held.allowed:
        raise exceptions.WipeError(
            f'{held.allowed[0]} may still use {unit}; detach it first')


def check(unit: str, bdev: types.Bdev, bdevs: list[types.Bdev],
          held: holders_module.Holders) -> None:
    """Refuse to wipe what a wipe would not clean.

    :param unit: the unit, for the message.
    :param bdev: its bdev.
    :param bdevs: all bdevs of the target.
    :param held: who holds it.
    :raises WipeError: with the reason and the remedy.
    """
    if held.readonly:
        raise exceptions.WipeError(f'{unit} is exported read-only; make it '
                                   'writable, or set wipe: none for its pool')
    for one in (bdev, *bdev.below(bdevs)):
        if one is not bdev and one.own.get('snapshot'):
            # Told of the volume that is its clone.
            continue
        reason = _reason(one, bdev, bdevs)
        if reason:
            raise exceptions.WipeError(f'{unit}: {reason}')


def _reason(one: types.Bdev, top: types.Bdev,
            bdevs: list[types.Bdev]) -> str | None:
    name = one.alias
    if one.zoned:
        return f'{name} has zones: it cannot be written with zeroes'
    own = one.own
    if 'lvol' in one.driver_specific:
        reason = _of_lvol(one, bdevs)
        if reason:
            return reason
    if one is top and not one.supported_io_types.get('write', True):
        return f'{name} is read-only; delete it, or set wipe: none'
    if 'raid' in one.driver_specific:
        there = own.get('num_base_bdevs_operational')
        wanted = own.get('num_base_bdevs')
        if isinstance(there, int) and isinstance(wanted, int) and \
                there < wanted:
            return (f'{name} has {there} of {wanted} disks, and the one '
                    'that is missing would keep its data; bring it back, '
                    'or replace it')
    return None


def _of_lvol(one: types.Bdev, bdevs: list[types.Bdev]) -> str | None:
    own, name = one.own, one.alias
    if own.get('snapshot'):
        return f'{name} is a snapshot: it cannot be written; delete it'
    if own.get('clones'):
        return f'{name} has clones, which keep its data; delete them'
    base = next((each for each in bdevs
                 if each.known_as(str(own.get('base_bdev')))), None)
    if own.get('clone') or own.get('esnap_clone'):
        # The snapshot below is no less readable for whoever makes a clone.
        if _snapshot_of_its_own(one, bdevs):
            return (f'{name} has a snapshot, which keeps its data: '
                    f'{own.get("base_snapshot")}; delete it')
        if not zeroes_for_certain(base, bdevs):
            return _leaks(name, base)
    if own.get('thin_provision') and not zeroes_for_certain(base, bdevs):
        return _leaks(name, base)
    return None


def _snapshot_of_its_own(one: types.Bdev, bdevs: list[types.Bdev]) -> bool:
    """Whether a volume is the only clone of its snapshot.

    That is what a volume looks like of which a snapshot was made; clones
    of one image are several.
    """
    store = one.alias.partition('/')[0]
    name = f'{store}/{one.own.get("base_snapshot")}'
    snapshot = next((each for each in bdevs if each.known_as(name)), None)
    return snapshot is not None and len(
        snapshot.own.get('clones') or ()) < 2


def _leaks(name: str, base: types.Bdev | None) -> str:
    below = base.name if base else 'a disk that is missing'
    return (f'{name} is thin on {below}, which does not zero what is '
            'unmapped: whoever writes to it reads the rest of the cluster '
            'as somebody has left it, and no wipe helps; make thick '
            'volumes, or set wipe: none for its pool')


def zeroes_for_certain(bdev: types.Bdev | None,
                       bdevs: list[types.Bdev]) -> bool:
    """Whether what is unmapped reads as zero on a bdev, whatever it is on.

    Malloc writes zeroes, aio with ``fallocate`` punches a hole. NVMe does
    not promise it unless DLFEAT says 001b, which no RPC shows: taken for
    no.

    :param bdev: the bdev; None is taken for no.
    :param bdevs: all bdevs of the target.
    """
    if bdev is None:
        return False
    if bdev.product_name in ('Malloc disk', 'Null disk') or \
            bdev.own.get('fallocate'):
        return True
    if bdev.product_name in ('passthru', 'Split Disk') or \
            'raid' in bdev.driver_specific:
        below = [next((one for one in bdevs if one.known_as(name)), None)
                 for name in bdev.bases]
        return bool(below) and all(
            zeroes_for_certain(one, bdevs) for one in below)
    return False
