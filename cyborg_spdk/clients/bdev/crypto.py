# SPDX-License-Identifier: Apache-2.0

"""Bdevs that encrypt."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients.bdev import crypto_key
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def create(client: base.Caller, name: str, base_bdev_name: str,
           key_name: str, *, exist_ok: bool = False,
           deferred: bool = False) -> str:
    """Create a bdev that encrypts (v23.01; before, keys had no names).

    :param name: its name.
    :param base_bdev_name: the bdev that it stands on and claims.
    :param key_name: a key that ``accel_crypto_key_create`` made.
    :param exist_ok: do not mind if it exists with these properties.
    :param deferred: do not mind if the base does not exist yet.
    :returns: its name.
    :raises NotFound: the base or the key does not exist.
    :raises PermissionDenied: another module has claimed the base.
    """
    validate.text('bdev', name)
    validate.text('bdev', base_bdev_name)
    validate.text('key name', key_name)
    method = 'bdev_crypto_create'
    below = bdevs.base_bdev(client, method, base_bdev_name, deferred)

    def cause(_exc: exceptions.RpcError) -> errors.Finding | None:
        if crypto_key.find(client, key_name) is None:
            return exceptions.NotFound, f'key {key_name!r} does not exist'
        return claims.claimed(client, base_bdev_name)

    wanted: errors.Wanted = {
        'product': ('crypto', lambda bdev: bdev.product_name),
        'base': (below and (below.name,), lambda bdev: bdev.bases),
        'key': (key_name, lambda bdev: bdev.own.get('key_name'))}
    base.create(
        client, method, f'bdev {name!r}', lambda: bdevs.find(client, name),
        wanted, exist_ok, cause, name=name, base_bdev_name=base_bdev_name,
        key_name=key_name)
    return name
