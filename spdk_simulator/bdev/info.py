# SPDX-License-Identifier: Apache-2.0


"""What ``bdev_get_bdevs`` tells of a bdev (``lib/bdev/bdev_rpc.c``)."""

from spdk_simulator.bdev import domains

# Members of supported_io_types, in the order of each release.
_IO_TYPES_OLD = ("read", "write", "unmap", "write_zeroes", "flush", "reset",
                 "nvme_admin", "nvme_io")
_IO_TYPES_2209 = _IO_TYPES_OLD[:6] + (
    "compare", "compare_and_write", "abort", "nvme_admin", "nvme_io")
_IO_TYPES_2409 = (
    "read", "write", "unmap", "flush", "reset", "nvme_admin", "nvme_io",
    "nvme_io_md", "write_zeroes", "zcopy", "get_zone_info",
    "zone_management", "zone_append", "compare", "compare_and_write",
    "abort", "seek_hole", "seek_data", "copy", "nvme_iov_md")
_IO_TYPES_2509 = _IO_TYPES_2409 + ("nvme_nssr",)
_IO_TYPES_2601 = _IO_TYPES_2509 + ("write_uncorrectable",)


def io_type_names(release):
    """The io types that a release lists, in its order."""
    if release < 2209:
        return _IO_TYPES_OLD
    if release < 2409:
        return _IO_TYPES_2209
    if release < 2509:
        return _IO_TYPES_2409
    return _IO_TYPES_2509 if release < 2601 else _IO_TYPES_2601


def describe(target, bdev):
    """One element of the reply of ``bdev_get_bdevs``."""
    release = target.release
    if domains.endless(target.bdevs, bdev):
        target.process.crash()
    info = {"name": bdev.name}
    info["aliases"] = list(bdev.aliases)
    info["product_name"] = bdev.product
    info["block_size"] = bdev.block_size
    info["num_blocks"] = bdev.num_blocks
    if release >= 2509:
        for key, value in zip((
                "preferred_write_alignment",
                "preferred_write_granularity", "optimal_write_size",
                "preferred_unmap_alignment",
                "preferred_unmap_granularity"), bdev.preferred,
                strict=True):
            info[key] = value
    if release >= 1804:
        info["uuid"] = bdev.uuid
    if bdev.numa_id is not None and release >= (
            2409 if bdev.module == "nvme" else 2601):
        info["numa_id"] = bdev.numa_id
    if bdev.md_size and release >= 1904:
        _metadata(release, bdev, info)
    _limits(release, bdev, info)
    info["claimed"] = bdev.claim is not None
    if release >= 2305 and bdev.claim is not None:
        info["claim_type"] = bdev.claim[0]
    if release >= 1910:
        info["zoned"] = bdev.zoned is not None
        info.update(bdev.zoned or {})
    info["supported_io_types"] = {
        name: name in bdev.io or (
            name == "write_zeroes" and "write" in bdev.io
            and release >= 1807)
        for name in io_type_names(release)}
    shown = domains.shown(target.bdevs, bdev) if release >= 2605 \
        else bdev.domains
    if release >= 2205 and shown:
        info["memory_domains"] = list(shown)
    info["driver_specific"] = bdev.specific()
    return info


def _limits(release, bdev, info):
    if release >= 1810:
        info["assigned_rate_limits"] = dict(bdev.qos)
    elif release >= 1804:
        info["qos_ios_per_sec"] = bdev.qos["rw_ios_per_sec"]


def _metadata(release, bdev, info):
    info["md_size"] = bdev.md_size
    info["md_interleave"] = bdev.md_interleave
    info["dif_type"] = bdev.dif_type
    if bdev.dif_type:
        info["dif_is_head_of_md"] = bdev.dif_head
        info["enabled_dif_check_types"] = {
            "reftag": bdev.dif_type in (1, 2), "apptag": False,
            "guard": True}
        if release >= 2409:
            info["dif_pi_format"] = bdev.dif_pi_format
