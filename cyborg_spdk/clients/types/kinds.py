# SPDX-License-Identifier: Apache-2.0

"""Kinds of bdev, as data.

SPDK tells the module of a bdev only by ``product_name``, and has had no
delete call for bdevs of any kind since v19.04: each module has its own.
The names are those in ``module/bdev`` (``lib/bdev`` before v19.07) of the
releases from v18.01 to v26.05.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of bdev.

    :ivar name: short name of the module: ``"malloc"``.
    :ivar delete: the RPC that deletes it, or None if it has none.
    :ivar key: name of that RPC's parameter.
    :ivar of: what the parameter names: ``"bdev"`` itself, its ``"base"``,
        the ``"controller"`` that it is a namespace of, or the ``"device"``
        (virtio) that it is a part of. Anything but ``"bdev"`` deletes
        sisters too.
    :ivar backend: what traits call it, where that is not ``name``.
    """

    name: str
    delete: str | None
    key: str = 'name'
    of: str = 'bdev'
    backend: str | None = None


_NVME = Kind('nvme', 'bdev_nvme_detach_controller', of='controller')
_RAID = Kind('raid', 'bdev_raid_delete')

#: Kinds by ``product_name``.
BY_PRODUCT = {
    'Malloc disk': Kind('malloc', 'bdev_malloc_delete'),
    'Null disk': Kind('null', 'bdev_null_delete'),
    'AIO disk': Kind('aio', 'bdev_aio_delete'),
    'Error Injection Disk': Kind('error', 'bdev_error_delete'),
    'passthru': Kind('passthru', 'bdev_passthru_delete'),
    'delay': Kind('delay', 'bdev_delay_delete'),
    'crypto': Kind('crypto', 'bdev_crypto_delete'),
    'compress': Kind('compress', 'bdev_compress_delete'),
    'Split Disk': Kind('split', 'bdev_split_delete', 'base_bdev', 'base'),
    'Raid Volume': _RAID,
    'Pooled Device': _RAID,                  # v18.04 to v18.10
    'Logical Volume': Kind('lvol', 'bdev_lvol_delete'),
    'NVMe disk': _NVME,
    'NVMe ZNS disk': dataclasses.replace(_NVME, backend='nvme_zns'),
    'NVMe Passthrough disk': dataclasses.replace(
        _NVME, backend='nvme_passthrough'),
    'Open Channel SSD': Kind('ocssd', 'bdev_ocssd_delete'),
    'iSCSI LUN': Kind('iscsi', 'bdev_iscsi_delete'),
    'Ceph Rbd Disk': Kind('rbd', 'bdev_rbd_delete'),
    'URING bdev': Kind('uring', 'bdev_uring_delete'),
    'xNVMe bdev': Kind('xnvme', 'bdev_xnvme_delete'),
    'DAOS bdev': Kind('daos', 'bdev_daos_delete'),
    'FTL disk': Kind('ftl', 'bdev_ftl_delete'),
    'SPDK OCF': Kind('ocf', 'bdev_ocf_delete'),
    'zone_block': Kind('zone_block', 'bdev_zone_block_delete'),
    'pmemblk disk': Kind('pmem', 'bdev_pmem_delete'),
    'Virtio SCSI Disk': Kind('virtio_scsi', 'bdev_virtio_detach_controller',
                             of='device'),
    'VirtioBlk Disk': Kind('virtio_blk', 'bdev_virtio_detach_controller'),
    'GPT Disk': Kind('gpt', None),
}


def of_bdev(product_name: str) -> Kind:
    """The kind of a bdev.

    :param product_name: as the target reports it.
    :returns: :class:`Kind`; for a product that is not known one that has
        no delete call, named after the product.
    """
    return BY_PRODUCT.get(product_name) or Kind(
        product_name.lower().replace(' ', '_'), None)
