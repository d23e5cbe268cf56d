# SPDX-License-Identifier: Apache-2.0

"""Duties are done again and again, and none harms another."""

import threading

import testtools

from cyborg_spdk.service import duty as duties
from cyborg_spdk.service import schedule

# Seconds for what takes far less on a machine that is not busy.
PATIENCE = 60


class Counting(duties.Duty):
    """Counts its runs, and does in each what a test wants."""

    def __init__(self, name, interval=0.01, action=None):
        self.name = name
        self.interval = interval
        self.action = action
        self.count = 0
        self.again = threading.Semaphore(0)
        self.stopped = threading.Event()
        self.closed = False

    def run(self):
        self.count += 1
        self.again.release()
        return self.action() if self.action else duties.Outcome()

    def stop(self):
        self.stopped.set()

    def close(self):
        self.closed = True


def fail():
    raise RuntimeError('the disk is gone')


class ScheduleTest(testtools.TestCase):

    def start(self, *all_duties):
        made = schedule.Schedule(all_duties)
        self.addCleanup(made.stop)
        made.start()
        return made

    def wait_for(self, duty, runs):
        for _ in range(runs):
            self.assertTrue(duty.again.acquire(timeout=PATIENCE))

    def test_done_again(self):
        duty = Counting('a')
        self.start(duty)
        self.wait_for(duty, 3)

    def test_a_failure_stops_nobody(self):
        bad, good = Counting('bad', action=fail), Counting('good')
        made = self.start(bad, good)
        self.wait_for(bad, 3)
        self.wait_for(good, 3)
        made.stop()
        states = made.states()
        self.assertEqual('the disk is gone', states['bad'].error)
        self.assertEqual(('the disk is gone',), states['bad'].problems)
        self.assertEqual((), states['good'].problems)

    def test_one_that_hangs_delays_nobody(self):
        hangs = Counting('hangs')

        def action():
            hangs.stopped.wait(PATIENCE)
            return duties.Outcome()

        hangs.action = action
        good = Counting('good')
        made = self.start(hangs, good)
        self.wait_for(hangs, 1)
        self.wait_for(good, 3)
        self.assertTrue(made.states()['hangs'].running)
        self.assertEqual(1, hangs.count)

    def test_woken(self):
        duty = Counting('a', interval=3600)
        made = self.start(duty)
        self.wait_for(duty, 1)
        made.wake('a')
        made.wake('no such duty')
        self.wait_for(duty, 1)

    def test_woken_often_is_one_run(self):
        go = threading.Semaphore(0)

        def action():
            go.acquire(timeout=PATIENCE)
            return duties.Outcome()

        duty = Counting('a', interval=3600, action=action)
        made = self.start(duty)
        self.wait_for(duty, 1)
        for _ in range(50):
            made.wake('a')
        go.release()
        self.wait_for(duty, 1)
        # Woken while it runs: once more, for what it has not seen.
        made.wake('a')
        go.release()
        self.wait_for(duty, 1)
        go.release()
        made.stop()
        self.assertEqual(3, duty.count)

    def test_never_twice_at_a_time(self):
        inside, most = [], []

        def action():
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.001)
            inside.pop()
            return duties.Outcome()

        duty = Counting('a', action=action)
        made = self.start(duty)
        for _ in range(50):
            made.wake('a')
        self.wait_for(duty, 50)
        self.assertEqual(1, max(most))

    def test_what_it_finds_is_kept(self):
        duty = Counting('a', action=lambda: duties.Outcome(
            ('a disk is missing',), {'missing': 1}))
        made = schedule.Schedule([duty])
        made.once()
        made.close()
        state = made.states()['a']
        self.assertEqual(('a disk is missing',), state.problems)
        self.assertEqual({'missing': 1}, state.outcome.facts)
        self.assertFalse(state.running)
        self.assertEqual((1, True), (duty.count, duty.closed))
