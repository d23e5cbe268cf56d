# SPDX-License-Identifier: Apache-2.0

"""The counters of a bdev as ``bdev_get_iostat`` shows them."""

from spdk_simulator.bdev import layer as bdev_layer

# Modules look at each new bdev (GPT, lvol and raid metadata): a real
# target's counters are not zero either when nobody has used the bdev.
_EXAMINE_READS = 6
_LATENCY = 34_000

_KINDS = (("read", "read"), ("written", "write"), ("unmapped", "unmap"),
          ("copied", "copy"))


_EXPORT = "NVMe-oF Target"


def in_use(target):
    """The bdevs of which somebody holds an I/O channel all the time: of
    themselves, or of one on top of them.

    :returns: set of bdevs; the cost is linear in their number.
    """
    return used_here(target) | exported(target)


def used_here(target):
    """Those of which the first thread holds one."""
    holders = ["lvol"]
    if target.release >= 2401:
        holders.append("raid")
    return _beneath(bdev for bdev in target.bdevs.list
                    if bdev.channel or bdev.limited
                    or _claimed(bdev, holders))


def exported(target):
    """Those of which the NVMe-oF poll groups hold one."""
    return _beneath(bdev for bdev in target.bdevs.list
                    if _claimed(bdev, (_EXPORT,)))


def hops(target):
    """How late each bdev answers for its counters.

    A bdev that is in use answers one message later; this thread's channels
    are looked at before those of a poll group, whose answer comes while
    this thread still has its own to read.

    :returns: a function of a bdev, to sort by.
    """
    here, away = used_here(target), exported(target)
    return lambda bdev: 2 * (bdev in here) + (bdev in away)


def _claimed(bdev, holders):
    return bdev.claim is not None and bdev.claim[1] in holders \
        and bdev.claim[0] != bdev_layer.READ_MANY_WRITE_NONE


def _beneath(tops):
    found, todo = set(), list(tops)
    while todo:
        bdev = todo.pop()
        if bdev not in found:
            found.add(bdev)
            todo += bdev.base_bdevs
    return found


def describe(target, bdev):
    """One element of ``bdevs``.

    Every look at the counters finds one more read: they move.
    """
    release = target.release
    bdev.reads += 1
    reads = _EXAMINE_READS + bdev.reads - 1
    counters = {"read": (reads * bdev.block_size, reads),
                "write": bdev.written, "unmap": bdev.unmapped}
    info = {"name": bdev.name}
    kinds = _KINDS if release >= 2301 else _KINDS[:3] \
        if release >= 1901 else _KINDS[:2]
    for past, kind in kinds:
        size, number = counters.get(kind, (0, 0))
        info[f"bytes_{past}"] = size
        info[f"num_{kind}_ops"] = number
    for _, kind in kinds:
        number = counters.get(kind, (0, 0))[1]
        info[f"{kind}_latency_ticks"] = number * _LATENCY
        if release >= 2301:
            extreme = _LATENCY if number else 0
            info[f"max_{kind}_latency_ticks"] = extreme
            info[f"min_{kind}_latency_ticks"] = extreme
    if release >= 2301:
        info["io_error"] = {}
    if bdev.period:
        info["queue_depth_polling_period"] = bdev.period
        info["queue_depth"] = 0
        info["io_time"] = 0
        info["weighted_io_time"] = 0
    if bdev.module == "nvme" and release >= 2301:
        info["driver_specific"] = {}
    return info
