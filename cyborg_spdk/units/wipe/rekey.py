# SPDX-License-Identifier: Apache-2.0

"""A new key for an encrypted unit, before its zeroes.

First the new key is on the disk in place of the old one, then the target
gets it: the old key on a disk would be the danger, not the data. SPDK ends
if a key is taken away that a bdev uses, so the bdev goes first; its export
goes with it, and is made again as it was.
"""

from oslo_config import cfg

from cyborg_spdk import clients
from cyborg_spdk.clients import types
from cyborg_spdk import rpc
from cyborg_spdk.units import crypto_keys
from cyborg_spdk.units import exports


def key_of(conf: cfg.ConfigOpts, bdev: types.Bdev) -> str | None:
    """Name of the key of an encrypted bdev, if it is one of ours.

    :param conf: the configuration.
    :param bdev: the bdev.
    """
    name = bdev.own.get('key_name')
    if 'crypto' not in bdev.driver_specific or not isinstance(name, str):
        return None
    return name if crypto_keys.load(conf.spdk.state_path, name) else None


def rekey(conf: cfg.ConfigOpts, client: rpc.Client, handle: str,
          bdev: types.Bdev, name: str) -> None:
    """Give a unit that nobody uses a new key. Blocks.

    :param conf: the configuration.
    :param client: the client of the target.
    :param handle: the unit's handle.
    :param bdev: its bdev.
    :param name: name of the key.
    :raises SpdkError: if a step fails; the next wipe begins anew.
    """
    bdevs = clients.BdevClient(client)
    space = exports.namespace(client, handle)
    base = bdev.bases[0]
    crypto_keys.make(conf.spdk.state_path, name)
    bdevs.bdev_delete(bdev.name)
    bdevs.accel_crypto_key_destroy(name, missing_ok=True)
    crypto_keys.give(conf.spdk.state_path, name, client)
    bdevs.bdev_crypto_create(bdev.name, base, name, exist_ok=True)
    exports.again(client, handle, bdev.name, space)
