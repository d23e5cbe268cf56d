# SPDX-License-Identifier: Apache-2.0

"""Bdevs that encrypt, and the keys that they use."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: schema.json, accel_crypto_cipher and accel_crypto_tweak_mode.
CIPHERS = ('AES_CBC', 'AES_XTS')
TWEAK_MODES = ('SIMPLE_LBA', 'JOIN_NEG_LBA_WITH_LBA', 'INCR_512_FULL_LBA',
               'INCR_512_UPPER_LBA')
#: Bytes that a key, or either of two, can have (lib/accel, every module).
KEY_SIZES = (16, 32)


class BdevCrypto:
    """Mixed into :class:`~cyborg_spdk.clients.bdev.layers.BdevLayers`.

    A key is never logged, nor repeated in an error.
    """

    def bdev_crypto_create(self, name, base_bdev_name, key_name, *,
                           exist_ok=False, deferred=False):
        """Create a bdev that encrypts (v23.01; before, keys had no names).

        :param name: its name.
        :param base_bdev_name: the bdev that it stands on and claims.
        :param key_name: a key of :meth:`accel_crypto_key_create`.
        :param exist_ok: do not mind if it exists with these properties.
        :param deferred: do not mind if the base does not exist yet.
        :returns: its name.
        :raises NotFound: the base or the key does not exist.
        :raises PermissionDenied: another module has claimed the base.
        """
        validate.text('bdev', name)
        validate.text('bdev', base_bdev_name)
        validate.text('key name', key_name)
        found = self._base_exists('bdev_crypto_create', base_bdev_name,
                                  deferred)

        def cause(_exc):
            if self._find_crypto_key(key_name) is None:
                return exceptions.NotFound, f'key {key_name!r} does not exist'
            return self._claimed(base_bdev_name)

        return self._create(
            'bdev_crypto_create', f'bdev {name!r}',
            lambda: self.find_bdev(name),
            {'product': ('crypto', lambda one: one.product_name),
             'base': (found and (found.name,), lambda one: one.bases),
             'key': (key_name, lambda one: one.own.get('key_name'))},
            exist_ok, cause, name=name, base_bdev_name=base_bdev_name,
            key_name=key_name) or name

    def accel_crypto_key_create(self, name, cipher, key, *, key2=None,
                                tweak_mode=None, exist_ok=False):
        """Give the target a key to encrypt with (v23.01).

        :param name: name of the key.
        :param cipher: one of :data:`CIPHERS`; AES_CBC needs hardware.
        :param key: 16 or 32 bytes in hexadecimal.
        :param key2: as long, and another: AES_XTS needs two, AES_CBC has
            one.
        :param tweak_mode: one of :data:`TWEAK_MODES` (v23.05); SPDK's own
            software knows SIMPLE_LBA alone.
        :param exist_ok: do not mind if there is this very key.
        :returns: True.
        :raises AlreadyExists: there is a key of that name, and
            ``exist_ok`` is not set, or it is another key.
        :raises InvalidParams: no module of the target has this cipher or
            tweak mode.
        """
        validate.text('key name', name)
        cipher = validate.choice('cipher', cipher, CIPHERS)
        if tweak_mode is not None:
            tweak_mode = validate.choice('tweak_mode', tweak_mode,
                                         TWEAK_MODES)
        _check_keys(cipher, key, key2)
        try:
            return self._call(
                'accel_crypto_key_create', name=name, cipher=cipher, key=key,
                key2=key2, tweak_mode=tweak_mode, _about=f'key {name!r}',
                _cause=lambda exc: self._key_cause(exc, name, cipher,
                                                   tweak_mode))
        except exceptions.AlreadyExists as exc:
            found = self._find_crypto_key(name)
            if not exist_ok or found is None:
                raise
            differs = _difference(found, {'cipher': cipher, 'key': key,
                                          'key2': key2,
                                          'tweak_mode': tweak_mode})
            if differs:
                raise base.fault(exc, exceptions.AlreadyExists,
                                 f'key {name!r} exists with another '
                                 f'{differs}') from exc
        return True

    def _key_cause(self, exc, name, cipher, tweak_mode):
        if self._find_crypto_key(name) is not None:
            return exceptions.AlreadyExists, f'key {name!r} exists already'
        mode = f' and tweak mode {tweak_mode}' if tweak_mode else ''
        return type(exc), f'key {name!r}: the module that encrypts in this ' \
            f'target does not have {cipher} with keys of that length{mode}'

    def accel_crypto_key_destroy(self, key_name, *, missing_ok=False):
        """Take a key away (v23.01).

        SPDK does not look who uses it, and reads freed memory then: a key
        that a bdev encrypts with is not destroyed.

        :param key_name: its name.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        :raises Busy: a bdev encrypts with it.
        """
        validate.text('key name', key_name)
        method = 'accel_crypto_key_destroy'
        users = [one.name for one in self.bdev_get_bdevs()
                 if one.own.get('key_name') == key_name]
        if users:
            raise base.in_use(
                method, {'key_name': key_name}, f'bdev {", ".join(users)} '
                f'encrypts with key {key_name!r}; not sent')
        return self._delete(
            method, f'key {key_name!r}',
            lambda: self._find_crypto_key(key_name) is None, missing_ok,
            key_name=key_name)

    def accel_crypto_keys_get(self):
        """Names of the keys to encrypt with (v23.01), without the keys.

        :returns: list of str.
        """
        return [one.get('name') for one in self._crypto_keys()]

    def _crypto_keys(self):
        return self._call('accel_crypto_keys_get') or ()

    def _find_crypto_key(self, name):
        return next((one for one in self._crypto_keys()
                     if one.get('name') == name), None)


def _difference(found, wanted):
    """The first property in which a key differs, without its value."""
    for name, value in wanted.items():
        have = found.get(name)
        if value is not None and isinstance(have, str) and \
                have.lower() != value.lower():
            return name
    return None


def _check_keys(cipher, key, key2):
    """Refuse keys that no module takes (lib/accel/accel.c).

    :raises InvalidValue: without the key.
    """
    for name, value in (('key', key), ('key2', key2)):
        if name == 'key2' and value is None:
            continue
        if not _is_hexadecimal(value) or len(value) // 2 not in KEY_SIZES:
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


def _is_hexadecimal(value):
    try:
        return bool(bytes.fromhex(value)) and not value.count(' ')
    except (TypeError, ValueError):
        return False
