# SPDX-License-Identifier: Apache-2.0

import unittest

from cyborg_spdk import rpc
from cyborg_spdk.rpc.protocol import version


class VersionTest(unittest.TestCase):

    def test_order(self):
        ordered = ['v18.01', 'v22.01', 'v22.01.1', 'v22.01.2', 'v22.05',
                   'v25.01-pre', 'v25.01-rc1', 'v25.01', 'v26.05-pre',
                   'v26.05', 'v26.09']
        versions = [rpc.Version.parse(tag) for tag in ordered]
        self.assertEqual(versions, sorted(reversed(versions)))
        self.assertEqual(ordered, [str(one) for one in versions])

    def test_a_builders_own_suffix_is_not_a_pre_release(self):
        own = rpc.Version(24, 1, 0, '-custom')
        self.assertGreaterEqual(own, rpc.Version(24, 1))
        self.assertLess(own, rpc.Version(24, 1, 1))

    def test_compares_with_plain_tuples(self):
        self.assertGreater(rpc.Version(24, 1), (23, 9))
        self.assertLessEqual(rpc.Version(24, 1), (24, 1))

    def test_no_release(self):
        for text in ('', 'v', '24', '24.x', '1.2.3.4', 'main'):
            with self.subTest(text), self.assertRaises(ValueError):
                rpc.Version.parse(text)

    def test_from_a_reply(self):
        self.assertEqual(rpc.Version(26, 5, 0, ''), version.from_reply({
            'version': 'SPDK v26.05 git sha1 d519b163cb',
            'fields': {'major': 26, 'minor': 5, 'patch': 0, 'suffix': '',
                       'commit': 'd519b163cb'}}))
        early = version.from_reply({
            'version': 'SPDK v26.09-pre git sha1 3230130e6a',
            'fields': {'major': 26, 'minor': 9, 'patch': 0,
                       'suffix': '-pre', 'commit': '3230130e6a'}})
        self.assertEqual('v26.09-pre', str(early))
        self.assertTrue(early.is_early)
        self.assertGreater(early, rpc.Version(26, 5))
        self.assertLess(early, rpc.Version(26, 9))
        for reply in (None, [], {}, {'fields': 5}, {'fields': {}},
                      {'fields': {'major': '26', 'minor': 5, 'patch': 0}}):
            with self.subTest(reply):
                self.assertIsNone(version.from_reply(reply))
