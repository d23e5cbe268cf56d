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

"""``bdev_raid_*`` (``module/bdev/raid``)."""

import errno
import os

from cyborg_spdk.simulator import bdevs
from cyborg_spdk.simulator import decode
from cyborg_spdk.simulator import errors
from cyborg_spdk.simulator import registry
from cyborg_spdk.simulator.methods import common

_STATES = ("online", "configuring", "offline", "all")
# Numbers of the states in releases that show numbers.
_STATE_NUMBER = {"online": 0, "configuring": 1, "offline": 2}
_NULL = "00000000-0000-0000-0000-000000000000"
_MIN_BASES = {"raid0": 1, "concat": 1, "raid1": 2}
_SUPERBLOCK = 2 ** 20


class Slot:
    """The place of one base bdev."""

    def __init__(self, name):
        self.name = name
        self.uuid = _NULL
        self.bdev = None
        self.opener = None
        self.offset = 0
        self.size = 0


class Raid:
    """One RAID bdev, registered or waiting for its base bdevs."""

    def __init__(self, name, level, strip, names, uuid, superblock):
        self.name = name
        self.level = level
        self.strip = strip
        self.slots = [Slot(base) for base in names]
        self.uuid = uuid or _NULL
        self.given_uuid = uuid
        self.superblock = superblock
        self.state = "configuring"
        self.bdev = None

    @property
    def discovered(self):
        """How many base bdevs are there."""
        return sum(slot.bdev is not None for slot in self.slots)

    def facts(self, release):
        """``driver_specific`` and what ``bdev_raid_get_bdevs`` shows."""
        facts = {}
        if release < 2305:
            facts["strip_size_kb"] = self.strip
            facts["state"] = _STATE_NUMBER[self.state]
            facts["raid_level"] = self.level
            facts["destruct_called"] = 0
            facts["num_base_bdevs"] = len(self.slots)
            facts["num_base_bdevs_discovered"] = self.discovered
            facts["base_bdevs_list"] = [
                slot.name if slot.bdev else None for slot in self.slots]
            return facts
        facts["uuid"] = self.uuid
        facts["strip_size_kb"] = self.strip
        facts["state"] = self.state
        facts["raid_level"] = self.level
        facts["superblock"] = self.superblock
        facts["num_base_bdevs"] = len(self.slots)
        facts["num_base_bdevs_discovered"] = self.discovered
        facts["num_base_bdevs_operational"] = len(self.slots)
        if self.state == "online":
            facts["num_base_bdevs_operational"] = self.discovered
        facts["base_bdevs_list"] = [
            {"name": slot.name, "uuid": slot.uuid,
             "is_configured": slot.bdev is not None,
             "data_offset": slot.offset, "data_size": slot.size}
            for slot in self.slots]
        return facts


