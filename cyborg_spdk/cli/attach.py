# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk attach`` and ``detach``: who may use which unit."""

import argparse
from typing import Any

from cliff import command
from cliff import show
from oslo_config import cfg

from cyborg_spdk.cli import saving
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk.units import attach
from cyborg_spdk.units import handles
from cyborg_spdk.units.wipe import marks

LOG = loggers.get(__name__)

_HANDLE = ('The unit, as its attach handle: the attach_handle_info of a bound '
           'accelerator request, as JSON, for example '
           '\'{"nqn": "nqn.2016-06.io.spdk:cnode1", "nsid": "1"}\'.')
_CONSUMER = ('Who: the NQN of a host, the IQN of an initiator, or for vhost '
             'the name of the user that QEMU runs as.')
_OWNER = ('Whose data it is: the UUID of the instance. Default: the '
          'consumer\'s. A unit that was detached goes to the same owner '
          'again without a wipe, and to nobody else; a user of this machine '
          'alone is no owner.')

# Options of the command that are passed on if they are given.
_PASSED = ('key_file', 'ctrlr_key_file', 'psk_file', 'only_listed', 'bdev',
           'group', 'mode', 'portal_group', 'netmask')

_LIMITS = {'iops': ('rw_ios_per_sec', 'operations per second'),
           'mbps': ('rw_mbytes_per_sec', 'MiB per second'),
           'read-mbps': ('r_mbytes_per_sec', 'MiB per second of reads'),
           'write-mbps': ('w_mbytes_per_sec', 'MiB per second of writes')}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('handle', metavar='HANDLE', help=_HANDLE)
    parser.add_argument('consumer', metavar='CONSUMER', help=_CONSUMER)
    parser.add_argument('--owner', metavar='UUID', help=_OWNER)
    parser.add_argument(
        '--target', metavar='NAME',
        help='Name of the target in the configuration. Default: the one of '
             'the handle\'s kind, if there is only one.')


def _save(conf: cfg.ConfigOpts, target: spdk_conf.Target,
          parsed_args: argparse.Namespace) -> None:
    """What was changed is to survive the target's end."""
    _kind, handle = handles.parse(parsed_args.handle)
    saving.save(conf, [target.rpc_address],
                [*handle.values(), parsed_args.consumer])


def target_of(conf: cfg.ConfigOpts, handle: str,
              name: str | None) -> spdk_conf.Target:
    """The target of a unit.

    :param conf: the configuration.
    :param handle: the unit's handle.
    :param name: what ``--target`` says, or None.
    :raises InvalidValue: if it is not clear which.
    """
    kind, _parts = handles.parse(handle)
    every = spdk_conf.targets(conf, kind)
    found = [one for one in every if name in (None, one.name)]
    if len(found) != 1:
        raise exceptions.InvalidValue(
            '--target', name, 'name one of the targets of '
            f'kind {kind}: ' + (', '.join(one.name for one in every)
                                or 'there is none'))
    target: spdk_conf.Target = found[0]
    return target


def _mode(text: str) -> int:
    return int(text, 8)


def _nvmf_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('nvmf')
    group.add_argument(
        '--dhchap', action='append_const', dest='make_keys', const='dhchap',
        help='Make a DH-HMAC-CHAP key for the host, or use the one that was '
             'made (SPDK v24.05). Its file is shown; the host needs it too.')
    group.add_argument(
        '--mutual', action='append_const', dest='make_keys', const='mutual',
        help='The same for the other direction: the target proves who it '
             'is.')
    group.add_argument(
        '--tls', action='append_const', dest='make_keys', const='tls',
        help='Make a key for TLS, or use the one that was made.')
    group.add_argument(
        '--rotate-keys', action='store_true',
        help='Make new DH-HMAC-CHAP keys in place of those that were made '
             '(SPDK v24.09). Who is connected stays so.')
    group.add_argument(
        '--key-file', metavar='PATH',
        help='File with the host\'s DH-HMAC-CHAP key, on the target\'s '
             'host.')
    group.add_argument(
        '--ctrlr-key-file', metavar='PATH',
        help='File with the key of the other direction.')
    group.add_argument(
        '--psk-file', metavar='PATH', help='File with the key for TLS.')
    group.add_argument(
        '--only-listed', action='store_true', default=None,
        help='A subsystem that lets in any host ends that.')


