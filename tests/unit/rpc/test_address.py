# SPDX-License-Identifier: Apache-2.0

import unittest

from cyborg_spdk import exceptions
from cyborg_spdk import rpc

_GOOD = {
    '/var/tmp/spdk.sock': '/var/tmp/spdk.sock',
    'unix:/var/tmp/spdk.sock': '/var/tmp/spdk.sock',
    'unix:///var/tmp/spdk.sock': '/var/tmp/spdk.sock',
    '/var//tmp/./spdk.sock': '/var/tmp/spdk.sock',
    '/a/../b': '/a/../b',
    '/' + 'x' * 106: '/' + 'x' * 106,
    'tcp://10.0.0.1:5260': 'tcp://10.0.0.1:5260',
    'tcp://storage1': 'tcp://storage1:5260',
    'tcp://[::1]:80': 'tcp://[::1]:80',
    'tcp://[fe80::1%eth0]': 'tcp://[fe80::1%eth0]:5260',
    '[::1]:5260': 'tcp://[::1]:5260',
    'storage1:99': 'tcp://storage1:99',
    'ssh://storage1/var/tmp/spdk.sock': 'ssh://storage1/var/tmp/spdk.sock',
    'ssh://root@storage1:22/s': 'ssh://root@storage1:22/s',
    'ssh://root@[::1]:22/s': 'ssh://root@[::1]:22/s',
}

_BAD = {
    '': 'empty',
    ' /x': 'blanks',
    'spdk.sock': 'use /path',
    './spdk.sock': 'use /path',
    'unix:spdk.sock': 'must be absolute',
    '/var/tmp/': 'names a directory',
    '/': 'names a directory',
    '/a\0b': 'NUL',
    '/a\nb': 'line feed',
    '/' + 'x' * 107: 'at most 107 bytes',
    '/' + '\u00e9' * 54: 'at most 107 bytes',
    'tcp://': 'not a host name',
    'tcp://h:0': 'from 1 to 65535',
    'tcp://h:65536': 'from 1 to 65535',
    'tcp://h:x': 'from 1 to 65535',
    'tcp://h:': 'from 1 to 65535',
    'tcp://::1:5260': '[address]:port',
    'tcp://[::1': '[address]:port',
    'tcp://[h]:1': '[address]:port',
    'tcp://-oProxyCommand=x:1': 'not a host name',
    'tcp://h h:1': 'not a host name',
    'ssh://h': 'path of the socket is missing',
    'ssh://h/': 'path of the socket is missing',
    'ssh:///s': 'not a host name',
    'ssh://@h/s': 'not a user name',
    'ssh://-l@h/s': 'not a user name',
    'ssh://a b@h/s': 'not a user name',
    'ssh://-oProxyCommand=x/s': 'not a host name',
    'ssh://h/a${HOME}': 'holds no ${',
    'http://h/s': 'use /path',
    None: 'use /path',
    5260: 'use /path',
    b'/x': 'use /path',
}


class AddressTest(unittest.TestCase):

    def test_good(self):
        for text, canonical in _GOOD.items():
            with self.subTest(text):
                address = rpc.parse_address(text)
                self.assertEqual(canonical, str(address))
                self.assertEqual(address, rpc.parse_address(canonical))
                self.assertEqual(hash(address),
                                 hash(rpc.parse_address(canonical)))
                self.assertIs(address, rpc.parse_address(address))

    def test_bad(self):
        for text, reason in _BAD.items():
            with self.subTest(text):
                with self.assertRaises(exceptions.InvalidAddress) as caught:
                    rpc.parse_address(text)
                self.assertIn(reason, str(caught.exception))
                # What was not given is not told as None.
                self.assertEqual(text is not None,
                                 repr(text) in str(caught.exception))
                self.assertNotIn('\n', str(caught.exception))

    def test_immutable(self):
        with self.assertRaises(AttributeError):
            rpc.parse_address('/x').path = '/y'
