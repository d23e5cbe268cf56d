# SPDX-License-Identifier: Apache-2.0

import threading

import testtools

from cyborg_spdk import exceptions
from cyborg_spdk.service.plug import calls

PATIENCE = 60


class CallsTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.calls = calls.Calls(most=2)
        self.end = threading.Event()
        self.addCleanup(self.end.set)

    def hang(self, name):
        """A call that does not come back before the test lets it."""
        done = threading.Event()

        def wait():
            self.end.wait()
            done.set()

        error = self.assertRaises(
            exceptions.HypervisorError, self.calls.do, name, 0.0,
            f'{name} is late', wait)
        self.assertEqual(f'{name} is late', str(error))
        return done

    def test_an_answer(self):
        self.assertEqual(7, self.calls.do('a', PATIENCE, '', lambda: 7))
        self.assertFalse(self.calls.going('a'))

    def test_an_error_is_raised_here(self):
        self.assertRaises(ZeroDivisionError, self.calls.do, 'a', PATIENCE,
                          '', lambda: 1 // 0)
        self.assertFalse(self.calls.going('a'))

    def test_a_late_one_is_not_called_again(self):
        self.hang('a')
        self.assertTrue(self.calls.going('a'))
        called = []
        error = self.assertRaises(
            exceptions.HypervisorError, self.calls.do, 'a', PATIENCE,
            'a is late', lambda: called.append(1))
        self.assertEqual('a is late', str(error))
        self.assertEqual([], called)
        # Another is none of its business.
        self.assertEqual(7, self.calls.do('b', PATIENCE, '', lambda: 7))

    def test_no_more_than_so_many(self):
        self.hang('a')
        self.hang('b')
        error = self.assertRaises(
            exceptions.HypervisorError, self.calls.do, 'c', PATIENCE, '',
            lambda: 7)
        self.assertIn('a, b', str(error))

    def test_called_again_after_its_end(self):
        done = self.hang('a')
        self.end.set()
        self.assertTrue(done.wait(PATIENCE))
        pause = threading.Event()
        while self.calls.going('a'):
            pause.wait(0.001)
        self.assertEqual(7, self.calls.do('a', PATIENCE, '', lambda: 7))
