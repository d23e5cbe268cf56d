# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk units``: what units.yaml declares, whose data is where."""

import argparse
from collections.abc import Iterator
from concurrent import futures
import dataclasses
import sys
from typing import Any

from cliff import command
from oslo_config import cfg

from cyborg_spdk.cli import attach as attach_cli
from cyborg_spdk.cli import commands
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import declared
from cyborg_spdk.desired import judge
from cyborg_spdk.desired import objects
from cyborg_spdk.desired import starting
from cyborg_spdk import enabled
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk.service import ask
from cyborg_spdk import text
from cyborg_spdk.units.declared import model
from cyborg_spdk.units import handles
from cyborg_spdk.units.pools import apply
from cyborg_spdk.units.pools import plan
from cyborg_spdk.units import reading
from cyborg_spdk.units import unit as unit_module
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import progress
from cyborg_spdk.units.wipe import run
from cyborg_spdk.units.wipe import state

LOG = loggers.get(__name__)


def _conf(app: Any) -> cfg.ConfigOpts:
    conf: cfg.ConfigOpts = app.conf
    return conf


def _told(parsed_args: argparse.Namespace) -> plan.Told:
    return plan.Told(frozenset(parsed_args.overwrite), parsed_args.shrink,
                     parsed_args.delete)


def _plan_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'pools', nargs='*', metavar='POOL',
        help='Only these pools. Default: all that units_file declares.')
    parser.add_argument(
        '--overwrite', action='append', default=[], metavar='POOL',
        help='Lose what is on the disks of this pool; can be given several '
             'times.')
    parser.add_argument(
        '--shrink', action='store_true',
        help='Make units smaller that are free. Their data is lost.')
    parser.add_argument(
        '--delete', action='store_true',
        help='Delete units that are free and not declared any more. They '
             'are wiped first.')


def _pools(conf: cfg.ConfigOpts,
           wanted: list[str]) -> Iterator[tuple[model.Pool, apply.Pool]]:
    if not conf.spdk.units_file:
        raise exceptions.ConfigurationError(
            '[spdk] units_file', None, 'name a file like units.yaml in '
            'etc/cyborg_spdk')
    found = model.load(conf)
    for name in wanted:
        if name not in found.pools:
            raise exceptions.InvalidValue(
                'pool', name, 'units_file declares '
                + (', '.join(found.pools) or 'none'))
    for name, pool in found.pools.items():
        if not wanted or name in wanted:
            yield pool, apply.Pool(conf, pool, found.of_pool(name))


