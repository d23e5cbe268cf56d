# SPDX-License-Identifier: Apache-2.0

"""From a reading to a device: the plan, the state on disk, the objects."""

from collections.abc import Mapping
import dataclasses
import time
from typing import Any

from cyborg.objects.driver_objects import driver_device

from cyborg_spdk import conditions
from cyborg_spdk import conf
from cyborg_spdk.drivers.report import confirmation
from cyborg_spdk.drivers.report import custody
from cyborg_spdk.drivers.report import cyborg_limits
from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import former_targets
from cyborg_spdk.drivers.report import inventory
from cyborg_spdk.drivers.report import last_reports
from cyborg_spdk.drivers.report import losses
from cyborg_spdk.drivers.report import memory
from cyborg_spdk.drivers.report import messages
from cyborg_spdk.drivers.report import pace
from cyborg_spdk.drivers.report import placement_view
from cyborg_spdk.drivers.report import plan
from cyborg_spdk.drivers.report import quiet
from cyborg_spdk.drivers.report import remote_claims
from cyborg_spdk import exceptions
from cyborg_spdk.units import placement
from cyborg_spdk.units import report_account
from cyborg_spdk.units import unit

#: Seconds after which Placement is asked again for a trait it did not know.
_TRAIT_AGAIN = 3600.0

# What is wrong with Placement is so for all drivers of a process.
_SHARED = conditions.Conditions()


@dataclasses.dataclass(frozen=True)
class Settings:
    """What holds for one report.

    :ivar directory: ``[spdk] state_path``.
    :ivar host: resource provider name of the host.
    :ivar names: all targets, of any kind, that are configured and have a
        driver.
    :ivar kinds: kinds whose targets this driver looks after although they
        are configured no more, or have no driver.
    :ivar first: whether it looks after targets of unknown kind as well.
    :ivar configured: kinds of all targets that are configured, by name.
    :ivar max_new: ``[spdk] max_new_units``.
    :ivar max_new_limit: ``[spdk] max_new_units_limit``.
    :ivar full_interval: ``[spdk] full_report_interval``, in seconds.
    :ivar timeout: seconds after which the agent gives up a report.
    """

    directory: str
    host: str
    names: frozenset[str]
    kinds: frozenset[str]
    first: bool
    configured: Mapping[str, str]
    max_new: int
    max_new_limit: int
    full_interval: float
    timeout: float


class Ask:
    """Placement's answers about one device, for :func:`plan.make`.

    :param view: :class:`~.placement_view.PlacementView`.
    :param mark: what the names of its providers have in common.
    """

    def __init__(self, view: placement_view.PlacementView,
                 mark: str) -> None:
        self._view = view
        self._mark = mark

    @property
    def optional(self) -> bool:
        """Whether there is no Placement to ask, by configuration."""
        return self._view.optional

    def known(self) -> dict[str, placement.Provider]:
        """Its providers, by name."""
        return self._view.known(self._mark)

    def allocated(self, name: str) -> bool:
        """Whether somebody holds something of a provider."""
        return self._view.allocated(name)

    def resource_class(self, name: str) -> str | None:
        """The class of a provider's inventory, or None."""
        found, _when = self._view.inventories(self.known()[name])
        return next(iter(found), None)


