# SPDX-License-Identifier: Apache-2.0

"""What a report says, given what is there, what was said, and who holds what.

Pure decisions; asking Placement is an object that is passed in.
"""

from collections.abc import Collection
import dataclasses
from typing import Protocol

from cyborg_spdk.drivers.report import cyborg_limits
from cyborg_spdk.drivers.report import entries as report_entries
from cyborg_spdk.drivers.report import placement_view
from cyborg_spdk.units import traits

Entries = dict[str, report_entries.Entry]

#: Raised by the questions when there is no answer.
Unknown = placement_view.Unknown


@dataclasses.dataclass
class Plan:
    """The outcome for one target.

    :ivar entries: dict of entries by name: the report, in a stable order.
    :ivar dropped: dict of entries by name that the report leaves out and
        Placement has not forgotten yet.
    :ivar unsure: dict of entries by name that a report has left out while
        Placement had no provider of them: nothing shows whether Cyborg has
        them still.
    :ivar held: names of entries that are gone from the target and reported
        on, since they are allocated or nobody can say.
    :ivar new: names of entries that Cyborg is told of for the first time.
    :ivar remade: names of entries that are left out for one report, so that
        Cyborg makes anew what Placement has lost of them.
    :ivar broken: names of entries of which Placement has lost something,
        and which cannot be made anew while they are allocated.
    :ivar waiting: number of new units that have to wait for a later report.
    :ivar strange: names of providers that nothing here explains, and that
        nobody holds anything of.
    :ivar frozen: None, or why the device has to be left as it is.
    """

    entries: Entries = dataclasses.field(default_factory=dict)
    dropped: Entries = dataclasses.field(default_factory=dict)
    unsure: Entries = dataclasses.field(default_factory=dict)
    held: list[str] = dataclasses.field(default_factory=list)
    new: list[str] = dataclasses.field(default_factory=list)
    remade: list[str] = dataclasses.field(default_factory=list)
    broken: list[str] = dataclasses.field(default_factory=list)
    waiting: int = 0
    strange: list[str] = dataclasses.field(default_factory=list)
    frozen: str | None = None


class Ask(Protocol):
    """Placement's answers about one device."""

    @property
    def optional(self) -> bool:
        """Whether there is no Placement to ask, by configuration."""

    def known(self) -> Collection[str]:
        """Names of its providers.

        :raises Unknown: if Placement cannot be asked.
        """

    def allocated(self, name: str) -> bool:
        """Whether somebody holds something of a provider.

        :raises Unknown: if Placement cannot be asked.
        """

    def resource_class(self, name: str) -> str | None:
        """The class of a provider's inventory, or None.

        :raises Unknown: if Placement cannot be asked.
        """


def make(found: Entries, reported: Entries | None, dropped: Entries,
         max_new: int, ask: Ask, *, sure: bool = True,
         lost: Collection[str] = frozenset(),
         unsure: Entries | None = None) -> Plan:
    """Decide what to report for one target that could be read.

    :param found: dict by name of the entries that the target has now.
    :param reported: dict by name of what the last report had; None if that
        is not known (first report on this host, or a lost file).
    :param dropped: dict by name of what earlier reports left out and
        Placement may still have.
    :param max_new: how many units Cyborg may be told of for the first time,
        or have other traits than in the last report.
    :param ask: Placement.
    :param sure: whether an earlier report of this process has compared
        ``reported`` with Placement. What comes from the disk may be older
        than what was reported last.
    :param lost: names of reported units of which Placement has lost the
        provider, its inventory or a trait.
    :param unsure: dict by name of what earlier reports left out, and of
        which nothing shows whether Cyborg has it still.
    """
    unsure = unsure or {}
    known = _known(ask)
    if known is None and not ask.optional and not sure:
        return Plan(frozen='Placement cannot be asked what it has of it')
    before = reported or {}
    plan = Plan()
    _explain(plan, known or (), {*found, *before, *dropped}, ask)
    if plan.frozen:
        return plan
    _keep_gone(plan, found, before, dropped, known, ask)
    later: set[str] = set()
    if known is not None:
        # What the last report told of first, and has not got through yet.
        told = [name for name in found
                if name in before and name not in known
                and name not in lost]
        if sure:
            max_new = max(1, max_new - len(told))
        elif known:
            # Or it got through, and Placement has lost the provider since:
            # then Cyborg may have it otherwise than the disk says, and would
            # change a provider that is not there. Left out once, it is new.
            later = set(told) if reported is not None else \
                {name for name in found if name not in known}
        else:
            # As when the driver was disabled for a while: all of them are
            # new to Cyborg.
            before = {name: entry for name, entry in before.items()
                      if name not in told[max_new:]}
            max_new = max(0, max_new - len(told))
    changes = max(1, max_new)
    for name, entry in found.items():
        if name in later:
            plan.waiting += 1
        elif name in lost and name in before:
            _make_anew(plan, name, before[name], ask)
        elif name in before:
            may = changes if ask.optional or name in (known or ()) else 0
            changes -= _add_reported(plan, entry, before[name], ask, may)
        elif known is not None and name in known:
            _add_known(plan, entry, dropped.get(name), ask)
        elif max_new > 0 and (known is not None or ask.optional):
            max_new -= 1
            # Cyborg may have it as it was, and cannot change a provider
            # that is not there: its whole report would fail.
            plan.entries[name] = unsure.get(name, entry)
            plan.new.append(name)
        else:
            plan.waiting += 1
    plan.unsure = {
        name: entry for name, entry in {**unsure, **(reported or {})}.items()
        if name not in plan.entries and name not in (known or ())}
    return plan


