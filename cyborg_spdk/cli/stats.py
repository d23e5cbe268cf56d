# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk stats``: what the units and their targets do."""

import argparse
from collections.abc import Sequence
import io
import shutil
import threading
from typing import Any

from cliff import columns
from oslo_config import cfg

from cyborg_spdk.cli import commands
from cyborg_spdk.cli import targets as target_cli
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk import tasks
from cyborg_spdk.units import stats

LOG = loggers.get(__name__)

_UNIT_COLUMNS = (
    ('Target', None), ('Unit', 'unit'), ('Read IOPS', 'read_iops'),
    ('Write IOPS', 'write_iops'), ('Read/s', 'read_bytes'),
    ('Write/s', 'write_bytes'), ('Read us', 'read_latency_us'),
    ('Write us', 'write_latency_us'), ('Queue', 'queue_depth'),
    ('Hosts', 'hosts'))
_TARGET_COLUMNS = ('Target', 'Load', 'Memory', 'Huge pages',
                   'Queue pairs', 'Pending', 'Retries', 'Accel ops/s')


class Number(columns.FormattableColumn):  # type: ignore[type-arg]
    """A number that may be unknown; in a table with few digits."""

    def human_readable(self) -> str:
        if self._value is None:
            return '-'
        return f'{self._value:.1f}' if isinstance(self._value, float) \
            else str(self._value)


class Bytes(columns.FormattableColumn):  # type: ignore[type-arg]
    """Bytes, that may be unknown; in a table in the unit that suits."""

    def human_readable(self) -> str:
        return '-' if self._value is None else commands.Size(
            self._value).human_readable()


class Load(columns.FormattableColumn):  # type: ignore[type-arg]
    """Share of time that each core was busy; in a table in per cent."""

    def human_readable(self) -> str:
        return ' '.join(f'{core}:{share:.0%}'
                        for core, share in self._value.items())


class Accel(columns.FormattableColumn):  # type: ignore[type-arg]
    """Operations per second by name; in a table those that are done."""

    def human_readable(self) -> str:
        return ' '.join(f'{name}:{rate:.0f}'
                        for name, rate in self._value.items() if rate) or '-'


def in_place(text: str, height: int) -> str:
    """What puts a text into the upper left corner of a terminal.

    :param text: lines.
    :param height: lines of the terminal; the last ones are left out if the
        text has more.
    """
    lines = text.splitlines()
    if len(lines) >= height:
        left = len(lines) - height + 2
        lines = [*lines[:height - 2], f'... {left} more lines']
    return '\x1b[H' + ''.join(f'{line}\x1b[K\n' for line in lines) + '\x1b[J'


class Stats(commands.Configured, commands.Fitting):
    """Show I/O, latency, queue depth and load over an interval.

    The rates are of the interval that the command waits; --watch goes on
    until Ctrl-C: in place on a terminal, one set below the other elsewhere.
    Nothing is started or switched on. In a table bytes are in the unit that
    suits; in json, yaml, csv and value they are bytes.
    """

    narrow: tuple[str, ...] = ('Unit', 'Read/s', 'Write/s', 'Queue')
    more = ('Read IOPS', 'Write IOPS', 'Read us', 'Write us')
    # As wide as 1023.9 MiB, and as a latency of 100 ms.
    least = {'Read/s': 10, 'Write/s': 10, 'Read us': 8, 'Write us': 8}

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'targets', nargs='*', metavar='TARGET',
            help='Name of a target in the configuration. Default: all that '
                 'can be read.')
        parser.add_argument(
            '--interval', type=float, default=1.0, metavar='SECONDS',
            help='How long to watch for one set of rates. Default: 1.')
        parser.add_argument(
            '--watch', action='store_true',
            help='Go on, one set for each interval, until Ctrl-C.')
        parser.add_argument(
            '--whole', action='store_true',
            help='Show the targets as a whole instead of their units: load '
                 'of their cores, memory, queue pairs.')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        if parsed_args.whole:
            self.narrow = _TARGET_COLUMNS[:5]
        if not parsed_args.interval > 0:
            raise exceptions.InvalidValue(
                '--interval', parsed_args.interval,
                'give more than 0 seconds')
        self._failed = False
        self._before: dict[str, Any] | None = None
        status = super().run(parsed_args)
        while parsed_args.watch:
            status = self._again(parsed_args)
        return status or int(self._failed)

    def _again(self, parsed_args: argparse.Namespace) -> int:
        """One more set of rates, in the place of the last one."""
        stdout = self.app.stdout
        if not stdout.isatty() or parsed_args.formatter != 'table':
            stdout.write('\n')
            status = int(super().run(parsed_args))
        else:
            # Made as a whole first: nothing is seen to flicker.
            self.app.stdout = text = io.StringIO()
            try:
                status = int(super().run(parsed_args))
            finally:
                self.app.stdout = stdout
            stdout.write(in_place(text.getvalue(),
                                  shutil.get_terminal_size().lines))
        stdout.flush()
        return status

    def take_action(self,
                    parsed_args: argparse.Namespace) -> commands.Table:
        targets = target_cli.chosen(self.conf, parsed_args.targets)
        if self._before is None:
            self._before = self._look(targets)
        # Waits without a signal handler of its own: Ctrl-C ends it.
        threading.Event().wait(parsed_args.interval)
        before, after = self._before, self._look(targets)
        self._before = after
        rows = []
        for target in targets:
            if target.name in before and target.name in after:
                rates = _whole if parsed_args.whole else _units
                rows += rates(target, before[target.name],
                              after[target.name])
        return (_TARGET_COLUMNS if parsed_args.whole
                else [title for title, _name in _UNIT_COLUMNS]), rows

    def _look(self, targets: Sequence[spdk_conf.Target]) -> dict[str, Any]:
        tasks.configure(self.conf)
        for target in targets:
            tasks.run(f'look {target.name}', _look, self.conf, target)
        looks: dict[str, Any] = {}
        errors: list[exceptions.SpdkError] = []
        for target in targets:
            try:
                looks[target.name], = tasks.wait(f'look {target.name}')
            except exceptions.TaskError as exc:
                if not isinstance(exc.__cause__, exceptions.SpdkError):
                    raise
                errors.append(exc.__cause__)
        if not looks and errors:
            raise errors[0]
        for error in errors:
            LOG.error('%s', error)
            self._failed = True
        return looks


def _look(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> Any:
    client = rpc.connect(target.rpc_address,
                         timeout=conf.spdk.connect_timeout)
    return stats.look(client, target.kind, conf.spdk.rpc_timeout)


def _units(target: spdk_conf.Target, before: Any,
           after: Any) -> list[tuple[Any, ...]]:
    return [(target.name, rates['unit'], *(
        (Bytes if name.endswith('_bytes') else Number)(rates[name])
        for _title, name in _UNIT_COLUMNS[2:] if name))
        for rates in stats.unit_rates(before, after)]


def _whole(target: spdk_conf.Target, before: Any,
           after: Any) -> list[tuple[Any, ...]]:
    rates = stats.target_rates(before, after)
    return [(target.name,
             Load({str(core): share for core, share in rates['reactors']}),
             Bytes(rates['memory'].get('resident')),
             Bytes(rates['memory'].get('huge')),
             Number(rates['queue_pairs']),
             Number(rates['pending']), Number(rates['retries']),
             Accel(rates['accel']))]
