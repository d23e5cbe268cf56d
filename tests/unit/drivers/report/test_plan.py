# SPDX-License-Identifier: Apache-2.0

import dataclasses

import testtools

from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import plan
from tests.unit.drivers.report import test_entries


class Ask:
    """Placement's answers, as a test wants them."""

    def __init__(self, known=(), allocated=(), answers=True, optional=False):
        self._known = set(known)
        self._allocated = set(allocated)
        self._answers = answers
        self.optional = optional
        self.asked = []

    def known(self):
        self.asked.append('known')
        if not self._answers:
            raise plan.Unknown
        return set(self._known)

    def allocated(self, name):
        self.asked.append(name)
        if not self._answers:
            raise plan.Unknown
        return name in self._allocated


def _entries(*numbers, resource_class='CUSTOM_SPDK_NVMF'):
    found, _bad = entries.of_units(
        'h', test_entries.target(resource_class=resource_class),
        [test_entries.unit(nsid=str(number)) for number in numbers])
    return found


class PlanTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.all = _entries(*range(1, 10))
        self.names = list(self.all)

    def some(self, *numbers):
        return {self.names[number - 1]: self.all[self.names[number - 1]]
                for number in numbers}

    def test_nothing_new_asks_nobody(self):
        ask = Ask(answers=False)
        planned = plan.make(self.some(1, 2), self.some(1, 2), {}, 50, ask)
        self.assertEqual(self.some(1, 2), planned.entries)
        self.assertEqual([], ask.asked)

    def test_new_units_come_a_few_at_a_time_in_one_order(self):
        planned = plan.make(self.all, None, {}, 4, Ask())
        self.assertEqual(self.names[:4], list(planned.entries))
        self.assertEqual(5, planned.waiting)
        planned = plan.make(self.all, planned.entries, {}, 4,
                            Ask(known=self.names[:4]))
        self.assertEqual(self.names[:8], list(planned.entries))

    def test_reports_that_do_not_get_through_do_not_pile_up(self):
        reported, dropped = None, {}
        for _ in range(5):
            planned = plan.make(self.all, reported, dropped, 3, Ask())
            reported, dropped = planned.entries, planned.dropped
        # At least one goes on, or one bad unit would stop all behind it.
        self.assertEqual(7, len(reported))

    def test_what_placement_has_lost_comes_in_a_few_at_a_time(self):
        """As when the driver was disabled, and is enabled again."""
        planned = plan.make(self.all, self.all, {}, 4, Ask(), first=True)
        self.assertEqual(self.names[:4], list(planned.entries))
        self.assertEqual((5, {}), (planned.waiting, planned.dropped))
        planned = plan.make(self.all, planned.entries, {}, 4,
                            Ask(known=self.names[:4]))
        self.assertEqual(self.names[:8], list(planned.entries))

    def test_the_first_time_placement_is_asked(self):
        ask = Ask(known=self.some(1, 2))
        planned = plan.make(self.some(1, 2), self.some(1, 2), {}, 1, ask,
                            first=True)
        self.assertEqual(self.some(1, 2), planned.entries)
        self.assertEqual(['known'], ask.asked)
        planned = plan.make(self.some(1, 2), self.some(1, 2), {}, 1,
                            Ask(answers=False), first=True)
        self.assertEqual(self.some(1, 2), planned.entries)

    def test_gone_and_free_is_left_out(self):
        planned = plan.make(self.some(1), self.some(1, 2), {}, 50,
                            Ask(known=self.some(1, 2)))
        self.assertEqual(self.some(1), planned.entries)
        self.assertEqual(self.some(2), planned.dropped)

    def test_gone_and_allocated_is_reported_on(self):
        planned = plan.make(
            self.some(1), self.some(1, 2), {}, 50,
            Ask(known=self.some(1, 2), allocated=self.some(2)))
        self.assertEqual(self.some(1, 2), planned.entries)
        self.assertEqual(list(self.some(2)), planned.held)

    def test_gone_and_nobody_can_say_is_reported_on(self):
        for optional in (False, True):
            planned = plan.make(self.some(1), self.some(1, 2), {}, 50,
                                Ask(answers=False, optional=optional))
            self.assertEqual(self.some(1, 2), planned.entries)

    def test_new_units_wait_while_placement_cannot_be_asked(self):
        planned = plan.make(self.some(1, 2), self.some(1), {}, 50,
                            Ask(answers=False))
        self.assertEqual(self.some(1), planned.entries)
        self.assertEqual(1, planned.waiting)

    def test_new_units_do_not_wait_where_there_is_no_placement(self):
        planned = plan.make(self.some(1, 2), None, {}, 50,
                            Ask(answers=False, optional=True))
        self.assertEqual(self.some(1, 2), planned.entries)

    def test_what_was_never_made_is_forgotten(self):
        planned = plan.make({}, self.some(1), {}, 50, Ask())
        self.assertEqual(({}, {}), (planned.entries, planned.dropped))

    def test_lost_file_keeps_what_placement_has(self):
        planned = plan.make(self.some(1, 2, 3), None, {}, 1,
                            Ask(known=self.some(2, 3)))
        self.assertEqual(self.some(1, 2, 3), planned.entries)

    def test_lost_file_and_an_allocated_unit_gone_freezes(self):
        planned = plan.make(
            self.some(1), None, {}, 50,
            Ask(known=self.some(1, 2), allocated=self.some(2)))
        self.assertIn(self.names[1], planned.frozen)
        planned = plan.make(self.some(1), None, {}, 50,
                            Ask(known=self.some(1, 2)))
        self.assertEqual(self.some(1), planned.entries)

    def test_lost_file_and_no_placement_freezes(self):
        self.assertIsNotNone(
            plan.make(self.some(1), None, {}, 50, Ask(answers=False)).frozen)

    def test_a_drop_that_failed_is_reported_once_more(self):
        planned = plan.make(self.some(1), self.some(1), self.some(2), 50,
                            Ask(known=self.some(1, 2)))
        self.assertEqual(self.some(1, 2), planned.entries)
        again = plan.make(self.some(1), planned.entries, planned.dropped, 50,
                          Ask(known=self.some(1, 2)))
        self.assertEqual(self.some(1), again.entries)

    def test_a_drop_that_went_through_is_forgotten(self):
        planned = plan.make(self.some(1), self.some(1), self.some(2), 50,
                            Ask(known=self.some(1)))
        self.assertEqual((self.some(1), {}),
                         (planned.entries, planned.dropped))

    def test_resource_class_changes_only_by_way_of_absence(self):
        name = self.names[0]
        new = {name: dataclasses.replace(self.all[name],
                                         resource_class='CUSTOM_OTHER')}
        old = self.some(1)
        held = plan.make(new, old, {}, 50,
                         Ask(known=old, allocated=old))
        self.assertEqual(old, held.entries)
        absent = plan.make(new, old, {}, 50, Ask(known=old))
        self.assertEqual({}, absent.entries)
        back = plan.make(new, absent.entries, absent.dropped, 50, Ask())
        self.assertEqual(new, back.entries)
        failed = plan.make(new, absent.entries, absent.dropped, 50,
                           Ask(known=old))
        self.assertEqual(old, failed.entries)

    def test_traits_may_change(self):
        name = self.names[0]
        new = {name: dataclasses.replace(self.all[name],
                                         traits=('CUSTOM_SPDK', 'CUSTOM_X'))}
        planned = plan.make(new, self.some(1), {}, 50, Ask())
        self.assertEqual(new, planned.entries)
