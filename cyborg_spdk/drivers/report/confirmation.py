# SPDX-License-Identifier: Apache-2.0

"""Whether Placement has the units as they were reported.

Cyborg looks at Placement only when it makes or changes a provider. One that
is lost there, or has lost its inventory or a trait, stays so: capacity that
nobody gets. A provider's generation changes with all of that, so that one
request for the host's providers tells whether there is anything to look at.
"""

from collections.abc import Mapping
import dataclasses
import time

from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import placement_view
from cyborg_spdk.units import placement

#: How many providers are looked at for one report of a target, and for how
#: many seconds; the others have their turn with the next ones.
MOST = 250
SECONDS = 5.0


@dataclasses.dataclass
class Findings:
    """What was found.

    :ivar confirmed: see :class:`~cyborg_spdk.drivers.report.memory.State`.
    :ivar missing: names of units that have no provider.
    :ivar damaged: names of units whose provider lacks what was reported.
    :ivar made: when the inventories of what was looked at were made, on
        Placement's clock, by name.
    """

    confirmed: dict[str, tuple[int, str]] = dataclasses.field(
        default_factory=dict)
    missing: set[str] = dataclasses.field(default_factory=set)
    damaged: set[str] = dataclasses.field(default_factory=set)
    made: dict[str, float] = dataclasses.field(default_factory=dict)


def confirm(reported: Mapping[str, entries.Entry],
            known: Mapping[str, placement.Provider],
            before: Mapping[str, tuple[int, str]],
            view: placement_view.PlacementView) -> Findings:
    """Compare what was reported with what Placement has.

    :param reported: what the last report had.
    :param known: the device's providers.
    :param before: what was confirmed by earlier reports.
    :param view: to ask about providers that have changed since.
    """
    found = Findings()
    to_do = []
    for name, entry in reported.items():
        provider = known.get(name)
        if provider is None:
            found.missing.add(name)
        elif before.get(name) == (provider.generation, entry.digest):
            found.confirmed[name] = (provider.generation, entry.digest)
        else:
            to_do.append((entry, provider))
    try:
        _look(to_do[:MOST], view, found)
    except placement_view.Unknown:
        # What is not confirmed is reported in full, that is all.
        pass
    return found


def _look(to_do: list[tuple[entries.Entry, placement.Provider]],
          view: placement_view.PlacementView, found: Findings) -> None:
    end = time.monotonic() + SECONDS
    having: dict[tuple[str, ...], set[str]] = {}
    for entry, provider in to_do:
        if time.monotonic() > end:
            break
        if entry.traits not in having:
            having[entry.traits] = view.with_traits(provider, entry.traits)
        inventories, made = view.inventories(provider)
        if made is not None:
            found.made[entry.name] = made
        inventory = inventories.get(entry.resource_class)
        if inventory and inventory.total == 1 \
                and entry.name in having[entry.traits]:
            found.confirmed[entry.name] = (provider.generation,
                                           entry.digest)
        else:
            found.damaged.add(entry.name)
