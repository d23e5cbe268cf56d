# SPDX-License-Identifier: Apache-2.0

import dataclasses

import testtools

from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import memory
from cyborg_spdk.drivers.report import quiet


def entry(name):
    return entries.Entry(name, '{}', 'CUSTOM_SPDK_NVMF', ('CUSTOM_SPDK',))


class UnchangedTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        both = {name: entry(name) for name in 'ab'}
        self.state = memory.State(
            'h', 'nvmf', 'nvmf_tgt', both, {}, '/s',
            {name: (1, one.digest) for name, one in both.items()})

    def test_all_as_it_was(self):
        self.assertTrue(quiet.unchanged(self.state, self.state,
                                        {'a', 'b'}, set()))
        self.assertTrue(quiet.unchanged(self.state, self.state,
                                        {'a', 'b', 'c'}, {'c'}))

    def test_any_difference(self):
        for last, now, known in (
                (None, self.state, 'ab'),
                (self.state, self.state, 'a'),
                (self.state, self.state, 'abc'),
                (dataclasses.replace(self.state, dropped={'c': entry('c')}),
                 self.state, 'ab'),
                (self.state, dataclasses.replace(
                    self.state, dropped={'c': entry('c')}), 'ab'),
                (self.state, dataclasses.replace(
                    self.state, confirmed={'a': (1, 'x')}), 'ab'),
                (self.state, dataclasses.replace(
                    self.state, reported={'a': entry('a')}), 'ab')):
            self.assertFalse(quiet.unchanged(last, now, set(known), set()))


class DueTest(testtools.TestCase):

    def test_when(self):
        full = memory.Full(1000.0, 'x', 2)
        self.assertFalse(quiet.due(full, 'x', 1050.0, 60.0))
        for last, says, now, interval in (
                (None, 'x', 1050.0, 60.0), (full, 'y', 1050.0, 60.0),
                (full, 'x', 1060.0, 60.0), (full, 'x', 999.0, 60.0),
                (full, 'x', 1000.0, 0.0),
                (memory.Full(1000.0, 'x', 1), 'x', 1050.0, 60.0)):
            self.assertTrue(quiet.due(last, says, now, interval))

    def test_hosts_differ(self):
        found = [quiet.spread(100.0, f'h{number}', 't')
                 for number in range(1000)]
        self.assertEqual(found[0], quiet.spread(100.0, 'h0', 't'))
        self.assertTrue(80 <= min(found) < 82 and 98 < max(found) <= 100)
