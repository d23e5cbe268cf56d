# SPDX-License-Identifier: Apache-2.0
"""``bdev_*_histogram*``: latencies in buckets, in which nothing ever is."""

import base64
import errno
import os

from spdk_simulator.bdev import info as bdev_info
from spdk_simulator.bdev import iostat
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry

_GRANULARITY = 7
_MIN_NSEC = 1000
_MAX_NSEC = 120_000_000_000
_NO_LIMIT = 2 ** 64 - 1


@registry.method("bdev_enable_histogram")
def enable_histogram(target, params, request):
    """Begin or end to count latencies in buckets."""
    bdev = target.bdevs.get(params["name"])
    opc = params.get("opc")
    if opc is not None and opc not in bdev_info.io_type_names(
            target.release):
        raise errors.internal("Invalid Io type")
    before, bdev.histogram = bdev.histogram, params["enable"]
    bdev.histogram_opc = opc
    granularity = params.get("granularity", _GRANULARITY)

    def place(name, default):
        # Multiplied in 64 bits, with what is lost.
        product = params.get(name, default) * target.tick_rate % 2 ** 64
        return product // 10 ** 9

    # Without limits up to v25.05.
    limits = (_MIN_NSEC, _MAX_NSEC) if target.release >= 2509 \
        else (0, _NO_LIMIT)
    low, high = place("min_nsec", limits[0]), _NO_LIMIT
    if params.get("max_nsec", limits[1]) != _NO_LIMIT:
        high = place("max_nsec", limits[1])
    bdev.histogram_range = None
    if low < high:
        bdev.histogram_range = (granularity, _range(low, granularity),
                                _range(high - 1, granularity))

    def enabled():
        # bdev_histogram_enable_channel(): an I/O channel needs buckets,
        # unless it has some.
        if bdev.histogram and not before and bdev.histogram_range is None \
                and bdev in iostat.in_use(target):
            bdev.histogram = False
            raise errors.system(errno.ENOMEM)
        return True

    target.answer_later(request, enabled)
    return registry.PENDING


def _range(ticks, granularity):
    """In which range of buckets a number of ticks is."""
    return max(0, ticks.bit_length() - granularity)


def _buckets(number):
    """That many empty buckets, of 64 bits each."""
    return base64.b64encode(bytes(number * 8)).decode()


def _ranges(target, name):
    """Granularity, first and last range of a bdev's histogram.

    :raises errors.CallError: ENODEV, or ENOMEM where there is none.
    """
    bdev = target.bdevs.get(name)
    if bdev.histogram_range is None:
        raise errors.system(errno.ENOMEM)
    return bdev.histogram_range


def _merge(target, bdev, reply, request):
    """Answer when the buckets of each I/O channel were added.

    A channel has buckets while they are switched on
    (``lib/bdev/bdev.c``, bdev_histogram_get_channel()).
    """
    def merged():
        if not bdev.histogram and bdev in iostat.in_use(target):
            raise errors.internal(os.strerror(errno.EFAULT))
        return reply

    target.answer_later(request, merged)
    return registry.PENDING


@registry.method("bdev_get_histogram")
def get_histogram(target, params, request):
    """Tell the buckets."""
    if target.release >= 2505:
        granularity, low, high = _ranges(target, params["name"])
        reply = {"histogram": _buckets((high - low + 1) << granularity),
                 "granularity": granularity, "min_range": low,
                 "max_range": high, "tsc_rate": target.tick_rate}
    else:
        reply = {"histogram": _buckets((64 - 7 + 1) << 7),
                 "bucket_shift": 7, "tsc_rate": target.tick_rate}
    return _merge(target, target.bdevs.get(params["name"]), reply, request)


@registry.method("bdev_get_histogram_borders")
def get_histogram_borders(target, params, request):
    """Tell how many latencies are up to each border, and how many in all."""
    borders = params["borders"]
    if not borders:
        return get_histogram(target, params, request)
    _ranges(target, params["name"])
    reply = {"borders_count": [0] * (len(borders) + 1)}
    return _merge(target, target.bdevs.get(params["name"]), reply, request)
