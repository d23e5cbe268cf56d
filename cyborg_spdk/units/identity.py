# SPDX-License-Identifier: Apache-2.0

"""Which piece of which disk a bdev is: the same after each restart.

A handle says where a unit is reached; what lies behind it may be exchanged.
A UUID alone does not tell: that of a malloc, and up to v24.09 that of an aio
bdev, is made anew at each start. So it is what the bdev stands on.
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

#: A bdev as ``bdev_get_bdevs`` tells it.
Raw = Mapping[str, Any]

#: Finds a bdev by any of its names.
Find = Callable[[str], Raw | None]

#: Products whose bdevs are zero, or have no data, whenever they are made.
_BORN_ZERO = frozenset(('Malloc disk', 'Null disk'))

# As deep as bdevs are stacked; one that stands on itself ends here.
_DEEPEST = 16


def of(bdev: Raw, find: Find, depth: int = 0) -> str:
    """Tell what a bdev is.

    :param bdev: the bdev.
    :param find: finds those that it stands on.
    :returns: text without blanks, equal only for the same data.
    """
    product = str(bdev.get('product_name') or '').replace(' ', '_')
    specific = bdev.get('driver_specific') or {}
    own = next((one for one in specific.values() if isinstance(one, dict)),
               {})
    name, uuid = bdev['name'], bdev.get('uuid')
    size = bdev.get('block_size', 0) * bdev.get('num_blocks', 0)
    if 'lvol' in specific:
        return f'{product}:{uuid or name}'
    if 'filename' in own:
        return f'{product}:{own["filename"]}'
    if isinstance(specific.get('nvme'), list):
        return f'{product}:{_namespace(bdev)}'
    if 'raid' in specific:
        # By its members it would be another one whenever one is missing.
        return f'{product}:{name}:{own.get("raid_level")}:{size}'
    base = own.get('base_bdev_name') or own.get('base_bdev')
    if not isinstance(base, str) or depth > _DEEPEST:
        return f'{product}:{uuid or name}:{size}'
    below = find(base)
    part = f'{name}:' if 'split' in specific else ''
    key = own.get('key_name') or ''
    return f'{product}:{part}{key}(' + (
        of(below, find, depth + 1) if below is not None else f'?{base}') + ')'


def store(bdev: Raw, find: Find, depth: int = 0) -> str:
    """Name of the lvol store that a bdev takes its space from, or ''.

    :param bdev: the bdev: a volume, or what stands on one.
    :param find: finds those that it stands on.
    """
    specific = bdev.get('driver_specific') or {}
    if 'lvol' in specific:
        name = next(iter(bdev.get('aliases') or ()), '')
        return str(name).partition('/')[0]
    own = next((one for one in specific.values() if isinstance(one, dict)),
               {})
    base = own.get('base_bdev_name') or own.get('base_bdev')
    below = find(base) if isinstance(base, str) else None
    if below is None or depth > _DEEPEST:
        return ''
    return store(below, find, depth + 1)


def _namespace(bdev: Raw) -> str:
    """Serial number, namespace and UUID of an NVMe disk.

    bdev_nvme.c takes the UUID that the namespace reports, or makes one of
    serial number and NSID since v23.01.
    """
    found = (bdev['driver_specific']['nvme'] or [{}])[0]
    data = found.get('ctrlr_data') or {}
    number = (found.get('ns_data') or {}).get('id')
    serial = str(data.get('serial_number') or '').strip().replace(' ', '_')
    return f'{serial}:{number}:{bdev.get("uuid")}'


def born_zero(bdev: Raw) -> bool:
    """Whether nobody's data can be on a bdev that was just made.

    :param bdev: the bdev.
    """
    return bdev.get('product_name') in _BORN_ZERO
