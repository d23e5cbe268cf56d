# SPDX-License-Identifier: Apache-2.0

"""Keys of encrypted units: one each, in a file of mode 0600, never shown.

The file is the only one that has it: a key that is made anew replaces the
old one there, and what was written with the old one is noise from then on.
"""

import hashlib
import json
import os
import secrets

from cyborg_spdk import exceptions
from cyborg_spdk.host import directories
from cyborg_spdk.host import trusted_files
from cyborg_spdk import rpc

_WHAT = '[spdk] state_path'
_CIPHER = 'AES_XTS'


def _path(directory: str, name: str) -> str:
    digits = hashlib.sha256(name.encode()).hexdigest()[:32]
    return os.path.join(directory, 'keys', f'crypto-{digits}.json')


def load(directory: str, name: str) -> dict[str, str] | None:
    """The parameters of ``accel_crypto_key_create`` for a key of ours.

    :param directory: ``[spdk] state_path``.
    :param name: name of the key.
    :returns: None if it is none of ours.
    :raises StateError: if it is, and cannot be read.
    """
    path = _path(directory, name)
    data = trusted_files.read(path, limit=4096)
    if data is None:
        return None
    try:
        value = trusted_files.parse_json(data, path)
        return {one: str(value[one])
                for one in ('name', 'cipher', 'key', 'key2')}
    except (trusted_files.Damaged, TypeError, KeyError):
        raise exceptions.StateError(
            f'{path}: the key makes no sense; what it was for is lost: wipe '
            'the unit') from None


def make(directory: str, name: str) -> None:
    """Make a key, or make it anew: the old one is nowhere then.

    :param directory: ``[spdk] state_path``.
    :param name: name of the key.
    :raises StateError: if it cannot be written; the old one is still there.
    """
    above = directories.ensure(directory, what=_WHAT)
    directories.ensure(os.path.join(above, 'keys'), what=_WHAT)
    trusted_files.write_atomically(
        _path(directory, name), json.dumps({
            'name': name, 'cipher': _CIPHER, 'key': secrets.token_hex(32),
            'key2': secrets.token_hex(32)}).encode())


def remove(directory: str, name: str) -> None:
    """Take a key away: what was written with it is noise.

    :param directory: ``[spdk] state_path``.
    :param name: name of the key.
    """
    trusted_files.remove(_path(directory, name))


def give(directory: str, name: str, client: rpc.Client) -> None:
    """Give a target a key of ours, if it does not have it.

    :param directory: ``[spdk] state_path``.
    :param name: name of the key.
    :param client: the client of the target.
    :raises StateError: if there is no such key.
    """
    value = load(directory, name)
    if value is None:
        raise exceptions.StateError(f'key {name} is not in {directory}/keys')
    # Who only reads what a target is to have does without.
    from cyborg_spdk import clients
    clients.BdevClient(client).accel_crypto_key_create(
        **value, exist_ok=True)
