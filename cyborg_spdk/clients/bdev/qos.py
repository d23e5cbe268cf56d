# SPDX-License-Identifier: Apache-2.0

"""Limits of the rate of a block device."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def set_limit(client: base.Caller, name: str, *,
              rw_ios_per_sec: int | None = None,
              rw_mbytes_per_sec: int | None = None,
              r_mbytes_per_sec: int | None = None,
              w_mbytes_per_sec: int | None = None) -> bool:
    """Limit the rate of a block device; what is None stays.

    :param name: name of the bdev.
    :param rw_ios_per_sec: operations per second; 0 is no limit. SPDK
        raises it to a multiple of 1000.
    :param rw_mbytes_per_sec: MiB per second, reads and writes; 0 is no
        limit.
    :param r_mbytes_per_sec: reads alone (v19.01).
    :param w_mbytes_per_sec: writes alone (v19.01).
    :returns: True.
    :raises NotFound: the bdev does not exist.
    :raises Busy: v26.05 cannot change the limits of a bdev that has some
        already while nobody uses it.
    """
    wanted = {'rw_ios_per_sec': rw_ios_per_sec,
              'rw_mbytes_per_sec': rw_mbytes_per_sec,
              'r_mbytes_per_sec': r_mbytes_per_sec,
              'w_mbytes_per_sec': w_mbytes_per_sec}
    # The greatest number means "as it was" to SPDK.
    limits = {key: validate.integer(key, value, 0, 2 ** 64 - 2)
              for key, value in wanted.items() if value is not None}
    if not limits:
        validate.refuse('limits', None, 'give one limit at least')
    validate.text('bdev', name)

    def cause(exc: exceptions.RpcError) -> errors.Finding | None:
        return _unused(exc, name) or bdevs.missing(client, name)

    return base.act(client, 'bdev_set_qos_limit', name=name, **limits,
                    _about=f'bdev {name!r}', _cause=cause)


def _unused(exc: exceptions.RpcError, name: str) -> errors.Finding | None:
    # v26.05, bdev_open() -> bdev_start_qos(): the open of the RPC itself is
    # what makes the change busy.
    if 'temporarily unavailable' not in exc.message:
        return None
    return exceptions.Busy, f'bdev {name!r} has limits already and nobody ' \
        'uses it: SPDK v26.05 can change them only while it is open, for ' \
        'example as a namespace'
