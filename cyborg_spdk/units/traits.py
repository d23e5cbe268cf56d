# SPDX-License-Identifier: Apache-2.0

"""Traits: lasting facts about a unit, in Placement's spelling.

Placement takes ``CUSTOM_`` and capital letters, digits and underscores, 255
characters in all. When the last provider that has a trait loses it, Cyborg
deletes the trait, and a candidate query that names it then answers HTTP 400
instead of none: so a trait here says what a unit is, never how it fares.

=====================================  ====================================
trait                                  has it
=====================================  ====================================
``CUSTOM_SPDK``                        every unit
``CUSTOM_SPDK_NVMF_<TRANSPORT>``       namespace whose subsystem listens on
                                       TCP, RDMA, FC, VFIOUSER
``CUSTOM_SPDK_VHOST_BLK``, ``_SCSI``   by the kind of vhost controller
``CUSTOM_SPDK_ISCSI``                  LUN of an iSCSI target node
``CUSTOM_SPDK_BLOCK_SIZE_<BYTES>``     by the bdev's block size
``CUSTOM_SPDK_BACKEND_<PRODUCT>``      by the bdev's kind; see
                                       :data:`BACKENDS`
``CUSTOM_SPDK_READ_ONLY``              vhost-blk controller made read-only
``CUSTOM_SPDK_ACCEL_<OP>_<MODULE>``    operation that SPDK's accel framework
                                       gives to other than its software
                                       module
=====================================  ====================================
"""

import re

PREFIX = 'CUSTOM_SPDK'

#: Short names of bdev products (``product_name`` as SPDK v22.01 to v26.05
#: write it). Any other is spelt out.
BACKENDS = {
    'Malloc disk': 'MALLOC',
    'Null disk': 'NULL',
    'AIO disk': 'AIO',
    'URING bdev': 'URING',
    'NVMe disk': 'NVME',
    'Logical Volume': 'LVOL',
    'Raid Volume': 'RAID',
    'Split Disk': 'SPLIT',
    'Error Injection Disk': 'ERROR',
    'passthru': 'PASSTHRU',
    'delay': 'DELAY',
    'crypto': 'CRYPTO',
    'compress': 'COMPRESS',
    'Ceph Rbd Disk': 'RBD',
    'FTL disk': 'FTL',
    'VirtioBlk Disk': 'VIRTIO_BLK',
    'Virtio SCSI Disk': 'VIRTIO_SCSI',
    'iSCSI LUN': 'ISCSI',
    'OCF': 'OCF',
    'ZNS NVMe disk': 'NVME_ZNS',
}

#: The module that every SPDK has; its traits would say nothing.
SOFTWARE = 'software'

_OTHER = re.compile(r'[^A-Z0-9]+')


def spell(*parts):
    """A trait made of words.

    :param parts: str or int; what Placement does not take in them becomes
        an underscore.
    :returns: str, or None if a part has nothing that can be spelt.
    """
    words = [_OTHER.sub('_', str(part).upper()).strip('_') for part in parts]
    return '_'.join([PREFIX, *words])[:255] if all(words) else None


def of_bdev(bdev):
    """Traits of a unit's backend.

    :param bdev: a bdev as ``bdev_get_bdevs`` shows it (dict), or None.
    :returns: set of str.
    """
    if bdev is None:
        return set()
    product = bdev.get('product_name') or ''
    found = {spell('BACKEND', BACKENDS.get(product, product)),
             spell('BLOCK_SIZE', bdev.get('block_size') or '')}
    return found - {None}


def of_accel(assignments):
    """Traits of the accel framework of a target.

    :param assignments: reply of ``accel_get_opc_assignments``: the module
        (str) by operation (str); releases before v22.05 have none.
    :returns: set of str: one for each operation that another than the
        software module does.
    """
    return {spell('ACCEL', operation, module)
            for operation, module in (assignments or {}).items()
            if module and module != SOFTWARE} - {None}
