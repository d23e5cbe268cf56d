# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk target``: start and stop targets, save and load them."""

import functools
import json
import logging

from cliff import columns
from cliff import command
from cliff import lister

from cyborg_spdk.cli import saving
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host.saved import replay as saved_replay
from cyborg_spdk.host.saved import store as saved_store
from cyborg_spdk.host.target import lifecycle
from cyborg_spdk.host import trusted_files
from cyborg_spdk import rpc
from cyborg_spdk import tasks

LOG = logging.getLogger(__name__)


def chosen(conf, names):
    """Targets by their names; all of them for none.

    :param conf: the configuration.
    :param names: list of str, in any order.
    :returns: list of :class:`cyborg_spdk.conf.Target`.
    :raises InvalidValue: for a name that no target has.
    """
    known = {target.name: target for target in spdk_conf.targets(conf)}
    for name in names:
        if name not in known:
            raise exceptions.InvalidValue(
                'target', name, 'the configuration has only '
                + ', '.join(known))
    return [known[name] for name in dict.fromkeys(names)] or \
        list(known.values())


class Known(columns.FormattableColumn):
    """A value that may be None; in a table that is nothing."""

    def human_readable(self):
        return '' if self._value is None else self._value


class _Targets(lister.Lister):
    """Do something with several targets at once; a row for each."""

    columns = ('Target', 'Result', 'PID')

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'targets', nargs='*', metavar='TARGET',
            help='Name of a target in the configuration. Default: all '
                 'that are to be started.')
        return parser

    def run(self, parsed_args):
        self.failures = []
        return super().run(parsed_args) or int(bool(self.failures))

    def take_action(self, parsed_args):
        conf = self.app.conf
        tasks.configure(conf)
        targets = chosen(conf, parsed_args.targets)
        if not parsed_args.targets:
            targets = [target for target in targets if target.start]
        for target in targets:
            tasks.run(target.name, self.one, conf, target, parsed_args)
        rows = [self._row(target) for target in targets]
        # Where SPDK is missing, all of them fail with the same words.
        for reason in dict.fromkeys(self.failures):
            LOG.error('%s', reason)
        LOG.debug('%s', tasks.summary())
        return self.columns, rows

    def _row(self, target):
        try:
            result, pid = tasks.wait(target.name)[0]
            return target.name, result, Known(pid)
        except exceptions.TaskError as exc:
            if not isinstance(exc.__cause__, exceptions.SpdkError):
                raise
            self.failures.append(str(exc.__cause__))
            return target.name, 'failed', Known(None)

    def one(self, conf, target, parsed_args):
        """Do it with one target; returns the rest of its row."""
        raise AssertionError('a subclass says what is to be done')


def _pid(running):
    return running.process.pid if running.process else None


class Start(_Targets):
    """Start targets that do not run, and wait until they answer."""

    def one(self, conf, target, parsed_args):
        running = lifecycle.ensure(conf, target, force=True)
        if running.process is None:
            return 'not on this host', None
        return ('started' if running.started else 'was running',
                _pid(running))


class _Stopping(_Targets):

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--kill', action='store_true',
            help='Send SIGKILL if it has not ended within [spdk] '
                 'stop_timeout.')
        return parser


class Stop(_Stopping):
    """Stop targets: SIGTERM, and wait for their end.

    What a target has is saved before, and given back when it is started
    again. A Cyborg agent that runs starts it again, unless its option
    start is false or --hold is given.
    """

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--hold', action='store_true',
            help='Keep it down: it is not started again until '
                 '"cyborg-spdk target start".')
        return parser

    def one(self, conf, target, parsed_args):
        stopped = lifecycle.stop(conf, target, kill=parsed_args.kill,
                                 hold=parsed_args.hold)
        return 'stopped' if stopped else 'was not running', None


class Restart(_Stopping):
    """Stop targets, and start them with what they had."""

    def one(self, conf, target, parsed_args):
        lifecycle.stop(conf, target, kill=parsed_args.kill)
        return 'restarted', _pid(lifecycle.ensure(conf, target, force=True))


class SaveConfig(command.Command):
    """Save what a target has, to be given back when it is started.

    Whatever was saved before is kept beside it as NAME.json.previous.
    """

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument('target', metavar='TARGET',
                            help='Name of a target.')
        parser.add_argument(
            'file', nargs='?', metavar='FILE',
            help='Write it to this file instead; - is the standard '
                 'output.')
        return parser

    def take_action(self, parsed_args):
        conf = self.app.conf
        target, = chosen(conf, [parsed_args.target])
        client = rpc.connect(target.rpc_address,
                             timeout=conf.spdk.connect_timeout)
        if parsed_args.file is None:
            name = saved_store.path(conf, target)
            changed = saved_store.save(conf, target, client, force=True)
            self.app.stdout.write(
                f"{name}: {'saved' if changed else 'unchanged'}\n")
            return
        data = saved_store.dump(saved_store.read(client))
        if parsed_args.file == '-':
            self.app.stdout.write(data.decode())
        else:
            trusted_files.write_atomically(parsed_args.file, data)


class LoadConfig(command.Command):
    """Give a configuration to a target that runs.

    The calls of the file are made one after the other, and the first that
    fails ends it. Calls that a target takes only before it is initialised
    are left out and told: restart the target with --restart for those.
    """

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument('target', metavar='TARGET',
                            help='Name of a target.')
        parser.add_argument(
            'file', nargs='?', metavar='FILE',
            help='File that save-config or rpc.py save_config wrote. '
                 'Default: what is saved for the target.')
        parser.add_argument(
            '--restart', action='store_true',
            help='Stop the target, and start it with this configuration '
                 'instead of what it has, which is kept as '
                 'NAME.json.previous.')
        parser.add_argument(
            '--keep-going', action='store_true',
            help='Make the other calls although one has failed.')
        return parser

    def take_action(self, parsed_args):
        conf = self.app.conf
        target, = chosen(conf, [parsed_args.target])
        name = parsed_args.file or saved_store.path(conf, target)
        data = trusted_files.read(name, follow=True)
        if data is None:
            raise exceptions.StateError(
                f"{name}: there is no such file; name one that save-config "
                "wrote")
        config = saved_store.parse(data, name)
        if parsed_args.restart:
            return self._restart(conf, target, config)
        return self._apply(conf, target, config, parsed_args.keep_going)

    def _restart(self, conf, target, config):
        lifecycle.stop(conf, target)
        saved_store.replace(conf, target, config)
        running = lifecycle.ensure(conf, target, force=True)
        self.app.stdout.write(
            f"{target.name}: restarted as process "
            f"{_pid(running)}\n")

    def _apply(self, conf, target, config, keep_going):
        client = rpc.connect(target.rpc_address,
                             timeout=conf.spdk.connect_timeout)
        done = saved_replay.apply(
            functools.partial(client.call,
                              _timeout=conf.spdk.rpc_timeout),
            config, keep_going=keep_going)
        for call, error in done.failed:
            LOG.error('%s %s: %s', call['method'],
                      json.dumps(call.get('params') or {}), error)
        if done.left_out:
            LOG.warning('%s: left out, since it is initialised: %s',
                        target.name, ', '.join(done.left_out))
        self.app.stdout.write(
            f"{target.name}: {done.made} calls made, "
            f"{len(done.left_out)} left out, {len(done.failed)} failed\n")
        saving.save(conf, [target.rpc_address])
        return int(bool(done.failed))