class Reporter:
    """Makes devices, and remembers what it said.

    :param service: Placement.
    :param told: what is told of whom.
    :ivar devices: what the report that was begun last has, by target.
    """

    def __init__(self, service: placement.Placement,
                 told: conditions.Conditions) -> None:
        self._placement = service
        self._conditions = told
        self._reports = last_reports.LastReports(told)
        self._custody = custody.Custody(service)
        # (host, target) of which what is on disk was compared with what
        # Placement has.
        self._sure: set[tuple[str, str]] = set()
        self._free: dict[str, int] = {}
        self._paces: dict[str, pace.Pace] = {}
        self._losses: dict[str, losses.Losses] = {}
        self._strangers: dict[str, dict[str, int]] = {}
        self._owner: tuple[bool, float] | None = None
        self.devices: dict[str, report_account.Device] = {}

    def remembered(self, directory: str, target: str) -> str | None:
        """The name of the host in the last report of a target, or None."""
        state = self._reports.get(directory, target)
        return state.host if state else None

    def begin(self, settings: Settings) -> None:
        """Begin a report; Placement is asked afresh."""
        self._settings = settings
        self.devices = {}
        self._view = placement_view.PlacementView(
            self._placement, settings.host, self._free)

    def device(self, target: conf.Target,
               contents: unit.Contents) -> driver_device.DriverDevice:
        """The device to report for a target that could be read.

        :returns: ``DriverDevice``; a stub if Cyborg's picture has to stay
            as it is, or need not change.
        """
        found, bad = entries.of_units(
            self._settings.host, target,
            [one for one in contents.units if one.bdev], self._more_traits())
        self._conditions.tell(target.name, 'unit refused',
                              messages.of_bad(bad))
        found, dirty = self._offered(target, contents, found)
        had = self._former().handles(target, found, self._state(target.name))
        self._conditions.tell(target.name, 'renamed',
                              messages.of_renamed(had))
        found = {name: entry for name, entry in found.items()
                 if entry.handle not in had}
        if self._is_anothers(target):
            found = {}
        device = self._report(target, found, contents.facts)
        self._conditions.tell(target.name, 'reserved', self._custody.reserve(
            [name for name in dirty if name in found], found, self._view))
        self._conditions.tell(target.name, 'released',
                              self._custody.release(target))
        return device

    def _offered(self, target: conf.Target, contents: unit.Contents,
                 found: plan.Entries) -> tuple[plan.Entries, list[str]]:
        """What may be reported, and names of what is dirty of it."""
        last = self._state(target.name)
        offered, back, dirty = self._custody.offered(
            target.name, found, contents.units, last.reported if last else {})
        self._conditions.tell(target.name, 'dirty',
                              custody.of_kept_back(back))
        return offered, dirty

    def _is_anothers(self, target: conf.Target) -> bool:
        """Whether another host reports a target that both can reach."""
        try:
            other = remote_claims.other_host(
                self._placement, self._settings.host, target)
        except exceptions.PlacementError:
            # New units wait until Placement can be asked.
            return False
        self._conditions.tell(
            target.name, 'other host', other and
            f'{other} reports this target; take it out of the configuration '
            f'of one of the two (the provider {remote_claims.name(target)} '
            'in Placement says whose it is)')
        return other is not None

    def former(self) -> list[driver_device.DriverDevice]:
        """Devices of targets that the configuration has no more.

        Such a target is not touched, but what is allocated of it stays
        until it is free; then the device goes. Likewise those that the
        configuration has and that no enabled driver is for.
        """
        found = []
        settings = self._settings
        for name, was in self._former().targets().items():
            state = self._state(name)
            kind = state.kind if state else was.kind
            if kind not in settings.kinds and not (
                    settings.first and kind not in conf.KINDS):
                continue
            if state is None and self.remembered(settings.directory, name):
                # Of another name of this host: nothing of it is here.
                continue
            if state and not (state.reported or state.dropped):
                # The last report had an empty device. Without one, Cyborg
                # takes away what is left.
                self._reports.forget(settings.directory, name)
                self._release(former_targets.nobody(
                    kind, name, '', state.address))
                continue
            target = former_targets.nobody(
                kind, name, state.application if state else '',
                state.address if state else was.address)
            made = self._report(target, {}, {}) if state \
                else self._unexplained(target)
            if made is not None:
                found.append(made)
        return found

    def _release(self, target: conf.Target) -> None:
        try:
            if target.rpc_address:
                remote_claims.release(self._placement, self._settings.host,
                                      target)
        except exceptions.PlacementError as exc:
            self._conditions.tell(target.name, 'other host',
                                  f'cannot be let have this target: {exc}')

    def _unexplained(self, target: conf.Target) \
            -> driver_device.DriverDevice | None:
        """A target of which nothing is known: a stub while it is in use."""
        planned, known = self._plan(target.name, {}, None)[:2]
        in_use = planned.frozen if known is not None else None
        self._conditions.tell(target.name, 'frozen',
                              messages.of_frozen(in_use))
        if planned.frozen:
            self._reports.note(self._settings.directory, target.name,
                               target.kind, target.rpc_address)
            return inventory.stub(self._settings.host, target)
        if not known and known is not None:
            self._reports.forget(self._settings.directory, target.name)
            self._release(target)
        return None

    def _report(self, target: conf.Target, found: plan.Entries,
                facts: Mapping[str, Any]) -> driver_device.DriverDevice:
        settings = self._settings
        last = self._state(target.name)
        planned, known, confirmed = self._plan(target.name, found, last)
        self._tell(target.name, planned)
        self.devices[target.name] = _account(planned, last)
        if planned.frozen:
            if last is None and known:
                self._reports.note(settings.directory, target.name,
                                   target.kind, target.rpc_address
                                   and memory.address(target))
            return inventory.stub(settings.host, target)
        now = memory.State(
            host=settings.host, kind=target.kind,
            application=target.application,
            address=target.rpc_address and memory.address(target),
            reported=planned.entries, dropped=planned.dropped,
            unsure=planned.unsure,
            confirmed={
                name: one for name, one in confirmed.items()
                if name in planned.entries
                and planned.entries[name].digest == one[1]})
        says = quiet.digest(target.application,
                            *inventory.board_infos(target, facts))
        same = known is not None and quiet.unchanged(
            last, now, set(known), self._known_strangers(target.name))
        full = last.full if last and same else None
        if not quiet.due(full, says, time.time(), quiet.spread(
                settings.full_interval, settings.host, target.name)):
            now.full = full
            self._reports.put(settings.directory, target.name, now)
            self.devices[target.name] = dataclasses.replace(
                self.devices[target.name], stub=True)
            return inventory.stub(settings.host, target)
        now.full = memory.Full(
            time.time(), says,
            full.times + 1 if full and full.digest == says else 1)
        self._reports.put(settings.directory, target.name, now)
        return inventory.device(settings.host, target, planned.entries,
                                facts)

    def _plan(self, name: str, found: plan.Entries,
              last: memory.State | None) -> tuple[
                  plan.Plan, dict[str, placement.Provider] | None,
                  dict[str, tuple[int, str]]]:
        settings = self._settings
        ask = Ask(self._view, entries.mark(settings.host, name))
        try:
            known = ask.known()
        except plan.Unknown:
            known = None
        reported = last.reported if last else {}
        results = confirmation.Findings() if known is None or not last else \
            confirmation.confirm(reported, known, last.confirmed, self._view)
        steps = self._paces.setdefault(name, pace.Pace())
        steps.arrived(known or (), results.made)
        quota = steps.quota(
            settings.max_new, settings.max_new_limit,
            settings.timeout * pace.SHARE / max(1, len(settings.names)),
            len(reported))
        lost = self._losses.setdefault(name, losses.Losses())
        planned = plan.make(
            found, last.reported if last else None,
            last.dropped if last else {}, quota, ask,
            sure=(settings.host, name) in self._sure,
            lost=lost.found(reported, results,
                            last.confirmed if last else {}),
            unsure=last.unsure if last else {})
        if not planned.frozen:
            lost.made_anew(planned.remade)
            steps.sent(planned.new, quota)
            if known is not None:
                self._sure.add((settings.host, name))
        self._count_strangers(name, planned.strange)
        return planned, known, results.confirmed

    def _state(self, target: str) -> memory.State | None:
        state = self._reports.get(self._settings.directory, target)
        return state if state and state.host == self._settings.host else None

    def _former(self) -> former_targets.FormerTargets:
        return former_targets.FormerTargets(
            self._settings.directory, self._settings.host,
            self._settings.names, self._settings.configured, self._state,
            self._view)

    def _more_traits(self) -> tuple[str, ...]:
        """OWNER_CYBORG where Placement knows it: in no older cloud."""
        now = time.monotonic()
        if self._owner is None or not self._owner[0] \
                and now - self._owner[1] > _TRAIT_AGAIN:
            try:
                self._owner = (self._placement.knows_trait(
                    cyborg_limits.OWNER), now)
            except exceptions.PlacementError:
                return ()
        return (cyborg_limits.OWNER,) if self._owner[0] else ()

    # Providers that nothing here explains and nobody holds: Cyborg takes
    # them away with the next report in full, if it still has them itself.

    def _count_strangers(self, target: str, names: list[str]) -> None:
        before = self._strangers.get(target, {})
        self._strangers[target] = {name: before.get(name, 0) + 1
                                   for name in names}

    def _known_strangers(self, target: str) -> set[str]:
        return {name for name, times in self._strangers[target].items()
                if times > quiet.FULL_TIMES}

    def _tell(self, target: str, planned: plan.Plan) -> None:
        _SHARED.tell('Placement', 'cannot be asked',
                     messages.of_placement(self._view))
        for what, message, level in messages.of_plan(
                planned, self._known_strangers(target), self._view):
            self._conditions.tell(target, what, message, level)


def _account(planned: plan.Plan,
             last: memory.State | None) -> report_account.Device:
    if planned.frozen:
        return report_account.Device(
            units=len(last.reported) if last else 0, stub=True,
            frozen=planned.frozen)
    return report_account.Device(
        units=len(planned.entries), new=len(planned.new),
        waiting=planned.waiting, held=len(planned.held))
