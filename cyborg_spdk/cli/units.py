# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk units``: what units.yaml declares, whose data is where."""

import argparse
from collections.abc import Iterator
from concurrent import futures
import sys
from typing import Any

from cliff import command
from cliff import lister
from oslo_config import cfg

from cyborg_spdk.cli import attach as attach_cli
from cyborg_spdk.cli import commands
from cyborg_spdk.cli import saving
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk import text
from cyborg_spdk.units.declared import model
from cyborg_spdk.units import handles
from cyborg_spdk.units.pools import apply
from cyborg_spdk.units.pools import plan
from cyborg_spdk.units import reading
from cyborg_spdk.units import unit as unit_module
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


class Plan(lister.Lister):
    """Show what would be done to have the declared units, and what is lost.

    Nothing is changed. The status is 1 if something stands in the way.
    """

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
                    blocked.append(f'{pool.name}: {step.what}: '
                                   f'{step.blocked}')
        for one in blocked:
            LOG.error('%s', one)
        self.blocked = bool(blocked)
        if parsed_args.formatter == 'table':
            return ('Action', 'What', 'Detail'), [row[1:4] for row in rows]
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
            try:
                count = found.apply(told, self._say)
                done += count
            except exceptions.SpdkError as exc:
                LOG.error('%s: %s', pool.name, exc)
                failed = count = 1
            if count:
                saving.save(conf, [pool.target.rpc_address])
        if not done and not failed:
            self.app.stdout.write('Nothing to do.\n')
        return failed

    def _say(self, step: plan.Step) -> None:
        detail = f': {step.detail}' if step.detail else ''
        self.app.stdout.write(
            text.printable(f'{step.action} {step.what}{detail}') + '\n')
        self.app.stdout.flush()


def _each(conf: cfg.ConfigOpts, name: str | None) -> Iterator[
        tuple[spdk_conf.Target, unit_module.Unit, state.State]]:
    """The units of the targets that can be asked, with their states."""
    for target in spdk_conf.targets(conf):
        if name not in (None, target.name):
            continue
        try:
            client = rpc.connect(target.rpc_address,
                                 timeout=conf.spdk.connect_timeout)
            units = reading.read(client, target.kind,
                                 conf.spdk.rpc_timeout).units
        except exceptions.SpdkError as exc:
            LOG.info('%s: %s', target.name, exc)
            continue
        states = state.of_all(conf, target.name, units)
        for unit in units:
            yield target, unit, states[unit.handle]


def _pool_of(conf: cfg.ConfigOpts) -> dict[str, str]:
    """Pools by the addresses of their units."""
    return {one.address: one.pool for one in model.load(conf).units}


def _address(unit: unit_module.Unit) -> str:
    parts = handles.parse(unit.handle)[1]
    return parts.get('nqn') or parts.get('iqn') or \
        parts['socket'].rpartition('/')[2]


class List(lister.Lister):
    """List the units: size, whose they are, dirty or clean.

    With --pools, the free space of the declared pools instead.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument('--target', metavar='NAME',
                            help='Only the units of this target.')
        parser.add_argument('--pools', action='store_true',
                            help='List the pools and their free space.')
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        conf = _conf(self.app)
        if parsed_args.pools:
            return ('Pool', 'Target', 'Size', 'Free', 'Units', 'Thin',
                    'State'), list(self._pool_rows(conf))
        pools = _pool_of(conf)
        rows = [(_address(unit), pools.get(_address(unit), ''),
                 commands.Size(unit.size), self._word(found),
                 found.consumer or '')
                for _target, unit, found in _each(conf, parsed_args.target)]
        return ('Unit', 'Pool', 'Size', 'State', 'Consumer'), rows

    @staticmethod
    def _word(found: state.State) -> str:
        going = found.cleaning
        return found.word if going is None else \
            f'{found.word}: {going.step} ' \
            f'{100 * going.done // max(going.total, 1)}%'

    @staticmethod
    def _pool_rows(conf: cfg.ConfigOpts) -> Iterator[tuple[Any, ...]]:
        for pool, found in _pools(conf, []):
            seen = found.seen
            store = seen.store(pool.name)
            size = free = 0
            if store is not None:
                size = store.total_data_clusters * store.cluster_size
                free = (store.free_clusters or 0) * store.cluster_size
            yield (pool.name, pool.target.name, commands.Size(size),
                   commands.Size(free), len(seen.volumes(pool.name)),
                   pool.thin, 'down' if seen.down else
                   'ok' if store else 'missing')


class Wipe(lister.Lister):
    """Wipe units: zeroes over all of them, read back.

    A unit that is in use, or allocated, is refused.
    """

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
        if parsed_args.all_free:
            wanted = [(target, unit.handle) for target, unit, found in
                      _each(conf, parsed_args.target)
                      if not found.clean and not found.in_use
                      and not found.cleaning
                      and (found.known or parsed_args.unseen)]
        else:
            wanted = [(attach_cli.target_of(conf, one, parsed_args.target),
                       handles.text(one)) for one in parsed_args.handles]
        rows = self._wipe(conf, wanted)
        self.failed = any(row[-1] != 'clean' for row in rows)
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
