# SPDX-License-Identifier: Apache-2.0

"""Stores of logical volumes.

A store is named by its name or its UUID.
"""

from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: vbdev_lvol_rpc.c.
CLEAR_METHODS = ('none', 'unmap', 'write_zeroes')


def get(client: base.Caller,
        store: str | None = None) -> list[types.LvolStore]:
    """The lvol stores.

    :param store: name or UUID of the only one wanted; None means all.
    :returns: list of :class:`~cyborg_spdk.clients.types.LvolStore`.
    :raises NotFound: there is none of that name.
    """
    method = 'bdev_lvol_get_lvstores'
    stores = types.LvolStore.parse_list(base.call(client, method))
    if store is None:
        return stores
    of_that_name = [each for each in stores
                    if store in (each.name, each.uuid)]
    if not of_that_name:
        raise _missing(method, store)
    return of_that_name


def find(client: base.Caller, store: str) -> types.LvolStore | None:
    """The lvol store of that name or UUID, or None."""
    try:
        return get(client, store)[0]
    except exceptions.NotFound:
        return None


def existing(client: base.Caller, store: str,
             method: str) -> types.LvolStore:
    """The lvol store of that name or UUID.

    :param method: the call that needs it.
    :raises NotFound: it does not exist.
    """
    validate.text('lvol store', store)
    found = find(client, store)
    if found is None:
        raise _missing(method, store)
    return found


def _missing(method: str, store: str) -> exceptions.NotFound:
    return errors.missing(method, {'lvs_name': store},
                          f'lvol store {store!r} does not exist')


def create(client: base.Caller, bdev_name: str, lvs_name: str, *,
           cluster_size: int | str | None = None,
           clear_method: str | None = None, exist_ok: bool = False,
           **options: Any) -> str:
    """Make a store for lvols of a bdev. What was on it is lost.

    :param bdev_name: the bdev; it is claimed.
    :param lvs_name: name of the store: 63 bytes at most, no "/".
    :param cluster_size: bytes, or with a unit: the unit of space; None
        means SPDK's 4 MiB.
    :param clear_method: one of :data:`CLEAR_METHODS` (v19.04).
    :param exist_ok: do not mind if it exists on that bdev.
    :param options: others that the release has.
    :returns: the store's UUID.
    :raises NotFound: the bdev does not exist.
    :raises AlreadyExists: there is a store of that name.
    :raises PermissionDenied: the bdev is claimed.
    """
    validate.text('bdev', bdev_name)
    validate.object_name('lvol store', lvs_name)
    if cluster_size is not None:
        cluster_size = validate.integer(
            'cluster_size', validate.size('cluster_size', cluster_size), 1,
            2 ** 32 - 1)
    if clear_method is not None:
        clear_method = validate.choice('clear_method', clear_method,
                                       CLEAR_METHODS)
    method = 'bdev_lvol_create_lvstore'
    uuid = bdevs.created_name(base.create(
        client, method, f'lvol store {lvs_name!r}',
        lambda: find(client, lvs_name),
        {'bdev': (bdev_name, lambda store: store.base_bdev),
         'cluster size': (cluster_size, lambda store: store.cluster_size)},
        exist_ok, lambda exc: claims.claimed(client, bdev_name) or (
            type(exc), f'bdev {bdev_name!r} is too small for a store, or '
            f'cluster size {cluster_size} does not fit'),
        bdev_name=bdev_name, lvs_name=lvs_name, cluster_sz=cluster_size,
        clear_method=clear_method, **options))
    return uuid or existing(client, lvs_name, method).uuid


def delete(client: base.Caller, store: str, *,
           missing_ok: bool = False) -> bool:
    """Delete a store and all its lvols; the bdev stays.

    :param store: its name or UUID.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    """
    method = 'bdev_lvol_delete_lvstore'
    try:
        uuid = existing(client, store, method).uuid
    except exceptions.NotFound:
        if missing_ok:
            return False
        raise
    return base.delete(client, method, f'lvol store {store!r}',
                       lambda: find(client, store) is None, missing_ok,
                       uuid=uuid)


def rename(client: base.Caller, old_name: str, new_name: str) -> bool:
    """Give a store another name.

    :param old_name: the name that it has.
    :param new_name: the one that it gets.
    :returns: True.
    :raises NotFound: there is none of the old name.
    :raises AlreadyExists: there is one of the new name.
    """
    validate.text('lvol store', old_name)
    validate.object_name('lvol store', new_name)

    def cause(_exc: exceptions.RpcError) -> errors.Finding | None:
        if find(client, old_name) is None:
            return exceptions.NotFound, \
                f'lvol store {old_name!r} does not exist'
        if find(client, new_name) is not None:
            return exceptions.AlreadyExists, \
                f'lvol store {new_name!r} exists already'
        return None

    return base.act(client, 'bdev_lvol_rename_lvstore', old_name=old_name,
                    new_name=new_name, _about=f'lvol store {old_name!r}',
                    _cause=cause)


def grow(client: base.Caller, store: str) -> bool:
    """Let a store use its bdev's new size (v22.09).

    :param store: its name or UUID.
    :returns: True.
    :raises NotFound: there is none of that name.
    """
    method = 'bdev_lvol_grow_lvstore'
    return base.act(client, method, _about=f'lvol store {store!r}',
                    uuid=existing(client, store, method).uuid)
