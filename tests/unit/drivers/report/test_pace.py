# SPDX-License-Identifier: Apache-2.0

import testtools

from cyborg_spdk.drivers.report import pace


class Conductor:
    """Makes new units, and a report of all that there are, in so long.

    :param seconds: of one new unit; those of one that is there already are
        in the proportion that was measured.
    """

    def __init__(self, seconds):
        self.seconds = seconds
        self.units = {}
        self.longest = 0.0

    def report(self, names):
        began = 1000.0 * len(self.units)
        known = len(self.units)
        for number, name in enumerate(names):
            # Placement tells whole seconds.
            self.units[name] = float(int(began + number * self.seconds))
        self.longest = max(self.longest, self.seconds * (
            len(names) + known * 0.011 / 0.07))


def ramp(conductor, number, first=50, limit=200, seconds=30.0, most=500):
    """Reports until so many units are there."""
    steps, reports = pace.Pace(), 0
    while len(conductor.units) < number and reports < most:
        quota = steps.quota(first, limit, seconds, len(conductor.units))
        here = len(conductor.units)
        names = [f'u{one}' for one in range(here, min(here + quota, number))]
        steps.sent(names, quota)
        conductor.report(names)
        steps.arrived(conductor.units, conductor.units)
        reports += 1
    return reports


class PaceTest(testtools.TestCase):

    def test_2000_units_in_less_than_half_of_the_reports_of_50_each(self):
        conductor = Conductor(0.07)
        self.assertLessEqual(ramp(conductor, 2000), 20)
        self.assertLess(conductor.longest, 30)

    def test_a_busy_conductor_gets_fewer_and_none_too_many(self):
        for seconds, units in ((0.23, 400), (0.5, 200), (1.0, 100)):
            conductor = Conductor(seconds)
            self.assertLess(ramp(conductor, units), 100)
            self.assertEqual(units, len(conductor.units))
            # What the first report does not know yet.
            self.assertLess(conductor.longest, max(40, 50 * seconds + 1))

    def test_never_above_the_limit(self):
        conductor = Conductor(0.001)
        self.assertEqual(12, ramp(conductor, 2000))
        for first, limit, expected in ((50, 1, 20), (100, 50, 10)):
            conductor = Conductor(0.001)
            self.assertEqual(expected, ramp(conductor, 1000, first, limit))

    def test_what_did_not_get_through_halves_it(self):
        steps = pace.Pace()
        for expected in (50, 25, 12, 6, 3, 1, 1):
            quota = steps.quota(50, 200, 30.0, 0)
            self.assertEqual(expected, quota)
            steps.sent(['a', 'b'], quota)
            steps.arrived(['a'], {})

    def test_without_new_units_nothing_is_learnt(self):
        steps = pace.Pace()
        for _ in range(3):
            quota = steps.quota(50, 200, 30.0, 0)
            self.assertEqual(50, quota)
            steps.sent([], quota)
            steps.arrived(['a'], {'a': 1.0})

    def test_one_at_a_time_goes_on_whatever_it_takes(self):
        steps = pace.Pace()
        steps.sent(['a', 'b'], 50)
        steps.arrived('ab', {'a': 0.0, 'b': 500.0})
        self.assertEqual(1, steps.quota(50, 200, 30.0, 100))