class Plan(commands.Fitting):
    """Show what would be done to have the declared units, and what is lost.

    Nothing is changed. The status is 1 if something stands in the way.
    """

    narrow = ('Action', 'What', 'Detail')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _plan_arguments(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        told = _told(parsed_args)
        rows, blocked = [], []
        for pool, found in _pools(_conf(self.app), parsed_args.pools):
            for step in found.steps(told):
                rows.append((pool.name, step.action, step.what, step.detail,
                             step.lost or '', step.blocked or ''))
                if step.lost and not step.blocked:
                    LOG.warning('%s: %s: lost: %s', pool.name, step.what,
                                step.lost)
                if step.blocked:
                    about = '' if step.what == pool.name else f'{step.what}: '
                    blocked.append(f'{pool.name}: {about}{step.blocked}')
        for one in blocked:
            LOG.error('%s', one)
        self.blocked = bool(blocked)
        return ('Pool', 'Action', 'What', 'Detail', 'Lost', 'Blocked'), rows

    def run(self, parsed_args: argparse.Namespace) -> int:
        status: int = super().run(parsed_args)
        return status or int(self.blocked)


class Apply(command.Command):
    """Make the declared units: what is so already stays so."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _plan_arguments(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        conf, told = _conf(self.app), _told(parsed_args)
        failed = done = 0
        for pool, found in _pools(conf, parsed_args.pools):
            self._done = 0
            try:
                declared.apply(conf, found, pool.target, told, self._say)
            except exceptions.SpdkError as exc:
                LOG.error('%s: %s', pool.name, exc)
                failed = 1
            done += self._done
        if not done and not failed:
            self.app.stdout.write('Nothing to do.\n')
        return failed

    def _say(self, step: plan.Step) -> None:
        self._done += 1
        detail = f': {step.detail}' if step.detail else ''
        self.app.stdout.write(
            text.printable(f'{step.action} {step.what}{detail}') + '\n')
        self.app.stdout.flush()


@dataclasses.dataclass(frozen=True)
class _Row:
    """A unit of a target that was asked.

    :ivar target: its target.
    :ivar unit: what the target says of it.
    :ivar state: whose data it has.
    """

    target: spdk_conf.Target
    unit: unit_module.Unit
    state: state.State


def _each(conf: cfg.ConfigOpts,
          name: str | None) -> tuple[list[_Row], dict[str, str]]:
    """The units of the targets, with their states.

    A target that does not matter here, since no driver of its kind is
    enabled and nothing is declared on it, may be down.

    :param name: of the only target to ask, or None.
    :returns: also why which target cannot be asked, by its name.
    :raises InvalidValue: if no target has that name.
    """
    rows, silent = [], {}
    every = spdk_conf.targets(conf)
    targets = [one for one in every if name in (None, one.name)]
    if name is not None and not targets:
        raise exceptions.InvalidValue(
            '--target', name, 'the targets are '
            + (', '.join(one.name for one in every) or 'none'))
    for target in targets:
        try:
            client = rpc.connect(target.rpc_address,
                                 timeout=conf.spdk.connect_timeout)
            units = reading.read(client, target.kind,
                                 conf.spdk.rpc_timeout).units
        except exceptions.SpdkError as exc:
            silent[target.name] = str(exc)
            continue
        states = state.of_all(conf, target.name, units)
        rows += [_Row(target, unit, states[unit.handle]) for unit in units]
    if silent and name is None:
        matter = {one.name for one in enabled.targets(conf)} | {
            one.target.name for one in model.load(conf).pools.values()}
        silent = {one: why for one, why in silent.items() if one in matter}
    return rows, silent


def _tell(silent: dict[str, str], what: str) -> None:
    """Say which targets cannot be asked; those of one process at once."""
    for why in dict.fromkeys(silent.values()):
        LOG.error('%s: %s: %s', ', '.join(
            name for name, one in silent.items() if one == why), what, why)


def _address(handle: str) -> str:
    parts = handles.parse(handle)[1]
    return parts.get('nqn') or parts.get('iqn') or \
        parts['socket'].rpartition('/')[2]


_COLUMNS = ('Unit', 'Pool', 'Size', 'State', 'Consumer', 'Why', 'Target',
            'Made by', 'Plugged into')
_WHY, _PLUGGED_INTO = map(_COLUMNS.index, ('Why', 'Plugged into'))
#: Of those, in a table for people: without reasons, with some, and where
#: instances have units.
_QUIET = ('Unit', 'Pool', 'Size', 'State', 'Consumer')
_PLUGGED = ('Unit', 'Size', 'State', 'Plugged into')
_TOLD = ('Unit', 'Size', 'State', 'Why')
_POOLS = ('Pool', 'Target', 'Size', 'Free', 'Units', 'Thin', 'State')


class List(commands.Configured, commands.Fitting):
    """List the units: size, whose they are, dirty or clean, or missing.

    A unit that is declared and not there, and one whose target cannot be
    asked, has a row with the reason; the exit status is then 1. With
    --pools, the free space of the declared pools instead.
    """

    narrow: tuple[str, ...] = _QUIET

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument('--target', metavar='NAME',
                            help='Only the units of this target.')
        parser.add_argument('--pools', action='store_true',
                            help='List the pools and their free space.')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        self.failed = False
        status: int = super().run(parsed_args)
        return status or int(self.failed)

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        if parsed_args.pools:
            self.narrow = _POOLS
            rows = list(self._pool_rows(self.conf, parsed_args.target))
            self.failed = any(row[-1] != 'ok' for row in rows)
            return _POOLS, rows
        rows = list(self._rows(parsed_args.target))
        self.narrow = _TOLD if any(row[_WHY] for row in rows) else \
            _PLUGGED if any(row[_PLUGGED_INTO] for row in rows) else _QUIET
        return _COLUMNS, rows

    def _rows(self, name: str | None) -> Iterator[tuple[Any, ...]]:
        wanted = {(one.target.name, one.address): one
                  for one in model.load(self.conf).units
                  if name in (None, one.target.name)}
        found, silent = _each(self.conf, name)
        # Of a target that nobody wants here nothing is to be known.
        matter = {name, *(one.name for one in enabled.targets(self.conf)),
                  *(one.target.name for one in wanted.values())}
        silent = {one: why for one, why in silent.items() if one in matter}
        _tell(silent, 'no unit of it is known')
        disks = _disks(self.conf) if any(
            row.state.maker == marks.PLUG for row in found) else {}
        self.failed = bool(silent)
        for row in found:
            key = row.target.name, _address(row.unit.handle)
            known = wanted.pop(key, None)
            why = '' if row.unit.bdev else 'no disk is behind it'
            self.failed |= bool(why)
            yield (key[1], known.pool if known else row.unit.store or '',
                   commands.Size(row.unit.size), _word(row),
                   row.state.consumer or '', why, row.target.name,
                   row.state.maker, _plugged(row, disks))
        missing = _missing(self.conf, {key[0] for key in wanted})
        for (target, address), one in wanted.items():
            self.failed = True
            if target in silent:
                yield (address, one.pool, commands.Size(one.size), 'unknown',
                       '', 'no answer of its target', target, '', '')
            else:
                yield (address, one.pool, commands.Size(one.size), 'missing',
                       '', _why(one, missing[target]), target, '', '')

    @staticmethod
    def _pool_rows(conf: cfg.ConfigOpts,
                   target: str | None) -> Iterator[tuple[Any, ...]]:
        for pool, found in _pools(conf, []):
            if target not in (None, pool.target.name):
                continue
            seen = found.seen
            store = seen.store(pool.name)
            size = free = 0
            if store is not None:
                size = store.total_data_clusters * store.cluster_size
                free = (store.free_clusters or 0) * store.cluster_size
            if seen.down:
                LOG.error('%s: %s', pool.name, seen.down)
            yield (pool.name, pool.target.name, commands.Size(size),
                   commands.Size(free), len(seen.volumes(pool.name)),
                   pool.thin, 'down' if seen.down else
                   'ok' if store else 'missing')


def _word(row: _Row) -> str:
    going = row.state.cleaning
    if going is not None:
        return f'{row.state.word}: {going.step} ' \
            f'{100 * going.done // max(going.total, 1)}%'
    return row.state.word if row.unit.bdev else f'{row.state.word}, missing'


def _disks(conf: cfg.ConfigOpts) -> dict[tuple[str, str], str]:
    """As which disk of which domain the service has plugged each unit.

    :returns: by the unit's target and handle; empty if no service runs.
    """
    duties = (ask.health(conf) or {}).get('duties', {})
    plugs = duties.get('plug', {}).get('plugs') or ()
    return {(one['target'], one['unit']):
            f'{one["name"] or one["instance"]}: {one["device"]}'
            for one in plugs if one.get('device')}


def _plugged(row: _Row, disks: dict[tuple[str, str], str]) -> str:
    """The instance that a unit is a disk of, or is on its way to."""
    if row.state.maker != marks.PLUG:
        return ''
    return disks.get((row.target.name, row.unit.handle),
                     row.state.consumer or '')


def _missing(conf: cfg.ConfigOpts,
             names: set[str]) -> dict[str, list[objects.Object]]:
    """What targets were seen to lack, by their names."""
    found = {}
    for target in spdk_conf.targets(conf):
        if target.name in names:
            try:
                found[target.name] = starting.missing(conf, target)
            except exceptions.SpdkError as exc:
                LOG.warning('%s: what it lacks is not known: %s',
                            target.name, exc)
                found[target.name] = []
    return found


def _why(unit: model.Unit, missing: list[objects.Object]) -> str:
    """Why a declared unit is not there."""
    for name in (unit.address, unit.bdev, unit.volume, unit.pool):
        for one in missing:
            if one.why and judge.is_about(one, name):
                return f'{judge.said(one.key)}: {one.why}'
    return 'not made yet: units apply'


class Wipe(commands.Fitting):
    """Wipe units: zeroes over all of them, read back.

    A unit that is in use, or allocated, is refused.
    """

    narrow = ('Unit', 'Result')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument('handles', nargs='*', metavar='HANDLE',
                            help='Attach handle of a unit, as JSON.')
        parser.add_argument(
            '--all-free', action='store_true',
            help='All units that are dirty and free.')
        parser.add_argument(
            '--unseen', action='store_true',
            help='With --all-free: also units of which it is not known what '
                 'they have. Data that was put there by hand is lost.')
        parser.add_argument(
            '--target', metavar='NAME',
            help='Name of the target. Default: that of the unit\'s kind, or '
                 'all for --all-free.')
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        conf = _conf(self.app)
        if bool(parsed_args.handles) == parsed_args.all_free:
            raise exceptions.InvalidValue(
                'HANDLE', ' '.join(parsed_args.handles) or None,
                'name units, or use --all-free')
        silent: dict[str, str] = {}
        if parsed_args.all_free:
            found, silent = _each(conf, parsed_args.target)
            wanted = [(one.target, one.unit.handle) for one in found
                      if not one.state.clean and not one.state.in_use
                      and not one.state.cleaning
                      and (one.state.known or parsed_args.unseen)]
        else:
            wanted = [(attach_cli.target_of(conf, one, parsed_args.target),
                       handles.text(one)) for one in parsed_args.handles]
        _tell(silent, 'no unit of it is wiped')
        rows = self._wipe(conf, wanted)
        self.failed = bool(silent) or any(row[-1] != 'clean' for row in rows)
        return ('Unit', 'MiB', 'Seconds', 'MiB/s', 'Result'), rows

    def run(self, parsed_args: argparse.Namespace) -> int:
        status: int = super().run(parsed_args)
        return status or int(self.failed)

    def _wipe(self, conf: cfg.ConfigOpts,
              wanted: list[tuple[spdk_conf.Target, str]],
              ) -> list[tuple[Any, ...]]:
        """As many at once as wipe_parallel lets; others wait their turn."""
        rows: list[tuple[Any, ...]] = []

        def one(target: spdk_conf.Target, handle: str) -> None:
            try:
                done = run.wipe(conf, target, handle,
                                listener=_Shown(handle))
                mib = done.size / (1 << 20)
                rows.append((handle, int(mib), f'{done.seconds:.1f}',
                             int(mib / max(done.seconds, 1e-3)), 'clean'))
            except exceptions.SpdkError as exc:
                LOG.error('%s', exc)
                rows.append((handle, '', '', '', 'failed'))

        count = conf.spdk.wipe_parallel * len(
            {target.name for target, _handle in wanted})
        with futures.ThreadPoolExecutor(
                max(1, count if conf.spdk.parallel else 1), 'wipe') as pool:
            for _none in pool.map(lambda pair: one(*pair), wanted):
                pass
        return sorted(rows)


class _Shown:
    """Progress on a terminal, nothing in a pipe."""

    def __init__(self, handle: str) -> None:
        self._handle = handle

    def __call__(self, found: progress.Progress) -> None:
        if sys.stderr.isatty():
            share = 100 * found.done // max(found.total, 1)
            sys.stderr.write(
                f'\r{self._handle[:40]}: {found.step} {share}% '
                f'{found.rate / (1 << 20):.0f} MiB/s\x1b[K')
            if found.done >= found.total:
                sys.stderr.write('\r\x1b[K')
