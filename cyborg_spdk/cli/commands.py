# SPDX-License-Identifier: Apache-2.0

"""What the commands that manage a target have in common: which target."""

import argparse
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Generic
from typing import TYPE_CHECKING
from typing import TypeVar

from cliff import columns
from cliff import command
from cliff import lister
from oslo_config import cfg

from cyborg_spdk.cli import programs
from cyborg_spdk.cli import saving
from cyborg_spdk.cli import widths
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import enabled
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk import text as texts

if TYPE_CHECKING:
    # A command that calls no target does without.
    from cyborg_spdk import clients

LOG = loggers.get(__name__)

#: Names of an argument, and its options for argparse.
Argument = tuple[tuple[str, ...], dict[str, Any]]

#: What a listing shows: titles of its columns, and rows.
Table = tuple[Sequence[str], list[tuple[Any, ...]]]

_Client = TypeVar('_Client', bound='clients.BdevClient')

#: Exit status of a command that succeeded at a target that lacks something
#: of what it is to have.
MISSING = 3


class Configured(command.Command):
    """A command that reads the configuration."""

    @property
    def conf(self) -> cfg.ConfigOpts:
        """The configuration of the process."""
        conf: cfg.ConfigOpts = self.app.conf  # type: ignore[attr-defined]
        return conf


class Size(columns.FormattableColumn):  # type: ignore[type-arg]
    """A number of bytes; in a table in the unit that suits."""

    def human_readable(self) -> str:
        value = float(self._value)
        for unit in ('B', 'KiB', 'MiB', 'GiB', 'TiB'):
            if value < 1024 or unit == 'TiB':
                break
            value /= 1024
        return f'{value:.1f} {unit}'.replace('.0 ', ' ')


class Words(columns.FormattableColumn):  # type: ignore[type-arg]
    """A list of strings; in a table with commas."""

    def human_readable(self) -> str:
        return ', '.join(map(texts.printable, self._value))

    def machine_readable(self) -> list[str]:
        return [str(word) for word in self._value]


class Maybe(columns.FormattableColumn):  # type: ignore[type-arg]
    """A value that may be missing; in a table that is nothing."""

    def human_readable(self) -> str:
        return '' if self._value is None else texts.printable(self._value)


class Fitting(lister.Lister):
    """A listing whose table has the columns that a terminal has room for.

    Only the table for people leaves some out, and only without --wide or
    -c. Where there is no terminal, it has room for 80.
    """

    #: Titles of the columns that it has in any case.
    narrow: tuple[str, ...] = ()
    #: Titles of others, those first that are worth most.
    more: tuple[str, ...] = ()
    #: Title to the width that a column is taken to have at least.
    least: Mapping[str, int] = {}

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            '--wide', action='store_true',
            help='All columns, however wide the table is. Other formats '
                 'than "table" always have them.')
        return parser

    def produce_output(self, parsed_args: argparse.Namespace,
                       column_names: Sequence[str], data: Any) -> int:
        if parsed_args.formatter == 'table' and not parsed_args.wide \
                and not parsed_args.columns:
            data = list(data)
            # Of this table alone: another set of rates may follow.
            parsed_args = argparse.Namespace(**{
                **vars(parsed_args), 'columns': widths.chosen(
                    parsed_args.max_width or widths.available(),
                    column_names, data, self.narrow, self.more,
                    self.least)})
        code: int = super().produce_output(parsed_args, column_names, data)
        return code


