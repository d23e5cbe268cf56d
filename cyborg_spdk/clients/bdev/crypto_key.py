# SPDX-License-Identifier: Apache-2.0

"""Keys of SPDK's accel framework, which crypto bdevs encrypt with.

A key is never logged, nor repeated in an error.
"""

from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: schema.json, accel_crypto_cipher and accel_crypto_tweak_mode.
CIPHERS = ('AES_CBC', 'AES_XTS')
TWEAK_MODES = ('SIMPLE_LBA', 'JOIN_NEG_LBA_WITH_LBA', 'INCR_512_FULL_LBA',
               'INCR_512_UPPER_LBA')
#: Bytes that a key, or either of two, can have (lib/accel, every module).
KEY_SIZES = (16, 32)


def create(client: base.Caller, name: str, cipher: str, key: str, *,
           key2: str | None = None, tweak_mode: str | None = None,
           exist_ok: bool = False) -> bool:
    """Give the target a key to encrypt with (v23.01).

    :param name: name of the key.
    :param cipher: one of :data:`CIPHERS`; AES_CBC needs hardware.
    :param key: 16 or 32 bytes in hexadecimal.
    :param key2: as long, and another: AES_XTS needs two, AES_CBC has one.
    :param tweak_mode: one of :data:`TWEAK_MODES` (v23.05); SPDK's own
        software knows SIMPLE_LBA alone.
    :param exist_ok: do not mind if there is this very key.
    :returns: True.
    :raises AlreadyExists: there is a key of that name, and ``exist_ok`` is
        not set, or it is another key.
    :raises InvalidParams: no module of the target has this cipher or tweak
        mode.
    """
    validate.text('key name', name)
    cipher = validate.choice('cipher', cipher, CIPHERS)
    if tweak_mode is not None:
        tweak_mode = validate.choice('tweak_mode', tweak_mode, TWEAK_MODES)
    _check(cipher, key, key2)
    properties = {'cipher': cipher, 'key': key, 'key2': key2,
                  'tweak_mode': tweak_mode}
    try:
        return base.act(
            client, 'accel_crypto_key_create', name=name, **properties,
            _about=f'key {name!r}',
            _cause=lambda exc: _refused(client, exc, name, cipher,
                                        tweak_mode))
    except exceptions.AlreadyExists as exc:
        existing = find(client, name)
        if not exist_ok or existing is None:
            raise
        differs = _difference(existing, properties)
        if differs:
            raise errors.fault(
                exc, exceptions.AlreadyExists,
                f'key {name!r} exists with another {differs}') from exc
    return True


def _check(cipher: str, key: str, key2: str | None) -> None:
    """Refuse keys that no module takes (lib/accel/accel.c).

    :raises InvalidValue: without the key.
    """
    for name, value in (('key', key), ('key2', key2)):
        if name == 'key2' and value is None:
            continue
        if not _is_hexadecimal(value) or len(value or '') // 2 \
                not in KEY_SIZES:
            validate.refuse(name, '***', 'give 32 or 64 hexadecimal digits')
    if cipher == 'AES_CBC':
        if key2 is not None:
            validate.refuse('key2', '***', 'AES_CBC has one key')
    elif key2 is None:
        validate.refuse('key2', None, f'{cipher} needs one')
    elif len(key2) != len(key):
        validate.refuse('key2', '***', 'it must be as long as key')
    elif key2.lower() == key.lower():
        validate.refuse('key2', '***', 'it must not be the same as key')


def _is_hexadecimal(value: Any) -> bool:
    try:
        return bool(bytes.fromhex(value)) and not value.count(' ')
    except (TypeError, ValueError):
        return False


def _refused(client: base.Caller, exc: exceptions.RpcError, name: str,
             cipher: str, tweak_mode: str | None) -> errors.Finding:
    if find(client, name) is not None:
        return exceptions.AlreadyExists, f'key {name!r} exists already'
    mode = f' and tweak mode {tweak_mode}' if tweak_mode else ''
    return type(exc), f'key {name!r}: the module that encrypts in this ' \
        f'target does not have {cipher} with keys of that length{mode}'


def _difference(existing: reported.Json,
                properties: dict[str, str | None]) -> str | None:
    """The first property in which a key differs, without its value."""
    for name, value in properties.items():
        actual = existing.get(name)
        if value is not None and isinstance(actual, str) and \
                actual.lower() != value.lower():
            return name
    return None


def destroy(client: base.Caller, key_name: str, *,
            missing_ok: bool = False) -> bool:
    """Take a key away (v23.01).

    SPDK does not look who uses it, and reads freed memory then: a key that
    a bdev encrypts with is not destroyed.

    :param key_name: its name.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    :raises Busy: a bdev encrypts with it.
    """
    validate.text('key name', key_name)
    method = 'accel_crypto_key_destroy'
    users = [bdev.name for bdev in bdevs.get(client)
             if bdev.own.get('key_name') == key_name]
    if users:
        raise errors.in_use(
            method, {'key_name': key_name}, f'bdev {", ".join(users)} '
            f'encrypts with key {key_name!r}; not sent')
    return base.delete(
        client, method, f'key {key_name!r}',
        lambda: find(client, key_name) is None, missing_ok,
        key_name=key_name)


def get_names(client: base.Caller) -> list[str]:
    """Names of the keys to encrypt with (v23.01), without the keys.

    :returns: list of str.
    """
    return [key.get('name', '') for key in _get(client)]


def find(client: base.Caller, name: str) -> reported.Json | None:
    """The key of that name as SPDK has it, or None."""
    return next((key for key in _get(client) if key.get('name') == name),
                None)


def _get(client: base.Caller) -> list[reported.Json]:
    return base.call(client, 'accel_crypto_keys_get') or []
