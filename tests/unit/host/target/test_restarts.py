# SPDX-License-Identifier: Apache-2.0

import os
import tempfile
import types
import unittest

from cyborg_spdk.host.machine import hugepage_claims
from cyborg_spdk.host.target import restarts

NAME = 'nvmf'


class PauseTest(unittest.TestCase):

    def test_growing(self):
        pauses = [restarts.History(starts, 1000.0, 'b').pause(1000.0)
                  for starts in range(15)]
        self.assertEqual([0, 0, 0, 5, 10, 20, 40, 80, 160, 320, 600, 600,
                          600, 600, 600], pauses)

    def test_shorter_with_time(self):
        history = restarts.History(4, 1000.0, 'b')
        self.assertEqual(3.0, history.pause(1007.0))
        self.assertEqual(0.0, history.pause(1010.0))

    def test_over_for_one_that_has_run_long(self):
        self.assertEqual(0.0, restarts.History(99, 1000.0, 'b').pause(
            1000.0 + restarts.WELL_AFTER))


class HistoryTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = directory.name

    def file(self):
        return os.path.join(self.path, 'nvmf.starts')

    def write(self, text):
        with open(self.file(), 'w') as stream:
            stream.write(text)

    def test_remembered_and_forgotten(self):
        self.assertEqual(0, restarts.read(self.path, NAME).starts)
        for number in (1, 2, 3):
            self.assertEqual(
                number, restarts.started(self.path, NAME).starts)
        self.assertGreater(restarts.read(self.path, NAME).pause(), 0)
        restarts.forget(self.path, NAME)
        self.assertEqual(0, restarts.read(self.path, NAME).starts)
        restarts.forget(self.path, NAME)

    def test_of_another_boot_or_damaged_is_nothing(self):
        for text in ('', '[]', '{"starts": 9}', 'x', '{"other": 1}',
                     '{"starts": 9, "last": 1e18, "boot": "other"}'):
            with self.subTest(text):
                self.write(text)
                self.assertEqual(restarts.History(),
                                 restarts.read(self.path, NAME))

    def test_from_the_future_is_nothing(self):
        boot = restarts.started(self.path, NAME).boot
        self.write(f'{{"starts": 9, "last": 1e12, "boot": "{boot}"}}')
        self.assertEqual(0, restarts.read(self.path, NAME).pause())

    def test_held_until_it_is_started(self):
        restarts.hold(self.path, NAME)
        self.assertTrue(restarts.read(self.path, NAME).held)
        restarts.started(self.path, NAME)
        self.assertFalse(restarts.read(self.path, NAME).held)


class ClaimsTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = directory.name

    def claiming(self, name, memory_mb):
        return hugepage_claims.claiming(self.path, types.SimpleNamespace(
            name=name, memory_mb=memory_mb), 60)

    def test_what_starts_takes_together(self):
        with self.claiming('a', 512) as (need_mb, started):
            self.assertEqual([512], need_mb())
            started(os.getpid())
        # This process has none of those pages, so all is missing still.
        with self.claiming('b', 256) as (need_mb, _):
            self.assertEqual([256, 512], need_mb())

    def test_once_for_each_target(self):
        for _ in range(2):
            with self.claiming('a', 512) as (need_mb, started):
                self.assertEqual([512], need_mb())
                started(os.getpid())

    def test_the_dead_claim_nothing(self):
        with self.claiming('a', 512) as (_, started):
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)
            started(child)
        with self.claiming('b', 256) as (need_mb, _):
            self.assertEqual([256], need_mb())

    def test_a_start_that_fails_claims_nothing(self):
        with self.assertRaises(ValueError), self.claiming('a', 512):
            raise ValueError
        with self.claiming('b', 256) as (need_mb, _):
            self.assertEqual([256], need_mb())

    def test_a_damaged_file_claims_nothing(self):
        with open(os.path.join(self.path, 'hugepages.claims'), 'w') as out:
            out.write('[{')
        with self.claiming('b', 256) as (need_mb, _):
            self.assertEqual([256], need_mb())
