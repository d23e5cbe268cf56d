# SPDX-License-Identifier: Apache-2.0


"""One store of logical volumes, and one volume (``lib/blob``).

Only the sizes are kept account of; nothing is written to the base bdev, so
a store does not outlive the process.
"""

import errno
import os
import uuid

from spdk_simulator import errors

NAME_MAX = 64
PAGE = 4096
CLUSTER = 4 * 2 ** 20
_MASK_HEADER = 5


def failed(number):
    """The error of an operation that fails in its callback: -32602."""
    return errors.invalid_params(os.strerror(number))


def _mask_pages(bits, page):
    return -(-(_MASK_HEADER + -(-bits // 8)) // page)


def unfit(bdev):
    """Tell why nothing can be kept on a bdev.

    :returns: 0; EINVAL for null bdevs, which keep nothing; EIO for zones,
        which take no write at any place, and for what is read-only.
    """
    if bdev.zoned or "write" not in bdev.io:
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
        self.cluster = cluster or CLUSTER
        self.block_size = base.block_size
        self.lvols = []
        self.opener = None
        # Of whole blocks; what is over of a cluster is lost.
        clusters = base.num_blocks // (self.cluster // base.block_size)
        self.page = max(PAGE, page)
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

    def shown_block_size(self, release):
        """What ``bdev_lvol_get_lvstores`` tells: a page, up to v20.04."""
        return self.page if release < 2007 else self.block_size

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
        if release < 1804:
            return facts
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
