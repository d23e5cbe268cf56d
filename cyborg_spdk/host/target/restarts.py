# SPDX-License-Identifier: Apache-2.0

"""A target that keeps dying is started again with growing pauses.

What is remembered lies below ``state_path``, so that every process knows it,
and is counted in time since the boot, so that a clock set back changes
nothing.
"""

import dataclasses
import json
import os
import time

from cyborg_spdk.host import trusted_files

#: Starts that need no pause: an accident may happen twice.
FREE = 3

#: The first pause, in seconds; each next one is twice as long.
FIRST_PAUSE = 5.0

#: The longest pause, in seconds.
LONGEST_PAUSE = 600.0

#: A target that has run for so long, in seconds, is well again.
WELL_AFTER = 600.0


@dataclasses.dataclass(frozen=True)
class History:
    """How often a target was started of late.

    :ivar starts: starts of which none lasted for :data:`WELL_AFTER`.
    :ivar last: the last of them, in seconds since the boot.
    :ivar boot: of which boot.
    :ivar held: whether the operator has stopped it to stay down.
    """

    starts: int = 0
    last: float = 0.0
    boot: str = ''
    held: bool = False

    def pause(self, now: float | None = None) -> float:
        """Seconds until the next start is due; 0 if it is now."""
        now = _now() if now is None else now
        since = now - self.last
        if self.starts < FREE or since >= WELL_AFTER:
            return 0.0
        length = min(LONGEST_PAUSE,
                     FIRST_PAUSE * 2 ** (self.starts - FREE))
        return max(0.0, length - since)


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot() -> str:
    with open('/proc/sys/kernel/random/boot_id') as stream:
        return stream.read().strip()


def _path(directory: str, name: str) -> str:
    return os.path.join(directory, f'{name}.starts')


def read(directory: str, name: str) -> History:
    """The :class:`History` of a target; an empty one if there is none."""
    try:
        history = History(**(
            trusted_files.read_json(_path(directory, name)) or {}))
        if history.held:
            return history
        if history.boot == _boot() and 0 <= history.last <= _now() and \
                isinstance(history.starts, int):
            return history
    except (trusted_files.Damaged, ValueError, TypeError):
        pass
    return History()


def started(directory: str, name: str) -> History:
    """Remember that a target is started now.

    :returns: the new :class:`History`.
    """
    before = read(directory, name)
    now = _now()
    starts = before.starts if now - before.last < WELL_AFTER else 0
    history = History(starts + 1, now, _boot())
    _write(directory, name, history)
    return history


def hold(directory: str, name: str) -> None:
    """Remember that the operator wants it to stay down."""
    _write(directory, name, History(held=True))


def _write(directory: str, name: str, history: History) -> None:
    trusted_files.write_atomically(
        _path(directory, name),
        json.dumps(dataclasses.asdict(history)).encode(), durable=False)


def forget(directory: str, name: str) -> None:
    """Forget it all: the operator has stopped or started the target."""
    trusted_files.remove(_path(directory, name))
