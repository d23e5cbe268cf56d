# SPDX-License-Identifier: Apache-2.0

"""Logical volumes; their stores and families have modules of their own.

A store is named by its name or its UUID, an lvol by ``store/name``, by its
UUID, or by its bdev's name, which is that UUID.
"""

from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import deletion
from cyborg_spdk.clients.bdev import lvstore
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def create(client: base.Caller, store: str, lvol_name: str,
           size: int | str, *, thin_provision: bool = False,
           clear_method: str | None = None, exist_ok: bool = False) -> str:
    """Create an lvol.

    :param store: name or UUID of its store.
    :param lvol_name: its name: 63 bytes at most, no "/".
    :param size: bytes, or with a unit; SPDK rounds it up to whole
        clusters. Whole MiB for v23.05 and later.
    :param thin_provision: take space only as it is written.
    :param clear_method: ``none``, ``unmap``, ``write_zeroes`` (v19.04).
    :param exist_ok: do not mind if it exists with these properties.
    :returns: name of its bdev: a UUID.
    :raises NotFound: the store does not exist.
    :raises AlreadyExists: there is an lvol of that name in it.
    :raises NoSpace: the store has not so much left.
    """
    validate.object_name('lvol', lvol_name)
    method = 'bdev_lvol_create'
    size_parameter = _size(client, method, size)
    if clear_method is not None:
        clear_method = validate.choice('clear_method', clear_method,
                                       lvstore.CLEAR_METHODS)
    its_store = lvstore.existing(client, store, method)
    alias = f'{its_store.name}/{lvol_name}'
    clusters = _clusters(its_store, size)
    thin = bool(thin_provision)
    wanted: errors.Wanted = {
        'size': (clusters and clusters * its_store.cluster_size,
                 lambda bdev: bdev.size),
        'thin_provision': (thin,
                           lambda bdev: bdev.own.get('thin_provision'))}
    name = bdevs.created_name(base.create(
        client, method, f'lvol {alias!r}',
        lambda: bdevs.find(client, alias), wanted, exist_ok,
        lambda exc: _no_space(client, its_store, alias,
                              0 if thin else clusters or 0)
        or (type(exc), f'lvol {alias!r}'),
        lvol_name=lvol_name, thin_provision=thin, clear_method=clear_method,
        uuid=its_store.uuid, **size_parameter))
    return name or bdevs.existing(client, alias).name


def _size(client: base.Caller, method: str,
          size: int | str) -> dict[str, int]:
    """The parameter for a size: bytes until v23.01, then MiB."""
    if client.rpc.supports(method, 'size_in_mib'):
        return {'size_in_mib': validate.mebibytes('size', size)}
    return {'size': validate.size('size', size)}


