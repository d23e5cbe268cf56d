# SPDX-License-Identifier: Apache-2.0

"""How many new units a report may have, by what the last ones took.

A new unit costs Cyborg's conductor some ten requests to Placement: 70 ms on
a quiet machine, 230 ms on a busy one. The agent gives up a report after
``rpc_response_timeout``, while the conductor goes on, and two reports that
overlap leave devices behind that nothing heals. When its new units were made
stands in Placement: first and last of them tell what one costs.
"""

from collections.abc import Collection
from collections.abc import Mapping

#: Share of the agent's patience that one report may take.
SHARE = 0.5
#: What a unit that is there already costs, in units that are new: measured
#: 11 ms of 70 to 230 (MariaDB, RabbitMQ).
KNOWN_COST = 0.16
#: Placement tells the time in whole seconds.
_RESOLUTION = 1.0


class Pace:
    """The pace of one target's new units.

    Begins with ``[spdk] max_new_units``, doubles while the reports are fast
    enough, and halves when new units did not get through.
    """

    def __init__(self) -> None:
        self._most: int | None = None
        self._cost: float | None = None
        self._sent: frozenset[str] = frozenset()

    def quota(self, first: int, limit: int, seconds: float,
              reported: int) -> int:
        """How many new units the next report may have.

        :param first: ``[spdk] max_new_units``.
        :param limit: ``[spdk] max_new_units_limit``.
        :param seconds: how long the report of this target may take.
        :param reported: how many units it has besides.
        """
        most = first if self._most is None else self._most
        if self._cost is not None:
            fits = int(seconds / self._cost - reported * KNOWN_COST)
            most = min(most, fits)
        return max(1, min(most, max(first, limit)))

    def sent(self, names: Collection[str], quota: int) -> None:
        """A report leaves.

        :param names: its new units.
        :param quota: how many it might have had.
        """
        self._sent = frozenset(names)
        self._most = quota

    def arrived(self, known: Collection[str],
                made: Mapping[str, float]) -> None:
        """The next one is to be made.

        :param known: names of the providers that there are now.
        :param made: seconds at which they were made, of some, by name.
        """
        sent, self._sent = self._sent, frozenset()
        if not sent or self._most is None:
            return
        if not sent <= set(known):
            self._most = max(1, self._most // 2)
            return
        times = sorted(made[name] for name in sent if name in made)
        if len(times) < 2:
            return
        self._cost = (times[-1] - times[0] + _RESOLUTION) / len(times)
        if len(sent) >= self._most:
            self._most *= 2
