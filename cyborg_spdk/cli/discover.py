# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk discover``: the accelerators that Cyborg would be told of."""

import argparse
from collections.abc import Sequence
from typing import Any

from cliff import columns
from oslo_config import cfg

from cyborg_spdk.cli import commands
from cyborg_spdk.cli import saving
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import memory
from cyborg_spdk.drivers import surveys
from cyborg_spdk import enabled
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk import tasks
from cyborg_spdk.units import unit as unit_module
from cyborg_spdk.units.wipe import state

LOG = loggers.get(__name__)

_DEFAULT_DRIVERS = tuple(map(enabled.driver_name, enabled.DEFAULT_KINDS))
_KINDS = {enabled.driver_name(kind): kind for kind in spdk_conf.KINDS}

_COLUMNS = ('Target', 'Unit', 'Resource Class', 'Traits', 'Size', 'Reach',
            'Left Out')
_REMEDIES = {
    'nvmf': 'a subsystem with a namespace (cyborg-spdk nvmf subsystem create)',
    'vhost': 'a controller (cyborg-spdk vhost controller create blk)',
    'iscsi': 'a target node (cyborg-spdk iscsi node create)'}
_UNITS = ('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')


class Size(columns.FormattableColumn):  # type: ignore[type-arg]
    """Bytes; in a table for people, with a unit."""

    def human_readable(self) -> str:
        number, power = self._value, 0
        while number >= 1024 and power < len(_UNITS) - 1:
            number, power = number / 1024, power + 1
        return f'{number:g} {_UNITS[power]}' if number == int(number) \
            else f'{number:.1f} {_UNITS[power]}'


class Lines(columns.FormattableColumn):  # type: ignore[type-arg]
    """A list; in a table one to a line."""

    def human_readable(self) -> str:
        return '\n'.join(self._value)


class Discover(commands.Configured, commands.Fitting):
    """Show the accelerators of this host, as the Cyborg agent finds them.

    It reads the targets as the drivers do, and needs no Cyborg for it.
    Targets that do not run are started if their options allow it, and what
    they have is saved if this user may. What the agent remembers of its last
    report is not changed. Units that a report leaves out are told with the
    reason, which is in the column "Left Out", too. The exit status is 3 if
    all could be read, and one lacks something of what it is to have.
    """

    narrow = ('Unit', 'Resource Class', 'Size')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--simulate', action='store_true',
            help='Start two simulated targets, show what they offer, and '
                 'stop them. Needs no SPDK and no root.')
        parser.add_argument(
            '--driver', action='append', metavar='NAME', dest='drivers',
            help='Driver whose targets to read; can be given several times. '
                 'Default: those of ours in [agent] enabled_drivers, or '
                 + ' and '.join(_DEFAULT_DRIVERS)
                 + ', and spdk_iscsi_driver if an option of it is set.')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._failed = False
        self._read: list[str] = []
        self._simulated: bool = parsed_args.simulate
        code = super().run(parsed_args) or int(self._failed)
        if not parsed_args.simulate:
            # After the output: where something is missing it takes seconds.
            missing = saving.save(self.conf, self._read)
            if any(missing.values()) and not code:
                return commands.MISSING
        return code

    def take_action(self,
                    parsed_args: argparse.Namespace) -> commands.Table:
        if not parsed_args.simulate:
            return _COLUMNS, self._rows(
                _kinds(_names(self.conf, parsed_args.drivers)))
        from cyborg_spdk.cli import demo
        with demo.simulation(self.conf):
            kinds = _kinds(parsed_args.drivers or _DEFAULT_DRIVERS)
            surveys.start(self.conf, *kinds)
            tasks.wait_all()
            demo.populate(self.conf)
            return _COLUMNS, self._rows(kinds)

    def _left_out(self, survey: surveys.Survey) -> dict[str, str]:
        """Why a report leaves units out, by handle; and say so."""
        if survey.contents is None:
            return {}
        units = survey.contents.units
        found = self._dirty(survey.target.name, units)
        # Of no cloud: what a name says of the host is of no account here.
        _entries, bad = entries.of_units('host', survey.target, units)
        found |= {unit.handle: str(reason) for unit, reason in bad}
        found |= {unit.handle: 'its bdev is gone'
                  for unit in units if not unit.bdev}
        for unit in units:
            if unit.handle in found:
                LOG.warning('%s: %s is not reported: %s', survey.target.name,
                            unit.title, found[unit.handle])
        return found

    def _dirty(self, target: str,
               units: Sequence[unit_module.Unit]) -> dict[str, str]:
        """Those that are not reported before they are clean, by handle."""
        if self._simulated:
            # What is there for a moment is nobody's.
            return {}
        last = memory.peek(memory.path(self.conf.spdk.state_path, target))
        reported = {one.handle for one in last.reported.values()} \
            if last else set()
        try:
            states = state.of_all(self.conf, target, units)
        except exceptions.SpdkError as exc:
            LOG.debug('%s: %s', target, exc)
            return {}
        return {handle: 'what is on its disk is not known, or it is being '
                        f"wiped; wipe it: cyborg-spdk units wipe '{handle}'"
                for handle, one in states.items()
                if not one.clean and handle not in reported}

    def _rows(self, kinds: Sequence[str]) -> list[tuple[Any, ...]]:
        # All of them come up at once.
        surveys.start(self.conf, *kinds)
        found = [survey for kind in kinds for survey in surveys.of_kind(
            self.conf, kind, self.conf.spdk.start_timeout, kind)]
        LOG.debug('%s', tasks.summary())
        errors = [survey.error for survey in found if survey.error]
        if errors and len(errors) == len(found):
            raise errors[0]
        self._read = [survey.target.rpc_address for survey in found
                      if survey.error is None]
        for error in errors:
            LOG.error('%s', error)
            self._failed = True
        reasons = [self._left_out(survey) for survey in found]
        for survey in found:
            if survey.contents and not survey.contents.units:
                LOG.warning('%s: it runs and has nothing to give away; '
                            'create %s', survey.target.name,
                            _REMEDIES[survey.target.kind])
        return [
            (survey.target.name, unit.title, survey.target.resource_class,
             Lines(list(unit.traits)), Size(unit.size), unit.reach,
             left_out.get(unit.handle, ''))
            for survey, left_out in zip(found, reasons, strict=True)
            if survey.contents for unit in survey.contents.units]


def _names(conf: cfg.ConfigOpts,
           chosen: Sequence[str] | None) -> Sequence[str]:
    if chosen:
        return chosen
    found = enabled.find(conf)
    LOG.info('drivers: %s: %s', ', '.join(found.drivers), found.reason)
    return found.drivers


def _kinds(names: Sequence[str]) -> list[str]:
    """The kinds of targets that drivers are for.

    :raises InvalidValue: for a name that is no driver of ours.
    """
    for name in names:
        if name not in _KINDS:
            raise exceptions.InvalidValue(
                'driver', name, 'ours are ' + ', '.join(_KINDS))
    return list(dict.fromkeys(_KINDS[name] for name in names))
