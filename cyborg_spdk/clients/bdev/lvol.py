# SPDX-License-Identifier: Apache-2.0

"""Logical volumes; their stores and families have modules of their own."""

from cyborg_spdk.clients.bdev import lvol_snapshots
from cyborg_spdk.clients.bdev import lvstore as bdev_lvstore
from cyborg_spdk.clients.bdev import plain as bdev_plain
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


class BdevLvol(lvol_snapshots.LvolFamilies, bdev_lvstore.LvolStores):
    """Mixed into :class:`~cyborg_spdk.clients.bdev.client.BdevClient`.

    A store is named by its name or its UUID, an lvol by ``store/name``, by
    its UUID, or by its bdev's name, which is that UUID.
    """

    def bdev_lvol_create(self, store, lvol_name, size, *,
                         thin_provision=False, clear_method=None,
                         exist_ok=False):
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
        parameter = self._lvol_size('bdev_lvol_create', size)
        if clear_method is not None:
            clear_method = validate.choice('clear_method', clear_method,
                                           bdev_lvstore.CLEAR_METHODS)
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

        made = bdev_plain.created(self._create(
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
            wrong = self._unfit_lvol(method, bdev)
            if wrong:
                return exceptions.InvalidParams, f'lvol {name!r} {wrong}'
            return type(exc), f'lvol {name!r}'

        return self._call(method, _about=f'lvol {name!r}', _cause=cause,
                          **params)

    @staticmethod
    def _unfit_lvol(method, bdev):
        """Why a call does not go with an lvol of this kind, or None."""
        snapshot = bdev.own.get('snapshot')
        if method == 'bdev_lvol_clone' and not snapshot:
            return 'is no snapshot'
        if method in ('bdev_lvol_snapshot', 'bdev_lvol_resize') and \
                (snapshot or not bdev.supported_io_types.get('write', True)):
            return 'is a snapshot, or read-only: it cannot change'
        if method == 'bdev_lvol_decouple_parent' and not (
                bdev.own.get('clone') or bdev.own.get('esnap_clone')):
            return 'stands on no snapshot: there is nothing to part from'
        return None
