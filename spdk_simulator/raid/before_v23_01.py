# SPDX-License-Identifier: Apache-2.0

"""RAID bdevs up to v22.09: what was configured, and what came of it.

A configuration has a name and the names of base bdevs. It stays until it is
deleted, also when its RAID bdev could not be made of the base bdevs or went
with the last of them (``module/bdev/raid/bdev_raid.c``, ``raid_bdev_*``).
"""

import errno
import os

from spdk_simulator import errors
from spdk_simulator.raid import module as raid_module
from spdk_simulator.raid import raid


class _Queue:
    """A TAILQ of RAID bdevs: also one that is removed from a queue which
    it is not in leaves both as SPDK's are then.
    """

    def __init__(self):
        self.next = None
        self.last = self

    def __iter__(self):
        link = self.next
        while link is not None:
            yield link.raid
            link = link.next

    def append(self, link):
        """Insert at the end."""
        link.next, link.previous = None, self.last
        self.last.next = self.last = link

    def remove(self, link):
        """Remove."""
        if link.next is None:
            self.last = link.previous
        else:
            link.next.previous = link.previous
        link.previous.next = link.next


class _Link:
    """A RAID bdev's place in the queue of its state."""

    def __init__(self, raid):
        self.raid = raid
        self.next = self.previous = None


class Config:
    """One configuration.

    :ivar raid: its RAID bdev, or None.
    """

    def __init__(self, name, names):
        self.name = name
        self.names = names
        self.raid = None


class Module(raid_module.Module):
    """The module's state."""

    def __init__(self, target):
        super().__init__(target)
        self.configs = {}
        self.listed = []
        self.states = {"online": _Queue(), "configuring": _Queue(),
                       "offline": _Queue()}

    def names(self, category):
        """The names that ``bdev_raid_get_bdevs`` lists."""
        if category == "all":
            return [item.name for item in self.listed]
        return [item.name for item in self.states[category]]

    def create(self, name, level, strip, names):
        """Make a RAID bdev of bdevs, which may come later.

        :param strip: KiB.
        :raises errors.CallError: what fails, and with which configuration.
        """
        if name in self.configs:
            raise _failed(errno.EEXIST, f"add RAID bdev config {name}")
        if strip & (strip - 1) or not names or (
                level != "raid0" and self.target.release < 2001):
            raise _failed(errno.EINVAL, f"add RAID bdev config {name}")
        taken = {base for config in self.configs.values()
                 for base in config.names}
        for base in names:
            if base in taken:
                raise _failed(errno.EEXIST, f"add base bdev {base} to RAID "
                              f"bdev config {name}")
            taken.add(base)
        if level not in ("raid0", "concat"):
            # That of five disks is not part of a build unless asked for.
            raise _failed(errno.EINVAL, f"create RAID bdev {name}")
        config = self.configs[name] = Config(name, names)
        made = config.raid = raid.Raid(name, level, strip, names, None,
                                       False)
        made.config, made.link = config, _Link(made)
        made.destroying = False
        self.listed.append(made)
        self.states["configuring"].append(made.link)
        failures = [self._add(made, slot) for slot in made.slots]
        for number in failures:
            if number not in (0, errno.ENODEV):
                raise _failed(number,
                              f"add any base bdev to RAID bdev {name}")

    def _add(self, made, slot):
        """Take a base bdev; go online with the last one.

        :returns: 0 or an errno. What was taken is kept all the same.
        """
        base = self.target.bdevs.find(slot.name)
        if base is None or base.removing:
            return errno.ENODEV
        if base.claim is not None:
            return errno.EPERM
        self.target.bdevs.claim(base, "raid")
        slot.bdev = base
        slot.opener = lambda _base: self.removed(made, slot)
        base.openers.append(slot.opener)
        if made.discovered < len(made.slots):
            return 0
        return self._configure(made)

    def _configure(self, made):
        sizes = {slot.bdev.block_size for slot in made.slots}
        if len(sizes) > 1:
            return errno.EINVAL
        for slot in made.slots:
            slot.size = slot.bdev.num_blocks
        try:
            self._start(made)
        except errors.CallError as exc:
            made.bdev = None
            made.state = "configuring"
            return -exc.code
        made.given_uuid = made.bdev.uuid
        made.bdev.on_destroy = lambda _bdev: self._destructed(made)
        # Also of one that has been offline before.
        self.states["configuring"].remove(made.link)
        self.states["online"].append(made.link)
        return 0

    def examine(self, bdev):
        """A bdev has appeared: the first configuration that names it."""
        for config in self.configs.values():
            if bdev.name in config.names:
                if config.raid is not None:
                    slot = config.raid.slots[config.names.index(bdev.name)]
                    self._add(config.raid, slot)
                return

    def removed(self, made, slot):
        """A base bdev goes."""
        slot.scheduled = True
        if made.destructed or made.state == "configuring":
            self._free(slot)
            if not made.discovered:
                self._forget(made)
                return
        self._deconfigure(made, lambda: None)

    def _deconfigure(self, made, done):
        if made.state != "online":
            done()
            return
        self.states["online"].remove(made.link)
        made.state = "offline"
        self.states["offline"].append(made.link)
        self.target.bdevs.unregister(made.bdev, done)

    def _destructed(self, made):
        made.destructed, made.bdev = True, None
        for slot in made.slots:
            if slot.scheduled:
                self._free(slot)
        if not made.discovered:
            self._forget(made)

    def _forget(self, made):
        if made.state != "online":
            self.states[made.state].remove(made.link)
        self.listed.remove(made)
        made.config.raid = None
        if made.bdev is not None:
            # It is still listed, and its memory was freed.
            made.bdev.specific = self.target.process.crash

    def remove(self, name, request):
        """Delete a configuration and its RAID bdev; its base bdevs stay.

        :raises errors.CallError: ENODEV (positive), or -32603 if it is
            being deleted already.
        """
        config = self.configs.get(name)
        if config is None:
            raise errors.CallError(
                errno.ENODEV, f"raid bdev {name} is not found in config")

        def done():
            self.configs.pop(name, None)
            request.result(True)

        made = config.raid
        if made is None:
            done()
            return
        if made.destroying:
            raise errors.internal(os.strerror(errno.EALREADY))
        made.destroying = True
        for slot in made.slots:
            if slot.bdev is None:
                continue
            slot.scheduled = True
            if made.destructed or made.state == "configuring":
                self._free(slot)
        # Up to v22.05 one that never had a base bdev stays listed.
        if not made.discovered and (
                self.target.release >= 2209 or any(
                    slot.scheduled for slot in made.slots)):
            self._forget(made)
            done()
            return
        self._deconfigure(made, done)


def _failed(number, what):
    return errors.CallError(
        -number, f"Failed to {what}: {os.strerror(number)}")
