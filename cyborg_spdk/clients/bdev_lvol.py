# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Logical volumes: stores, lvols, snapshots and clones."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients import bdev_create
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: vbdev_lvol_rpc.c.
CLEAR_METHODS = ('none', 'unmap', 'write_zeroes')


class BdevLvol:
    """Mixed into :class:`~cyborg_spdk.clients.bdev.BdevClient`.

    A store is named by its name or its UUID, an lvol by ``store/name``, by
    its UUID, or by its bdev's name, which is that UUID.
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
                raise _no_store('bdev_lvol_get_lvstores', store)
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
            raise _no_store(method, store)
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
        made = bdev_create.created(self._create(
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

    # Lvols

    def bdev_lvol_create(self, store, lvol_name, size, *,
                         thin_provision=False, clear_method=None,
                         exist_ok=False):
        """Create an lvol.

        :param store: name or UUID of its store.
        :param lvol_name: its name: 63 bytes at most, no "/".
        :param size: bytes, or with a unit; SPDK rounds it up to whole
            clusters. Whole MiB for v23.05 and later.
        :param thin_provision: take space only as it is written.
        :param clear_method: one of :data:`CLEAR_METHODS` (v19.04).
        :param exist_ok: do not mind if it exists with these properties.
        :returns: name of its bdev: a UUID.
        :raises NotFound: the store does not exist.
        :raises AlreadyExists: there is an lvol of that name in it.
        :raises NoSpace: the store has not so much left.
        """
        validate.object_name('lvol', lvol_name)
        parameter = self._lvol_size('bdev_lvol_create', size)
        if clear_method is not None:
            clear_method = validate.choice('clear_method', clear_method,
                                           CLEAR_METHODS)
        key = self._store_key(store, 'bdev_lvol_create')
        found = self.find_lvstore(store)
        alias = f'{found.name}/{lvol_name}'
        clusters = -(-validate.size('size', size) // found.cluster_size) \
            if found.cluster_size else None

        def cause(exc):
            free = self.find_lvstore(store).free_clusters
            if clusters and free is not None and clusters > free and \
                    not thin_provision:
                return exceptions.NoSpace, f'lvol {alias!r} needs ' \
                    f'{clusters} clusters of {found.cluster_size} bytes, ' \
                    f'{free} are free in {found.name!r}'
            return type(exc), f'lvol {alias!r}'

        made = bdev_create.created(self._create(
            'bdev_lvol_create', f'lvol {alias!r}',
            lambda: self.find_bdev(alias),
            {'size': (clusters and clusters * found.cluster_size,
                      lambda one: one.size),
             'thin_provision': (bool(thin_provision),
                                lambda one: one.own.get('thin_provision'))},
            exist_ok, cause, lvol_name=lvol_name,
            thin_provision=bool(thin_provision), clear_method=clear_method,
            **parameter, **key))
        return made or self.find_bdev(alias).name

    def _lvol_size(self, method, size):
        """The parameter for a size: bytes until v23.01, then MiB."""
        if self.rpc.supports(method, 'size_in_mib'):
            return {'size_in_mib': validate.mebibytes('size', size)}
        return {'size': validate.size('size', size)}

    def bdev_lvol_get_lvols(self, store=None):
        """The lvols with what only their store tells (v23.05).

        :param store: name or UUID of the only store wanted.
        :returns: list of :class:`~cyborg_spdk.clients.types.Lvol`.
        :raises NotFound: there is no such store.
        """
        key = {}
        if store is not None:
            key = {'lvs_uuid': self._store_key(
                store, 'bdev_lvol_get_lvols')['uuid']}
        return types.Lvol.parse_list(self._call(
            'bdev_lvol_get_lvols', _about=f'lvols of {store!r}', **key))

    def bdev_lvol_delete(self, name, *, missing_ok=False):
        """Delete an lvol or a snapshot.

        :param name: ``store/name`` or UUID.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        :raises Busy: it is a snapshot that clones stand on.
        """
        validate.text('lvol', name)

        def cause(exc):
            found = self.find_bdev(name)
            clones = found.own.get('clones') if found else None
            if clones:
                return exceptions.Busy, f'snapshot {name!r} has the ' \
                    f'clones {", ".join(clones)}'
            return self._not_of_kind(name, 'lvol') or (
                type(exc), f'lvol {name!r}')

        if not self.rpc.has('bdev_lvol_delete') and \
                self.rpc.has('delete_bdev'):               # v18.01
            return self.bdev_delete(name, missing_ok=missing_ok)
        return self._delete(
            'bdev_lvol_delete', f'lvol {name!r}',
            lambda: self.find_bdev(name) is None, missing_ok, cause,
            name=name)

    def bdev_lvol_resize(self, name, size):
        """Change the size of an lvol.

        :param name: ``store/name`` or UUID.
        :param size: bytes, or with a unit; rounded up to whole clusters.
            Whole MiB for v23.05 and later.
        :returns: True.
        :raises NotFound: there is no such lvol.
        :raises NoSpace: the store has not so much left.
        """
        validate.text('lvol', name)
        return self._on_lvol('bdev_lvol_resize', name, name=name,
                             **self._lvol_size('bdev_lvol_resize', size))

    def bdev_lvol_snapshot(self, lvol_name, snapshot_name):
        """Make a snapshot, on which the lvol then stands.

        :param lvol_name: ``store/name`` or UUID of the lvol.
        :param snapshot_name: name of the snapshot, in the same store.
        :returns: name of the snapshot's bdev: a UUID.
        :raises NotFound: there is no such lvol.
        :raises AlreadyExists: the name is taken.
        """
        validate.object_name('snapshot', snapshot_name)
        return self._on_lvol('bdev_lvol_snapshot', lvol_name, snapshot_name,
                             lvol_name=lvol_name,
                             snapshot_name=snapshot_name)

    def bdev_lvol_clone(self, snapshot_name, clone_name):
        """Make a clone of a snapshot.

        :param snapshot_name: ``store/name`` or UUID of the snapshot.
        :param clone_name: name of the clone, in the same store.
        :returns: name of the clone's bdev: a UUID.
        :raises NotFound: there is no such snapshot.
        :raises AlreadyExists: the name is taken.
        :raises InvalidParams: it is no snapshot.
        """
        validate.object_name('clone', clone_name)
        return self._on_lvol('bdev_lvol_clone', snapshot_name, clone_name,
                             snapshot_name=snapshot_name,
                             clone_name=clone_name)

    def bdev_lvol_clone_bdev(self, bdev, store, clone_name):
        """Make a clone that stands on a bdev outside its store (v23.05).

        :param bdev: UUID of that bdev, which must not change any more.
        :param store: name of the store.
        :param clone_name: name of the clone.
        :returns: name of the clone's bdev: a UUID.
        :raises NotFound: there is no such bdev or store.
        :raises AlreadyExists: the name is taken.
        """
        validate.object_name('clone', clone_name)

        def cause(exc):
            if self.find_lvstore(store) is None:
                return exceptions.NotFound, \
                    f'lvol store {store!r} does not exist'
            if self.find_bdev(f'{store}/{clone_name}') is not None:
                return exceptions.AlreadyExists, \
                    f'lvol {store}/{clone_name} exists already'
            return self._no_bdev(bdev) or (
                type(exc), f'bdev {bdev!r}: give its UUID')

        return self._call('bdev_lvol_clone_bdev', bdev=bdev, lvs_name=store,
                          clone_name=clone_name, _cause=cause,
                          _about=f'clone {clone_name!r}')

    def bdev_lvol_rename(self, old_name, new_name):
        """Give an lvol another name in its store.

        :param old_name: ``store/name`` or UUID.
        :param new_name: the name alone.
        :returns: True.
        :raises NotFound: there is no such lvol.
        :raises AlreadyExists: the new name is taken.
        """
        validate.object_name('lvol', new_name)
        return self._on_lvol('bdev_lvol_rename', old_name, new_name,
                             old_name=old_name, new_name=new_name)

    def bdev_lvol_set_read_only(self, name):
        """Make an lvol read-only (v19.01); there is no way back.

        :param name: ``store/name`` or UUID.
        :returns: True.
        :raises NotFound: there is no such lvol.
        """
        return self._on_lvol('bdev_lvol_set_read_only', name, name=name)

    def bdev_lvol_inflate(self, name):
        """Take all space of a thin lvol, and part with its snapshot.

        :param name: ``store/name`` or UUID.
        :returns: True.
        :raises NotFound: there is no such lvol.
        """
        return self._on_lvol('bdev_lvol_inflate', name, name=name)

    def bdev_lvol_decouple_parent(self, name):
        """Part a clone from its snapshot; it stays thin.

        :param name: ``store/name`` or UUID.
        :returns: True.
        :raises NotFound: there is no such lvol.
        """
        return self._on_lvol('bdev_lvol_decouple_parent', name, name=name)

    def _on_lvol(self, method, name, new=None, /, **params):
        """A call on an lvol; ``new`` is a name that it makes."""
        validate.text('lvol', name)

        def cause(exc):
            found = self._not_of_kind(name, 'lvol')
            if found:
                return found
            bdev = self.find_bdev(name)
            alias = bdev.aliases[0] if bdev.aliases else name
            if new is not None:
                taken = f'{alias.partition("/")[0]}/{new}'
                if self.find_bdev(taken) is not None:
                    return exceptions.AlreadyExists, \
                        f'lvol {taken!r} exists already'
            if method == 'bdev_lvol_clone' and \
                    not bdev.own.get('snapshot'):
                return exceptions.InvalidParams, \
                    f'lvol {name!r} is no snapshot'
            return type(exc), f'lvol {name!r}'

        return self._call(method, _about=f'lvol {name!r}', _cause=cause,
                          **params)


def _no_store(method, store):
    return base.missing(method, {'lvs_name': store},
                        f'lvol store {store!r} does not exist')
