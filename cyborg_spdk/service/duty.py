# SPDX-License-Identifier: Apache-2.0

"""What a duty is, and what is known of one."""

import abc
import dataclasses
from typing import Any

#: Name of the duty that gives targets what they lack, before the target's.
REPAIR = 'repair'

#: Name of the duty that plugs units into guests.
PLUG = 'plug'


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one run of a duty has found.

    :ivar problems: what is wrong, each one line with its remedy; empty if
        all is well.
    :ivar facts: what /health shows besides, as JSON.
    """

    problems: tuple[str, ...] = ()
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


class Duty(abc.ABC):
    """Something that the service does again and again.

    :ivar name: as it is shown, for example ``"supervise spdk_nvmf"``.
    :ivar interval: seconds from the end of a run to the next one.
    """

    name: str
    interval: float

    @abc.abstractmethod
    def run(self) -> Outcome:
        """Do it once.

        Never twice at the same time. It may block, but not for ever.

        :raises Exception: whatever it raises is told, is on /health, and
            does not keep it from being done again.
        """

    def stop(self) -> None:  # noqa: B027
        """End a run that waits, soon: the service is being stopped."""

    def close(self) -> None:  # noqa: B027
        """Let go of connections and files; no run follows."""


@dataclasses.dataclass(frozen=True)
class State:
    """What is known of a duty.

    :ivar runs: how often it was done.
    :ivar began: when the last run began (``time.monotonic()``); None
        before the first.
    :ivar ended: when it ended; None before the first end.
    :ivar outcome: what the last finished run found.
    :ivar error: why the last finished run failed, one line, or None.
    """

    runs: int = 0
    began: float | None = None
    ended: float | None = None
    outcome: Outcome = Outcome()
    error: str | None = None

    @property
    def running(self) -> bool:
        """Whether it is being done now."""
        return self.began is not None and (
            self.ended is None or self.ended < self.began)

    @property
    def problems(self) -> tuple[str, ...]:
        """All that is wrong: the failure of the run, or what it found."""
        return (self.error,) if self.error else self.outcome.problems
