# SPDX-License-Identifier: Apache-2.0


"""The module of RAID bdevs: takes base bdevs and gives them up."""

import errno

from spdk_simulator.bdev import common
from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator import errors
from spdk_simulator.raid import raid as raids

# Levels that take bases with protection information.
_PROTECTED = {"raid0"}
_SUPERBLOCK = 2 ** 20


class Module:
    """The module's state."""

    def __init__(self, target):
        self.target = target
        self.raids = {}
        target.bdevs.examiners.append(self.examine)

    def examine(self, bdev):
        """A bdev has appeared."""
        if 2301 <= self.target.release < 2309:
            self._compare_names(bdev)
        for raid in list(self.raids.values()):
            for slot in raid.slots:
                if raid.state == "configuring" and slot.bdev is None \
                        and slot.name == bdev.name:
                    try:
                        self.configure(raid, slot, bdev)
                    except errors.CallError:
                        continue

    def _compare_names(self, bdev):
        """End as v23.01 and v23.05 did: raid_bdev_examine() compared with
        the name of a place that a base bdev had gone from.
        """
        for raid in self.raids.values():
            for slot in raid.slots:
                if slot.bdev is None and slot.name is None:
                    self.target.process.crash()
                if slot.bdev is None and slot.name == bdev.name:
                    break

    def configure(self, raid, slot, bdev):
        """Take a base bdev; go online with the last one.

        What is online already takes it as the target of a rebuild.

        :raises errors.CallError: EPERM if it is claimed, EINVAL if it does
            not go with the others.
        """
        layer = self.target.bdevs
        layer.claim(bdev, "raid")
        others = [other.bdev for other in raid.slots if other.bdev]
        release = self.target.release
        if 2401 <= release < 2405 and raid.fresh:
            # Compared only with bases whose superblock is read already:
            # with none, while the RAID bdev is being created.
            others = []
        if release < 2401 and raid.discovered + 1 < len(raid.slots):
            # Compared when all are there.
            others = []
        if release >= 2401 and bdev.dif_type and (
                release < 2405 or raid.level not in _PROTECTED):
            layer.release(bdev)
            raise errors.invalid()
        offset = _SUPERBLOCK // bdev.block_size if raid.superblock else 0
        if (offset >= bdev.num_blocks and release >= 2401) or any(
                (other.block_size, other.md_size, other.dif_type)
                != (bdev.block_size, bdev.md_size, bdev.dif_type)
                for other in others):
            layer.release(bdev)
            raise errors.invalid()
        if raid.state == "online":
            # A place keeps its size while nothing is in it.
            if offset + slot.size > bdev.num_blocks:
                layer.release(bdev)
                raise errors.invalid()
        else:
            slot.size = bdev.num_blocks - offset
        slot.bdev, slot.uuid = bdev, bdev.uuid
        slot.offset = offset
        slot.opener = lambda _bdev: self.removed(raid, slot)
        bdev.openers.append(slot.opener)
        if raid.state == "online":
            options = self.target.options.calls["bdev_raid_set_options"]
            raid.rebuild(slot, options.get("process_max_bandwidth_mb_sec",
                                           0))
            raid.bdev.domains = self._domains(raid)
        elif raid.state == "configuring" \
                and raid.discovered == len(raid.slots):
            self._start(raid)

    def add(self, raid, name):
        """Put a bdev into an empty place (raid_bdev_add_base_bdev()).

        :raises errors.CallError: EPERM while a rebuild goes on or if the
            bdev is claimed, EINVAL without a place that fits, ENODEV.
        """
        release = self.target.release
        bdev = self.target.bdevs.find(name)
        if release >= 2405 and raid.rebuilding() is not None:
            raise errors.not_permitted()
        if release < 2405 and raid.state != "online":
            raise errors.invalid()
        empty = [slot for slot in raid.slots
                 if slot.name is None and slot.uuid == raids.NULL]
        if raid.state == "configuring" and bdev is not None:
            # It comes back to where it was.
            empty = [slot for slot in raid.slots
                     if slot.name is None and slot.uuid == bdev.uuid] + empty
        if not empty:
            raise errors.invalid()
        slot = empty[0]
        if bdev is None or bdev.removing:
            if raid.state == "configuring":
                # Waited for.
                slot.name = name
            raise errors.system(errno.ENODEV)
        slot.name = name
        try:
            self.configure(raid, slot, bdev)
        except errors.CallError:
            slot.name = None
            raise

    def _start(self, raid):
        sizes = [slot.size for slot in raid.slots]
        first = raid.slots[0].bdev
        if 2401 <= self.target.release < 2405:
            first = raid.slots[-1].bdev
        # In 32 bits, with what is lost.
        strip = raid.strip * 1024 % 2 ** 32 // first.block_size
        if raid.strip and not strip and self.target.release >= 2305:
            raise errors.invalid()
        strip = max(1, strip)
        if raid.level == "concat":
            for slot in raid.slots:
                slot.size -= slot.size % strip
            blocks = sum(slot.size for slot in raid.slots)
        else:
            size = min(sizes)
            if raid.level != "raid1":
                size -= size % strip
            for slot in raid.slots:
                slot.size = size
            count = len(raid.slots)
            blocks = size * {"raid0": count, "raid1": 1,
                             "raid5f": count - 1}[raid.level]
        bdev = bdev_layer.Bdev("raid", raid.name, first.block_size, blocks,
                               self._io(raid))
        bdev.product = "Raid Volume"
        bdev.watched = self.target.release >= 2401
        bdev.uuid = raid.given_uuid
        if self.target.release >= 2301:
            bdev.md_size = first.md_size
            bdev.md_interleave = first.md_interleave
            bdev.dif_type = first.dif_type
        bdev.base_bdevs = tuple(slot.bdev for slot in raid.slots)
        bdev.domains = self._domains(raid)
        bdev.raid = raid
        bdev.specific = lambda: {"raid": raid.facts(self.target.release)}
        bdev.config = lambda: self.config(raid)
        raid.bdev = bdev
        try:
            self.target.bdevs.register(bdev)
        except errors.CallError:
            if not 2401 <= self.target.release < 2409:
                raise
            # It is told to nobody: made it is, and never online.
            raid.bdev = None
            return
        raid.uuid = bdev.uuid
        raid.state = "online"

    def _io(self, raid):
        if self.target.release < 1904:
            # Whatever its base bdevs can.
            old = {"read", "write", "flush"}
            return old | {"reset"} if self.target.release >= 1810 else old
        io = {"read", "write", "reset", "write_zeroes"}
        if all("write_zeroes" not in slot.bdev.io for slot in raid.slots):
            io.discard("write_zeroes")
        passing = {"raid0", "concat"}
        if self.target.release >= 2505:
            passing.add("raid1")
        for kind in ("flush", "unmap"):
            if raid.level in passing and all(kind in slot.bdev.io
                                             for slot in raid.slots):
                io.add(kind)
        return io

    def _domains(self, raid):
        return tuple(domain for slot in raid.slots if slot.bdev
                     for domain in slot.bdev.domains)

    def removed(self, raid, slot, done=None):
        """A base bdev goes.

        :param done: called when the RAID bdev has given it up.
        """
        if raid.bdev is not None and not raid.bdev.removing:
            spare = {"raid1": len(raid.slots) - 1, "raid5f": 1}.get(
                raid.level, 0)
            if raid.discovered > len(raid.slots) - spare \
                    and self.target.release >= 2309:
                self._free(slot)
                slot.name, slot.uuid = None, raids.NULL
                raid.bdev.domains = self._domains(raid)
                if done:
                    self.target.post(done)
                return
            # It stays known until it is deleted, and has the base until it
            # is gone itself; where bases could be spared, the base is given
            # up before they are counted (since v24.05,
            # raid_bdev_remove_base_bdev_done()).
            raid.state, slot.scheduled = "offline", True
            if spare and self.target.release >= 2405:
                self._free(slot)
            self.target.bdevs.unregister(
                raid.bdev, lambda: self._offline(raid, done))
            return
        self._free(slot)
        if done:
            self.target.post(done)
        if raid.state == "offline":
            slot.name, slot.uuid = None, raids.NULL
            if not raid.discovered:
                self.raids.pop(raid.name, None)
        elif raid.bdev is None:
            # Its place is kept for the one of the same UUID.
            slot.name = None
            if self.target.release < 2405 and not raid.discovered:
                self.raids.pop(raid.name, None)

    def _offline(self, raid, done):
        raid.bdev = None
        for slot in raid.slots:
            if slot.scheduled:
                self._free(slot)
                slot.name, slot.uuid = None, raids.NULL
        if done:
            done()
        if not raid.discovered:
            self.raids.pop(raid.name, None)

    def _free(self, slot):
        if slot.bdev is not None:
            if slot.opener in slot.bdev.openers:
                slot.bdev.openers.remove(slot.opener)
            self.target.bdevs.release(slot.bdev)
            slot.bdev = None

    def _release(self, raid):
        for slot in raid.slots:
            self._free(slot)

    def delete(self, raid, done):
        """Remove a RAID bdev."""
        self.raids.pop(raid.name, None)
        if raid.bdev is not None and not raid.bdev.removing:
            self.target.bdevs.unregister(
                raid.bdev, lambda: (self._release(raid), done()))
        else:
            self._release(raid)
            self.target.post(done)

    def config(self, raid):
        """The call that makes a RAID bdev again, or None: a superblock on
        the base bdevs does it.
        """
        release = self.target.release
        if raid.superblock or raid.state == "offline":
            return None
        params = {"name": raid.name}
        if release >= 2401:
            params["uuid"] = raid.uuid
        if release < 2010:
            params["strip_size"] = raid.strip if release >= 1904 \
                else raid.strip_blocks
        elif raid.strip or release < 2405:
            params["strip_size_kb"] = raid.strip
        params["raid_level"] = raid.shown_level(release)
        if 2401 <= release < 2405:
            params["superblock"] = False
        if release < 2405:
            params["base_bdevs"] = [slot.bdev.name for slot in raid.slots
                                    if slot.bdev]
        else:
            params["base_bdevs"] = [
                slot.name or f"removed_base_bdev_{number}"
                for number, slot in enumerate(raid.slots)]
        return {"method": common.name(self.target.release,
                                      "bdev_raid_create"),
                "params": params}
