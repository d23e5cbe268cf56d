# SPDX-License-Identifier: Apache-2.0

"""Limits of what a consumer may do with its unit."""

from collections.abc import Mapping
import dataclasses

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from cyborg_spdk import rpc

#: As ``bdev_set_qos_limit`` names them.
NAMES = ('rw_ios_per_sec', 'rw_mbytes_per_sec', 'r_mbytes_per_sec',
         'w_mbytes_per_sec')

#: SPDK raises limits of operations to a multiple of that.
_STEP = 1000


@dataclasses.dataclass(frozen=True)
class Changed:
    """What was changed.

    :ivar before: the limits as they were, by name.
    :ivar now: the limits as they are.
    """

    before: dict[str, int]
    now: dict[str, int]


def change(client: rpc.Client, bdev: str,
           wanted: Mapping[str, int]) -> Changed:
    """Set limits of a bdev, also while it is used. Blocks.

    Compared before: SPDK v26.05 refuses for ever to set those of a bdev
    that has some and is not open.

    :param client: the client of the target.
    :param bdev: its name.
    :param wanted: limits by name; 0 is none; what is not named stays.
    :raises InvalidValue: for another name.
    :raises RpcError: if the target refuses, or has others afterwards.
    """
    for name in wanted:
        if name not in NAMES:
            raise exceptions.InvalidValue('limit', name, 'use one of '
                                          + ', '.join(NAMES))
    target = clients.BdevClient(client)
    before = _limits(target, bdev)
    rounded = {name: -(-value // _STEP) * _STEP
               if name == 'rw_ios_per_sec' else value
               for name, value in wanted.items()}
    missing = {name: value for name, value in rounded.items()
               if before.get(name, 0) != value}
    if not missing:
        return Changed(before, before)
    target.bdev_set_qos_limit(bdev, **missing)
    now = _limits(target, bdev)
    wrong = [name for name, value in missing.items()
             if now.get(name, 0) != value]
    if wrong:
        raise exceptions.rpc_error(
            -32603, 'the limits did not change', 'bdev_set_qos_limit', None,
            f'bdev {bdev}: {wrong[0]} is {now.get(wrong[0])}')
    return Changed(before, now)


def _limits(target: clients.BdevClient, bdev: str) -> dict[str, int]:
    found = target.bdev_get_bdevs(bdev)[0].assigned_rate_limits
    return {name: int(found.get(name, 0)) for name in NAMES}
