# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk nvmf``: NVMe over Fabrics."""

import argparse
from typing import Any

from cyborg_spdk.cli import commands
from cyborg_spdk import clients
from cyborg_spdk.clients import types

LISTENER: commands.Argument = (('listener',), {
    'metavar': 'ADDRESS', 'help':
    'Where: tcp://192.0.2.1:4420, or "trtype:TCP traddr:192.0.2.1 '
    'trsvcid:4420".'})
HOST: commands.Argument = (('host',), {
    'metavar': 'HOST', 'help': 'NQN of the host.'})


class _Nvmf(commands.Managing[clients.NvmfTgt]):

    kind = 'nvmf'
    client_class = clients.NvmfTgt


class SubsystemList(_Nvmf, commands.Listing[clients.NvmfTgt]):
    """List the subsystems of the NVMe-oF targets."""

    arguments = ((('nqn',), {'nargs': '?', 'metavar': 'NQN',
                             'help': 'Only this one.'}),)
    # An NQN is of no use in pieces.
    narrow = ('NQN',)
    more = ('Namespaces', 'Listeners', 'Hosts')

    def take_action(self,
                    parsed_args: argparse.Namespace) -> commands.Table:
        rows = [self._row(name, subsystem)
                for name, tgt in self.each(parsed_args)
                for subsystem in tgt.nvmf_get_subsystems(parsed_args.nqn)]
        return ('Target', 'NQN', 'Serial', 'Namespaces', 'Listeners',
                'Hosts'), rows

    @staticmethod
    def _row(target: str, subsystem: types.Subsystem) -> tuple[Any, ...]:
        hosts = ('any',) if subsystem.allow_any_host else subsystem.hosts
        return (target, subsystem.nqn,
                commands.Maybe(subsystem.serial_number),
                commands.Words([f'{space.nsid}:{space.bdev_name}'
                                for space in subsystem.namespaces]),
                commands.Words(subsystem.listen_addresses),
                commands.Words(hosts))


class SubsystemCreate(_Nvmf):
    """Create a subsystem with all that belongs to it, or nothing."""

    arguments = (
        commands.NQN,
        (('--namespace',), {
            'action': 'append', 'default': [], 'metavar': 'BDEV[:NSID]',
            'help': 'A bdev; can be given several times.'}),
        (('--listen',), {
            'action': 'append', 'default': [], 'metavar': 'ADDRESS',
            'help': 'tcp://192.0.2.1:4420; can be given several times. '
                    'The transport is created if it is missing.'}),
        (('--host',), {
            'action': 'append', 'default': [], 'metavar': 'NQN',
            'help': 'A host that may use it; can be given several times.'}),
        (('--any-host',), {'action': 'store_true',
                           'help': 'Let any host use it.'}),
        (('--serial-number',), {'metavar': 'TEXT', 'help':
                                'At most 20 characters.'}),
        (('--model-number',), {'metavar': 'TEXT', 'help':
                               'At most 40 characters.'}),
        (('--max-namespaces',), {'type': int, 'metavar': 'N',
                                 'help': 'Highest NSID. Default: 32.'}))

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        tgt = self.client(parsed_args)
        options = {name: value for name, value in (
            ('model_number', parsed_args.model_number),
            ('max_namespaces', parsed_args.max_namespaces)) if value}
        tgt.create_missing_transports(parsed_args.listen)
        nqn = tgt.construct_nvmf_subsystem(
            parsed_args.nqn, parsed_args.listen, parsed_args.host,
            parsed_args.serial_number, parsed_args.namespace,
            allow_any_host=parsed_args.any_host, **options)
        self.say(f'subsystem {nqn}')


class SubsystemDelete(_Nvmf):
    """Delete a subsystem; its hosts are disconnected."""

    arguments = (commands.NQN, commands.MISSING_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        done = self.client(parsed_args).nvmf_delete_subsystem(
            parsed_args.nqn, missing_ok=parsed_args.missing_ok)
        self.say(commands.gone(f'subsystem {parsed_args.nqn}', done))


class NamespaceAdd(_Nvmf):
    """Give a subsystem a namespace."""

    arguments = (commands.NQN,
                 (('bdev',), {'metavar': 'BDEV', 'help': 'The bdev.'}),
                 (('--nsid',), {'type': int, 'metavar': 'N', 'help':
                                'Its number. Default: the first free.'}),
                 commands.EXIST_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        nsid = self.client(parsed_args).nvmf_subsystem_add_ns(
            parsed_args.nqn, parsed_args.bdev, nsid=parsed_args.nsid,
            exist_ok=parsed_args.exist_ok)
        self.say(f'namespace {nsid} of {parsed_args.nqn}')


class NamespaceRemove(_Nvmf):
    """Take a namespace from a subsystem; its bdev stays."""

    arguments = (commands.NQN,
                 (('nsid',), {'type': int, 'metavar': 'NSID',
                              'help': 'Its number.'}),
                 commands.MISSING_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        done = self.client(parsed_args).nvmf_subsystem_remove_ns(
            parsed_args.nqn, parsed_args.nsid,
            missing_ok=parsed_args.missing_ok)
        self.say(commands.gone(
            f'namespace {parsed_args.nsid} of {parsed_args.nqn}', done))


class ListenerAdd(_Nvmf):
    """Let a subsystem listen; a missing transport is created."""

    arguments = (commands.NQN, LISTENER, commands.EXIST_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        tgt = self.client(parsed_args)
        tgt.create_missing_transports([parsed_args.listener])
        address = tgt.nvmf_subsystem_add_listener(
            parsed_args.nqn, parsed_args.listener,
            exist_ok=parsed_args.exist_ok)
        self.say(f'listener {address} of {parsed_args.nqn}')


class ListenerRemove(_Nvmf):
    """Stop a subsystem from listening."""

    arguments = (commands.NQN, LISTENER, commands.MISSING_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        done = self.client(parsed_args).nvmf_subsystem_remove_listener(
            parsed_args.nqn, parsed_args.listener,
            missing_ok=parsed_args.missing_ok)
        self.say(commands.gone(
            f'listener {parsed_args.listener} of {parsed_args.nqn}', done))


class HostAdd(_Nvmf):
    """Allow a host to use a subsystem."""

    arguments = (commands.NQN, HOST, commands.EXIST_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        self.client(parsed_args).nvmf_subsystem_add_host(
            parsed_args.nqn, parsed_args.host,
            exist_ok=parsed_args.exist_ok)
        self.say(f'host {parsed_args.host} of {parsed_args.nqn}')


class HostRemove(_Nvmf):
    """Forbid a host to use a subsystem."""

    arguments = (commands.NQN, HOST, commands.MISSING_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        done = self.client(parsed_args).nvmf_subsystem_remove_host(
            parsed_args.nqn, parsed_args.host,
            missing_ok=parsed_args.missing_ok)
        self.say(commands.gone(
            f'host {parsed_args.host} of {parsed_args.nqn}', done))
