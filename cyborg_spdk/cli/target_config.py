# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk target``: what a target is to have.

``save-config`` and ``load-config`` read and write SPDK's own form;
``diff`` and ``forget`` are about the objects that are kept.
"""

import argparse
import os

from cyborg_spdk.cli import commands
from cyborg_spdk.cli import saving
from cyborg_spdk.cli import targets as target_cli
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import changing
from cyborg_spdk.desired import configuration
from cyborg_spdk.desired import keep
from cyborg_spdk.desired import starting
from cyborg_spdk.desired import store
from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk import text

LOG = loggers.get(__name__)


class _OneTarget(commands.Configured):

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument('target', metavar='TARGET',
                            help='Name of a target.')
        return parser

    def chosen(self, parsed_args: argparse.Namespace) -> spdk_conf.Target:
        """The target of the command line."""
        target, = target_cli.chosen(self.conf, [parsed_args.target])
        return target

    def client(self, target: spdk_conf.Target) -> rpc.Client:
        """A connection to it."""
        return rpc.connect(target.rpc_address,
                           timeout=self.conf.spdk.connect_timeout)


class SaveConfig(_OneTarget):
    """Keep what a target has as all that it is to have.

    What it lacks now is forgotten. With FILE, what it has is written there
    instead, in the form that rpc.py save_config has, and nothing else
    happens.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'file', nargs='?', metavar='FILE',
            help='Write it to this file instead; - is the standard '
                 'output.')
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        target = self.chosen(parsed_args)
        client = self.client(target)
        if parsed_args.file is None:
            changed = changing.adopt(self.conf, target, client)
            name = store.path(self.conf, target)
            self.app.stdout.write(text.printable(
                f"{name}: {'saved' if changed else 'unchanged'}") + '\n')
            return
        data = configuration.dump(configuration.read(client))
        if parsed_args.file == '-':
            self.app.stdout.write(text.printable_json(data.decode()))
        else:
            trusted_files.write_atomically(
                os.path.abspath(parsed_args.file), data)


class LoadConfig(_OneTarget):
    """Give a configuration to a target that runs.

    The file is taken as SPDK's -c takes it, with comments and the names of
    former releases. Objects are made in the order of dependence, and the
    first that fails, or is there already, ends it. Calls that a target takes
    only before it is initialised are left out and told: restart the target
    with --restart for those.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'file', nargs='?', metavar='FILE',
            help='File that save-config or rpc.py save_config wrote. '
                 'Default: what is kept for the target.')
        parser.add_argument(
            '--restart', action='store_true',
            help='Stop the target, and start it with this configuration '
                 'instead of what it has.')
        parser.add_argument(
            '--keep-going', action='store_true',
            help='Make the other objects although one has failed.')
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        target = self.chosen(parsed_args)
        config = None
        if parsed_args.file is not None:
            name = os.path.abspath(parsed_args.file)
            data = trusted_files.read(name, follow=True)
            if data is None:
                raise exceptions.StateError(
                    f"{name}: there is no such file; name one that "
                    "save-config wrote")
            config = configuration.parse(data, name)
        if parsed_args.restart:
            return self._restart(target, config)
        if config is None:
            return self._repair(target)
        return self._apply(target, config, parsed_args.keep_going)

    def _restart(self, target: spdk_conf.Target,
                 config: configuration.Config | None) -> int:
        conf = self.conf
        starting.stop(conf, target)
        if config is not None:
            changing.replace(conf, target, config)
        running = starting.ensure(conf, target, force=True)
        self.app.stdout.write(
            f"{target.name}: restarted as process "
            f"{running.process and running.process.pid}\n")
        target_cli.tell_missing(target, running.missing)
        return commands.MISSING if running.missing else 0

    def _repair(self, target: spdk_conf.Target) -> int:
        result = keep.look(self.conf, target, self.client(target),
                           at_once=True)
        self.app.stdout.write(f"{target.name}: {len(result.made)} made, "
                              f"{len(result.missing)} missing\n")
        target_cli.tell_missing(target, result.missing)
        return commands.MISSING if result.missing else 0

    def _apply(self, target: spdk_conf.Target,
               config: configuration.Config, keep_going: bool) -> int:
        done = changing.load(self.conf, self.client(target), config,
                             keep_going=keep_going)
        for method, reason in done.failed:
            LOG.error('%s: %s', method, reason)
        if done.left_out:
            LOG.warning('%s: left out, since it is initialised: %s',
                        target.name, ', '.join(done.left_out))
        for name in sorted(done.unknown):
            LOG.warning('%s: left out, since this release does not know '
                        'it: %s', target.name, name)
        self.app.stdout.write(
            f"{target.name}: {done.made} calls made, "
            f"{len(done.left_out)} left out, {len(done.failed)} failed\n")
        saving.save(self.conf, [target.rpc_address])
        return int(bool(done.failed))


class Diff(_OneTarget, commands.Fitting):
    """Show how what a target has differs from what it is to have.

    Nothing is changed. The exit status is 3 if something is missing.
    """

    COLUMNS = ('Object', 'State', 'Since', 'Why')
    narrow = ('Object', 'State', 'Why')

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._missing = False
        return super().run(parsed_args) or (
            commands.MISSING if self._missing else 0)

    def take_action(self, parsed_args: argparse.Namespace) -> commands.Table:
        target = self.chosen(parsed_args)
        found = changing.diff(self.conf, target, self.client(target))
        self._missing = any(one.state == changing.MISSING for one in found)
        return self.COLUMNS, [
            (one.key, one.state, target_cli.Known(one.since_text()),
             target_cli.Known(one.why)) for one in found]


class Forget(_OneTarget):
    """Drop objects that a target lacks from what it is to have.

    What is part of an object, or stands on it, and is missing, too, goes
    with it. What is there is not touched.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'objects', nargs='*', metavar='OBJECT',
            help='As target diff shows it, or its name alone: '
                 'bdev:Malloc0, Malloc0.')
        parser.add_argument(
            '--all', action='store_true',
            help='Drop all that is missing.')
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        target = self.chosen(parsed_args)
        if bool(parsed_args.objects) == parsed_args.all:
            raise exceptions.InvalidValue(
                'OBJECT', ' '.join(parsed_args.objects) or None,
                'name objects, or give --all')
        dropped = changing.forget(
            self.conf, target,
            None if parsed_args.all else parsed_args.objects)
        for key in dropped:
            self.app.stdout.write(
                text.printable(f'{key}: forgotten') + '\n')
