# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk attach`` and ``detach``: who may use which unit."""

import logging

from cliff import command
from cliff import show

from cyborg_spdk.cli import saving
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units import attach

LOG = logging.getLogger(__name__)

_HANDLE = ('The unit, as its attach handle: the attach_handle_info of a bound '
           'accelerator request, as JSON, for example '
           '\'{"nqn": "nqn.2016-06.io.spdk:cnode1", "nsid": "1"}\'.')
_CONSUMER = ('Who: the NQN of a host, the IQN of an initiator, or for vhost '
             'the name of the user that QEMU runs as.')


def _arguments(parser):
    parser.add_argument('handle', metavar='HANDLE', help=_HANDLE)
    parser.add_argument('consumer', metavar='CONSUMER', help=_CONSUMER)
    parser.add_argument(
        '--target', metavar='NAME',
        help='Name of the target in the configuration. Default: the one of '
             'the handle\'s kind, if there is only one.')


def _save(conf, client, parsed_args):
    """What was changed is to survive the target's end."""
    _kind, handle = attach.parse(parsed_args.handle)
    saving.save(conf, [client.address],
                [*handle.values(), parsed_args.consumer])


def _client(conf, parsed_args):
    kind, _handle = attach.parse(parsed_args.handle)
    targets = spdk_conf.targets(conf, kind)
    if parsed_args.target:
        targets = [one for one in targets if one.name == parsed_args.target]
    if len(targets) != 1:
        raise exceptions.InvalidValue(
            '--target', parsed_args.target, 'name one of the targets of '
            f'kind {kind}: ' + (', '.join(
                one.name for one in spdk_conf.targets(conf, kind))
                or 'there is none'))
    return rpc.connect(targets[0].rpc_address,
                       timeout=conf.spdk.connect_timeout)


def _mode(text):
    return int(text, 8)


class Attach(show.ShowOne):
    """Let a consumer use a unit. Calling it again does no harm.

    For nvmf the host is allowed on the subsystem, for iscsi the initiator is
    mapped to the target node, for vhost the socket is given to the user.
    """

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        _arguments(parser)
        parser.add_argument(
            '--key-file', metavar='PATH',
            help='nvmf: file with the host\'s DH-HMAC-CHAP key, on the '
                 'target\'s host (SPDK v24.05).')
        parser.add_argument(
            '--only-listed', action='store_true', default=None,
            help='nvmf: a subsystem that lets in any host ends that.')
        parser.add_argument(
            '--bdev', metavar='NAME',
            help='vhost: create a block controller for this bdev if the '
                 'socket has none.')
        parser.add_argument(
            '--group', metavar='NAME',
            help='vhost: group of the socket. Default: the user\'s.')
        parser.add_argument(
            '--mode', type=_mode, metavar='OCTAL',
            help='vhost: permission bits of the socket. Default: 660.')
        parser.add_argument(
            '--portal-group', type=int, metavar='TAG',
            help='iscsi: where the initiator comes in. Default: where the '
                 'target node is mapped to.')
        parser.add_argument(
            '--netmask', metavar='NETMASK',
            help='iscsi: where the initiator comes from. Default: ANY.')
        return parser

    def take_action(self, parsed_args):
        options = {name: getattr(parsed_args, name) for name in (
            'key_file', 'only_listed', 'bdev', 'group', 'mode',
            'portal_group', 'netmask')
            if getattr(parsed_args, name) is not None}
        client = _client(self.app.conf, parsed_args)
        made = attach.attach(client, parsed_args.handle,
                             parsed_args.consumer, **options)
        _save(self.app.conf, client, parsed_args)
        for warning in made.warnings:
            LOG.warning('%s', warning)
        return ('Consumer', 'Reach', 'Changed'), (
            parsed_args.consumer, ', '.join(made.reach), made.changed)


class Detach(command.Command):
    """Let a consumer use a unit no more. Calling it again does no harm."""

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        _arguments(parser)
        parser.add_argument(
            '--delete', action='store_true', default=None,
            help='vhost: delete the controller too. Cyborg then loses the '
                 'unit, as soon as nobody has it allocated.')
        return parser

    def take_action(self, parsed_args):
        options = {'delete': True} if parsed_args.delete else {}
        client = _client(self.app.conf, parsed_args)
        if not attach.detach(client, parsed_args.handle,
                             parsed_args.consumer, **options):
            LOG.info('%s had no right to it', parsed_args.consumer)
        _save(self.app.conf, client, parsed_args)
