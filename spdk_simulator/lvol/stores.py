# SPDX-License-Identifier: Apache-2.0

"""The stores of logical volumes of a target (``lib/lvol``)."""

import errno
import functools

from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator import errors
from spdk_simulator.lvol import store as lvol_store

# So many that a target has no memory for the list of them.
_MANY = 2 ** 32


class Layer:
    """All stores of a target."""

    def __init__(self, target):
        self.target = target
        self.stores = []
        self.lost = set()

    def find(self, given_uuid, name):
        """Find a store by its UUID or its name, not by both.

        :raises errors.CallError: EINVAL, ENODEV.
        """
        if (given_uuid is None) == (name is None):
            raise errors.invalid()
        for store in self.stores:
            if name is not None and store.name == name:
                return store
            if given_uuid is not None and store.uuid == given_uuid.lower():
                return store
        raise errors.no_device()

    def taken(self, name):
        """Tell whether a store has a name."""
        return name in self.lost or any(
            store.name == name for store in self.stores)

    def create_store(self, base, name, cluster, *layout):
        """Make a store on a bdev.

        :param layout: ratio of metadata pages to clusters in per cent,
            bytes of a page, how the rest is cleared.
        :raises errors.CallError: EINVAL, EEXIST, EPERM, ENOSPC, ENOMEM.
        """
        if not name or len(name.encode()) >= lvol_store.NAME_MAX:
            raise errors.invalid()
        shared = self.target.release >= 2305
        if base.claim is not None:
            raise errors.not_permitted() if self.target.release >= 2010 \
                else errors.no_device()
        release = self.target.release
        size = cluster or lvol_store.CLUSTER
        old = release < 1807
        if release >= 2301 and (size < base.block_size or (
                release >= 2505 and size % base.block_size)):
            raise errors.invalid()
        if self.taken(name):
            raise errors.exists()
        if (size < base.block_size and not old) or (
                release < 2409 and lvol_store.PAGE % base.block_size):
            raise lvol_store.failed(errno.EINVAL)
        if not shared and base.size < size:
            raise lvol_store.failed(errno.ENOMEM if old else errno.ENOSPC)
        if size < lvol_store.PAGE and old:
            raise lvol_store.failed(errno.ENOMEM)
        store = lvol_store.Store(name, base, cluster, *layout)
        if not store.pages or (release >= 2505 and size % lvol_store.PAGE):
            raise lvol_store.failed(errno.EINVAL)
        if base.size < size:
            raise lvol_store.failed(errno.ENOSPC)
        if size < store.page:
            raise lvol_store.failed(errno.EINVAL)
        if store.total < 0:
            raise lvol_store.failed(errno.ENOMEM)
        if shared and base.openers:
            # That kind of claim allows no other writer. What was made till
            # then stays, with its name and its channel of the bdev
            # (_vbdev_lvs_create_cb()).
            self.lost.add(name)
            base.channel = base.stuck = True
            raise lvol_store.failed(errno.EPERM)
        if lvol_store.unfit(base):
            raise lvol_store.failed(lvol_store.unfit(base))
        store.format()
        kind = bdev_layer.READ_MANY_WRITE_ONE \
            if self.target.release >= 2305 else bdev_layer.EXCLUSIVE
        self.target.bdevs.claim(base, "lvol", kind)
        store.opener = lambda _base: self.remove_store(store)
        base.openers.append(store.opener)
        self.stores.append(store)
        return store

    def remove_store(self, store):
        """Take a store with its volumes away from a bdev that goes; it is
        closed with the last of them.
        """
        if store not in self.stores:
            return
        self.stores.remove(store)
        left = [lvol for lvol in store.lvols if lvol.bdev is not None
                and not lvol.bdev.removing]

        def gone(lvol):
            left.remove(lvol)
            if not left:
                self._close(store)

        for lvol in list(store.lvols):
            self.forget(lvol, functools.partial(gone, lvol)
                        if lvol in left else None)
        if not left:
            self._close(store)

    def delete_store(self, store, done):
        """Remove a store with its volumes, one after the other; snapshots
        after what began as them (``_vbdev_lvs_remove_lvol_cb()``).
        """
        for lvol in store.lvols:
            if not lvol.clones:
                self.forget(lvol, lambda: self.delete_store(store, done))
                return
        if store in self.stores:
            self.stores.remove(store)
            self._close(store)
        done()

    def _close(self, store):
        if store.opener in store.base.openers:
            store.base.openers.remove(store.opener)
            self.target.bdevs.release(store.base)

    def forget(self, lvol, done=None):
        """Remove a volume with its bdev."""
        if lvol in lvol.store.lvols:
            lvol.store.lvols.remove(lvol)
        if not lvol.clones:
            self.stand_alone(lvol)
        for clone in [other for other in lvol.store.lvols
                      if other.parent is lvol]:
            clone.parent = lvol.parent
            clone.external = lvol.external
            clone.allocated = max(clone.allocated, lvol.allocated)
        if lvol.bdev is not None and not lvol.bdev.removing:
            self.target.bdevs.unregister(lvol.bdev, done)
        elif done:
            self.target.post(done)

    def stand_on(self, lvol, bdev):
        """Have a volume begin as another bdev."""
        lvol.external = bdev.uuid
        if bdev.claim is None:
            bdev.claim = (bdev_layer.READ_MANY_WRITE_NONE, "lvol")
        elif bdev.claim[0] != bdev_layer.READ_MANY_WRITE_NONE:
            # Not to be had: the volume is there without a bdev.
            lvol.degraded = True

    def stand_alone(self, lvol):
        """Give up the bdev that a volume began as."""
        external, lvol.external = lvol.external, None
        bdev = self.target.bdevs.find(external) if external else None
        if bdev is not None and bdev.claim == (
                bdev_layer.READ_MANY_WRITE_NONE, "lvol") and not any(
                other.external == external for store in self.stores
                for other in store.lvols):
            self.target.bdevs.release(bdev)

    def add(self, lvol):
        """Make a volume known, with its bdev."""
        store, target = lvol.store, self.target
        store.write(2)
        if lvol.degraded:
            store.lvols.append(lvol)
            return
        block_size = store.block_size
        if target.release < 1810:
            block_size = store.page
        bdev = bdev_layer.Bdev(
            "lvol", lvol.uuid, block_size,
            lvol.clusters * store.cluster // block_size, ("read", "reset"))
        bdev.product = "Logical Volume"
        bdev.uuid = lvol.uuid
        bdev.aliases = [lvol.alias]
        if target.release < 1804:
            bdev.name, bdev.aliases = lvol.alias, []
        bdev.numa_id = store.base.numa_id
        bdev.base_bdevs = (store.base,)
        bdev.lvol = lvol
        bdev.domains = store.base.domains
        bdev.specific = lambda: {"lvol": lvol.facts(target.release)}
        lvol.bdev = bdev
        store.lvols.append(lvol)
        self.writable(lvol)
        target.bdevs.register(bdev)

    def writable(self, lvol):
        """Set what the volume's bdev can do.

        From v26.01 on, what a bdev can do is fixed when it is registered.
        """
        if self.target.release >= 2601 and lvol.bdev in self.target.bdevs.list:
            return
        io = {"read", "reset"}
        if not lvol.read_only:
            io |= {"write", "unmap", "write_zeroes"}
        if self.target.release >= 2301:
            io |= {"seek_hole", "seek_data"}
        lvol.bdev.io = io

    def of(self, name):
        """Find the volume behind a bdev's name or alias.

        :raises errors.CallError: ENODEV.
        """
        bdev = self.target.bdevs.get(name)
        if bdev.module != "lvol":
            raise errors.no_device()
        return bdev.lvol

    def without_bdev(self, name):
        """Tell whether a volume of that alias or UUID has no bdev, since
        the one that it begins as could not be claimed.
        """
        return any(lvol.degraded and name in (lvol.alias, lvol.uuid)
                   for store in self.stores for lvol in store.lvols)

    def resize(self, lvol, clusters):
        """Change the size of a volume.

        :raises errors.CallError: -32602 without room.
        """
        grown = clusters - lvol.clusters
        thick = not lvol.thin and lvol.parent is None
        if thick and grown > lvol.store.free:
            raise lvol_store.failed(errno.ENOSPC)
        if clusters >= _MANY:
            raise lvol_store.failed(errno.ENOMEM)
        if thick:
            lvol.allocated = clusters
        else:
            lvol.allocated = min(lvol.allocated, clusters)
        lvol.clusters = clusters
        lvol.bdev.num_blocks = (clusters * lvol.store.cluster
                                // lvol.bdev.block_size)
        self.target.notify("bdev_resize", lvol.bdev.name)