class Module:
    """The module's state."""

    def __init__(self, target):
        self.target = target
        self.raids = {}
        target.bdevs.examiners.append(self.examine)

    def examine(self, bdev):
        """A bdev has appeared."""
        for raid in list(self.raids.values()):
            for slot in raid.slots:
                if raid.state == "configuring" and slot.bdev is None \
                        and slot.name == bdev.name:
                    try:
                        self.configure(raid, slot, bdev)
                    except errors.CallError:
                        continue

    def configure(self, raid, slot, bdev):
        """Take a base bdev; go online with the last one.

        :raises errors.CallError: EPERM if it is claimed, EINVAL if it does
            not go with the others.
        """
        layer = self.target.bdevs
        layer.claim(bdev, "raid")
        others = [other.bdev for other in raid.slots if other.bdev]
        offset = _SUPERBLOCK // bdev.block_size if raid.superblock else 0
        if offset >= bdev.num_blocks or any(
                (other.block_size, other.md_size, other.dif_type)
                != (bdev.block_size, bdev.md_size, bdev.dif_type)
                for other in others):
            layer.release(bdev)
            raise errors.invalid()
        slot.bdev, slot.uuid = bdev, bdev.uuid
        slot.offset = offset
        slot.size = bdev.num_blocks - offset
        slot.opener = lambda _bdev: self.removed(raid, slot)
        bdev.openers.append(slot.opener)
        if raid.discovered == len(raid.slots):
            self._start(raid)

    def _start(self, raid):
        sizes = [slot.size for slot in raid.slots]
        first = raid.slots[0].bdev
        strip = max(1, raid.strip * 1024 // first.block_size)
        if raid.level == "concat":
            for slot in raid.slots:
                slot.size -= slot.size % strip
            blocks = sum(slot.size for slot in raid.slots)
        else:
            size = min(sizes)
            if raid.level == "raid0":
                size -= size % strip
            for slot in raid.slots:
                slot.size = size
            blocks = size * (len(raid.slots)
                             if raid.level == "raid0" else 1)
        bdev = bdevs.Bdev("raid", raid.name, first.block_size, blocks,
                          self._io(raid))
        bdev.product = "Raid Volume"
        bdev.uuid = raid.given_uuid
        bdev.md_size = first.md_size
        bdev.md_interleave = first.md_interleave
        bdev.dif_type = first.dif_type
        bdev.base_bdevs = tuple(slot.bdev for slot in raid.slots)
        bdev.domains = self._domains(raid)
        bdev.specific = lambda: {"raid": raid.facts(self.target.release)}
        bdev.config = lambda: self.config(raid)
        raid.bdev = bdev
        self.target.bdevs.register(bdev)
        raid.uuid = bdev.uuid
        raid.state = "online"

    @staticmethod
    def _io(raid):
        io = {"read", "write", "reset", "write_zeroes"}
        if all("write_zeroes" not in slot.bdev.io for slot in raid.slots):
            io.discard("write_zeroes")
        for kind in ("flush", "unmap"):
            if raid.level != "raid1" and all(kind in slot.bdev.io
                                             for slot in raid.slots):
                io.add(kind)
        return io

    def _domains(self, raid):
        release = self.target.release
        if release >= 2605:
            return tuple({"dma_device_type": kind} for slot in raid.slots
                         if slot.bdev.module == "malloc"
                         for kind in ("DMA", "ACCEL"))
        return tuple(domain for slot in raid.slots
                     for domain in slot.bdev.domains)

    def removed(self, raid, slot):
        """A base bdev goes."""
        self._free(slot)
        if raid.bdev is not None and not raid.bdev.removing:
            if raid.level == "raid1" and raid.discovered:
                slot.name, slot.uuid = None, _NULL
                return
            raid.state = "offline"
            self.raids.pop(raid.name, None)
            self.target.bdevs.unregister(raid.bdev,
                                         lambda: self._release(raid))
        elif raid.bdev is None:
            slot.uuid = _NULL

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
        the base bdevs does it."""
        if raid.superblock:
            return None
        params = {"name": raid.name}
        if self.target.release >= 2305:
            params["uuid"] = raid.uuid
        if raid.strip:
            params["strip_size_kb"] = raid.strip
        params["raid_level"] = raid.level
        params["base_bdevs"] = [
            slot.name or f"removed_base_bdev_{number}"
            for number, slot in enumerate(raid.slots)]
        return {"method": common.name(self.target.release,
                                      "bdev_raid_create"),
                "params": params}


@decode.decoder("rpc_decode_bdev_raid_level")
def _level(value):
    return decode.choice("raid0", "0", "raid1", "1", "raid5f", "5f",
                         "concat")(value)


@decode.decoder("rpc_decode_bdev_raid_state")
def _state(value):
    return decode.choice(*_STATES)(value)


@registry.method("bdev_raid_create")
def create(target, params, request):
    """Make a RAID bdev of bdevs, which may come later."""
    module = target.bdevs.modules["raid"]
    release = target.release
    name, names = params["name"], params["base_bdevs"]
    level = params["raid_level"]
    level = {"0": "raid0", "1": "raid1", "5f": "raid5f"}.get(level, level)
    if release < 2001 and level == 0:       # a number until v19.10
        level = "raid0"
    strip = params.get("strip_size_kb", params.get("strip_size", 0))

    def failed(number):
        return errors.CallError(
            -number, f"Failed to create RAID bdev {name}: "
            f"{os.strerror(number)}")

    if release < 2305:
        if not strip:
            raise errors.CallError(errno.EINVAL,
                                   "strip size not specified")
        if level not in ("raid0", "concat") or name in module.raids:
            number = errno.EEXIST if name in module.raids else errno.EINVAL
            raise errors.CallError(
                -number, f"Failed to add RAID bdev config {name}: "
                f"{os.strerror(number)}")
    if "" in names:
        raise errors.CallError(
            -errno.EINVAL, "The base bdev name cannot be empty: "
            "Invalid argument")
    if len(name.encode()) >= 64 and release >= 2309:
        raise failed(errno.EINVAL)
    if name in module.raids:
        raise failed(errno.EEXIST)
    power = strip and not strip & (strip - 1)
    if (level == "raid1") == bool(strip) or (level != "raid1"
                                             and not power) \
            or level not in _MIN_BASES or len(names) < _MIN_BASES[level]:
        raise failed(errno.EINVAL)
    raid = Raid(name, level, strip, names, params.get("uuid"),
                params.get("superblock", False))
    module.raids[name] = raid
    try:
        for slot in raid.slots:
            base = target.bdevs.find(slot.name)
            if base is not None and not base.removing:
                module.configure(raid, slot, base)
    except errors.CallError as exc:
        module.delete(raid, lambda: None)
        if release < 2305:
            raise errors.CallError(
                exc.code, f"Failed to add any base bdev to RAID bdev "
                f"{name}: {os.strerror(-exc.code)}") from None
        raise failed(-exc.code) from None
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("bdev_raid_get_bdevs")
def get_bdevs(target, params, request):
    """List the RAID bdevs of a state."""
    category = params["category"]
    if category not in _STATES:
        raise errors.invalid()
    found = [raid for raid in target.bdevs.modules["raid"].raids.values()
             if category in ("all", raid.state)]
    if target.release < 2305:
        return [raid.name for raid in found]
    return [{"name": raid.name, **_named(raid, target.release)}
            for raid in found]


def _named(raid, release):
    return raid.facts(release)


@registry.method("bdev_raid_delete")
def delete(target, params, request):
    """Remove a RAID bdev; its base bdevs stay."""
    module = target.bdevs.modules["raid"]
    raid = module.raids.get(params["name"])
    if raid is None:
        if target.release < 2305:
            raise errors.CallError(
                errno.ENODEV, f"raid bdev {params['name']} is not found in "
                "config")
        raise errors.CallError(-errno.ENODEV,
                               f"raid bdev {params['name']} not found")
    module.delete(raid, lambda: request.result(True))
    return registry.PENDING


@registry.method("bdev_raid_add_base_bdev")
def add_base_bdev(target, params, request):
    """Put a bdev into an empty place of a RAID bdev."""
    module = target.bdevs.modules["raid"]
    name, base_name = params["raid_bdev"], params["base_bdev"]
    raid = module.raids.get(name)
    if raid is None:
        raise errors.CallError(
            -errno.ENODEV, f"raid bdev {name} is not found in config")
    empty = [slot for slot in raid.slots if slot.name is None]
    base = target.bdevs.find(base_name)
    number = 0
    if not empty:
        number = errno.EINVAL
    elif base is None:
        number = errno.ENODEV
    elif base.claim:
        number = errno.EPERM
    if number:
        raise errors.CallError(
            -number, f"Failed to add base bdev {base_name} to RAID bdev "
            f"{name}: {os.strerror(number)}")
    empty[0].name = base_name
    module.configure(raid, empty[0], base)
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("bdev_raid_remove_base_bdev")
def remove_base_bdev(target, params, request):
    """Take a base bdev out of its RAID bdev."""
    module = target.bdevs.modules["raid"]
    for raid in list(module.raids.values()):
        for slot in raid.slots:
            if slot.bdev is not None and slot.name == params["name"]:
                module.removed(raid, slot)
                target.answer_later(request, lambda: True)
                return registry.PENDING
    raise errors.CallError(-errno.ENODEV,
                           "Failed to remove base bdev from raid bdev")
