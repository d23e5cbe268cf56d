# SPDX-License-Identifier: Apache-2.0

"""The trace: its file, and the points that ``-e`` switches on.

As ``spdk_app_setup_trace()`` in ``lib/event/app.c``.
"""

import os

from spdk_simulator.app import cmdline
from spdk_simulator.jsonrpc import ctext

_ALL = 2 ** 64 - 1

# Where a group keeps its mask, also in releases that do not tell it there.
MASK = "_mask"


class _Wrong(Exception):
    """``-e`` is not understood.

    :ivar single: whether single points of a group are meant; before v22.09
        it was not noticed then that something was wrong.
    """

    single = False


def name(target):
    """Name of the trace's file in ``/dev/shm``."""
    number = target.config.shm_id
    return f"{target.trace_name}_trace." + (
        str(number) if number >= 0 else f"pid{target.pid}")


def groups(target):
    """The groups of trace points: name -> what is told about it."""
    return {key: group for key, group in target.options.facts[
        "trace_get_tpoint_group_mask"].items() if key != "tpoint_group_mask"}


def switch(group, mask):
    """Have the points of a mask on, in a group of :func:`groups`."""
    group["enabled"] = mask != 0
    group[MASK] = mask
    if "tpoint_mask" in group:
        group["tpoint_mask"] = f"0x{mask:x}"
        for point in group["tpoints"]:
            point["enabled"] = bool(mask >> point["tpoint_id"] & 1)


def start(process):
    """Make the trace's file and switch on what ``-e`` names.

    :param process: a :class:`.process.Process`; the file is made where it
        honours the host's resources.
    :raises cmdline.Exit: ``-e`` is not understood.
    """
    options, target = process.options, process.target
    if not options.trace_entries:
        return
    if options.hugepages == "honour":
        process.trace_file = _file("/dev/shm/" + name(target))  # noqa: S108
    if options.trace_groups is None:
        return
    try:
        _enable(process)
    except _Wrong as exc:
        if options.release >= 2209 or not exc.single:
            process.log.errlog(
                "app.c", 700, "spdk_app_setup_trace",
                f"invalid tpoint mask {options.trace_groups}")
        if options.release >= 2209:
            raise cmdline.Exit(1) from None
        if not exc.single:
            return
    process.log.noticelog(
        "app.c", 705, "spdk_app_setup_trace",
        f"Tracepoint Group Mask {options.trace_groups} specified.")


def _file(path):
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    os.ftruncate(fd, 3_400_000)
    os.close(fd)
    return path


def _enable(process):
    known = groups(process.target)
    for word in filter(None, process.options.trace_groups.split(",")):
        try:
            _switch_on(process, known, *word.partition(":"))
        except _Wrong as exc:
            exc.single = ":" in word
            raise


def _switch_on(process, known, text, single, points):
    mask = _group_mask(text, known)
    own = _ALL
    if single:
        if not mask or mask & (mask - 1):
            for line in (f"Tpoint group mask: {text} contains multiple "
                         "tpoint groups.", "This is not supported, to "
                         "prevent from activating tpoints by mistake."):
                process.log.errlog("app.c", 640, "spdk_app_setup_trace",
                                   line)
            raise _Wrong
        if not points:
            # strtoull() of no text at all.
            process.crash()
        own = _point_mask(points, text, mask, known, process)
    for group in known.values():
        if int(group["mask"], 16) & mask:
            switch(group, int(group.get("tpoint_mask", "0"), 16) | own)


def _group_mask(text, known):
    number, rest = ctext.leading(text, 16)
    if not rest and 0 <= number < 2 ** 64:
        return number
    if text == "all":
        return sum(int(group["mask"], 16) for group in known.values())
    if text not in known:
        raise _Wrong
    return int(known[text]["mask"], 16)


def _point_mask(text, group_text, mask, known, process):
    number, rest = ctext.leading(text, 16)
    if not rest and 0 <= number < 2 ** 64:
        return number
    if process.options.release < 2605:
        raise _Wrong
    points = {point["name"].lower(): point["tpoint_id"]
              for group in known.values() if int(group["mask"], 16) == mask
              for point in group.get("tpoints", ())}
    found = 0
    for word in text.split("+"):
        if word.lower() not in points:
            process.log.errlog("app.c", 665, "spdk_app_setup_trace",
                               f"no tpoint '{word}' in group '{group_text}'")
            raise _Wrong
        found |= 1 << points[word.lower()]
    return found
