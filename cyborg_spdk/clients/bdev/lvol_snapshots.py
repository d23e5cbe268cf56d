# SPDX-License-Identifier: Apache-2.0

"""Families of logical volumes: snapshots, clones, parents, copies."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


class LvolFamilies:
    """Mixed into :class:`~cyborg_spdk.clients.bdev.lvol.BdevLvol`."""

    def bdev_lvol_snapshot(self, lvol_name, snapshot_name, *,
                           exist_ok=False):
        """Make a snapshot, on which the lvol then stands.

        :param lvol_name: ``store/name`` or UUID of the lvol.
        :param snapshot_name: name of the snapshot, in the same store.
        :param exist_ok: do not mind if the lvol stands on a snapshot of
            that name already.
        :returns: name of the snapshot's bdev: a UUID.
        :raises NotFound: there is no such lvol.
        :raises AlreadyExists: the name is taken.
        """
        validate.object_name('snapshot', snapshot_name)

        def same(found):
            bdevs = self.bdev_get_bdevs()
            return any(one.name == found.name
                       for one in _named(bdevs, lvol_name).below(bdevs))

        return self._relative('bdev_lvol_snapshot', lvol_name, snapshot_name,
                              f'stands under {lvol_name}', same, exist_ok,
                              lvol_name=lvol_name,
                              snapshot_name=snapshot_name)

    def bdev_lvol_clone(self, snapshot_name, clone_name, *, exist_ok=False):
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

        def same(found):
            parent = found.own.get('base_snapshot')
            snapshot = self.bdev_get_bdevs(snapshot_name)[0]
            return bool(parent) and snapshot.alias.endswith(f'/{parent}')

        return self._relative('bdev_lvol_clone', snapshot_name, clone_name,
                              f'is a clone of {snapshot_name}', same,
                              exist_ok, snapshot_name=snapshot_name,
                              clone_name=clone_name)

    def _relative(self, method, name, new, relation, same, exist_ok, /,
                  **params):
        """Make a snapshot or a clone, or find that it is there."""
        try:
            return self._on_lvol(method, name, new, **params)
        except exceptions.AlreadyExists as exc:
            if not exist_ok:
                raise
            store = self.bdev_get_bdevs(name)[0].alias.partition('/')[0]
            found = self.find_bdev(f'{store}/{new}')
            if found is None:
                raise
            if same(found):
                return found.name
            raise base.fault(
                exc, exceptions.AlreadyExists, f'lvol {store}/{new} exists, '
                f'but not so that it {relation}') from exc

    def bdev_lvol_clone_bdev(self, bdev, store, clone_name, *,
                             exist_ok=False):
        """Make a clone that stands on a bdev outside its store (v23.05).

        :param bdev: name, alias or UUID of that bdev, which must not change
            any more.
        :param store: name of the store.
        :param clone_name: name of the clone.
        :param exist_ok: do not mind if there is a clone of that name that
            stands on that bdev.
        :returns: name of the clone's bdev: a UUID.
        :raises NotFound: there is no such bdev or store.
        :raises AlreadyExists: the name is taken.
        :raises InvalidParams: the bdev is no whole number of clusters.
        :raises PermissionDenied: a module has claimed the bdev. It is not
            sent: SPDK makes an lvol without a bdev then, and v24.01 and
            v26.05 end (SIGSEGV) when that is deleted.
        """
        validate.text('bdev', bdev)
        validate.object_name('clone', clone_name)
        alias = f'{store}/{clone_name}'
        outside = self.find_bdev(bdev)
        if outside is not None and outside.claimed \
                and outside.claim_type != 'read_many_write_none':
            kind, detail = self._claimed(bdev)
            raise kind(-1, 'Operation not permitted', 'bdev_lvol_clone_bdev',
                       None, f'{detail}; it was not sent')
        # SPDK takes a UUID alone: the only name that lasts.
        uuid = outside.uuid or bdev if outside is not None else bdev

        def cause(exc):
            found = self.find_lvstore(store)
            if found is None:
                return exceptions.NotFound, \
                    f'lvol store {store!r} does not exist'
            return self._no_bdev(bdev) or _uneven(
                outside, found, exceptions.InvalidParams) or (
                    type(exc), f'bdev {bdev!r}')

        return self._create(
            'bdev_lvol_clone_bdev', f'lvol {alias!r}',
            lambda: self.find_bdev(alias),
            {'base': (uuid,
                      lambda one: one.own.get('external_snapshot_name'))},
            exist_ok, cause, bdev=uuid, lvs_name=store,
            clone_name=clone_name) or self.find_bdev(alias).name

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

    # Other parents

    def bdev_lvol_set_parent(self, lvol_name, parent_name, *,
                             exist_ok=False):
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
        lvol, parent, bdevs = self._family(method, lvol_name, parent_name)
        if parent.kind.name != 'lvol':
            raise base.missing(
                method, {'parent_name': parent_name}, f'bdev {parent_name!r} '
                f'is no lvol bdev but a {parent.product_name!r}')
        # SPDK looks for the number of the parent's blob in the lvol's
        # store, whatever is there (lib/lvol/lvol.c, spdk_lvol_set_parent).
        if lvol.own.get('lvol_store_uuid') != \
                parent.own.get('lvol_store_uuid'):
            raise _unfit(method, f'{parent_name!r} is in another store than '
                         f'lvol {lvol_name!r}')
        self._no_ring(method, lvol, parent, bdevs)

        def cause(exc):
            if lvol.own.get('base_snapshot') and parent.alias.endswith(
                    '/' + lvol.own['base_snapshot']):
                return exceptions.AlreadyExists, f'lvol {lvol_name!r} ' \
                    f'stands on {parent_name!r} already'
            if not parent.own.get('snapshot'):
                return exceptions.InvalidParams, \
                    f'lvol {parent_name!r} is no snapshot'
            if lvol.size != parent.size:
                return exceptions.InvalidParams, f'lvol {lvol_name!r} has ' \
                    f'{lvol.size} bytes, {parent_name!r} has {parent.size}'
            return _thick(lvol, lvol_name) or (
                type(exc), f'lvol {lvol_name!r} on {parent_name!r}')

        return self._set_parent(method, lvol_name, parent_name, cause,
                                exist_ok)

    def bdev_lvol_set_parent_bdev(self, lvol_name, parent_name, *,
                                  exist_ok=False):
        """Let an lvol stand on a bdev outside its store (v24.05).

        :param lvol_name: ``store/name`` or UUID of a thin lvol.
        :param parent_name: name, alias or UUID of the bdev, which must not
            change any more and is a whole number of clusters.
        :param exist_ok: do not mind if it stands on it already.
        :returns: True.
        :raises NotFound: one of the two does not exist.
        :raises AlreadyExists: it stands on it already.
        :raises InvalidParams: the lvol is thick, the bdev is no whole
            number of clusters, or it stands on the lvol.
        :raises PermissionDenied: a module has claimed the bdev.
        """
        method = 'bdev_lvol_set_parent_bdev'
        lvol, parent, bdevs = self._family(method, lvol_name, parent_name)
        self._no_ring(method, lvol, parent, bdevs)

        def cause(exc):
            if parent.known_as(lvol.own.get('external_snapshot_name')):
                return exceptions.AlreadyExists, f'lvol {lvol_name!r} ' \
                    f'stands on {parent_name!r} already'
            store = self.find_lvstore(lvol.own.get('lvol_store_uuid'))
            return _thick(lvol, lvol_name) or _uneven(
                parent, store, exceptions.InvalidParams) or \
                self._claimed(parent_name) or (
                    type(exc), f'lvol {lvol_name!r} on {parent_name!r}')

        return self._set_parent(method, lvol_name, parent_name, cause,
                                exist_ok)

    def _set_parent(self, method, lvol_name, parent_name, cause, exist_ok):
        try:
            return self._call(method, lvol_name=lvol_name,
                              parent_name=parent_name, _cause=cause,
                              _about=f'lvol {lvol_name!r} on {parent_name!r}')
        except exceptions.AlreadyExists:
            if not exist_ok:
                raise
        return True

    def _family(self, method, lvol_name, other_name):
        """An lvol, another bdev, and the list of all.

        :raises MethodNotFound: the release has no such call.
        :raises NotFound: one of the two does not exist.
        """
        validate.text('lvol', lvol_name)
        validate.text('bdev', other_name)
        if not self.rpc.has(method):
            self._call(method)                  # tells since when SPDK has it
        bdevs = self.bdev_get_bdevs()
        found = []
        for name in (lvol_name, other_name):
            found.append(_named(bdevs, name))
            if found[-1] is None:
                raise base.missing(method, {'lvol_name': lvol_name},
                                   f'bdev {name!r} does not exist')
        if found[0].kind.name != 'lvol':
            raise base.missing(
                method, {'lvol_name': lvol_name}, f'bdev {lvol_name!r} is '
                f'no lvol bdev but a {found[0].product_name!r}')
        return *found, bdevs

    @staticmethod
    def _no_ring(method, lvol, parent, bdevs):
        """Refuse a parent that stands on the lvol: reads would never end."""
        if parent.name == lvol.name or any(
                one.name == lvol.name for one in parent.below(bdevs)):
            raise _unfit(method, f'{parent.alias!r} stands on '
                         f'{lvol.alias!r} itself')

    # Copies

    def bdev_lvol_start_shallow_copy(self, src_lvol_name, dst_bdev_name):
        """Copy what an lvol itself has, not what its snapshots have.

        v24.05; it goes on in the background:
        :meth:`bdev_lvol_check_shallow_copy` tells how far it is.

        :param src_lvol_name: ``store/name`` or UUID of a read-only lvol,
            such as a snapshot.
        :param dst_bdev_name: a bdev of that size at least, whose blocks are
            not larger; it is claimed until the copy is done, and the rest
            of it stays as it is.
        :returns: number of the operation (int).
        :raises NotFound: one of the two does not exist.
        :raises InvalidParams: the lvol can be written to, or the bdev does
            not suit.
        :raises PermissionDenied: a module has claimed the bdev.
        """
        method = 'bdev_lvol_start_shallow_copy'
        source, copy, _bdevs = self._family(method, src_lvol_name,
                                            dst_bdev_name)
        if source.name == copy.name:
            raise _unfit(method, f'{dst_bdev_name!r} is the lvol itself')
        # SPDK starts such an operation, which then fails without a reason
        # (lib/blob/blobstore.c, bs_shallow_copy_blob_open_cpl).
        if source.supported_io_types.get('write'):
            raise _unfit(method, f'lvol {src_lvol_name!r} can be written '
                         'to: give a snapshot, or bdev_lvol_set_read_only')
        if copy.size < source.size:
            raise _unfit(method, f'bdev {dst_bdev_name!r} has {copy.size} '
                         f'bytes, lvol {src_lvol_name!r} has {source.size}')
        if copy.block_size == 0 or source.block_size % copy.block_size:
            raise _unfit(method, f'blocks of {copy.block_size} bytes of bdev '
                         f'{dst_bdev_name!r} do not fit those of '
                         f'{source.block_size} of lvol {src_lvol_name!r}')
        result = self._call(
            method, src_lvol_name=src_lvol_name, dst_bdev_name=dst_bdev_name,
            _about=f'copy of lvol {src_lvol_name!r} to {dst_bdev_name!r}',
            _cause=lambda _exc: self._claimed(dst_bdev_name))
        return result['operation_id']

    def bdev_lvol_check_shallow_copy(self, operation_id):
        """How far a shallow copy is (v24.05).

        SPDK forgets an operation once it has told that it is done.

        :param operation_id: what :meth:`bdev_lvol_start_shallow_copy`
            returned.
        :returns: :class:`~cyborg_spdk.clients.types.ShallowCopy`.
        :raises NotFound: there is none of that number, or its end was told
            already.
        """
        validate.integer('operation_id', operation_id, 0, 2 ** 32 - 1)

        def cause(exc):
            if isinstance(exc, exceptions.NotFound):
                return type(exc), f'there is no shallow copy ' \
                    f'{operation_id}, or its end was told already'
            return None

        return types.ShallowCopy.parse(self._call(
            'bdev_lvol_check_shallow_copy', operation_id=operation_id,
            _about=f'shallow copy {operation_id}', _cause=cause))


def _unfit(method, detail):
    """The error for what SPDK would not take, or not survive."""
    return exceptions.InvalidParams(-32602, 'Invalid parameters', method,
                                    None, f'{detail}; it was not sent')


def _named(bdevs, name):
    """The bdev of that name, alias or UUID in a list, or None."""
    return next((one for one in bdevs if one.known_as(name)), None)


def _thick(lvol, name):
    """Cause: the lvol has all its space, so it cannot have a parent."""
    if lvol.own.get('thin_provision'):
        return None
    return exceptions.InvalidParams, f'lvol {name!r} is not thin: one that ' \
        'has all its space reads nothing from a parent'


def _uneven(bdev, store, cls):
    """Cause: the bdev is no whole number of a store's clusters."""
    if bdev is None or store is None or not store.cluster_size or \
            bdev.size % store.cluster_size == 0:
        return None
    return cls, f'bdev {bdev.name!r} has {bdev.size} bytes: no whole number ' \
        f'of the clusters of {store.cluster_size} bytes of {store.name!r}'
