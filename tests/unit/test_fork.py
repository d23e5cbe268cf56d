# SPDX-License-Identifier: Apache-2.0
"""What a child of a fork has of its parent's threads and locks: nothing."""

import os
import tempfile
import threading
import unittest

from cyborg_spdk import exceptions
from cyborg_spdk.host import locks
from cyborg_spdk.host.machine import spawn
from cyborg_spdk import tasks
from tests import forks


class TasksTest(unittest.TestCase):

    def setUp(self):
        self.tasks = tasks.Tasks()
        self.gate = threading.Event()
        self.addCleanup(self.gate.set)

    def begin_anew(self):
        found = [self.tasks.known('slow'), self.tasks.pending('slow')]
        try:
            self.tasks.wait('slow', timeout=60)
        except exceptions.InvalidValue:
            found.append('unknown')
        self.tasks.run('slow', lambda: 'child')
        return found + self.tasks.wait('slow', timeout=60)

    def test_one_two_and_three_children(self):
        self.tasks.run('slow', lambda: self.gate.wait(60) and 'parent')
        for number in (1, 2, 3):
            self.assertEqual([[False, False, 'unknown', 'child']] * number,
                             forks.each(number, self.begin_anew))
        self.gate.set()
        self.assertEqual(['parent'], self.tasks.wait('slow'))

    def test_while_another_thread_has_the_lock(self):
        with self.tasks._lock:
            self.assertEqual([[False, False, 'unknown', 'child']],
                             forks.each(1, self.begin_anew))

    def test_of_a_child(self):
        self.tasks.run('slow', self.gate.wait, 60)
        self.assertEqual(
            [[[False, False, 'unknown', 'child']]],
            forks.each(1, lambda: (self.begin_anew(), forks.each(
                1, self.begin_anew))[1]))

    def test_pending_until_somebody_has_had_it(self):
        self.tasks.run('a', lambda: 1)
        self.assertTrue(self.tasks.pending('a'))
        self.tasks.wait('a')
        self.assertEqual((True, False), (self.tasks.known('a'),
                                         self.tasks.pending('a')))


class LocksTest(unittest.TestCase):

    def test_one_that_a_thread_of_the_parent_holds(self):
        directory = _directory(self)
        held, let_go = threading.Event(), threading.Event()

        def hold():
            with locks.hold(directory, 'x', 60, doing='test'):
                held.set()
                let_go.wait(60)

        def child():
            with locks.hold(directory, 'x', 60, doing='test'):
                return 'held'

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait(60)
        children = [forks.Child(child) for _ in range(2)]
        let_go.set()
        self.assertEqual(['held'] * 2, [one.result() for one in children])
        holder.join()


class SpawnTest(unittest.TestCase):

    def test_a_child_does_not_keep_the_watcher(self):
        """The parent's pipe ends when the parent lets go."""
        directory = _directory(self)
        program = spawn.Detached(
            ['/bin/sleep', '600'], os.path.join(directory, 'log'),
            directory, -1)
        self.addCleanup(os.kill, program.pid, 9)
        watcher = _parent(program.pid)
        gone, let_go = os.pipe()
        child = forks.Child(lambda: len(os.read(gone, 1)))
        program.release()
        self.addCleanup(child.result)
        self.addCleanup(os.write, let_go, b'x')
        for _ in range(600):
            if _parent(program.pid) != watcher:
                break
            threading.Event().wait(0.1)
        self.assertNotEqual(watcher, _parent(program.pid))


def _directory(case):
    # Not enterContext(): Python 3.10.
    directory = tempfile.TemporaryDirectory()
    case.addCleanup(directory.cleanup)
    return os.path.realpath(directory.name)


def _parent(pid):
    with open(f'/proc/{pid}/stat') as source:
        return int(source.read().rpartition(')')[2].split()[1])