def _known(ask: Ask) -> Collection[str] | None:
    try:
        return ask.known()
    except Unknown:
        return None


def _explain(plan: Plan, known: Collection[str], explained: set[str],
             ask: Ask) -> None:
    """A device with an allocated provider that is unknown here stays."""
    strange = sorted(set(known) - explained)
    held = [name for name in strange if _held(name, ask)]
    if held:
        plan.frozen = (f'{len(held)} allocated providers in Placement are '
                       f'unknown here, the first is {held[0]}')
    plan.strange = [name for name in strange if name not in held]


def _held(name: str, ask: Ask) -> bool:
    try:
        return ask.allocated(name)
    except Unknown:
        return True


def _keep_gone(plan: Plan, found: Entries, before: Entries,
               dropped: Entries, known: Collection[str] | None,
               ask: Ask) -> None:
    for name, entry in before.items():
        if name in found or known is not None and name not in known:
            continue
        if _held(name, ask):
            plan.entries[name] = entry
            plan.held.append(name)
        else:
            plan.dropped[name] = entry
    for name, entry in dropped.items():
        if name in found or name in before:
            continue
        if known is None:
            plan.dropped[name] = entry
        elif name in known:
            # The last report left it out, and Placement has it still: that
            # report failed, or Cyborg has lost the row and kept the
            # provider. Told of it once more, Cyborg can delete it next time.
            plan.entries[name] = entry


def _make_anew(plan: Plan, name: str, last: report_entries.Entry,
               ask: Ask) -> None:
    """Cyborg makes a provider only for what it has not."""
    if _held(name, ask):
        plan.entries[name] = last
        plan.broken.append(name)
    else:
        plan.dropped[name] = last
        plan.remade.append(name)


def _add_reported(plan: Plan, entry: report_entries.Entry,
                  last: report_entries.Entry, ask: Ask,
                  changes: int) -> int:
    """Returns how many changes that takes: 0 or 1."""
    name = entry.name
    kept = traits.lasting(last.traits, entry.traits)
    if cyborg_limits.OWNER in last.traits:
        # Whether Placement knows it could perhaps not be asked this time.
        kept = tuple(sorted({*kept, cyborg_limits.OWNER}))
    entry = dataclasses.replace(entry, traits=kept)
    if last.resource_class != entry.resource_class:
        if not _held(name, ask):
            # Out of one report, and back with the next.
            plan.dropped[name] = last
            return 0
        # A change now would make Cyborg and Placement disagree for good.
        entry = dataclasses.replace(entry,
                                    resource_class=last.resource_class)
        plan.held.append(name)
    changed = int(entry.traits != last.traits and changes > 0)
    # Each costs Cyborg requests to Placement, as a new unit does, and fails
    # where there is no provider.
    plan.entries[name] = entry if changed else last
    return changed


def _add_known(plan: Plan, entry: report_entries.Entry,
               last: report_entries.Entry | None, ask: Ask) -> None:
    # Placement has it, and the last report had not: the file was lost, or
    # it was left out and has come back, or leaving it out has failed.
    try:
        resource_class = last.resource_class if last \
            else ask.resource_class(entry.name)
    except Unknown:
        resource_class = None
    if resource_class and resource_class != entry.resource_class:
        entry = dataclasses.replace(entry, resource_class=resource_class)
    plan.entries[entry.name] = entry
