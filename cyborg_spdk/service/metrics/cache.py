# SPDX-License-Identifier: Apache-2.0

"""The last reading of each target; who asks never waits for one that hangs.

A target is read in a thread of its own, and by one reading at a time. A
scrape waits for a reading that it has begun, for a bounded time; it does not
wait for one that was owed to an earlier scrape already.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import threading
import time

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk.service.metrics import reading
from cyborg_spdk.service import options
from cyborg_spdk.units.wipe import marks_cache

LOG = loggers.get(__name__)

#: Seconds that a scrape waits for all targets together.
PATIENCE = 2.0

#: Seconds after which what a target said is no news any more, although the
#: next reading is only late, and has not failed.
LONGEST = 60.0


@dataclasses.dataclass(frozen=True)
class Cached:
    """What is known of one target.

    :ivar target: the target.
    :ivar reading: what it said last; None if it has not answered, or not
        for so long that it is no news any more.
    :ivar age: seconds since then; None if it never answered.
    :ivar error: why the last reading failed, or None.
    """

    target: spdk_conf.Target
    reading: reading.Reading | None
    age: float | None
    error: str | None


class _Entry:
    """One target: its reader, its last reading, the one under way."""

    def __init__(self, target: spdk_conf.Target,
                 read: Callable[[], reading.Reading],
                 close: Callable[[], None]) -> None:
        self.target = target
        self._read = read
        self._close = close
        self._lock = threading.Lock()
        self._done: threading.Event | None = None
        self._reading: reading.Reading | None = None
        self._when = 0.0
        self._error: str | None = None
        self._closed = False

    def refresh(self, lasts: float) -> threading.Event | None:
        """Begin a reading if one is due.

        :param lasts: seconds that a reading is good for.
        :returns: what is set at its end; None if none was begun.
        """
        with self._lock:
            fresh = self._reading is not None and self._error is None \
                and time.monotonic() - self._when < lasts
            if fresh or self._done is not None or self._closed:
                return None
            done = self._done = threading.Event()
        threading.Thread(target=self._work, args=(done,), daemon=True,
                         name=f'metrics-{self.target.name}').start()
        return done

    def cached(self) -> Cached:
        """What is known now."""
        with self._lock:
            if self._reading is None:
                return Cached(self.target, None, None, self._error)
            age = time.monotonic() - self._when
            known = self._reading if self._error is None \
                and age < LONGEST else None
            return Cached(self.target, known, age, self._error)

    def close(self) -> None:
        """Begin no reading any more, and let go of the connection."""
        with self._lock:
            self._closed = True
            busy = self._done is not None
        if not busy:
            self._close()

    def _work(self, done: threading.Event) -> None:
        found, error = None, None
        try:
            found = self._read()
        except exceptions.SpdkError as exc:
            error = str(exc)
        # A reply that no known release sends must not end the metrics.
        except Exception as exc:
            LOG.exception('%s: reading its metrics', self.target.name)
            error = repr(exc)
        with self._lock:
            self._error, self._done = error, None
            if found is not None:
                self._reading, self._when = found, time.monotonic()
            closed = self._closed
        done.set()
        if closed:
            self._close()


class Cache:
    """The last readings of the targets.

    :param conf: the configuration.
    :param lasts: seconds that a reading is good for; None: [spdk_service]
        metrics_cache.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 lasts: float | None = None) -> None:
        self._conf = conf
        self._lasts = lasts
        self._marks = marks_cache.MarksCache(conf)
        self._entries: dict[spdk_conf.Target, _Entry] = {}
        self._lock = threading.Lock()

    def get(self, targets: Sequence[spdk_conf.Target]) -> list[Cached]:
        """What is known of some targets; all others are forgotten.

        Blocks for :data:`PATIENCE` at most.

        :param targets: the targets.
        :returns: in their order.
        """
        deadline = time.monotonic() + PATIENCE
        lasts = self._conf[options.GROUP].metrics_cache \
            if self._lasts is None else self._lasts
        entries = self._of(targets)
        for done in [entry.refresh(lasts) for entry in entries]:
            if done is not None:
                done.wait(max(0.0, deadline - time.monotonic()))
        return [entry.cached() for entry in entries]

    def close(self) -> None:
        """Let go of all connections."""
        self._of(())

    def _of(self, targets: Sequence[spdk_conf.Target]) -> list[_Entry]:
        with self._lock:
            for target in set(self._entries) - set(targets):
                self._entries.pop(target).close()
            for target in targets:
                if target not in self._entries:
                    reader = reading.Reader(self._conf, target, self._marks)
                    self._entries[target] = _Entry(
                        target, reader.read, reader.close)
            return [self._entries[target] for target in targets]
