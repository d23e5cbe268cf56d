# SPDX-License-Identifier: Apache-2.0

"""``bdev_split_*`` (``module/bdev/split``)."""

import errno
import os
import signal

from spdk_simulator.bdev import common
from spdk_simulator.bdev import virtual as bdev_virtual
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry

_MIB = 2 ** 20


class Module:
    """The module's state: base name -> (count, size in MiB)."""

    def __init__(self, target):
        self.target = target
        self.bases = {}
        self.parts = {}
        target.bdevs.examiners.append(self.examine)

    def examine(self, bdev):
        """A bdev has appeared."""
        if bdev.name in self.bases and bdev.claim is None:
            try:
                self.make(bdev, bdev.name)
            except errors.CallError:
                return

    def make(self, base, name):
        """Split a bdev.

        :param name: the name, or alias, that it was given for it.
        :raises errors.CallError: EINVAL if the size does not fit.
        """
        count, size_mb = self.bases[name]
        if size_mb:
            size = size_mb * _MIB % 2 ** 64
            if size % base.block_size:
                raise errors.invalid()
            blocks = size // base.block_size
        else:
            blocks = base.num_blocks // count
        if not blocks:
            # A real target divides by it.
            self.target.process.crash(signal.SIGFPE)
        count = min(count, base.num_blocks // blocks)
        if count and base.claim is not None:
            # The first part would claim it.
            raise errors.system(errno.ENOMEM)
        taken = [number for number in range(count)
                 if f"{name}p{number}" in self.target.bdevs.by_name
                 and self.target.release >= 2301]
        if taken and taken[0]:
            # The parts before it go after their base was freed.
            self.target.process.crash(signal.SIGABRT)
        if taken:
            raise errors.system(errno.ENOMEM)
        self.parts[name] = []
        if not count:
            # Opened, and nobody there to be told that it goes.
            base.holders.add("split")
        for number in range(count):
            self._part(base, f"{name}p{number}", number * blocks, blocks)
        if count:
            self.target.bdevs.claim(base, "split")

    def _part(self, base, name, offset, blocks):
        target = self.target
        bdev = bdev_virtual.like("split", name, base, blocks)
        bdev.product = "Split Disk"
        bdev.uuid = bdev_virtual.part_uuid(
            target.release, base, offset, blocks)
        bdev.specific = lambda: {"split": {"base_bdev": base.name,
                                           "offset_blocks": offset}}
        self.parts.setdefault(base.name, []).append(bdev)
        try:
            target.bdevs.register(bdev)
        except errors.CallError:
            # Up to v22.09 it is taken for made, until it is removed. From
            # v23.01 on its name was looked at before.
            bdev.specific = None
            base.openers.append(lambda _base: target.process.crash())
            return
        bdev_virtual.attach(target, bdev, base, lambda: self._gone(base, bdev))

    def _gone(self, base, bdev):
        """Forget a base with its last part."""
        parts = self.parts.get(base.name, [])
        if bdev in parts:
            parts.remove(bdev)
            if not parts:
                del self.parts[base.name]
                self.bases.pop(base.name, None)

    def config(self):
        """The calls that make the bdevs again."""
        return [{"method": common.name(self.target.release,
                                       "bdev_split_create"),
                 "params": {"base_bdev": name, "split_count": count,
                            "split_size_mb": size}}
                for name, (count, size) in self.bases.items()]


@registry.method("bdev_split_create")
def create(target, params, request):
    """Split a bdev, which may come later."""
    module = target.bdevs.modules["split"]
    name, count = params["base_bdev"], params["split_count"]

    def failed(number):
        return errors.invalid_params(
            f"Failed to create {count} split bdevs from '{name}': "
            f"{os.strerror(number)}")

    if not count:
        raise failed(22)
    if name in module.bases:
        raise failed(17)
    module.bases[name] = (count, params.get("split_size_mb", 0))
    base = target.bdevs.find(name)
    if base is None or base.removing:
        return []
    try:
        module.make(base, name)
    except errors.CallError as exc:
        if target.release >= 2104:
            del module.bases[name]
        elif exc.code == -errno.ENOMEM:
            # Opened, as without a part.
            base.holders.add("split")
        raise failed(-exc.code) from None
    if base.name != name:
        # The RPC looks for the parts under the name that is no alias.
        target.process.crash()
    return [bdev.name for bdev in module.parts[name]]


@registry.method("bdev_split_delete")
def delete(target, params, request):
    """Remove all splits of a bdev."""
    module = target.bdevs.modules["split"]
    name = params["base_bdev"]
    if name not in module.bases:
        raise errors.system(2, errors.INVALID_PARAMS)
    base = target.bdevs.find(name)
    parts = module.parts.get(name)
    if parts == [] or (base is not None and "split" in base.holders):
        # A split is removed with its last part.
        return True
    if parts is None:
        del module.bases[name]
    for bdev in list(parts or ()):
        if bdev.specific is None:
            target.process.crash()
        if not bdev.removing:
            target.bdevs.unregister(bdev)
    return True
