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

"""Logical volumes: stores, volumes, snapshots (``lib/lvol``, ``lib/blob``).

Only the sizes are kept account of; nothing is written to the base bdev, so
a store does not outlive the process.
"""

import errno
import functools
import os
import uuid

from cyborg_spdk.simulator import bdevs
from cyborg_spdk.simulator import errors

NAME_MAX = 64
_PAGE = 4096
_CLUSTER = 4 * 2 ** 20
_MASK_HEADER = 5


def failed(number):
    """The error of an operation that fails in its callback: -32602."""
    return errors.invalid_params(os.strerror(number))


def _mask_pages(bits, page):
    return -(-(_MASK_HEADER + -(-bits // 8)) // page)


def unfit(bdev):
    """Tell why nothing can be kept on a bdev.

    :returns: 0; EINVAL for null bdevs, which keep nothing; EIO for zones,
        which take no write at any place.
    """
    if bdev.zoned:
        return errno.EIO
    if bdev.module == "null":
        return errno.EINVAL
    return max(map(unfit, bdev.base_bdevs), default=0)


class Store:
    """A store of logical volumes on a bdev."""

    def __init__(self, name, base, cluster, ratio, page=0, clear="unmap"):
        self.name = name
        self.base = base
        self.uuid = str(uuid.uuid4())
        self.cluster = cluster or _CLUSTER
        self.block_size = base.block_size
        self.lvols = []
        self.opener = None
        # Of whole blocks; what is over of a cluster is lost.
        clusters = base.num_blocks // (self.cluster // base.block_size)
        self.page = max(_PAGE, page)
        self.pages = (ratio or 100) * clusters // 100
        self.mask_pages = _mask_pages(clusters, self.page)
        mask = _mask_pages(self.pages, self.page)
        used = 1 + 2 * mask + max(mask, self.mask_pages) + self.pages
        self.total = clusters - -(-used // max(1, self.cluster // self.page))
        self._of_base = clusters
        self._cleared = max(0, base.size - used * self.page) \
            if clear == "unmap" else 0

    def format(self):
        """Count what a real store writes and unmaps when it is made."""
        if self._cleared:
            self.base.unmapped = (self._cleared, 1)
        self.write(3)

    def write(self, pages):
        """Count pages of metadata that a real store would write."""
        size, number = self.base.written
        self.base.written = (size + pages * self.page, number + pages)

    def grow(self):
        """Take over what the base bdev has more than it had."""
        clusters = min(self.base.size, self.max_growable) // self.cluster
        if clusters > self._of_base:
            self.total += clusters - self._of_base
            self._of_base = clusters

    @property
    def free(self):
        """Free clusters."""
        return self.total - sum(lvol.allocated for lvol in self.lvols)

    @property
    def max_growable(self):
        """To how many bytes the store could grow."""
        return (self.mask_pages * self.page - _MASK_HEADER) * 8 \
            * self.cluster

    def clusters(self, size):
        """How many clusters a size takes."""
        return -(-size // self.cluster)

    def check_name(self, name):
        """See that a volume's name can be used.

        :raises errors.CallError: EINVAL, EEXIST.
        """
        if not name or len(name.encode()) >= NAME_MAX:
            raise errors.invalid()
        if any(lvol.name == name for lvol in self.lvols):
            raise errors.exists()


class Lvol:
    """One volume; a snapshot and a clone are volumes too."""

    def __init__(self, store, name, clusters, thin):
        self.store = store
        self.name = name
        self.uuid = str(uuid.uuid4())
        self.clusters = clusters
        self.thin = thin
        self.allocated = 0 if thin else clusters
        self.parent = None
        self.external = None
        self.degraded = False
        self.read_only = False
        self.frozen = False
        self.bdev = None

    @property
    def alias(self):
        """``store/volume``."""
        return f"{self.store.name}/{self.name}"

    @property
    def clones(self):
        """The volumes that have this one as their parent."""
        return [lvol for lvol in self.store.lvols if lvol.parent is self]

    def facts(self, release):
        """``driver_specific.lvol``."""
        facts = {"lvol_store_uuid": self.store.uuid,
                 "base_bdev": self.store.base.name,
                 "thin_provision": self.thin}
        if release >= 2405:
            facts["num_allocated_clusters"] = self.allocated
        facts["snapshot"] = self.frozen
        facts["clone"] = self.parent is not None
        if self.parent is not None:
            facts["base_snapshot"] = self.parent.name
        if self.frozen and self.clones:
            facts["clones"] = [clone.name for clone in self.clones]
        if release >= 2305:
            facts["esnap_clone"] = self.external is not None
            if self.external is not None:
                facts["external_snapshot_name"] = self.external
        return facts


class Layer:
    """All stores of a target."""

    def __init__(self, target):
        self.target = target
        self.stores = []

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

    def create_store(self, base, name, cluster, *layout):
        """Make a store on a bdev.

        :param layout: ratio of metadata pages to clusters in per cent,
            bytes of a page, how the rest is cleared.
        :raises errors.CallError: EINVAL, EEXIST, EPERM, ENOSPC, ENOMEM.
        """
        if not name or len(name.encode()) >= NAME_MAX:
            raise errors.invalid()
        shared = self.target.release >= 2305
        if base.claim is not None:
            raise errors.not_permitted()
        if shared and base.openers:
            # That kind of claim allows no other writer.
            raise failed(errno.EPERM)
        release = self.target.release
        size = cluster or _CLUSTER
        if release >= 2301 and (size < base.block_size or (
                release >= 2505 and size % base.block_size)):
            raise errors.invalid()
        if any(store.name == name for store in self.stores):
            raise errors.exists()
        if size < base.block_size:
            raise failed(errno.EINVAL)
        if not shared and base.size < size:
            raise failed(errno.ENOSPC)
        store = Store(name, base, cluster, *layout)
        if not store.pages or (release >= 2505 and size % _PAGE):
            raise failed(errno.EINVAL)
        if base.size < size:
            raise failed(errno.ENOSPC)
        if size < store.page:
            raise failed(errno.EINVAL)
        if store.total < 0:
            raise failed(errno.ENOMEM)
        if unfit(base):
            raise failed(unfit(base))
        store.format()
        kind = bdevs.READ_MANY_WRITE_ONE \
            if self.target.release >= 2305 else bdevs.EXCLUSIVE
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
            bdev.claim = (bdevs.READ_MANY_WRITE_NONE, "lvol")
        elif bdev.claim[0] != bdevs.READ_MANY_WRITE_NONE:
            # Not to be had: the volume is there without a bdev.
            lvol.degraded = True

    def stand_alone(self, lvol):
        """Give up the bdev that a volume began as."""
        external, lvol.external = lvol.external, None
        bdev = self.target.bdevs.find(external) if external else None
        if bdev is not None and bdev.claim == (
                bdevs.READ_MANY_WRITE_NONE, "lvol") and not any(
                other.external == external for store in self.stores
                for other in store.lvols):
            self.target.bdevs.release(bdev)

    def domains(self, lvol):
        """What a volume's bdev tells of memory domains (v26.05)."""
        bdevs_ = [lvol.store.base]
        if lvol.external is not None:
            bdevs_.append(self.target.bdevs.find(lvol.external))
        return tuple({"dma_device_type": kind} for bdev in bdevs_
                     if bdev is not None and bdev.module in (
                         "malloc", "lvol") for kind in ("DMA", "ACCEL"))

    def add(self, lvol):
        """Make a volume known, with its bdev."""
        store, target = lvol.store, self.target
        store.write(2)
        if lvol.degraded:
            store.lvols.append(lvol)
            return
        bdev = bdevs.Bdev(
            "lvol", lvol.uuid, store.block_size,
            lvol.clusters * store.cluster // store.block_size,
            ("read", "reset"))
        bdev.product = "Logical Volume"
        bdev.uuid = lvol.uuid
        bdev.aliases = [lvol.alias]
        bdev.numa_id = store.base.numa_id
        bdev.base_bdevs = (store.base,)
        bdev.lvol = lvol
        if target.release >= 2605:
            bdev.domains = self.domains(lvol)
        else:
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

    def resize(self, lvol, clusters):
        """Change the size of a volume.

        :raises errors.CallError: -32602 without room.
        """
        grown = clusters - lvol.clusters
        if not lvol.thin and lvol.parent is None:
            if grown > lvol.store.free:
                raise failed(errno.ENOSPC)
            lvol.allocated = clusters
        else:
            lvol.allocated = min(lvol.allocated, clusters)
        lvol.clusters = clusters
        lvol.bdev.num_blocks = (clusters * lvol.store.cluster
                                // lvol.store.block_size)
        self.target.notify("bdev_resize", lvol.bdev.name)
