# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk status``: what of the host's targets runs."""

import argparse
from collections.abc import Sequence

from cliff import columns
from oslo_config import cfg

from cyborg_spdk.cli import commands
from cyborg_spdk.cli import targets as target_cli
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import store
from cyborg_spdk import exceptions
from cyborg_spdk.host.target import status as target_status
from cyborg_spdk import loggers
from cyborg_spdk.service import ask
from cyborg_spdk.service import duty as duties
from cyborg_spdk import tasks

LOG = loggers.get(__name__)


class Seconds(columns.FormattableColumn):  # type: ignore[type-arg]
    """A time span; in a table for people, in its two greatest units."""

    def human_readable(self) -> str:
        if self._value is None:
            return ''
        left = int(self._value)
        parts: list[str] = []
        for unit, length in (('d', 86400), ('h', 3600), ('min', 60),
                             ('s', 1)):
            count, left = divmod(left, length)
            if count or (unit == 's' and not parts):
                parts.append(f'{count} {unit}')
        return ' '.join(parts[:2])


class Version(columns.FormattableColumn):  # type: ignore[type-arg]
    """A release; in a table without the commit that it was built from."""

    def human_readable(self) -> str:
        return (self._value or '').partition(' git sha1')[0]


class Status(commands.Configured, commands.Fitting):
    """Show which targets run, and what is wrong with those that do not.

    Nothing is started or changed. The exit status is 1 if a target that is
    to be started is not ready, and 3 if all are, and one was seen to lack
    something of what it is to have ("cyborg-spdk target diff" shows it).
    Where cyborg-spdk serve runs, what its duties have found wrong is told
    as well, and the exit status is 1 for that.
    """

    COLUMNS = ('Target', 'Application', 'State', 'PID', 'Running', 'Cores',
               'Memory MiB', 'Version', 'Address', 'Saved objects', 'Missing')
    narrow = ('Target', 'State', 'PID', 'Running', 'Version', 'Missing')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'targets', nargs='*', metavar='TARGET',
            help='Name of a target in the configuration. Default: all.')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._failed = False
        self._missing = False
        return super().run(parsed_args) or (
            1 if self._failed else
            commands.MISSING if self._missing else 0)

    def take_action(self,
                    parsed_args: argparse.Namespace) -> commands.Table:
        conf = self.conf
        tasks.configure(conf)
        targets = target_cli.chosen(conf, parsed_args.targets)
        for target in targets:
            tasks.run(target.name, target_status.look, conf, target)
        states = tasks.wait(*(target.name for target in targets))
        LOG.debug('%s', tasks.summary())
        for target, state in zip(targets, states, strict=True):
            if state.state != target_status.READY and (
                    target.start or parsed_args.targets):
                self._failed = True
            if state.problem:
                LOG.warning('%s: %s', state.name, state.problem.removeprefix(
                    f'{state.name}: '))
        self._tell_duties(targets)
        kept = [self._kept(conf, target) for target in targets]
        return self.COLUMNS, [
            (state.name, state.application, state.state,
             target_cli.Known(state.pid), Seconds(state.seconds),
             target_cli.Known(state.cores),
             target_cli.Known(state.memory_mb),
             Version(state.version), state.address,
             target_cli.Known(objects), target_cli.Known(missing))
            for state, (objects, missing) in zip(states, kept, strict=True)]

    def _tell_duties(self, targets: Sequence[spdk_conf.Target]) -> None:
        """Tell what the service has on /health, if one runs.

        A duty of one target counts if that target is shown; what it lacks
        has an exit status of its own.
        """
        shown = {target.name for target in targets}
        found = ask.health(self.conf) or {'duties': {}}
        for name, duty in found['duties'].items():
            what, _space, target = name.partition(' ')
            if target and target not in shown:
                continue
            if what != duties.REPAIR:
                self._failed |= bool(duty.get('problems'))
                for problem in duty.get('problems', ()):
                    LOG.warning('%s: %s', name, problem)

    def _kept(self, conf: cfg.ConfigOpts, target: spdk_conf.Target
              ) -> tuple[int | None, int | None]:
        """How many objects a target is to have, and how many it lacks."""
        try:
            state = store.load(conf, target)
        except exceptions.StateError as exc:
            LOG.warning('%s: %s', target.name, exc)
            return None, None
        if not state.exists:
            return None, None
        missing = state.missing()
        self._missing |= bool(missing)
        target_cli.tell_missing(target, missing)
        return state.size(), len(missing)
