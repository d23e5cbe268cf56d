# SPDX-License-Identifier: Apache-2.0

"""What bdevs on top of other bdevs share: base, claim, hot removal."""

import struct
import uuid

from spdk_simulator.bdev import common
from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator import errors

_PART_NAMESPACE = "976b899e-3e1e-4d71-ab69-c2b08e9df8b8"


def open_base(target, name):
    """Find the base of a virtual bdev, to be written to.

    :returns: the bdev, or None if it is not there (yet).
    :raises errors.CallError: EPERM if somebody has claimed it.
    """
    base = target.bdevs.find(name)
    if base is None or base.removing:
        return None
    if base.claim is not None:
        raise errors.not_permitted()
    return base


def like(module, name, base, blocks=None):
    """Make a bdev with the properties of its base.

    :param blocks: number of blocks, if it is not the base's.
    """
    bdev = bdev_layer.Bdev(module, name, base.block_size,
                           base.num_blocks if blocks is None else blocks,
                           base.io)
    bdev.numa_id = base.numa_id
    bdev.write_cache = base.write_cache
    bdev.md_size = base.md_size
    bdev.md_interleave = base.md_interleave
    bdev.dif_type = base.dif_type
    bdev.dif_head = base.dif_head
    bdev.dif_pi_format = base.dif_pi_format
    bdev.base_bdevs = (base,)
    return bdev


def attach(target, bdev, base, gone=None):
    """Have a bdev go when its base goes.

    :param gone: called when the bdev itself is gone.
    """
    layer = target.bdevs

    def removed(_base):
        if not bdev.removing:
            layer.unregister(bdev)

    def destroyed(_bdev):
        if removed in base.openers:
            base.openers.remove(removed)
            if not any(base in other.base_bdevs for other in layer.list):
                layer.release(base)
        if gone:
            gone()

    base.openers.append(removed)
    bdev.on_destroy = destroyed


def part_uuid(release, base, offset, blocks):
    """The UUID of a part (split, error) of a bdev."""
    if release < 2305:
        return None
    data = uuid.UUID(base.uuid).bytes + struct.pack("<QQ", offset, blocks)
    return str(common.sha1_uuid(uuid.UUID(_PART_NAMESPACE), data))


def derived(release, namespace, base):
    """The UUID that a virtual bdev derives from its base's."""
    if release < 2305:
        return None
    return str(common.sha1_uuid(uuid.UUID(namespace),
                                uuid.UUID(base.uuid).bytes))


class Associations:
    """Names of virtual bdevs and of their bases, there or not yet.

    :param make: called with (entry, base) to make the bdev.
    :param keep: whether an entry stays whose base is claimed.
    """

    def __init__(self, target, make, keep=True):
        self.target = target
        self.make = make
        self.keep = keep
        self.by_name = {}
        self.by_base = {}
        target.bdevs.examiners.append(self.examine)

    def add(self, entry):
        """Add an entry (a dict with ``name`` and ``base``) and make its
        bdev if the base is there.

        :raises errors.CallError: EEXIST if the name is taken here, EPERM
            if the base is claimed (the entry stays, if ``keep``).
        """
        if entry["name"] in self.by_name:
            raise errors.exists()
        self.by_name[entry["name"]] = entry
        self.by_base.setdefault(entry["base"], []).append(entry)
        self.register(entry["base"])

    def register(self, base_name):
        """Make the bdevs that wait for a base of this name."""
        for entry in list(self.by_base.get(base_name, ())):
            try:
                base = open_base(self.target, base_name)
            except errors.CallError:
                if not self.keep:
                    self.forget(entry["name"])
                raise
            if base is None:
                return
            self.make(entry, base)

    def examine(self, bdev):
        """A bdev has appeared."""
        try:
            self.register(bdev.name)
        except errors.CallError:
            return

    def forget(self, name):
        """Remove the entry of a virtual bdev."""
        entry = self.by_name.pop(name, None)
        if entry is not None:
            self.by_base[entry["base"]].remove(entry)
