# SPDX-License-Identifier: Apache-2.0

"""What a report says, given what is there, what was said, and who holds what.

Pure decisions; asking Placement is a function that is passed in.
"""

import dataclasses


@dataclasses.dataclass
class Plan:
    """The outcome for one target.

    :ivar entries: dict of entries by name: the report, in a stable order.
    :ivar dropped: dict of entries by name that the report leaves out and
        Placement has not forgotten yet.
    :ivar held: names of entries that are gone from the target and reported
        on, since they are allocated or nobody can say.
    :ivar waiting: number of new units that have to wait for a later report.
    :ivar frozen: None, or why the device has to be left as it is.
    """

    entries: dict = dataclasses.field(default_factory=dict)
    dropped: dict = dataclasses.field(default_factory=dict)
    held: list = dataclasses.field(default_factory=list)
    waiting: int = 0
    frozen: str | None = None


class Unknown(Exception):
    """Raised by the questions when there is no answer."""


def make(found, reported, dropped, max_new, ask, *, first=False):
    """Decide what to report for one target that could be read.

    :param found: dict by name of the entries that the target has now.
    :param reported: dict by name of what the last report had; None if that
        is not known (first report on this host, or a lost file).
    :param dropped: dict by name of what earlier reports left out and
        Placement may still have.
    :param max_new: how many units Cyborg may be told of for the first time.
    :param ask: object with ``known()``: the set of names of this device's
        providers in Placement, and ``allocated(name)``: bool; both raise
        :exc:`Unknown` if Placement cannot be asked. ``optional`` is true if
        there is no Placement to ask by configuration.
    :param first: whether Placement is to be asked although nothing has
        changed: what the last report had may have gone since, all of it
        where the driver was disabled for a while.
    :returns: :class:`Plan`.
    """
    known = None
    if first or reported is None or set(found) != set(reported) or dropped:
        try:
            known = ask.known()
        except Unknown:
            if reported is None and not ask.optional:
                return Plan(frozen='no last report on disk, and Placement '
                                   'cannot be asked what it has')
    before = reported or {}
    plan = Plan()
    _keep_gone(plan, found, before, dropped, known, ask)
    if known is not None:
        lost = known - set(found) - set(before) - set(dropped)
        held = [name for name in sorted(lost) if _held(name, ask)]
        if held:
            return Plan(frozen=f'{len(held)} allocated providers in '
                               'Placement are unknown here, the first is '
                               f'{held[0]}')
        # What the last report told of first, and has not got through yet.
        told = [name for name in found
                if name in before and name not in known]
        if first:
            before = {name: entry for name, entry in before.items()
                      if name not in told[max_new:]}
            max_new = max(0, max_new - len(told))
        else:
            max_new = max(1, max_new - len(told))
    for name, entry in found.items():
        if name in before:
            _add_reported(plan, name, entry, before[name], ask)
        elif known is not None and name in known:
            _add_known(plan, name, entry, dropped.get(name))
        elif max_new > 0 and (known is not None or ask.optional):
            max_new -= 1
            plan.entries[name] = entry
        else:
            plan.waiting += 1
    return plan


def _held(name, ask):
    try:
        return ask.allocated(name)
    except Unknown:
        return True


def _keep_gone(plan, found, before, dropped, known, ask):
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


def _add_reported(plan, name, entry, last, ask):
    if last.resource_class == entry.resource_class:
        plan.entries[name] = entry
    elif _held(name, ask):
        # A change now would make Cyborg and Placement disagree for good.
        plan.entries[name] = dataclasses.replace(
            entry, resource_class=last.resource_class)
        plan.held.append(name)
    else:
        # Out of one report, and back with the next.
        plan.dropped[name] = last


def _add_known(plan, name, entry, last):
    # Placement has it, and the last report had not: the file was lost, or
    # it was left out and has come back, or leaving it out has failed.
    if last is not None and last.resource_class != entry.resource_class:
        entry = dataclasses.replace(entry,
                                    resource_class=last.resource_class)
    plan.entries[name] = entry
