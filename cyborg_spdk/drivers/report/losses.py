# SPDX-License-Identifier: Apache-2.0

"""When a unit counts as lost in Placement, and is made anew."""

from collections.abc import Iterable
from collections.abc import Mapping

from cyborg_spdk.drivers.report import confirmation
from cyborg_spdk.drivers.report import entries

#: Reports after which a unit that Placement never was seen to have counts
#: as lost; before, the reports may have failed.
PATIENCE = 3
#: A unit that stays lost is tried again after twice as many each time, up
#: to this many.
LONGEST = 60


class Losses:
    """What Placement has lost of one target."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._patience: dict[str, int] = {}
        self._lost: set[str] = set()

    def found(self, reported: Mapping[str, entries.Entry],
              now: confirmation.Findings,
              before: Mapping[str, tuple[int, str]]) -> set[str]:
        """The units that count as lost.

        :param reported: what the last report had.
        :param now: how Placement has it.
        :param before: what was confirmed by earlier reports.
        """
        for name in now.confirmed:
            self._patience.pop(name, None)
        self._times = {name: self._times.get(name, 0) + 1
                       for name in now.missing | now.damaged}
        # What is allocated stays so until it is free.
        lost = self._lost & set(self._times)
        for name, times in self._times.items():
            confirmed = before.get(name)
            was_there = confirmed is not None and name not in \
                self._patience and confirmed[1] == reported[name].digest
            if was_there or times >= self._patience.get(name, PATIENCE):
                lost.add(name)
        self._lost = lost
        return set(lost)

    def made_anew(self, names: Iterable[str]) -> None:
        """Units were left out of a report, to be made anew."""
        for name in names:
            self._patience[name] = min(
                LONGEST, 2 * self._patience.get(name, PATIENCE))
            self._times.pop(name, None)
            self._lost.discard(name)
