# SPDX-License-Identifier: Apache-2.0


"""Memory domains of bdevs (v26.05 and later).

Modules on top ask what is below them: passthru and delay bdevs their base,
volumes their store's base and the bdev that they began as, RAID bdevs all
of their bases. A RAM disk tells of every domain when one on top asks it,
and shows none itself: of that it asks the module of acceleration.
"""

_ABOVE = frozenset(("passthru", "delay"))


def _asked(layer, bdev):
    """The bdevs that a bdev asks."""
    if bdev.module == "lvol":
        external = bdev.lvol.external
        found = layer.find(external) if external else None
        return [other for other in (bdev.lvol.store.base, found) if other]
    if bdev.module == "raid":
        return [slot.bdev for slot in bdev.raid.slots if slot.bdev]
    return list(bdev.base_bdevs) if bdev.module in _ABOVE else []


def endless(layer, bdev, above=()):
    """Tell whether a bdev is asked by those that it asks itself.

    A real target asks on until its stack is used up.

    :param layer: the :class:`.bdevs.Layer`.
    """
    return bdev in above or any(
        endless(layer, other, (*above, bdev))
        for other in _asked(layer, bdev))


def _listed(layer, bdev):
    """What a bdev answers one on top (``get_memory_domains``)."""
    if bdev.module == "malloc":
        return [] if bdev.dif_type else ["DMA", "ACCEL"]
    if bdev.module == "nvme":
        return ["DMA"]
    return [kind for other in _asked(layer, bdev)
            for kind in _listed(layer, other)]


def shown(layer, bdev):
    """What is shown of a bdev (``get_memory_domain_types``).

    :returns: list of dicts.
    """
    while bdev.module in _ABOVE:
        bdev, = bdev.base_bdevs
    kinds = [] if bdev.module == "malloc" else _listed(layer, bdev)
    return [{"dma_device_type": kind} for kind in kinds[:16]]
