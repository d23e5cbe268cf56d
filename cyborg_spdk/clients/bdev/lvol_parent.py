# SPDX-License-Identifier: Apache-2.0

"""Letting an lvol stand on something else (v24.05).

What the lvol has not written itself it then reads from there.
"""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients.bdev import lvol_family
from cyborg_spdk.clients.bdev import lvol_pair
from cyborg_spdk.clients.bdev import lvstore
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk import exceptions


def set_parent(client: base.Caller, lvol_name: str, parent_name: str, *,
               exist_ok: bool = False) -> bool:
    """Let an lvol stand on another snapshot of its store (v24.05).

    What the lvol has not written itself it then reads from there.

    :param lvol_name: ``store/name`` or UUID of a thin lvol.
    :param parent_name: ``store/name`` or UUID of a snapshot of the same
        size in the same store.
    :param exist_ok: do not mind if it stands on it already.
    :returns: True.
    :raises NotFound: one of the two does not exist.
    :raises AlreadyExists: it stands on it already.
    :raises InvalidParams: the lvol is thick, the parent is no snapshot,
        they differ in size, or the parent stands on the lvol.
    """
    method = 'bdev_lvol_set_parent'
    pair = lvol_pair.read(client, method, lvol_name, parent_name)
    if pair.other.kind.name != 'lvol':
        raise errors.missing(
            method, {'parent_name': parent_name}, f'bdev {parent_name!r} is '
            f'no lvol bdev but a {pair.other.product_name!r}')
    # SPDK looks for the number of the parent's blob in the lvol's store,
    # whatever is there (lib/lvol/lvol.c, spdk_lvol_set_parent).
    if pair.lvol.own.get('lvol_store_uuid') != \
            pair.other.own.get('lvol_store_uuid'):
        raise lvol_pair.unfit(method, f'{parent_name!r} is in another store '
                              f'than lvol {lvol_name!r}')
    _check_no_ring(pair)
    return _set_parent(
        client, method, lvol_name, parent_name, exist_ok,
        lambda exc: _snapshot_cause(exc, pair, lvol_name, parent_name))


def _snapshot_cause(exc: exceptions.RpcError, pair: lvol_pair.Pair,
                    lvol_name: str, parent_name: str) -> errors.Finding:
    lvol, parent = pair.lvol, pair.other
    snapshot = lvol.own.get('base_snapshot')
    if snapshot and parent.alias.endswith(f'/{snapshot}'):
        return exceptions.AlreadyExists, \
            f'lvol {lvol_name!r} stands on {parent_name!r} already'
    if not parent.own.get('snapshot'):
        return exceptions.InvalidParams, \
            f'lvol {parent_name!r} is no snapshot'
    if lvol.size != parent.size:
        return exceptions.InvalidParams, f'lvol {lvol_name!r} has ' \
            f'{lvol.size} bytes, {parent_name!r} has {parent.size}'
    return _thick(lvol, lvol_name) or (
        type(exc), f'lvol {lvol_name!r} on {parent_name!r}')


def set_parent_bdev(client: base.Caller, lvol_name: str, parent_name: str,
                    *, exist_ok: bool = False) -> bool:
    """Let an lvol stand on a bdev outside its store (v24.05).

    :param lvol_name: ``store/name`` or UUID of a thin lvol.
    :param parent_name: name, alias or UUID of the bdev, which must not
        change any more and is a whole number of clusters.
    :param exist_ok: do not mind if it stands on it already.
    :returns: True.
    :raises NotFound: one of the two does not exist.
    :raises AlreadyExists: it stands on it already.
    :raises InvalidParams: the lvol is thick, the bdev is no whole number of
        clusters, or it stands on the lvol.
    :raises PermissionDenied: a module has claimed the bdev.
    """
    method = 'bdev_lvol_set_parent_bdev'
    pair = lvol_pair.read(client, method, lvol_name, parent_name)
    _check_no_ring(pair)

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        own = pair.lvol.own
        if pair.other.known_as(own.get('external_snapshot_name')):
            return exceptions.AlreadyExists, \
                f'lvol {lvol_name!r} stands on {parent_name!r} already'
        store = lvstore.find(client, own.get('lvol_store_uuid', ''))
        return _thick(pair.lvol, lvol_name) or \
            lvol_family.uneven(pair.other, store) or \
            claims.claimed(client, parent_name) or \
            (type(exc), f'lvol {lvol_name!r} on {parent_name!r}')

    return _set_parent(client, method, lvol_name, parent_name, exist_ok,
                       cause)


def _set_parent(client: base.Caller, method: str, lvol_name: str,
                parent_name: str, exist_ok: bool,
                cause: errors.Cause) -> bool:
    try:
        return base.act(client, method, lvol_name=lvol_name,
                        parent_name=parent_name, _cause=cause,
                        _about=f'lvol {lvol_name!r} on {parent_name!r}')
    except exceptions.AlreadyExists:
        if not exist_ok:
            raise
    return True


def _check_no_ring(pair: lvol_pair.Pair) -> None:
    """Refuse a parent that stands on the lvol: reads would never end."""
    lvol, parent = pair.lvol, pair.other
    if any(bdev.name == lvol.name
           for bdev in (parent, *parent.below(pair.bdevs))):
        raise lvol_pair.unfit(pair.method, f'{parent.alias!r} stands on '
                              f'{lvol.alias!r} itself')


def _thick(lvol: types.Bdev, name: str) -> errors.Finding | None:
    """Cause: the lvol has all its space, so it cannot have a parent."""
    if lvol.own.get('thin_provision'):
        return None
    return exceptions.InvalidParams, f'lvol {name!r} is not thin: one that ' \
        'has all its space reads nothing from a parent'
