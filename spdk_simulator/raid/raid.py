# SPDX-License-Identifier: Apache-2.0

"""RAID bdevs: base bdevs that come and go (``module/bdev/raid``)."""

import time
import uuid as _uuid

# Numbers of the states in releases that show numbers.
_STATE_NUMBER = {"online": 0, "configuring": 1, "offline": 2}
NULL = "00000000-0000-0000-0000-000000000000"
# Bytes that a rebuild copies in a second; a real one goes as fast as its
# base bdevs do.
_REBUILD = 2 ** 31


class Slot:
    """The place of one base bdev."""

    def __init__(self, name):
        self.name = name
        self.uuid = NULL
        self.bdev = None
        self.opener = None
        self.scheduled = False
        self.offset = 0
        self.size = 0


class Raid:
    """One RAID bdev, registered or waiting for its base bdevs."""

    def __init__(self, name, level, strip, names, uuid, superblock):
        self.name = name
        self.level = level
        self.strip = strip
        self.slots = [Slot(base) for base in names]
        given = uuid if uuid != NULL else None
        self.uuid = given or NULL
        self.given_uuid = given
        if superblock and given is None:
            # It is in the superblocks before the bdev is registered.
            self.uuid = self.given_uuid = str(_uuid.uuid4())
        self.superblock = superblock
        self.state = "configuring"
        self.fresh = True
        self.destructed = False
        self.bdev = None
        self.target = None
        self.rebuild_began = 0.0
        self.rebuild_speed = _REBUILD

    @property
    def discovered(self):
        """How many base bdevs are there."""
        return sum(slot.bdev is not None for slot in self.slots)

    def rebuild(self, slot, limit):
        """Begin to rebuild what a new base is to hold.

        :param limit: MiB that are copied in a second at most; 0: no limit.
        """
        self.target, self.rebuild_began = slot, time.monotonic()
        self.rebuild_speed = min(limit * 2 ** 20 or _REBUILD, _REBUILD)

    def rebuilding(self):
        """Tell how far the rebuild of a new base is.

        :returns: blocks of it that are done, or None without a rebuild.
        """
        if self.target is None or self.target.bdev is None:
            return None
        done = int((time.monotonic() - self.rebuild_began)
                   * self.rebuild_speed // self.bdev.block_size)
        if done >= self.bdev.num_blocks:
            self.target = None
            return None
        return done

    def _process(self):
        """What is shown of a rebuild (raid_bdev_write_info_json())."""
        done = self.rebuilding()
        if done is None:
            return {}
        return {"process": {
            "type": "rebuild", "target": self.target.name,
            "progress": {"blocks": done,
                         "percent": 100 * done // self.bdev.num_blocks}}}

    @property
    def strip_blocks(self):
        """Blocks of a strip; 0 while the base bdevs are not known."""
        if self.bdev is None:
            return 0
        return self.strip * 1024 // self.bdev.block_size

    def shown_level(self, release):
        """The level as it is told: up to v19.10 by its number, and there
        was but one.
        """
        return self.level if release >= 2001 else 0

    def facts(self, release):
        """``driver_specific`` and what ``bdev_raid_get_bdevs`` shows."""
        facts = {}
        if release < 2104:
            facts["strip_size"] = self.strip_blocks
        if release < 2401:
            if release >= 1904:
                facts["strip_size_kb"] = self.strip
            facts["state"] = self.state if release >= 2301 \
                else _STATE_NUMBER[self.state]
            facts["raid_level"] = self.shown_level(release)
            if release < 2301:
                facts["destruct_called"] = int(self.destructed)
            facts["num_base_bdevs"] = len(self.slots)
            facts["num_base_bdevs_discovered"] = self.discovered
            facts["base_bdevs_list"] = [
                slot.bdev.name if slot.bdev else None
                for slot in self.slots]
            return facts
        facts["uuid"] = self.uuid
        facts["strip_size_kb"] = self.strip
        facts["state"] = self.state
        facts["raid_level"] = self.level
        facts["superblock"] = self.superblock
        facts["num_base_bdevs"] = len(self.slots)
        facts["num_base_bdevs_discovered"] = self.discovered
        facts["num_base_bdevs_operational"] = len(self.slots)
        if self.state != "configuring":
            facts["num_base_bdevs_operational"] = self.discovered
        facts.update(self._process())
        facts["base_bdevs_list"] = [
            {"name": slot.name, "uuid": slot.uuid,
             "is_configured": slot.bdev is not None,
             "data_offset": slot.offset, "data_size": slot.size}
            for slot in self.slots]
        return facts
