# SPDX-License-Identifier: Apache-2.0

"""Named tasks in the background: start several targets at once.

>>> from cyborg_spdk import tasks
>>> tasks.run('nvmf', len, 'abc')
>>> tasks.wait('nvmf')
[3]

A task runs in a thread of its own, which carries its name. ``wait`` raises
what the task raised, as :class:`~cyborg_spdk.exceptions.TaskError` with the
task's name. What nobody waits for is told at the end of the process. The
threads do not keep a process alive: a target whose start hangs must not
keep the agent from ending.

A task belongs to the process that ran it: after a fork its thread is not in
the child, and its result would be waited for without end. So a child knows
no task of its parent.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from collections.abc import Sequence
import concurrent.futures
import dataclasses
import os
import threading
import time
from typing import Any
import weakref

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk import loggers

LOG = loggers.get(__name__)


@dataclasses.dataclass(frozen=True)
class Summary:
    """What running in the background has saved, in seconds.

    :ivar tasks: seconds of each task, by name, in the order of their start
        (one that still runs: up to now).
    :ivar background: all tasks together, less the time somebody waited.
    :ivar elapsed: from the start of the first to the end of the last.
    :ivar serial: what it would have taken one after the other.
    """

    tasks: dict[str, float]
    background: float
    elapsed: float
    serial: float

    @property
    def speedup(self) -> float:
        """How many times faster than one after the other."""
        return self.serial / self.elapsed if self.elapsed else 1.0

    def __str__(self) -> str:
        times = ', '.join(f'{name} {seconds:.2f} s'
                          for name, seconds in self.tasks.items())
        return (f'background tasks: {times or "none"}; in the background '
                f'{self.background:.2f} s, elapsed {self.elapsed:.2f} s, '
                f'one after the other {self.serial:.2f} s, speed-up '
                f'{self.speedup:.2f}')


#: Every set of tasks, to begin anew in a child.
_ALL: weakref.WeakSet[Tasks] = weakref.WeakSet()


class _Task:
    def __init__(self, name: str) -> None:
        self.name = name
        self.future: concurrent.futures.Future[Any] = \
            concurrent.futures.Future()
        self.began = time.monotonic()
        self.ended: float | None = None
        self.collected = False

    def execute(self, fn: Callable[..., Any], args: tuple[Any, ...],
                kwargs: dict[str, Any]) -> None:
        try:
            result = fn(*args, **kwargs)
        except BaseException as exc:
            self.ended = time.monotonic()
            self.future.set_exception(exc)
        else:
            self.ended = time.monotonic()
            self.future.set_result(result)

    @property
    def seconds(self) -> float:
        return (self.ended or time.monotonic()) - self.began


class Tasks:
    """A set of named tasks.

    :ivar parallel: False runs every task inline, when it is given.
    """

    def __init__(self, parallel: bool = True) -> None:
        self.parallel = parallel
        self._begin()
        _ALL.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, _Task] = {}
        self._waited = 0.0
        self._first: float | None = None

    def run(self, name: str, fn: Callable[..., Any], /, *args: Any,
            **kwargs: Any) -> None:
        """Run a function in the background.

        :param name: its name; it must not be that of a task that runs.
        :param fn: the function; ``args`` and ``kwargs`` are handed to it.
        :raises InvalidValue: if a task of that name runs.
        """
        task = _Task(name)
        with self._lock:
            before = self._tasks.pop(name, None)
            if before is not None and not before.future.done():
                self._tasks[name] = before
                raise exceptions.InvalidValue(
                    'task name', name, 'a task of that name is running; '
                    'wait for it first')
            self._tasks[name] = task
            if self._first is None:
                self._first = task.began
        if before is not None:
            _report(before)
        if self.parallel:
            threading.Thread(target=task.execute, args=(fn, args, kwargs),
                             name=f'task {name}', daemon=True).start()
        else:
            task.execute(fn, args, kwargs)

    def known(self, name: str) -> bool:
        """Whether a task of that name was ever run in this process.

        :returns: bool.
        """
        with self._lock:
            return name in self._tasks

    def pending(self, name: str) -> bool:
        """Whether there is a task whose outcome nobody has had yet.

        :returns: bool; it may run still.
        """
        with self._lock:
            return name in self._tasks and not self._tasks[name].collected

    def wait(self, *names: str, timeout: float | None = None) -> list[Any]:
        """Wait for some tasks.

        :param names: their names. Waiting twice gives the same again.
        :param timeout: seconds for all of them together; None means for
            ever.
        :returns: list of their results, in that order.
        :raises TaskError: the first failure. The tasks behind it are left
            running, the message names them, and they can be waited for.
            Also when the time is over.
        :raises InvalidValue: for a name that no task has had.
        """
        with self._lock:
            unknown = [name for name in names if name not in self._tasks]
            if unknown:
                raise exceptions.InvalidValue(
                    'task name', unknown[0], 'there is no such task, only '
                    + (', '.join(self._tasks) or 'none'))
            tasks = [self._tasks[name] for name in names]
        began = time.monotonic()
        try:
            return self._collect(tasks, timeout)
        finally:
            with self._lock:
                self._waited += time.monotonic() - began

    def _collect(self, tasks: list[_Task], timeout: float | None
                 ) -> list[Any]:
        futures = {task.future: task for task in tasks}
        concurrent.futures.wait(
            futures, timeout, concurrent.futures.FIRST_EXCEPTION)
        for task in tasks:
            if task.future.done():
                task.collected = True
                if task.future.exception() is not None:
                    cause = task.future.exception()
                    raise exceptions.TaskError(
                        task.name, _and_running(cause, tasks)) from cause
        for task in tasks:
            if not task.future.done():
                raise exceptions.TaskError(
                    task.name, _and_running(
                        f'it runs still after {task.seconds:.1f} s',
                        [other for other in tasks if other is not task]))
        return [task.future.result() for task in tasks]

    def wait_all(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait for every task that nobody has waited for yet.

        :param timeout: seconds for all of them together.
        :returns: dict of name to result.
        :raises TaskError: as :meth:`wait`.
        """
        with self._lock:
            names = [name for name, task in self._tasks.items()
                     if not task.collected]
        return dict(zip(names, self.wait(*names, timeout=timeout),
                        strict=True))

    def summary(self) -> Summary:
        """What was saved so far, as a :class:`Summary`."""
        with self._lock:
            tasks = list(self._tasks.values())
            waited, first = self._waited, self._first
        seconds = {task.name: task.seconds for task in tasks}
        if first is None:
            return Summary({}, 0.0, 0.0, 0.0)
        now = time.monotonic()
        elapsed = max(task.ended or now for task in tasks) - first
        background = sum(seconds.values()) - (waited if self.parallel
                                              else elapsed)
        return Summary(seconds, background, elapsed, elapsed + background)

    def after_fork(self) -> None:
        """In a child process: forget what the parent runs."""
        self._begin()

    def report_unwaited(self) -> None:
        """Log each task that nobody has waited for."""
        with self._lock:
            tasks = list(self._tasks.values())
        for task in tasks:
            _report(task)


def _and_running(cause: object, tasks: Sequence[_Task]) -> object:
    running = [task.name for task in tasks if not task.future.done()]
    return f"{cause} (still running: {', '.join(running)})" if running \
        else cause


def _report(task: _Task) -> None:
    if task.collected:
        return
    if not task.future.done():
        LOG.warning('task %s runs still after %.1f s, and nobody waits for '
                    'it', task.name, task.seconds)
    elif task.future.exception() is not None:
        LOG.warning('task %s failed, and nobody waited for it: %s',
                    task.name, task.future.exception())
    else:
        LOG.debug('task %s: nobody waited for it', task.name)


#: The tasks of this process.
_TASKS = Tasks()
atexit.register(_TASKS.report_unwaited)

run = _TASKS.run
known = _TASKS.known
pending = _TASKS.pending
wait = _TASKS.wait
wait_all = _TASKS.wait_all
summary = _TASKS.summary


def configure(conf: cfg.ConfigOpts) -> None:
    """Take ``[spdk] parallel`` from the configuration."""
    _TASKS.parallel = conf.spdk.parallel


def _after_fork() -> None:
    for tasks in _ALL:
        tasks.after_fork()


os.register_at_fork(after_in_child=_after_fork)
