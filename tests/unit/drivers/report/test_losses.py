# SPDX-License-Identifier: Apache-2.0

import testtools

from cyborg_spdk.drivers.report import confirmation
from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import losses


def entry(name, traits=('CUSTOM_SPDK',)):
    return entries.Entry(name, '{}', 'CUSTOM_SPDK_NVMF', traits)


class LossesTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.losses = losses.Losses()
        self.reported = {'a': entry('a')}
        self.confirmed = {'a': (1, self.reported['a'].digest)}

    def found(self, before=None, made_anew=True, **findings):
        lost = self.losses.found(
            self.reported, confirmation.Findings(**findings), before or {})
        self.losses.made_anew(lost if made_anew else ())
        return lost

    def test_what_was_there_is_lost_at_once(self):
        for what in ('missing', 'damaged'):
            self.losses = losses.Losses()
            self.assertEqual({'a'}, self.found(self.confirmed,
                                               **{what: {'a'}}))

    def test_what_was_never_there_may_be_on_its_way(self):
        for expected in ((), (), ('a',)):
            self.assertEqual(set(expected), self.found(missing={'a'}))

    def test_what_was_reported_with_other_traits_is_on_its_way(self):
        self.confirmed = {'a': (1, entry('a', ('CUSTOM_X',)).digest)}
        for expected in ((), (), ('a',)):
            self.assertEqual(set(expected), self.found(
                self.confirmed, damaged={'a'}))

    def test_what_stays_lost_is_tried_again_after_longer_times(self):
        """Each costs, and may fail the report of the whole host."""
        times = [number for number in range(1, 100)
                 if self.found(missing={'a'})]
        self.assertEqual([3, 9, 21, 45, 93], times)

    def test_what_is_allocated_stays_lost_until_it_is_free(self):
        for before in (self.confirmed, {}, {}):
            self.assertEqual({'a'}, self.found(
                before, made_anew=False, damaged={'a'}))
        self.assertEqual(set(), self.found(confirmed=self.confirmed))

    def test_once_it_is_back_all_is_forgotten(self):
        self.found(self.confirmed, missing={'a'})
        self.assertEqual(set(), self.found(self.confirmed, missing={'a'}))
        self.found(confirmed=self.confirmed)
        self.assertEqual({'a'}, self.found(self.confirmed, missing={'a'}))