def _other_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('vhost')
    group.add_argument(
        '--bdev', metavar='NAME',
        help='Create a block controller for this bdev if the socket has '
             'none.')
    group.add_argument(
        '--group', metavar='NAME',
        help='Group of the socket. Default: the user\'s.')
    group.add_argument(
        '--mode', type=_mode, metavar='OCTAL',
        help='Permission bits of the socket. Default: 660.')
    group = parser.add_argument_group('iscsi')
    group.add_argument(
        '--portal-group', type=int, metavar='TAG',
        help='Where the initiator comes in. Default: where the target node '
             'is mapped to.')
    group.add_argument(
        '--netmask', metavar='NETMASK',
        help='Where the initiator comes from. Default: ANY.')
    group = parser.add_argument_group('limits, until the detach; 0 is none')
    for name, (_limit, unit) in _LIMITS.items():
        group.add_argument(f'--limit-{name}', type=int, metavar='N',
                           help=f'{unit.capitalize()}.')


class Attach(show.ShowOne):
    """Let a consumer use a unit. Calling it again does no harm.

    For nvmf the host is allowed on the subsystem, for iscsi the initiator is
    mapped to the target node, for vhost the socket is given to the user.
    From then on the unit is dirty: nobody else gets it before it is wiped.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _arguments(parser)
        parser.add_argument(
            '--wipe-first', action='store_true',
            help='Wipe a unit that has another consumer\'s data, instead of '
                 'refusing.')
        _nvmf_arguments(parser)
        _other_arguments(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        conf: cfg.ConfigOpts = self.app.conf  # type: ignore[attr-defined]
        target = target_of(conf, parsed_args.handle, parsed_args.target)
        limits = {limit: getattr(parsed_args, f'limit_{name}'.replace(
            '-', '_')) for name, (limit, _unit) in _LIMITS.items()}
        attached = attach.attach(
            conf, target, parsed_args.handle, parsed_args.consumer,
            owner=parsed_args.owner, wipe_first=parsed_args.wipe_first,
            make_keys=tuple(parsed_args.make_keys or ()),
            rotate_keys=parsed_args.rotate_keys,
            limits={name: value for name, value in limits.items()
                    if value is not None},
            **{name: getattr(parsed_args, name) for name in _PASSED
               if getattr(parsed_args, name) is not None})
        _save(conf, target, parsed_args)
        for warning in attached.warnings:
            LOG.warning('%s', warning)
        shown = {'Consumer': parsed_args.consumer,
                 'Reach': ', '.join(attached.reach),
                 'Changed': attached.changed}
        if attached.keys:
            shown['Keys'] = ', '.join(attached.keys.values())
        return tuple(shown), tuple(shown.values())


class Detach(command.Command):
    """Let a consumer use a unit no more. Calling it again does no harm."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _arguments(parser)
        parser.add_argument(
            '--made-by', default=marks.ATTACH, metavar='NAME',
            help='Who has let the consumer in, as "units list" shows it. '
                 'Default: attach. With "plug" a unit is taken from a guest '
                 'in the place of cyborg-spdk serve: take the disk out of '
                 'the guest first.')
        parser.add_argument(
            '--delete', action='store_true', default=None,
            help='vhost: delete the controller too. Cyborg then loses the '
                 'unit, as soon as nobody has it allocated.')
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        conf: cfg.ConfigOpts = self.app.conf  # type: ignore[attr-defined]
        options = {'delete': True} if parsed_args.delete else {}
        target = target_of(conf, parsed_args.handle, parsed_args.target)
        done = attach.detach(conf, target, parsed_args.handle,
                             parsed_args.consumer, owner=parsed_args.owner,
                             maker=parsed_args.made_by, **options)
        _save(conf, target, parsed_args)
        for warning in done.warnings:
            LOG.warning('%s', warning)
        if not done.changed:
            LOG.info('%s had it no more', parsed_args.consumer)
