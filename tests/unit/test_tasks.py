# SPDX-License-Identifier: Apache-2.0

import subprocess
import sys
import threading
import unittest

from cyborg_spdk import exceptions
from cyborg_spdk import tasks


class TasksTest(unittest.TestCase):

    def setUp(self):
        self.tasks = tasks.Tasks()
        self.gate = threading.Event()
        self.addCleanup(self.gate.set)

    def fail_with(self, text):
        raise ValueError(text)

    def test_results_come_in_the_order_asked_for(self):
        self.tasks.run('a', lambda: 1)
        self.tasks.run('b', lambda x, y: x + y, 2, y=3)
        self.assertEqual([5, 1], self.tasks.wait('b', 'a'))

    def test_waiting_twice_gives_the_same_again(self):
        self.tasks.run('a', lambda: object())
        self.assertEqual(self.tasks.wait('a'), self.tasks.wait('a'))

    def test_it_runs_in_a_thread_of_its_name(self):
        self.tasks.run('a', lambda: threading.current_thread().name)
        self.assertEqual(['task a'], self.tasks.wait('a'))

    def test_two_run_at_once(self):
        meet = threading.Barrier(2)
        self.tasks.run('a', meet.wait, 60)
        self.tasks.run('b', meet.wait, 60)
        self.assertEqual([0, 1], sorted(self.tasks.wait('a', 'b')))

    def test_a_failure_is_raised_with_the_name_at_every_wait(self):
        self.tasks.run('a', self.fail_with, 'no luck')
        for _ in range(2):
            with self.assertRaisesRegex(exceptions.TaskError,
                                        '^task a: no luck$') as caught:
                self.tasks.wait('a')
            self.assertIsInstance(caught.exception.__cause__, ValueError)
            self.assertEqual('a', caught.exception.name)

    def test_the_first_failure_names_what_runs_still(self):
        self.tasks.run('slow', self.gate.wait, 60)
        self.tasks.run('bad', self.fail_with, 'no luck')
        with self.assertRaisesRegex(
                exceptions.TaskError,
                r'task bad: no luck \(still running: slow\)'):
            self.tasks.wait('slow', 'bad')
        self.gate.set()
        self.assertEqual([True], self.tasks.wait('slow'))

    def test_a_hanging_task_is_named(self):
        self.tasks.run('slow', self.gate.wait, 60)
        with self.assertRaisesRegex(exceptions.TaskError,
                                    'task slow: it runs still after'):
            self.tasks.wait('slow', timeout=0.01)

    def test_a_name_is_unique_while_it_runs(self):
        self.tasks.run('a', self.gate.wait, 60)
        with self.assertRaisesRegex(exceptions.InvalidValue, 'is running'):
            self.tasks.run('a', len, '')
        self.gate.set()
        self.tasks.wait('a')
        self.tasks.run('a', len, 'abc')
        self.assertEqual([3], self.tasks.wait('a'))

    def test_an_unknown_name(self):
        with self.assertRaisesRegex(exceptions.InvalidValue,
                                    "'b': there is no such task, only a"):
            self.tasks.run('a', len, '')
            self.tasks.wait('a', 'b')

    def test_wait_all_takes_what_nobody_waited_for(self):
        self.tasks.run('a', len, 'x')
        self.tasks.wait('a')
        self.tasks.run('b', len, 'xy')
        self.tasks.run('c', len, 'xyz')
        self.assertEqual({'b': 2, 'c': 3}, self.tasks.wait_all())
        self.assertEqual({}, self.tasks.wait_all())

    def test_inline(self):
        inline = tasks.Tasks(parallel=False)
        inline.run('a', threading.get_ident)
        inline.run('b', self.fail_with, 'no luck')
        self.assertEqual([threading.get_ident()], inline.wait('a'))
        with self.assertRaisesRegex(exceptions.TaskError, 'task b'):
            inline.wait('b')

    def test_the_summary_of_nothing(self):
        self.assertEqual(1.0, self.tasks.summary().speedup)
        self.assertIn('none', str(self.tasks.summary()))

    def test_the_summary_adds_up(self):
        meet = threading.Barrier(3)
        self.tasks.run('a', meet.wait, 60)
        self.tasks.run('b', meet.wait, 60)
        meet.wait(60)
        self.tasks.wait('a', 'b')
        found = self.tasks.summary()
        self.assertEqual(['a', 'b'], list(found.tasks))
        self.assertAlmostEqual(found.serial,
                               found.elapsed + found.background)
        self.assertGreater(found.serial, 0)
        self.assertIn('speed-up', str(found))

    def test_inline_saves_nothing(self):
        inline = tasks.Tasks(parallel=False)
        inline.run('a', sum, range(100000))
        inline.run('b', sum, range(100000))
        inline.wait('a', 'b')
        self.assertAlmostEqual(1.0, inline.summary().speedup, places=1)

    def test_what_nobody_waited_for_is_told(self):
        self.tasks.run('bad', self.fail_with, 'no luck')
        self.tasks.run('slow', self.gate.wait, 60)
        with self.assertRaises(exceptions.TaskError):
            self.tasks.wait('bad')
        self.tasks.run('bad', self.fail_with, 'again')
        with self.assertLogs('cyborg_spdk.tasks', 'WARNING') as logs:
            self.tasks.report_unwaited()
        told = '\n'.join(logs.output)
        self.assertIn('task slow runs still', told)

    def test_a_task_that_is_replaced_unseen_is_told(self):
        self.tasks.run('bad', self.fail_with, 'no luck')
        self.tasks.run('other', len, '')
        self.tasks.wait('other')
        while True:
            try:
                with self.assertLogs('cyborg_spdk.tasks',
                                     'WARNING') as logs:
                    self.tasks.run('bad', len, '')
                break
            except exceptions.InvalidValue:
                continue
        self.assertIn('task bad failed, and nobody waited for it: no luck',
                      logs.output[0])


class AtExitTest(unittest.TestCase):

    def test_a_hanging_task_is_told_and_keeps_nobody(self):
        done = subprocess.run(
            [sys.executable, '-c',
             'import logging, threading; logging.basicConfig();'
             'from cyborg_spdk import tasks;'
             'tasks.run("stuck", threading.Event().wait)'],
            capture_output=True, text=True, timeout=120, check=True)
        self.assertIn('task stuck runs still', done.stderr)
