# SPDX-License-Identifier: Apache-2.0

"""From a reading to a device: the plan, the state on disk, the objects."""

import logging

from cyborg_spdk import conf
from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import inventory
from cyborg_spdk.drivers.report import memory as report_memory
from cyborg_spdk.drivers.report import plan
from cyborg_spdk import exceptions


def nobody(kind, name, application='', address=''):
    """A target of which no more is known than what a report needs.

    :returns: :class:`~cyborg_spdk.conf.Target`.
    """
    return conf.Target(
        name=name, kind=kind, application=application, rpc_address=address,
        start=False, core_mask=None, memory_mb=0, no_huge=False,
        interrupt_mode=False, config_file=None, save_config=False,
        extra_args=(), resource_class='')


class _Ask:
    """Placement's answers about one device, for :func:`plan.make`."""

    def __init__(self, service, host, target):
        self._service = service
        self._host = host
        self._mark = entries.mark(host, target)
        self.optional = False
        self.reason = None
        self.away = False

    def known(self):
        children = self._ask(self._service.children, self._host)
        if children is None:
            self.reason = (f'it has no provider {self._host}: is '
                           'nova-compute running on this host?')
            raise plan.Unknown(self.reason)
        return {name for name in children if self._mark in name}

    def allocated(self, name):
        return self._ask(self._service.allocated, name)

    def _ask(self, question, value):
        if self.away:
            # Once: each question may take its time to fail.
            raise plan.Unknown(self.reason)
        try:
            return question(value)
        except exceptions.PlacementError as exc:
            self.away = True
            self.optional = isinstance(
                exc, exceptions.PlacementNotConfigured)
            self.reason = str(exc)
            raise plan.Unknown(self.reason) from exc


