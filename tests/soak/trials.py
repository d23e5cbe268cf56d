# SPDX-License-Identifier: Apache-2.0

"""What a trial of the soak is, and what it found."""

import collections.abc
import dataclasses


@dataclasses.dataclass(frozen=True)
class Trial:
    """Something that is done very often, and what must never come of it.

    :ivar name: what is done, in words.
    :ivar run: does it: function of how often, and of a seed; it returns
        figures by name.
    :ivar amount: how often in the soak.
    :ivar short: how often in the gate.
    :ivar limits: figures of which more than this is a fault, by name; most
        are counts of which there may be none.
    """

    name: str
    run: collections.abc.Callable[[int, int], dict[str, float]]
    amount: int
    short: int
    limits: dict[str, float]

    def broken(self, figures: dict[str, float]) -> list[str]:
        """The figures that are over their limit, a text each."""
        return [f'{name} {figures[name]:g} (at most {limit:g})'
                for name, limit in self.limits.items()
                if not figures[name] <= limit]
