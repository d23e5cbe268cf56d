# SPDX-License-Identifier: Apache-2.0

"""``bdev_raid_*`` (``module/bdev/raid``)."""

import errno
import functools
import os

from spdk_simulator.bdev import common
from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry
from spdk_simulator.raid import raid as raid_

_STATES = ("online", "configuring", "offline", "all")
_MIN_BASES = {"raid0": 1, "concat": 1, "raid1": 2, "raid5f": 3}


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
    strip = params.get("strip_size_kb", 0) or params.get("strip_size", 0)
    if params.get("strip_size_kb") and params.get("strip_size"):
        raise errors.invalid_params(
            "please use only one strip size option")

    common.old_uuid(release, params, 2401, errors.INVALID_PARAMS)
    if release < 2301:
        if not strip:
            raise errors.CallError(errno.EINVAL,
                                   "strip size not specified")
        module.create(name, level, strip, names)
        return True

    def failed(number):
        return errors.CallError(
            -number,
            f"Failed to create RAID bdev {name}: {os.strerror(number)}")

    if "" in names and release >= 2405:
        raise errors.CallError(
            -errno.EINVAL, "The base bdev name cannot be empty: "
            "Invalid argument")
    if len(name.encode()) >= 64 and release >= 2401:
        raise failed(errno.EINVAL)
    if name in module.raids:
        raise failed(errno.EEXIST)
    power = strip and not strip & (strip - 1)
    if (level == "raid1") == bool(strip) or (level != "raid1"
                                             and not power) \
            or level == "raid5f" \
            or level not in _MIN_BASES or len(names) < _MIN_BASES[level]:
        raise failed(errno.EINVAL)
    # The level of five disks is not part of a build unless asked for.
    raid = raid_.Raid(name, level, strip, names, params.get("uuid"),
                params.get("superblock", False))
    module.raids[name] = raid
    slot = None
    try:
        for slot in raid.slots:
            base = target.bdevs.find(slot.name)
            if base is not None and not base.removing:
                module.configure(raid, slot, base)
    except errors.CallError as exc:
        module.delete(raid, lambda: None)
        if release < 2401:
            raise errors.CallError(
                exc.code, f"Failed to add base bdev {slot.name} to RAID "
                f"bdev {name}: {os.strerror(-exc.code)}") from None
        raise failed(-exc.code) from None
    raid.fresh = False
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("bdev_raid_get_bdevs")
def get_bdevs(target, params, request):
    """List the RAID bdevs of a state."""
    category = params["category"]
    if 2301 <= target.release < 2605 and category.lower() != "all":
        category = category.lower()
    if category not in _STATES:
        raise errors.invalid()
    module = target.bdevs.modules["raid"]
    if target.release < 2301:
        return module.names(category)
    found = [raid for raid in module.raids.values()
             if category in ("all", raid.state)]
    return [{"name": raid.name, **_named(raid, target.release)}
            for raid in found]


def _named(raid, release):
    return raid.facts(release)


@registry.method("bdev_raid_delete")
def delete(target, params, request):
    """Remove a RAID bdev; its base bdevs stay."""
    module = target.bdevs.modules["raid"]
    if target.release < 2301:
        module.remove(params["name"], request)
        return registry.PENDING
    raid = module.raids.get(params["name"])
    if raid is None:
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
    verb = "add"
    if target.release < 2405:
        verb = "attach"
        if target.bdevs.find(base_name) is None:
            raise errors.CallError(
                -errno.ENODEV, f"Failed to open bdev {base_name}: "
                f"{os.strerror(errno.ENODEV)}")
    try:
        module.add(raid, base_name)
    except errors.CallError as exc:
        raise errors.CallError(
            exc.code, f"Failed to {verb} base bdev {base_name} to RAID bdev "
            f"{name}: {exc.message}") from None
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("bdev_raid_remove_base_bdev")
def remove_base_bdev(target, params, request):
    """Take a base bdev out of its RAID bdev."""
    module = target.bdevs.modules["raid"]
    base = target.bdevs.find(params["name"])
    for raid in list(module.raids.values()):
        for slot in raid.slots:
            if slot.bdev is not None and slot.bdev is base:
                online = raid.state == "online"
                # What never was online is never told of in v24.01.
                told = online or target.release >= 2405
                module.removed(raid, slot, functools.partial(
                    request.result, True) if told else None)
                return registry.PENDING
    raise errors.CallError(-errno.ENODEV,
                           "Failed to remove base bdev from raid bdev")
