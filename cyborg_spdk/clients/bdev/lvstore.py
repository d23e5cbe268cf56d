# SPDX-License-Identifier: Apache-2.0

"""Stores of logical volumes."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import plain as bdev_plain
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: vbdev_lvol_rpc.c.
CLEAR_METHODS = ('none', 'unmap', 'write_zeroes')


class LvolStores:
    """Mixed into :class:`~cyborg_spdk.clients.bdev.client.BdevClient`.

    A store is named by its name or its UUID.
    """

    def bdev_lvol_get_lvstores(self, store=None):
        """The lvol stores.

        :param store: name or UUID of the only one wanted; None means all.
        :returns: list of :class:`~cyborg_spdk.clients.types.LvolStore`.
        :raises NotFound: there is none of that name.
        """
        found = types.LvolStore.parse_list(
            self._call('bdev_lvol_get_lvstores'))
        if store is not None:
            found = [one for one in found if store in (one.name, one.uuid)]
            if not found:
                raise no_store('bdev_lvol_get_lvstores', store)
        return found

    def find_lvstore(self, store):
        """The lvol store of that name or UUID, or None."""
        try:
            return self.bdev_lvol_get_lvstores(store)[0]
        except exceptions.NotFound:
            return None

    def _store_key(self, store, method):
        """The parameter that names a store: by UUID, which is lasting."""
        validate.text('lvol store', store)
        found = self.find_lvstore(store)
        if found is None:
            raise no_store(method, store)
        return {'uuid': found.uuid}

    def bdev_lvol_create_lvstore(self, bdev_name, lvs_name, *,
                                 cluster_size=None, clear_method=None,
                                 exist_ok=False, **options):
        """Make a store for lvols of a bdev. What was on it is lost.

        :param bdev_name: the bdev; it is claimed.
        :param lvs_name: name of the store: 63 bytes at most, no "/".
        :param cluster_size: bytes, or with a unit: the unit of space;
            None means SPDK's 4 MiB.
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
                'cluster_size', validate.size('cluster_size', cluster_size),
                1, 2 ** 32 - 1)
        if clear_method is not None:
            clear_method = validate.choice('clear_method', clear_method,
                                           CLEAR_METHODS)
        made = bdev_plain.created(self._create(
            'bdev_lvol_create_lvstore', f'lvol store {lvs_name!r}',
            lambda: self.find_lvstore(lvs_name),
            {'bdev': (bdev_name, lambda one: one.base_bdev),
             'cluster size': (cluster_size, lambda one: one.cluster_size)},
            exist_ok, lambda exc: self._claimed(bdev_name) or (
                type(exc), f'bdev {bdev_name!r} is too small for a store, '
                f'or cluster size {cluster_size} does not fit'),
            bdev_name=bdev_name, lvs_name=lvs_name, cluster_sz=cluster_size,
            clear_method=clear_method, **options))
        return made or self.find_lvstore(lvs_name).uuid

    def bdev_lvol_delete_lvstore(self, store, *, missing_ok=False):
        """Delete a store and all its lvols; the bdev stays.

        :param store: its name or UUID.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        """
        try:
            key = self._store_key(store, 'bdev_lvol_delete_lvstore')
        except exceptions.NotFound:
            if missing_ok:
                return False
            raise
        return self._delete(
            'bdev_lvol_delete_lvstore', f'lvol store {store!r}',
            lambda: self.find_lvstore(store) is None, missing_ok, **key)

    def bdev_lvol_rename_lvstore(self, old_name, new_name):
        """Give a store another name.

        :param old_name: the name that it has.
        :param new_name: the one that it gets.
        :returns: True.
        :raises NotFound: there is none of the old name.
        :raises AlreadyExists: there is one of the new name.
        """
        validate.text('lvol store', old_name)
        validate.object_name('lvol store', new_name)

        def cause(_exc):
            if self.find_lvstore(old_name) is None:
                return exceptions.NotFound, \
                    f'lvol store {old_name!r} does not exist'
            if self.find_lvstore(new_name) is not None:
                return exceptions.AlreadyExists, \
                    f'lvol store {new_name!r} exists already'
            return None

        return self._call('bdev_lvol_rename_lvstore', old_name=old_name,
                          new_name=new_name,
                          _about=f'lvol store {old_name!r}', _cause=cause)

    def bdev_lvol_grow_lvstore(self, store):
        """Let a store use its bdev's new size (v22.09).

        :param store: its name or UUID.
        :returns: True.
        :raises NotFound: there is none of that name.
        """
        return self._call(
            'bdev_lvol_grow_lvstore', _about=f'lvol store {store!r}',
            **self._store_key(store, 'bdev_lvol_grow_lvstore'))


def no_store(method, store):
    return base.missing(method, {'lvs_name': store},
                        f'lvol store {store!r} does not exist')
