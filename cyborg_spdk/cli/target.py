# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk target``: start, stop and restart targets."""

import argparse
from typing import Any

from oslo_config import cfg

from cyborg_spdk.cli import commands
from cyborg_spdk.cli import progress
from cyborg_spdk.cli import targets as chosen_targets
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import keep
from cyborg_spdk.desired import objects
from cyborg_spdk.desired import starting
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk import tasks

LOG = loggers.get(__name__)


class _Targets(commands.Configured, commands.Fitting):
    """Do something with several targets at once; a row for each."""

    columns: tuple[str, ...] = ('Target', 'Result', 'PID')
    narrow = ('Target', 'Result')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'targets', nargs='*', metavar='TARGET',
            help='Name of a target in the configuration. Default: all '
                 'that are to be started.')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        self.failures: list[str] = []
        self.missing = False
        return super().run(parsed_args) or (
            1 if self.failures else commands.MISSING if self.missing else 0)

    def take_action(self, parsed_args: argparse.Namespace) -> commands.Table:
        conf = self.conf
        tasks.configure(conf)
        targets = chosen_targets.chosen(conf, parsed_args.targets)
        if not parsed_args.targets:
            targets = [target for target in targets if target.start]
        with progress.showing():
            # With [spdk] parallel = false the first loop does it all.
            for target in targets:
                tasks.run(target.name, self.one, conf, target, parsed_args)
            rows = [self._row(target) for target in targets]
        # Where SPDK is missing, all of them fail with the same words.
        for reason in dict.fromkeys(self.failures):
            LOG.error('%s', reason)
        LOG.debug('%s', tasks.summary())
        return self.columns, rows

    def _row(self, target: spdk_conf.Target) -> tuple[Any, ...]:
        try:
            result, pid = tasks.wait(target.name)[0]
            return target.name, result, chosen_targets.Known(pid)
        except exceptions.TaskError as exc:
            if not isinstance(exc.__cause__, exceptions.SpdkError):
                raise
            self.failures.append(str(exc.__cause__))
            return target.name, 'failed', chosen_targets.Known(None)

    def one(self, conf: cfg.ConfigOpts, target: spdk_conf.Target,
            parsed_args: argparse.Namespace) -> tuple[Any, ...]:
        """Do it with one target; returns the rest of its row."""
        raise AssertionError('a subclass says what is to be done')


class _Starting(_Targets):
    """The exit status is 3 if a target lacks something it is to have."""

    columns = ('Target', 'Result', 'PID', 'Missing')

    def _row(self, target: spdk_conf.Target) -> tuple[Any, ...]:
        try:
            result, pid, missing = tasks.wait(target.name)[0]
        except exceptions.TaskError as exc:
            if not isinstance(exc.__cause__, exceptions.SpdkError):
                raise
            self.failures.append(str(exc.__cause__))
            return (target.name, 'failed', chosen_targets.Known(None),
                    chosen_targets.Known(None))
        self.missing |= bool(missing)
        chosen_targets.tell_missing(target, missing)
        return target.name, result, chosen_targets.Known(pid), len(missing)

    @staticmethod
    def ensure(conf: cfg.ConfigOpts,
               target: spdk_conf.Target,
               ) -> tuple[starting.Running, list[objects.Object]]:
        """Start a target, or give one that runs what it lacks.

        :returns: (:class:`cyborg_spdk.desired.starting.Running`, list of
            what is missing).
        """
        running = starting.ensure(conf, target, force=True)
        if running.process is None or running.started \
                or not target.save_config:
            return running, list(running.missing)
        client = rpc.connect(target.rpc_address,
                             timeout=conf.spdk.connect_timeout)
        return running, keep.look(conf, target, client,
                                  at_once=True).missing


class Start(_Starting):
    """Start targets that do not run, with all that they are to have.

    One that runs is given what it lacks. The exit status is 3 if a target
    runs and lacks something of what it is to have: each object is told,
    and made when its cause is gone.
    """

    def one(self, conf: cfg.ConfigOpts, target: spdk_conf.Target,
            parsed_args: argparse.Namespace) -> tuple[Any, ...]:
        running, missing = self.ensure(conf, target)
        if running.process is None:
            return 'not on this host', None, []
        return ('started' if running.started else 'was running',
                running.process.pid, missing)


def _with_kill(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        '--kill', action='store_true',
        help='Send SIGKILL if it has not ended within [spdk] '
             'stop_timeout.')
    return parser


class Stop(_Targets):
    """Stop targets: SIGTERM, and wait for their end.

    What a target has is kept before, and given back when it is started
    again. A Cyborg agent that runs starts it again, unless its option
    start is false or --hold is given.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_kill(super().get_parser(prog_name))
        parser.add_argument(
            '--hold', action='store_true',
            help='Keep it down: it is not started again until '
                 '"cyborg-spdk target start".')
        return parser

    def one(self, conf: cfg.ConfigOpts, target: spdk_conf.Target,
            parsed_args: argparse.Namespace) -> tuple[Any, ...]:
        stopped = starting.stop(conf, target, kill=parsed_args.kill,
                                hold=parsed_args.hold)
        return 'stopped' if stopped else 'was not running', None


class Restart(_Starting):
    """Stop targets, and start them with what they are to have.

    The exit status is 3 if a target lacks something then; see target start.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_kill(super().get_parser(prog_name))

    def one(self, conf: cfg.ConfigOpts, target: spdk_conf.Target,
            parsed_args: argparse.Namespace) -> tuple[Any, ...]:
        starting.stop(conf, target, kill=parsed_args.kill)
        running, missing = self.ensure(conf, target)
        return ('restarted', running.process and running.process.pid,
                missing)
