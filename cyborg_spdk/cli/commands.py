# SPDX-License-Identifier: Apache-2.0

"""What the commands that manage a target have in common: which target."""

import logging

from cliff import columns
from cliff import command
from cliff import lister

from cyborg_spdk.cli import saving
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import rpc

LOG = logging.getLogger(__name__)

#: Exit status of a command that succeeded at a target that lacks something
#: of what it is to have.
MISSING = 3


class Size(columns.FormattableColumn):
    """A number of bytes; in a table in the unit that suits."""

    def human_readable(self):
        value = self._value
        for unit in ('B', 'KiB', 'MiB', 'GiB', 'TiB'):
            if value < 1024 or unit == 'TiB':
                break
            value /= 1024
        return f'{value:.1f} {unit}'.replace('.0 ', ' ')


class Words(columns.FormattableColumn):
    """A list of strings; in a table with commas."""

    def human_readable(self):
        return ', '.join(map(str, self._value))

    def machine_readable(self):
        return [str(one) for one in self._value]


class Maybe(columns.FormattableColumn):
    """A value that may be missing; in a table that is nothing."""

    def human_readable(self):
        return '' if self._value is None else str(self._value)


class Managing(command.Command):
    """A command on one target, or on each of several.

    A subclass says with :attr:`kind` which targets it is for, with
    :attr:`client_class` by which client, and with :attr:`arguments` what
    else it wants to know.
    """

    #: One of cyborg_spdk.conf.KINDS, or None: any target will do.
    kind = None
    #: One of cyborg_spdk.clients.
    client_class = None
    #: (names, options for argparse) of each argument.
    arguments = ()

    def run(self, parsed_args):
        self._changed = None
        code = super().run(parsed_args)
        if self._changed:
            saving.save(self.app.conf, [self._changed], [
                value for value in vars(parsed_args).values()
                if value and isinstance(value, str)])
        return code

    def get_parser(self, prog_name):
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

    def addresses(self, parsed_args):
        """Targets to work on: list of (name, RPC address)."""
        if parsed_args.address:
            return [(parsed_args.address, parsed_args.address)]
        targets = spdk_conf.targets(self.app.conf, self.kind)
        if parsed_args.target:
            targets = [one for one in targets
                       if one.name == parsed_args.target]
        if not targets:
            known = ', '.join(one.name for one in spdk_conf.targets(
                self.app.conf, self.kind))
            raise exceptions.InvalidValue(
                'target', parsed_args.target,
                f'those that suit are: {known or "none"}')
        return [(one.name, one.rpc_address) for one in targets]

    def client(self, parsed_args):
        """The client of the one target that is to be changed.

        What it has is saved when the command has succeeded.

        :raises InvalidValue: several suit and none was named.
        """
        found = self.addresses(parsed_args)
        if len({address for _, address in found}) > 1:
            raise exceptions.InvalidValue(
                '--target', None, 'name one of '
                + ', '.join(name for name, _ in found))
        self._changed = found[0][1]
        return self.connect(self._changed)

    def connect(self, address):
        """The client for an address, with the configured timeouts."""
        options = self.app.conf.spdk
        return self.client_class(
            rpc.connect(address, timeout=options.connect_timeout),
            timeout=options.rpc_timeout)

    def say(self, text):
        """One line on the standard output."""
        self.app.stdout.write(f'{text}\n')


class Reading(Managing):
    """A command that reads several targets: what it can."""

    def run(self, parsed_args):
        self.failed = False
        return super().run(parsed_args) or int(self.failed)

    def each(self, parsed_args):
        """The targets that can be reached; the others are told.

        :returns: iterator of (names, client): several names where one
            program serves several targets.
        """
        names = {}
        for name, address in self.addresses(parsed_args):
            names.setdefault(address, []).append(name)
        for address, found in names.items():
            client = self.connect(address)
            try:
                client.rpc.open()
            except exceptions.ConnectError as exc:
                LOG.error('%s: %s', ', '.join(found), exc)
                self.failed = True
                continue
            yield ', '.join(found), client


class Listing(Reading, lister.Lister):
    """A command that shows a table: a row for each object."""


#: Arguments that many commands share.
EXIST_OK = (('--exist-ok',), {
    'action': 'store_true',
    'help': 'Do not mind if it exists with these very properties.'})
MISSING_OK = (('--missing-ok',), {
    'action': 'store_true', 'help': 'Do not mind if it does not exist.'})
NQN = (('nqn',), {'metavar': 'NQN', 'help': 'NQN of the subsystem.'})


def gone(what, done):
    """What a delete says."""
    return f'{what}: ' + ('deleted' if done else 'was not there')
