# SPDX-License-Identifier: Apache-2.0

"""Keys of encrypted units: one each, in a file of mode 0600, never shown.

The file is the only one that has it: a key that is made anew replaces the
old one there, and what was written with the old one is noise from then on.
"""

import hashlib
import json
import os
import secrets

from oslo_config import cfg

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files
from cyborg_spdk import rpc

_WHAT = '[spdk] state_path'
_CIPHER = 'AES_XTS'


def _path(conf: cfg.ConfigOpts, target: str, name: str) -> str:
    digits = hashlib.sha256(f'{target}\0{name}'.encode()).hexdigest()[:32]
    return os.path.join(conf.spdk.state_path, 'keys', f'crypto-{digits}.json')


def load(conf: cfg.ConfigOpts, target: str,
         name: str) -> dict[str, str] | None:
    """The parameters of ``accel_crypto_key_create`` for a key of ours.

    :param conf: the configuration.
    :param target: name of the target.
    :param name: name of the key.
    :returns: None if it is none of ours.
    :raises StateError: if it is, and cannot be read.
    """
    path = _path(conf, target, name)
    data = trusted_files.read(path, limit=4096)
    if data is None:
        return None
    try:
        value = json.loads(data)
        return {one: str(value[one])
                for one in ('name', 'cipher', 'key', 'key2')}
    except (ValueError, TypeError, KeyError):
        raise exceptions.StateError(
            f'{path}: the key makes no sense; what it was for is lost: wipe '
            'the unit') from None


def make(conf: cfg.ConfigOpts, target: str, name: str) -> None:
    """Make a key, or make it anew: the old one is nowhere then.

    :param conf: the configuration.
    :param target: name of the target.
    :param name: name of the key.
    :raises StateError: if it cannot be written; the old one is still there.
    """
    above = trusted_files.ensure_directory(conf.spdk.state_path, what=_WHAT)
    trusted_files.ensure_directory(os.path.join(above, 'keys'), what=_WHAT)
    trusted_files.write_atomically(
        _path(conf, target, name), json.dumps({
            'name': name, 'cipher': _CIPHER, 'key': secrets.token_hex(32),
            'key2': secrets.token_hex(32)}).encode())


def remove(conf: cfg.ConfigOpts, target: str, name: str) -> None:
    """Take a key away: what was written with it is noise.

    :param conf: the configuration.
    :param target: name of the target.
    :param name: name of the key.
    """
    try:
        os.unlink(_path(conf, target, name))
    except FileNotFoundError:
        return


def give(conf: cfg.ConfigOpts, target: str, name: str,
         client: rpc.Client) -> None:
    """Give a target a key of ours, if it does not have it.

    :param conf: the configuration.
    :param target: name of the target.
    :param name: name of the key.
    :param client: the client of the target.
    :raises StateError: if there is no such key.
    """
    value = load(conf, target, name)
    if value is None:
        raise exceptions.StateError(f'key {name} is not in '
                                    f'{conf.spdk.state_path}/keys')
    clients.BdevClient(client).accel_crypto_key_create(
        **value, exist_ok=True)
