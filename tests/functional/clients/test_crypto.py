# SPDX-License-Identifier: Apache-2.0

"""Bdevs that encrypt, and their keys: each operation right and wrong."""

from cyborg_spdk import exceptions
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target

unique = fixture.unique
KEY, KEY2 = '00112233445566778899aabbccddeeff', 'ff' * 16


class Crypto(fixture.ClientTests):
    """On a target that was built with it; others say that it is missing."""

    application = 'nvmf_tgt'

    def key(self):
        """A new key; returns its name."""
        name = unique('K')
        self.tgt.accel_crypto_key_create(name, 'AES_XTS', KEY, key2=KEY2)
        return name

    def lacks(self, method, *args, **kwargs):
        """Whether the target has no such method; says so if not."""
        if self.has(method):
            return False
        self.assertFails(exceptions.MethodNotFound, method,
                         getattr(self.tgt, method), *args, **kwargs)
        return True

    def test_key(self):
        name = unique('K')
        if self.lacks('accel_crypto_key_create', name, 'AES_XTS', KEY,
                      key2=KEY2):
            return
        self.assertTrue(self.tgt.accel_crypto_key_create(
            name, 'AES_XTS', KEY, key2=KEY2))
        self.assertIn(name, self.tgt.accel_crypto_keys_get())
        self.assertTrue(self.tgt.accel_crypto_key_create(
            name, 'aes_xts', KEY.upper(), key2=KEY2, exist_ok=True))
        error = self.assertFails(
            exceptions.AlreadyExists, [name, 'another key2'],
            self.tgt.accel_crypto_key_create, name, 'AES_XTS', KEY,
            key2='ee' * 16, exist_ok=True)
        self.assertNotIn('ee' * 16, str(error))
        self.assertFails(exceptions.AlreadyExists, name,
                         self.tgt.accel_crypto_key_create, name, 'AES_XTS',
                         KEY, key2=KEY2)
        self.assertTrue(self.tgt.accel_crypto_key_destroy(name))
        self.assertFalse(self.tgt.accel_crypto_key_destroy(
            name, missing_ok=True))
        self.assertFails(exceptions.NotFound, name,
                         self.tgt.accel_crypto_key_destroy, name)

    def test_key_that_cannot_be(self):
        if not self.has('accel_crypto_key_create'):
            return
        for args, options, words in (
                (('ROT13', KEY), {'key2': KEY2}, 'cipher'),
                (('AES_XTS', KEY), {}, 'key2'),
                (('AES_XTS', KEY), {'key2': KEY.upper()}, 'the same'),
                (('AES_XTS', KEY), {'key2': KEY2 * 2}, 'as long'),
                (('AES_XTS', KEY[:-1]), {'key2': KEY2}, 'hexadecimal'),
                (('AES_XTS', 'zz' * 16), {'key2': KEY2}, 'hexadecimal'),
                (('AES_XTS', KEY[2:]), {'key2': KEY2[2:]}, '32 or 64'),
                (('AES_CBC', KEY), {'key2': KEY2}, 'one key'),
                (('AES_XTS', KEY), {'key2': KEY2, 'tweak_mode': 'NONE'},
                 'tweak_mode')):
            with self.subTest(args=args):
                error = self.assertFails(
                    exceptions.InvalidValue, words,
                    self.tgt.accel_crypto_key_create, unique('K'), *args,
                    **options)
                for value in (args[1], options.get('key2')):
                    self.assertNotIn(value or '-no-', str(error))
        # Which ciphers there are is the module's own: software has one.
        if self.has('bdev_crypto_create'):
            self.assertFails(
                exceptions.RpcError, ['AES_CBC', 'does not have'],
                self.tgt.accel_crypto_key_create, unique('K'), 'AES_CBC',
                KEY)

    def test_bdev(self):
        base, name = self.malloc(), unique('C')
        if self.lacks('bdev_crypto_create', name, base, 'key'):
            return
        if not self.has('accel_crypto_key_create'):
            self.assertFails(exceptions.InvalidParams,
                             ['key_name', 'v23.01'],
                             self.tgt.bdev_crypto_create, name, base, 'key')
            return
        key = self.key()
        self.assertEqual(name, self.tgt.bdev_crypto_create(name, base, key))
        bdev = self.tgt.find_bdev(name)
        self.assertEqual(('crypto', (base,), key, 4 << 20),
                         (bdev.kind.name, bdev.bases, bdev.own['key_name'],
                          bdev.size))
        self.assertTrue(self.tgt.find_bdev(base).claimed)
        for under in (base, self.tgt.find_bdev(base).uuid):
            self.assertEqual(name, self.tgt.bdev_crypto_create(
                name, under, key, exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, name,
                         self.tgt.bdev_crypto_create, name, base, key)
        self.assertFails(exceptions.AlreadyExists, [name, 'key'],
                         self.tgt.bdev_crypto_create, name, base, self.key(),
                         exist_ok=True)
        # SPDK would let it go, and read freed memory at the next write.
        self.assertFails(exceptions.Busy, [key, name, 'not sent'],
                         self.tgt.accel_crypto_key_destroy, key)
        self.assertTrue(self.tgt.bdev_delete(name))
        self.assertFalse(self.tgt.find_bdev(base).claimed)
        self.assertFalse(self.tgt.bdev_delete(name, missing_ok=True))
        self.assertFails(exceptions.NotFound, name, self.tgt.bdev_delete,
                         name)
        self.assertTrue(self.tgt.accel_crypto_key_destroy(key))

    def test_bdev_that_cannot_be(self):
        if not (self.has('bdev_crypto_create')
                and self.has('accel_crypto_key_create')):
            return
        base, claimed, key = self.malloc(), self.malloc(), self.key()
        above = self.tgt.bdev_passthru_create(unique('P'), claimed)
        for args, error, words in (
                ((unique('C'), 'nosuch', key), exceptions.NotFound,
                 "'nosuch' does not exist"),
                ((unique('C'), base, 'nokey'), exceptions.NotFound,
                 "key 'nokey' does not exist"),
                ((unique('C'), claimed, key), exceptions.PermissionDenied,
                 [claimed, above]),
                ((above, base, key), exceptions.AlreadyExists,
                 [above, 'passthru']),
                (('', base, key), exceptions.InvalidValue, 'bdev')):
            with self.subTest(args=args):
                self.assertFails(error, words, self.tgt.bdev_crypto_create,
                                 *args)
        self.assertFalse(self.tgt.find_bdev(base).claimed)


target.for_releases(globals(), Crypto)
