# SPDX-License-Identifier: Apache-2.0

"""Snapshots and clones of logical volumes, and parting with them."""

from collections.abc import Callable
from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients.bdev import lvol
from cyborg_spdk.clients.bdev import lvstore
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def snapshot(client: base.Caller, lvol_name: str, snapshot_name: str, *,
             exist_ok: bool = False) -> str:
    """Make a snapshot, on which the lvol then stands.

    :param lvol_name: ``store/name`` or UUID of the lvol.
    :param snapshot_name: name of the snapshot, in the same store.
    :param exist_ok: do not mind if the lvol stands on a snapshot of that
        name already.
    :returns: name of the snapshot's bdev: a UUID.
    :raises NotFound: there is no such lvol.
    :raises AlreadyExists: the name is taken.
    """
    validate.object_name('snapshot', snapshot_name)

    def is_below(existing: types.Bdev) -> bool:
        known = bdevs.get(client)
        upper = bdevs.named(known, lvol_name)
        return upper is not None and any(
            bdev.name == existing.name for bdev in upper.below(known))

    return _relative(client, 'bdev_lvol_snapshot', lvol_name, snapshot_name,
                     f'stands under {lvol_name}', is_below, exist_ok,
                     lvol_name=lvol_name, snapshot_name=snapshot_name)


def clone(client: base.Caller, snapshot_name: str, clone_name: str, *,
          exist_ok: bool = False) -> str:
    """Make a clone of a snapshot.

    :param snapshot_name: ``store/name`` or UUID of the snapshot.
    :param clone_name: name of the clone, in the same store.
    :param exist_ok: do not mind if there is a clone of that name that
        stands on that snapshot.
    :returns: name of the clone's bdev: a UUID.
    :raises NotFound: there is no such snapshot.
    :raises AlreadyExists: the name is taken.
    :raises InvalidParams: it is no snapshot.
    """
    validate.object_name('clone', clone_name)

    def is_clone(existing: types.Bdev) -> bool:
        parent = existing.own.get('base_snapshot')
        lower = bdevs.get(client, snapshot_name)[0]
        return bool(parent) and lower.alias.endswith(f'/{parent}')

    return _relative(client, 'bdev_lvol_clone', snapshot_name, clone_name,
                     f'is a clone of {snapshot_name}', is_clone, exist_ok,
                     snapshot_name=snapshot_name, clone_name=clone_name)


def _relative(client: base.Caller, method: str, name: str, new: str,
              relation: str, is_related: Callable[[types.Bdev], bool],
              exist_ok: bool, /, **params: Any) -> str:
    """Make a snapshot or a clone, or find that it is there.

    :param new: the name of what is made.
    :param relation: what it is to the other, in words.
    :param is_related: whether an lvol that exists is just that.
    """
    try:
        made: str = lvol.call(client, method, name, new, **params)
        return made
    except exceptions.AlreadyExists as exc:
        if not exist_ok:
            raise
        store = bdevs.get(client, name)[0].alias.partition('/')[0]
        existing = bdevs.find(client, f'{store}/{new}')
        if existing is None:
            raise
        if is_related(existing):
            return existing.name
        raise errors.fault(
            exc, exceptions.AlreadyExists, f'lvol {store}/{new} exists, '
            f'but not so that it {relation}') from exc


def clone_bdev(client: base.Caller, bdev: str, store: str, clone_name: str,
               *, exist_ok: bool = False) -> str:
    """Make a clone that stands on a bdev outside its store (v23.05).

    :param bdev: name, alias or UUID of that bdev, which must not change any
        more.
    :param store: name of the store.
    :param clone_name: name of the clone.
    :param exist_ok: do not mind if there is a clone of that name that
        stands on that bdev.
    :returns: name of the clone's bdev: a UUID.
    :raises NotFound: there is no such bdev or store.
    :raises AlreadyExists: the name is taken.
    :raises InvalidParams: the bdev is no whole number of clusters.
    :raises PermissionDenied: a module has claimed the bdev. It is not sent:
        SPDK makes an lvol without a bdev then, and v24.01 and v26.05 end
        (SIGSEGV) when that is deleted.
    """
    validate.text('bdev', bdev)
    validate.object_name('clone', clone_name)
    alias = f'{store}/{clone_name}'
    outside = bdevs.find(client, bdev)
    _check_claim(client, outside, bdev)
    # SPDK takes a UUID alone: the only name that lasts.
    uuid = outside.uuid or bdev if outside is not None else bdev

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        its_store = lvstore.find(client, store)
        if its_store is None:
            return exceptions.NotFound, f'lvol store {store!r} does not exist'
        return bdevs.missing(client, bdev) or uneven(outside, its_store) \
            or (type(exc), f'bdev {bdev!r}')

    wanted: errors.Wanted = {
        'base': (uuid,
                 lambda each: each.own.get('external_snapshot_name'))}
    made: str | None = base.create(
        client, 'bdev_lvol_clone_bdev', f'lvol {alias!r}',
        lambda: bdevs.find(client, alias), wanted, exist_ok, cause,
        bdev=uuid, lvs_name=store, clone_name=clone_name)
    return made or bdevs.existing(client, alias).name


def _check_claim(client: base.Caller, outside: types.Bdev | None,
                 name: str) -> None:
    if outside is None or not outside.claimed \
            or outside.claim_type == 'read_many_write_none':
        return
    finding = claims.claimed(client, name)
    if finding:
        kind, detail = finding
        raise kind(-1, 'Operation not permitted', 'bdev_lvol_clone_bdev',
                   None, f'{detail}; it was not sent')


def uneven(bdev: types.Bdev | None,
           store: types.LvolStore | None) -> errors.Finding | None:
    """Cause: the bdev is no whole number of a store's clusters."""
    if bdev is None or store is None or not store.cluster_size or \
            bdev.size % store.cluster_size == 0:
        return None
    return exceptions.InvalidParams, f'bdev {bdev.name!r} has {bdev.size} ' \
        f'bytes: no whole number of the clusters of {store.cluster_size} ' \
        f'bytes of {store.name!r}'


def inflate(client: base.Caller, name: str) -> bool:
    """Take all space of a thin lvol, and part with its snapshot.

    :param name: ``store/name`` or UUID.
    :returns: True.
    :raises NotFound: there is no such lvol.
    """
    lvol.call(client, 'bdev_lvol_inflate', name, name=name)
    return True


def decouple_parent(client: base.Caller, name: str) -> bool:
    """Part a clone from its snapshot; it stays thin.

    :param name: ``store/name`` or UUID.
    :returns: True.
    :raises NotFound: there is no such lvol.
    """
    lvol.call(client, 'bdev_lvol_decouple_parent', name, name=name)
    return True
