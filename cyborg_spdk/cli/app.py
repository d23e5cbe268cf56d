# SPDX-License-Identifier: Apache-2.0

"""The cliff application: global options, logging, errors in one line."""

import argparse
from collections.abc import Sequence
import difflib
import importlib.metadata
import itertools
import logging
from typing import Any

from cliff import app
from cliff import command
from cliff import help as cliff_help
from oslo_config import cfg

from cyborg_spdk.cli import conf_files
from cyborg_spdk.cli import manager
from cyborg_spdk.cli import programs
from cyborg_spdk.cli import shown
from cyborg_spdk import exceptions
from cyborg_spdk import loggers

LOG = loggers.get(__name__)


class App(app.App):
    """``cyborg-spdk``; a command finds the configuration in ``app.conf``.

    :ivar conf: the ``oslo_config.cfg.ConfigOpts`` of the process, the one
        that Cyborg's drivers read too.
    """

    NAME = 'cyborg-spdk'
    LOG = logging.getLogger('cyborg_spdk')
    CONSOLE_MESSAGE_FORMAT = '%(levelname)s: %(message)s'

    conf: cfg.ConfigOpts
    command_manager: manager.Manager
    # The words of the command line that may name a command.
    _words: list[str]

    def __init__(self) -> None:
        super().__init__(
            description='SPDK targets as accelerators of OpenStack Cyborg: '
                        'find, start, read and manage them.',
            version=importlib.metadata.version('cyborg-spdk'),
            command_manager=manager.Manager('cyborg_spdk.cli'),
            deferred_help=True)
        self.conf = cfg.CONF

    def build_option_parser(
            self, description: str | None, version: str | None,
            argparse_kwargs: dict[str, Any] | None = None
            ) -> argparse.ArgumentParser:
        # No abbreviations: parse_known_args() would take an option of a
        # command for a shortened one of ours.
        parser = super().build_option_parser(
            description, version,
            {'allow_abbrev': False, 'prog': self.NAME,
             'conflict_handler': 'resolve', **(argparse_kwargs or {})})
        # cliff's own names the program by the file that was run.
        parser.add_argument('--version', action='version',
                            version=f'{self.NAME} {version}')
        parser.add_argument(
            '--config-file', action='append', default=[], metavar='PATH',
            help='Configuration file; can be given several times. Default: '
                 + ' and '.join(conf_files.DEFAULT_FILES)
                 + ', where they exist.')
        parser.add_argument(
            '--config-dir', action='append', default=[], metavar='DIR',
            help='Directory of further configuration files (*.conf).')
        parser.add_argument(
            '--set', action='append', default=[], dest='settings',
            metavar='GROUP.OPTION=VALUE',
            help='Set one option for this call, for example '
                 'spdk.spdk_dir=/opt/spdk; can be given several times.')
        return parser

    def print_help_if_requested(self) -> None:
        if not self.options.deferred_help:
            return
        self.parser.print_help(self.stdout)
        self.stdout.write('\nCommands:\n')
        for name, summary in self.command_manager.summaries():
            self.stdout.write(f'  {name:<29}  {summary}\n')
        raise cliff_help.HelpExit()

    def configure_logging(self) -> None:
        # cliff shows INFO by default; here only what needs attention.
        level = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO}.get(
            self.options.verbose_level, logging.DEBUG)
        if self.options.debug:
            level = logging.DEBUG
        super().configure_logging()
        for handler in logging.getLogger().handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.setLevel(level)
                handler.setFormatter(shown.Formatter(
                    self.CONSOLE_MESSAGE_FORMAT))
            else:
                handler.setFormatter(shown.Formatter(
                    self.LOG_FILE_MESSAGE_FORMAT))
        # Their debug messages are about themselves.
        for name in ('stevedore', 'cliff', 'urllib3', 'keystoneauth'):
            logging.getLogger(name).setLevel(logging.WARNING)

    def tell_changes(self) -> None:
        """Show INFO, too, unless less was asked for: for what runs on."""
        if self.options.verbose_level != 1:
            return
        for handler in logging.getLogger().handlers:
            if not isinstance(handler, logging.FileHandler) and \
                    handler.level > logging.INFO:
                handler.setLevel(logging.INFO)

    def prepare_to_run_command(self, cmd: command.Command) -> None:
        shown.make_printable(cmd)
        run = cmd.run

        def told(parsed_args: argparse.Namespace) -> int:
            try:
                return int(run(parsed_args))
            except OSError as exc:
                # Python's text has a number and no remedy.
                if isinstance(exc, BrokenPipeError) or \
                        not isinstance(exc.filename, str):
                    raise
                raise exceptions.StateError(
                    f"{exc.filename}: {exc.strerror}; correct the path, or "
                    "the rights to it") from exc

        cmd.run = told  # type: ignore[method-assign]

    def run_subcommand(self, argv: list[str]) -> int:
        self._words = list(itertools.takewhile(
            lambda word: not word.startswith('-'), argv))
        # cliff makes "help COMMAND OPTIONS" of "COMMAND OPTIONS --help".
        return int(super().run_subcommand(
            self._words if argv[0] == 'help' else argv))

    def get_fuzzy_matches(self, cmd: str) -> list[str]:
        # cliff looks at the first word only.
        typed = ' '.join(self._words)
        names = sorted(name for name, _ in self.command_manager)
        return [name for name in names if name.startswith(f'{typed} ')] \
            or difflib.get_close_matches(typed, names, cutoff=0.7) \
            or list(super().get_fuzzy_matches(cmd))

    def initialize_app(self, argv: list[str]) -> None:
        if not argv:
            # Without a command cliff would open a shell of its own.
            self.options.deferred_help = True
            return
        if argv[0] in ('help', 'complete'):
            return
        for message in conf_files.load(
                self.conf, self.options.config_file,
                self.options.config_dir, self.options.settings):
            LOG.warning(message)


class _Verbatim(argparse.ArgumentParser):
    """Leaves the command line to the program that it is meant for."""

    def parse_args(  # type: ignore[override]
            self, args: Sequence[str] | None = None,
            namespace: Any = None) -> argparse.Namespace:
        return argparse.Namespace(arguments=list(args or ()))


class _HandOver(command.Command):
    """A command that is a program of its own (see ``programs``)."""

    #: Its full name; cliff takes abbreviations too.
    program: str

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _Verbatim(
            prog=prog_name, description=self.get_description(),
            usage=f'{prog_name} ...',
            epilog=f'"{App.NAME} {self.program} --help" tells more.')

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        return programs.run(self.program, parsed_args.arguments)


class Rpc(_HandOver):
    """Call a method of a target, or serve the command lines of rpc.py."""

    program = 'rpc'


class Simulate(_HandOver):
    """Run a simulated SPDK application, or lay out an installation of it."""

    program = 'simulate'
