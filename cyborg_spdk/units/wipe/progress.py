# SPDX-License-Identifier: Apache-2.0

"""How far the wipes of this host have come, for whoever looks.

A file for each wipe in ``[spdk] run_path``; it is worth nothing after a
reboot, and nothing decides by it.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import dataclasses
import json
import os
import time

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import proc
from cyborg_spdk.host import trusted_files
from cyborg_spdk.units import handles

_EVERY = 0.5


@dataclasses.dataclass(frozen=True)
class Progress:
    """A wipe that goes on.

    :ivar step: ``zeroes`` or ``check``.
    :ivar done: bytes of this step that are done.
    :ivar total: bytes of all.
    :ivar rate: bytes in a second, on the average of this step.
    """

    step: str
    done: int
    total: int
    rate: float


def _path(conf: cfg.ConfigOpts, target: str, handle: str) -> str:
    return os.path.join(conf.spdk.run_path,
                        f'wipe-{handles.digest(target, handle)}.json')


def load(conf: cfg.ConfigOpts, target: str, handle: str) -> Progress | None:
    """How far the wipe of a unit is; None if there is none.

    :param conf: the configuration.
    :param target: name of the unit's target.
    :param handle: its handle.
    """
    try:
        value = trusted_files.read_json(
            _path(conf, target, handle), limit=4096)
        if value is None:
            return None
        found = proc.stat_of(int(value.pop('pid')))
        if found is None or found.ticks != value.pop('ticks'):
            return None
        return Progress(**value)
    except (exceptions.StateError, ValueError, TypeError, KeyError,
            AttributeError):
        return None


class Teller:
    """Writes the file, and tells who started the wipe.

    :param listener: called with a :class:`Progress` about twice a second,
        or None.
    """

    def __init__(self, path: str,
                 listener: Callable[[Progress], None] | None) -> None:
        self._path = path
        self._listener = listener
        self._step = ''
        self._begin = self._last = 0.0
        stat = proc.stat_of(os.getpid())
        self._who = {'pid': os.getpid(), 'ticks': stat.ticks if stat else 0}

    def step(self, name: str) -> Callable[[int, int], None]:
        """Begin a step; returns what is to be told of its bytes."""
        self._step, self._begin, self._last = name, time.monotonic(), 0.0
        return self._tell

    def _tell(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last < _EVERY and done < total:
            return
        self._last = now
        found = Progress(self._step, done, total,
                         done / max(now - self._begin, 1e-3))
        with contextlib.suppress(exceptions.StateError):
            trusted_files.write_atomically(
                self._path, json.dumps({**dataclasses.asdict(found),
                                        **self._who}).encode(),
                0o640, durable=False)
        if self._listener:
            self._listener(found)


@contextlib.contextmanager
def telling(conf: cfg.ConfigOpts, target: str, handle: str,
            listener: Callable[[Progress], None] | None,
            ) -> Iterator[Teller]:
    """Tell of a wipe as long as it goes on.

    :param conf: the configuration.
    :param target: name of the unit's target.
    :param handle: its handle.
    :param listener: see :class:`Teller`.
    """
    path = _path(conf, target, handle)
    try:
        yield Teller(path, listener)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
