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

    def resource_class(self, name):
        return None


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

    def test_nothing_new_asks_for_the_providers_and_no_more(self):
        for answers in (True, False):
            ask = Ask(self.some(1, 2), answers=answers)
            planned = plan.make(self.some(1, 2), self.some(1, 2), {}, 50,
                                ask)
            self.assertEqual(self.some(1, 2), planned.entries)
            self.assertEqual(['known'], ask.asked)

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

    def test_what_placement_has_lost_is_left_out_once_and_comes_again(self):
        lost = self.some(1, 3)
        planned = plan.make(self.all, self.all, {}, 4,
                            Ask(known=set(self.all) - set(lost)), lost=lost)
        self.assertEqual((lost, list(lost)),
                         (planned.dropped, planned.remade))
        self.assertEqual(set(self.all) - set(lost), set(planned.entries))
        again = plan.make(self.all, planned.entries, planned.dropped, 4,
                          Ask(known=planned.entries))
        self.assertEqual((self.all, {}, list(lost)),
                         (again.entries, again.dropped, again.new))

    def test_what_is_allocated_and_damaged_waits_until_it_is_free(self):
        lost = self.some(1)
        planned = plan.make(self.some(1), lost, {}, 4,
                            Ask(known=lost, allocated=lost), lost=lost)
        self.assertEqual((lost, {}, list(lost)), (
            planned.entries, planned.dropped, planned.broken))

    def test_what_comes_from_the_disk_is_compared_first(self):
        """It may be older than what was reported last."""
        frozen = plan.make(self.some(1), self.some(1), {}, 50,
                           Ask(answers=False), sure=False)
        self.assertIsNotNone(frozen.frozen)
        planned = plan.make(self.some(1), self.some(1), {}, 50,
                            Ask(answers=False, optional=True), sure=False)
        self.assertEqual(self.some(1), planned.entries)

    def test_what_cyborg_may_have_lost_comes_in_a_few_at_a_time(self):
        """As when the driver was disabled, and is enabled again."""
        planned = plan.make(self.all, self.all, {}, 4, Ask(), sure=False)
        self.assertEqual(self.names[:4], list(planned.entries))
        self.assertEqual((5, {}), (planned.waiting, planned.dropped))
        planned = plan.make(self.all, planned.entries, {}, 4,
                            Ask(known=self.names[:4]))
        self.assertEqual(self.names[:8], list(planned.entries))

    def test_an_allocated_stranger_freezes_each_report(self):
        for sure in (False, True, True):
            planned = plan.make(
                self.some(1), self.some(1), {}, 50,
                Ask(known=self.some(1, 2, 3), allocated=self.some(2)),
                sure=sure)
            self.assertIn(self.names[1], planned.frozen)
        free = plan.make(self.some(1), self.some(1), {}, 50,
                         Ask(known=self.some(1, 2, 3)))
        self.assertEqual((self.some(1), self.names[1:3]),
                         (free.entries, free.strange))

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
            plan.make(self.some(1), None, {}, 50, Ask(answers=False),
                      sure=False).frozen)

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

    def test_a_class_that_placement_alone_remembers(self):
        ask = Ask(known=self.some(1), allocated=self.some(1))
        ask.resource_class = lambda _name: 'CUSTOM_OLD'
        planned = plan.make(self.some(1), None, {}, 50, ask)
        self.assertEqual(['CUSTOM_OLD'], [
            entry.resource_class for entry in planned.entries.values()])

    def test_a_transport_and_the_owner_stay_while_it_is_reported(self):
        name = self.names[0]
        kept = ('CUSTOM_SPDK', 'CUSTOM_SPDK_NVMF_RDMA', 'OWNER_CYBORG')
        last = {name: dataclasses.replace(
            self.all[name], traits=(*kept, 'CUSTOM_SPDK_ACCEL_COPY_DSA'))}
        planned = plan.make(self.some(1), last, {}, 50, Ask(known=last))
        self.assertEqual(kept, planned.entries[name].traits)

    def test_other_traits_come_a_few_at_a_time(self):
        new = {name: dataclasses.replace(entry, traits=('CUSTOM_X',))
               for name, entry in self.all.items()}
        reported = self.all
        for expected in (4, 8, 9):
            reported = plan.make(new, reported, {}, 4,
                                 Ask(known=self.all)).entries
            self.assertEqual(expected, sum(
                entry.traits == ('CUSTOM_X',)
                for entry in reported.values()))

    def test_traits_may_change(self):
        name = self.names[0]
        new = {name: dataclasses.replace(self.all[name],
                                         traits=('CUSTOM_SPDK', 'CUSTOM_X'))}
        planned = plan.make(new, self.some(1), {}, 50,
                            Ask(known=self.some(1)))
        self.assertEqual(new, planned.entries)
        planned = plan.make(new, self.some(1), {}, 50, Ask(
            answers=False, optional=True))
        self.assertEqual(new, planned.entries)

    def test_traits_do_not_change_where_there_is_no_provider(self):
        """Cyborg asks Placement to, and its report of the host fails."""
        new = {name: dataclasses.replace(entry, traits=('CUSTOM_X',))
               for name, entry in self.some(1).items()}
        for ask in (Ask(), Ask(answers=False)):
            planned = plan.make(new, self.some(1), {}, 50, ask)
            self.assertEqual(self.some(1), planned.entries)

    def test_what_was_left_out_without_a_provider_comes_as_it_was(self):
        """That report may have failed: Cyborg has it, or has it not."""
        new = {name: dataclasses.replace(entry, traits=('CUSTOM_X',))
               for name, entry in self.all.items()}
        lost, gone = self.some(1), self.some(2)
        planned = plan.make(self.some(1, 3), self.some(1, 2, 3), {}, 50,
                            Ask(known=self.some(3)), lost=lost)
        self.assertEqual({**lost, **gone}, planned.unsure)
        planned = plan.make(new, planned.entries, planned.dropped, 50,
                            Ask(known=self.some(3)), unsure=planned.unsure)
        self.assertEqual({}, planned.unsure)
        self.assertEqual(
            {**lost, **gone},
            {name: planned.entries[name] for name in (*lost, *gone)})
        # Once there is a provider, they change.
        planned = plan.make(new, planned.entries, planned.dropped, 50,
                            Ask(known=self.all))
        self.assertEqual(new, planned.entries)

    def test_what_placement_lacks_waits_for_a_memory_to_be_compared(self):
        """The disk may be older than what Cyborg has."""
        known, new = self.some(1), self.some(1, 2)
        for reported in (new, known, None):
            planned = plan.make(self.some(1, 2), reported, {}, 50,
                                Ask(known=known), sure=False)
            if reported == known:
                # Nothing says that it was ever reported.
                self.assertEqual(new, planned.entries)
                continue
            self.assertEqual((known, 1), (planned.entries, planned.waiting))
            planned = plan.make(self.some(1, 2), planned.entries, {}, 50,
                                Ask(known=known), unsure=planned.unsure)
            self.assertEqual(new, planned.entries)

    def test_it_is_unsure_until_it_comes_back_or_placement_has_it(self):
        planned = plan.make({}, {}, {}, 50, Ask(), unsure=self.some(1))
        self.assertEqual(self.some(1), planned.unsure)
        # One that Placement had and has forgotten: Cyborg has let it go.
        planned = plan.make({}, {}, self.some(2), 50, Ask())
        self.assertEqual({}, planned.unsure)
        planned = plan.make({}, {}, {}, 50, Ask(known=self.some(1)),
                            unsure=self.some(1))
        self.assertEqual({}, planned.unsure)