def _clusters(store: types.LvolStore, size: int | str) -> int | None:
    """How many clusters of a store a size is, or None if it is not told."""
    if not store.cluster_size:
        return None
    return -(-validate.size('size', size) // store.cluster_size)


def _no_space(client: base.Caller, store: types.LvolStore, alias: str,
              clusters: int) -> errors.Finding | None:
    """Cause: the store has less than so many clusters left."""
    free = lvstore.get(client, store.uuid)[0].free_clusters
    if free is None or clusters <= free:
        return None
    return exceptions.NoSpace, f'lvol {alias!r} needs {clusters} clusters ' \
        f'of {store.cluster_size} bytes, {free} are free in {store.name!r}'


def get(client: base.Caller, store: str | None = None) -> list[types.Lvol]:
    """The lvols with what only their store tells (v23.05).

    :param store: name or UUID of the only store wanted.
    :returns: list of :class:`~cyborg_spdk.clients.types.Lvol`.
    :raises NotFound: there is no such store.
    """
    method = 'bdev_lvol_get_lvols'
    uuid = None
    if store is not None:
        uuid = lvstore.existing(client, store, method).uuid
    return types.Lvol.parse_list(base.call(
        client, method, _about=f'lvols of {store!r}', lvs_uuid=uuid))


def delete(client: base.Caller, name: str, *,
           missing_ok: bool = False) -> bool:
    """Delete an lvol or a snapshot.

    :param name: ``store/name`` or UUID.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    :raises Busy: it is a snapshot that clones stand on.
    """
    validate.text('lvol', name)
    method = 'bdev_lvol_delete'

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        bdev = bdevs.find(client, name)
        clones = bdev.own.get('clones') if bdev else None
        if clones:
            return exceptions.Busy, f'snapshot {name!r} has the clones ' \
                f'{", ".join(clones)}'
        return bdevs.not_of_kind(client, name, 'lvol') or (
            type(exc), f'lvol {name!r}')

    if not client.rpc.has(method) and client.rpc.has('delete_bdev'):
        return deletion.delete(client, name, missing_ok=missing_ok)  # v18.01
    return base.delete(
        client, method, f'lvol {name!r}',
        lambda: bdevs.find(client, name) is None, missing_ok, cause,
        name=name)


def resize(client: base.Caller, name: str, size: int | str) -> bool:
    """Change the size of an lvol.

    :param name: ``store/name`` or UUID.
    :param size: bytes, or with a unit; rounded up to whole clusters. Whole
        MiB for v23.05 and later.
    :returns: True.
    :raises NotFound: there is no such lvol.
    :raises NoSpace: the store has not so much left.
    """
    method = 'bdev_lvol_resize'
    validate.text('lvol', name)
    call(client, method, name, name=name, **_size(client, method, size))
    return True


def rename(client: base.Caller, old_name: str, new_name: str) -> bool:
    """Give an lvol another name in its store.

    :param old_name: ``store/name`` or UUID.
    :param new_name: the name alone.
    :returns: True.
    :raises NotFound: there is no such lvol.
    :raises AlreadyExists: the new name is taken.
    """
    validate.object_name('lvol', new_name)
    call(client, 'bdev_lvol_rename', old_name, new_name, old_name=old_name,
         new_name=new_name)
    return True


def set_read_only(client: base.Caller, name: str) -> bool:
    """Make an lvol read-only (v19.01); there is no way back.

    :param name: ``store/name`` or UUID.
    :returns: True.
    :raises NotFound: there is no such lvol.
    """
    call(client, 'bdev_lvol_set_read_only', name, name=name)
    return True


def call(client: base.Caller, method: str, name: str,
         new: str | None = None, /, **params: Any) -> Any:
    """Make a call on an lvol.

    :param method: the call.
    :param name: ``store/name`` or UUID of the lvol.
    :param new: the name, in the same store, that the call makes.
    :param params: its parameters.
    :returns: its result.
    :raises NotFound: there is no such lvol.
    :raises AlreadyExists: the new name is taken.
    :raises InvalidParams: the call does not go with such an lvol.
    """
    validate.text('lvol', name)

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        wrong = bdevs.not_of_kind(client, name, 'lvol')
        if wrong:
            return wrong
        bdev = bdevs.existing(client, name)
        return _name_taken(client, bdev, new) or _unfit(method, bdev, name) \
            or (type(exc), f'lvol {name!r}')

    return base.call(client, method, _about=f'lvol {name!r}', _cause=cause,
                     **params)


def _name_taken(client: base.Caller, bdev: types.Bdev,
                new: str | None) -> errors.Finding | None:
    """Cause: there is an lvol of the new name in the same store."""
    store = (bdev.aliases or (bdev.name,))[0].partition('/')[0]
    alias = f'{store}/{new}'
    if new is None or bdevs.find(client, alias) is None:
        return None
    return exceptions.AlreadyExists, f'lvol {alias!r} exists already'


def _unfit(method: str, bdev: types.Bdev,
           name: str) -> errors.Finding | None:
    """Cause: the call does not go with an lvol of this kind."""
    own = bdev.own
    fixed = own.get('snapshot') or not bdev.supported_io_types.get('write',
                                                                   True)
    why = None
    if method == 'bdev_lvol_clone' and not own.get('snapshot'):
        why = 'is no snapshot'
    elif method in ('bdev_lvol_snapshot', 'bdev_lvol_resize') and fixed:
        why = 'is a snapshot, or read-only: it cannot change'
    elif method == 'bdev_lvol_decouple_parent' and not (
            own.get('clone') or own.get('esnap_clone')):
        why = 'stands on no snapshot: there is nothing to part from'
    return why and (exceptions.InvalidParams, f'lvol {name!r} {why}') or None
