# SPDX-License-Identifier: Apache-2.0

"""Duties done again and again, each in its own time.

futurist's periodic worker is the clock and the pool of threads: one process,
which forks nothing. (Cotyledon, and with it oslo.service, fork a worker;
what a target is asked over, and what libvirt tells, does not survive that,
and systemd starts a service again as well as a master process would.)
"""

from collections.abc import Sequence
import concurrent.futures
import contextlib
import dataclasses
import logging
import threading
import time
import warnings

with warnings.catch_warnings(record=True):
    # It imports eventlet where that is installed, which warns of itself,
    # whatever the filters say; nothing of eventlet is used here.
    from futurist import periodics

from cyborg_spdk import conditions  # noqa: E402
from cyborg_spdk import loggers
from cyborg_spdk.service import duty as duties  # noqa: E402

LOG = loggers.get(__name__)


class Schedule:
    """Does some duties until it is stopped.

    :param all_duties: the duties; each needs a name of its own.
    """

    def __init__(self, all_duties: Sequence[duties.Duty]) -> None:
        self._duties = {duty.name: duty for duty in all_duties}
        self._states = {name: duties.State() for name in self._duties}
        self._busy = {name: threading.Lock() for name in self._duties}
        self._lock = threading.Lock()
        self._woken: set[str] = set()
        self._conditions = conditions.Conditions()
        self._worker: periodics.PeriodicWorker | None = None
        self._thread: threading.Thread | None = None
        self._extra: concurrent.futures.ThreadPoolExecutor | None = None

    def states(self) -> dict[str, duties.State]:
        """What is known of each duty, by name."""
        with self._lock:
            return dict(self._states)

    def once(self) -> None:
        """Do each duty once, all at the same time; blocks until then."""
        with concurrent.futures.ThreadPoolExecutor(
                max(1, len(self._duties))) as pool:
            list(pool.map(self._run, self._duties))

    def start(self) -> None:
        """Begin; returns at once."""
        size = max(1, len(self._duties))
        self._extra = concurrent.futures.ThreadPoolExecutor(
            size, thread_name_prefix='duty-now')
        self._worker = periodics.PeriodicWorker(
            [(self._periodic(name, duty), None, None)
             for name, duty in self._duties.items()],
            executor_factory=lambda: concurrent.futures.ThreadPoolExecutor(
                size, thread_name_prefix='duty'),
            schedule_strategy='last_finished')
        self._thread = threading.Thread(
            target=self._worker.start, kwargs={'allow_empty': True},
            name='schedule', daemon=True)
        self._thread.start()

    def wake(self, name: str) -> None:
        """Have a duty done now, besides its own time.

        However often before that run begins: it is one run.

        :param name: the duty's; one that is not on the schedule is none.
        """
        with self._lock:
            extra = self._extra
            if name not in self._duties or extra is None or \
                    name in self._woken:
                return
            self._woken.add(name)
        # It may have been shut down just now.
        with contextlib.suppress(RuntimeError):
            extra.submit(self._run, name)

    def stop(self) -> None:
        """End: no run begins any more, and those that wait are ended."""
        if self._worker is None or self._thread is None:
            return
        self._worker.stop()
        for duty in self._duties.values():
            duty.stop()
        if self._extra is not None:
            self._extra.shutdown(cancel_futures=True)
        self._thread.join()
        self._worker = self._thread = self._extra = None

    def close(self) -> None:
        """Let every duty let go of what it holds."""
        for duty in self._duties.values():
            duty.close()

    def _periodic(self, name: str, duty: duties.Duty):  # type: ignore
        @periodics.periodic(spacing=duty.interval, run_immediately=True)
        def do() -> None:
            self._run(name)
        return do

    def _run(self, name: str) -> None:
        with self._busy[name]:
            with self._lock:
                self._woken.discard(name)
            self._set(name, began=time.monotonic(),
                      runs=self._states[name].runs + 1)
            error, outcome = None, duties.Outcome()
            try:
                outcome = self._duties[name].run()
            # A duty that fails must not stop the others, nor itself.
            except Exception as exc:
                error = f'{exc}' or repr(exc)
                LOG.debug('%s failed', name, exc_info=True)
            self._set(name, ended=time.monotonic(), error=error,
                      outcome=outcome)
            self._tell(name)

    def _set(self, name: str, **changed: object) -> None:
        with self._lock:
            self._states[name] = dataclasses.replace(
                self._states[name], **changed)  # type: ignore[arg-type]

    def _tell(self, name: str) -> None:
        problems = self._states[name].problems
        self._conditions.tell(
            name, 'duty', '; '.join(problems) if problems else None,
            logging.ERROR)
