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
                                       :mod:`cyborg_spdk.clients.types.kinds`
``CUSTOM_SPDK_READ_ONLY``              vhost-blk controller made read-only
``CUSTOM_SPDK_ENCRYPTED``              unit on a crypto bdev
``CUSTOM_SPDK_TLS``                    by ``tls`` in units.yaml, where the
                                       subsystem lets in with TLS alone
``CUSTOM_SPDK_QOS_<CLASS>``            by ``qos_class`` in units.yaml
``CUSTOM_SPDK_ACCEL_<OP>_<MODULE>``    operation that SPDK's accel framework
                                       gives to other than its software
                                       module
=====================================  ====================================
"""

from collections.abc import Mapping
import re
from typing import Any

from cyborg_spdk.clients.types import kinds

PREFIX = 'CUSTOM_SPDK'

#: The module that every SPDK has; its traits would say nothing.
SOFTWARE = 'software'

_TRANSPORT = f'{PREFIX}_NVMF_'
_TLS = f'{PREFIX}_TLS'
_QOS = f'{PREFIX}_QOS_'

_OTHER = re.compile(r'[^A-Z0-9]+')


def lasting(before: tuple[str, ...], now: tuple[str, ...]) -> tuple[str, ...]:
    """Traits of a unit that was reported before.

    A transport stays while the unit is reported: its listener may be away
    for a while, and is no fact about the unit. So does what units.yaml has
    promised, since that file may be away or damaged; but a unit has one
    class of QoS.

    :param before: the traits that it was reported with.
    :param now: those that it has now.
    :returns: sorted.
    """
    other = any(name.startswith(_QOS) for name in now)
    kept = {name for name in before if name.startswith(_TRANSPORT)
            or name == _TLS or name.startswith(_QOS) and not other}
    return tuple(sorted({*now, *kept}))


def spell(*parts: str | int) -> str | None:
    """A trait made of words.

    :param parts: str or int; what Placement does not take in them becomes
        an underscore.
    :returns: str, or None if a part has nothing that can be spelt.
    """
    words = [_OTHER.sub('_', str(part).upper()).strip('_') for part in parts]
    return '_'.join([PREFIX, *words])[:255] if all(words) else None


def named(*parts: str | int) -> frozenset[str]:
    """The same as a set, which is empty if nothing can be spelt."""
    return frozenset(filter(None, [spell(*parts)]))


def of_bdev(bdev: Mapping[str, Any] | None) -> set[str]:
    """Traits of a unit's backend.

    :param bdev: a bdev as ``bdev_get_bdevs`` shows it, or None.
    """
    if bdev is None:
        return set()
    kind = kinds.of_bdev(bdev.get('product_name') or '')
    return {*(named('ENCRYPTED') if kind.name == 'crypto' else ()),
            *named('BACKEND', kind.backend or kind.name),
            *named('BLOCK_SIZE', bdev.get('block_size') or '')}


def of_accel(assignments: Mapping[str, str] | None) -> frozenset[str]:
    """Traits of the accel framework of a target.

    :param assignments: reply of ``accel_get_opc_assignments``: the module
        by operation; releases before v22.05 have none.
    :returns: one for each operation that another than the software module
        does.
    """
    return frozenset[str]().union(*(
        named('ACCEL', operation, module)
        for operation, module in (assignments or {}).items()
        if module and module != SOFTWARE))