class Managing(Configured, Generic[_Client]):
    """A command on one target, or on each of several.

    A subclass says with :attr:`kind` which targets it is for, with
    :attr:`client_class` by which client, and with :attr:`arguments` what
    else it wants to know.
    """

    #: One of cyborg_spdk.conf.KINDS, or None: any target will do.
    kind: str | None = None
    #: One of cyborg_spdk.clients.
    client_class: type[_Client]
    #: What it takes on the command line.
    arguments: tuple[Argument, ...] = ()

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._changed: str | None = None
        code = super().run(parsed_args)
        if self._changed:
            saving.save(self.conf, [self._changed], [
                value for value in vars(parsed_args).values()
                if value and isinstance(value, str)])
        return code

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            '-t', '--target', metavar='TARGET',
            help='Name of a target in the configuration. Default: the '
                 'only one that suits.')
        where.add_argument(
            '-a', '--address', metavar='ADDRESS',
            help='RPC address of a target instead: /path, tcp://host:port '
                 'or ssh://user@host/path.')
        for names, options in self.arguments:
            parser.add_argument(*names, **options)
        return parser

    def addresses(self,
                  parsed_args: argparse.Namespace) -> list[tuple[str, str]]:
        """Targets to work on: list of (name, RPC address)."""
        if parsed_args.address:
            address = programs.absolute(parsed_args.address)
            return [(address, address)]
        suitable = spdk_conf.targets(self.conf, self.kind)
        targets = [target for target in suitable
                   if parsed_args.target in (None, '', target.name)]
        if not parsed_args.target:
            names = {target.name for target in enabled.targets(self.conf)}
            # One of a kind that has no driver may still be managed.
            targets = [target for target in targets
                       if target.name in names] or targets
        if not targets:
            known = ', '.join(target.name for target in suitable)
            raise exceptions.InvalidValue(
                'target', parsed_args.target,
                f'those that suit are: {known or "none"}')
        return [(target.name, target.rpc_address) for target in targets]

    def client(self, parsed_args: argparse.Namespace) -> _Client:
        """The client of the one target that is to be changed.

        What it has is saved when the command has succeeded.

        :raises InvalidValue: several suit and none was named.
        """
        targets = self.addresses(parsed_args)
        if len({address for _, address in targets}) > 1:
            raise exceptions.InvalidValue(
                '--target', None, 'name one of '
                + ', '.join(name for name, _ in targets))
        self._changed = targets[0][1]
        return self.connect(self._changed)

    def connect(self, address: str) -> _Client:
        """The client for an address, with the configured timeouts."""
        options = self.conf.spdk
        return self.client_class(
            rpc.connect(address, timeout=options.connect_timeout),
            timeout=options.rpc_timeout)

    def say(self, text: str) -> None:
        """One line on the standard output."""
        self.app.stdout.write(f'{texts.printable(text)}\n')


class Reading(Managing[_Client]):
    """A command that reads several targets: what it can."""

    def run(self, parsed_args: argparse.Namespace) -> int:
        self.failed = False
        return super().run(parsed_args) or int(self.failed)

    def each(self, parsed_args: argparse.Namespace
             ) -> Iterator[tuple[str, _Client]]:
        """The targets that can be reached; the others are told.

        :returns: iterator of (names, client): several names where one
            program serves several targets.
        """
        names: dict[str, list[str]] = {}
        for name, address in self.addresses(parsed_args):
            names.setdefault(address, []).append(name)
        for address, targets in names.items():
            client = self.connect(address)
            try:
                client.rpc.open()
            except exceptions.ConnectError as exc:
                LOG.error('%s: %s', ', '.join(targets), exc)
                self.failed = True
                continue
            yield ', '.join(targets), client


class Listing(Reading[_Client], Fitting):
    """A command that shows a table: a row for each object."""


#: Arguments that many commands share.
EXIST_OK: Argument = (('--exist-ok',), {
    'action': 'store_true',
    'help': 'Do not mind if it exists with these very properties.'})
MISSING_OK: Argument = (('--missing-ok',), {
    'action': 'store_true', 'help': 'Do not mind if it does not exist.'})
NQN: Argument = (('nqn',), {'metavar': 'NQN', 'help': 'NQN of the subsystem.'})


def gone(what: str, done: bool) -> str:
    """What a delete says."""
    return f'{what}: ' + ('deleted' if done else 'was not there')