class Reporter:
    """Makes devices, and remembers what it said.

    :param service: :class:`~cyborg_spdk.units.placement.Placement`.
    :param conditions: :class:`~cyborg_spdk.conditions.Conditions`.
    """

    def __init__(self, service, conditions):
        self._placement = service
        self._conditions = conditions
        self._states = {}
        # Targets of which Placement has been asked in this process.
        self._checked = set()

    def remembered(self, directory, target):
        """The name of the host in the last report of a target, or None."""
        state = self._state(directory, target)
        return state.host if state else None

    def device(self, directory, max_new, host, target, contents, names):
        """The device to report for a target that could be read.

        :param directory: ``[spdk] state_path``.
        :param max_new: ``[spdk] max_new_units``.
        :param host: resource provider name of the host.
        :param target: :class:`~cyborg_spdk.conf.Target`.
        :param contents: what the target said.
        :param names: see :meth:`former`.
        :returns: ``DriverDevice``; a stub if Cyborg's picture has to stay
            as it is.
        """
        found, bad = entries.of_units(host, target, [
            unit for unit in contents.units if unit.bdev])
        self._tell_bad(target.name, bad)
        found = self._without_former(directory, host, target, names, found)
        planned = self._plan(directory, max_new, host, target.name, found)
        if planned.frozen:
            return inventory.stub(host, target)
        self._remember(directory, target, host, planned)
        return inventory.device(host, target, planned.entries,
                                contents.facts)

    def _without_former(self, directory, host, target, names, found):
        """What is not in the report under a name that the target had.

        There it stays until it is free; under both it would be given away
        twice.
        """
        had = set()
        for _name, state in self._former(directory, host, names):
            if state.kind == target.kind and \
                    state.address == report_memory.address(target):
                had |= {entry.handle for entry in (
                    *state.reported.values(), *state.dropped.values())}
        left = {name: entry for name, entry in found.items()
                if entry.handle not in had}
        number = len(found) - len(left)
        self._conditions.tell(
            target.name, 'renamed', f'{number} units are still reported '
            'under the name that it had; they come under this one when they '
            'are free' if number else None)
        return left

    def _former(self, directory, host, names):
        """Pairs of name and state of the targets that are gone."""
        for name in report_memory.targets(directory):
            state = None if name in names else self._state(directory, name)
            if state is not None and state.host == host:
                yield name, state

    def former(self, directory, host, kinds, names, others=()):
        """Devices of targets that the configuration has no more.

        Such a target is not touched, but what is allocated of it stays
        until it is free; then the device goes.

        :param directory: ``[spdk] state_path``.
        :param host: resource provider name of the host.
        :param kinds: kinds of the targets.
        :param names: names of all targets, of any kind, that are configured
            and have a driver.
        :param others: targets that are configured and have none, to look
            after in case their last report is lost.
        :returns: list of ``DriverDevice``.
        """
        found = [inventory.stub(host, target) for target in others
                 if self._state(directory, target.name) is None
                 and self._plan(directory, 0, host, target.name, {},
                                enabled=False).frozen]
        for name, state in self._former(directory, host, names):
            if state.kind not in kinds:
                continue
            target = nobody(state.kind, name, state.application,
                            state.address)
            planned = self._plan(directory, 0, host, name, {})
            if planned.frozen:
                found.append(inventory.stub(host, target))
            elif state.reported or state.dropped:
                self._remember(directory, target, host, planned)
                found.append(inventory.device(
                    host, target, planned.entries, {}))
            else:
                # The last report had an empty device. Without one, Cyborg
                # takes away what is left.
                self._states.pop(report_memory.path(directory, name))
                report_memory.remove(report_memory.path(directory, name))
        return found

    def _plan(self, directory, max_new, host, target, found, enabled=True):
        state = self._state(directory, target)
        if state is not None and state.host != host:
            state = None
        ask = _Ask(self._placement, host, target)
        planned = plan.make(found, state.reported if state else None,
                            state.dropped if state else {}, max_new, ask,
                            first=target not in self._checked)
        if ask.reason is None:
            self._checked.add(target)
        # Nobody misses what a driver that is not enabled might have left.
        if enabled or ask.reason is None:
            self._tell_plan(target, planned, ask)
        return planned

    def _state(self, directory, target):
        path = report_memory.path(directory, target)
        if path not in self._states:
            message = None
            try:
                self._states[path], message = report_memory.load(path)
            except exceptions.StateError as exc:
                self._states[path], message = None, str(exc)
            if message:
                self._conditions.tell(target, 'last report', message)
        return self._states[path]

    def _remember(self, directory, target, host, planned):
        path = report_memory.path(directory, target.name)
        state = report_memory.State(
            host=host, kind=target.kind, application=target.application,
            address=target.rpc_address and report_memory.address(target),
            reported=planned.entries, dropped=planned.dropped)
        if state == self._states.get(path):
            return
        self._states[path] = state
        message = None
        try:
            report_memory.save(path, state)
        except exceptions.StateError as exc:
            message = str(exc)
        self._conditions.tell(target.name, 'state', message)

    def _tell_bad(self, target, bad):
        message = None
        if bad:
            unit, reason = bad[0]
            message = f'{unit.title} is not reported: {reason}'
            if len(bad) > 1:
                message += f' (and {len(bad) - 1} more)'
        self._conditions.tell(target, 'unit refused', message)

    def _tell_plan(self, target, planned, ask):
        tell = self._conditions.tell
        message = None
        if ask.optional:
            message = (f'cannot be asked ({ask.reason}): units that are gone '
                       'are reported on; set it up for the agent')
        elif ask.reason:
            message = (f'cannot be asked ({ask.reason}): units that are gone '
                       'are reported on, new ones wait')
        if ask.away and planned.frozen:
            message = (f'cannot be asked ({ask.reason}): Cyborg keeps what it '
                       'has of this target')
        tell(target, 'Placement', message)
        if not ask.away:
            # Else nobody knows what is allocated.
            self._tell_held(target, planned)
        tell(target, 'waiting', f'{planned.waiting} new units wait for the '
             'next reports' if planned.waiting else None, logging.INFO)

    def _tell_held(self, target, planned):
        self._conditions.tell(
            target, 'frozen', planned.frozen and
            f'Cyborg keeps what it has of this target: {planned.frozen}; '
            'free them, or bring the state file back')
        self._conditions.tell(
            target, 'held', f'{len(planned.held)} units are gone or changed '
            'and still allocated, so they are reported on: '
            f'{", ".join(planned.held[:3])}' if planned.held else None)
