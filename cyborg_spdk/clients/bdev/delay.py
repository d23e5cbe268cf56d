# SPDX-License-Identifier: Apache-2.0

"""Bdevs that are slow on purpose."""

from collections.abc import Callable
from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate

#: schema.json, bdev_delay_latency_type.
LATENCIES = ('avg_read', 'p99_read', 'avg_write', 'p99_write')


def create(client: base.Caller, name: str, base_bdev_name: str, *,
           avg_read_latency: int, p99_read_latency: int,
           avg_write_latency: int, p99_write_latency: int,
           exist_ok: bool = False, deferred: bool = False,
           **options: Any) -> str:
    """Create a bdev that is slow on purpose (v19.07).

    :param name: its name.
    :param base_bdev_name: the bdev that it stands on and claims.
    :param avg_read_latency: microseconds, as the following three.
    :param p99_read_latency: not less than the average.
    :param avg_write_latency: microseconds.
    :param p99_write_latency: not less than the average.
    :param exist_ok: do not mind if it exists with these properties.
    :param deferred: do not mind if the base does not exist yet.
    :param options: others that the release has: uuid.
    :returns: its name.
    :raises NotFound: the base does not exist.
    :raises PermissionDenied: another module has claimed the base.
    """
    validate.text('bdev', name)
    validate.text('bdev', base_bdev_name)
    latencies = {'avg_read_latency': avg_read_latency,
                 'p99_read_latency': p99_read_latency,
                 'avg_write_latency': avg_write_latency,
                 'p99_write_latency': p99_write_latency}
    _check(latencies)
    method = 'bdev_delay_create'
    below = bdevs.base_bdev(client, method, base_bdev_name, deferred)
    base.create(
        client, method, f'bdev {name!r}', lambda: bdevs.find(client, name),
        _wanted(below, latencies), exist_ok,
        lambda _exc: claims.claimed(client, base_bdev_name), name=name,
        base_bdev_name=base_bdev_name, **latencies, **options)
    return name


def _check(latencies: dict[str, int]) -> None:
    for key, value in latencies.items():
        validate.integer(key, value, 0, 2 ** 64 - 1)
    for way in ('read', 'write'):
        # vbdev_delay.c, create_delay_disk().
        highest = latencies[f'p99_{way}_latency']
        if highest < latencies[f'avg_{way}_latency']:
            validate.refuse(f'p99_{way}_latency', highest,
                            f'it is less than avg_{way}_latency')


def _wanted(below: types.Bdev | None,
            latencies: dict[str, int]) -> errors.Wanted:
    return {'product': ('delay', lambda bdev: bdev.product_name),
            'base': (below and (below.name,), lambda bdev: bdev.bases),
            **{key: (value, _reader(key))
               for key, value in latencies.items()}}


def _reader(key: str) -> Callable[[types.Bdev], Any]:
    return lambda bdev: bdev.own.get(key)


def update_latency(client: base.Caller, delay_bdev_name: str,
                   latency_type: str, latency_us: int) -> bool:
    """Change one latency of a delay bdev (v19.10).

    :param delay_bdev_name: its name.
    :param latency_type: one of :data:`LATENCIES`.
    :param latency_us: microseconds.
    :returns: True.
    :raises NotFound: there is no delay bdev of that name.
    """
    latency_type = validate.choice('latency_type', latency_type, LATENCIES)
    validate.integer('latency_us', latency_us, 0, 2 ** 64 - 1)
    return base.act(
        client, 'bdev_delay_update_latency', delay_bdev_name=delay_bdev_name,
        latency_type=latency_type, latency_us=latency_us,
        _about=f'delay bdev {delay_bdev_name!r}',
        _cause=lambda _exc: bdevs.not_of_kind(client, delay_bdev_name,
                                              'delay'))
