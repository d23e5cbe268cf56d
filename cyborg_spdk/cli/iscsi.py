# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk iscsi``: target nodes and their groups."""

import argparse
from typing import Any

from cyborg_spdk.cli import commands
from cyborg_spdk import clients
from cyborg_spdk.clients import types
from cyborg_spdk import exceptions

NAME: commands.Argument = (('name',), {
    'metavar': 'NAME',
    'help': 'Name of the target node, with or without node base.'})
TAG: commands.Argument = (('tag',), {
    'type': int, 'metavar': 'TAG', 'help': 'Number of the group.'})


class _Iscsi(commands.Managing[clients.IscsiTgt]):

    kind = 'iscsi'
    client_class = clients.IscsiTgt


class NodeList(_Iscsi, commands.Listing[clients.IscsiTgt]):
    """List the iSCSI target nodes."""

    arguments = ((('name',), {'nargs': '?', 'metavar': 'NAME',
                              'help': 'Only this one.'}),)
    narrow = ('Name', 'LUNs', 'Groups')

    def take_action(self,
                    parsed_args: argparse.Namespace) -> commands.Table:
        rows = [self._row(name, node)
                for name, tgt in self.each(parsed_args)
                for node in tgt.iscsi_get_target_nodes(parsed_args.name)]
        return ('Target', 'Name', 'Alias', 'LUNs', 'Groups', 'CHAP'), rows

    @staticmethod
    def _row(target: str, node: types.TargetNode) -> tuple[Any, ...]:
        chap = 'off' if node.disable_chap else \
            'required' if node.require_chap else 'optional'
        return (target, node.name, node.alias_name,
                commands.Words([f'{lun.lun_id}:{lun.bdev_name}'
                                for lun in node.luns]),
                commands.Words([f'{pair.pg_tag}:{pair.ig_tag}'
                                for pair in node.pg_ig_maps]), chap)


def _pair(text: str) -> tuple[int, int]:
    portal, _, initiator = text.partition(':')
    if not (portal.isdigit() and initiator.isdigit()):
        raise exceptions.InvalidValue(
            '--map', text, 'give the numbers of a portal group and an '
            'initiator group: 1:2')
    return int(portal), int(initiator)


class NodeCreate(_Iscsi):
    """Create a target node."""

    arguments = (NAME,
                 (('bdevs',), {'nargs': '+', 'metavar': 'BDEV', 'help':
                               'Bdevs: LUNs 0, 1, ... of it.'}),
                 (('--map',), {
                     'action': 'append', 'default': [],
                     'metavar': 'PORTALS:INITIATORS', 'required': True,
                     'help': 'Numbers of a portal group and of the '
                             'initiator group that comes in by it; can be '
                             'given several times.'}),
                 (('--alias',), {'metavar': 'TEXT',
                                 'help': 'A name for people.'}),
                 (('--chap-group',), {'type': int, 'metavar': 'TAG', 'help':
                                      'Require CHAP with these secrets. '
                                      'Default: no CHAP.'}),
                 commands.EXIST_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        chap: dict[str, Any] = {'disable_chap': True}
        if parsed_args.chap_group:
            chap = {'require_chap': True,
                    'chap_group': parsed_args.chap_group}
        made = self.client(parsed_args).iscsi_create_target_node(
            parsed_args.name, parsed_args.bdevs,
            [_pair(text) for text in parsed_args.map],
            alias_name=parsed_args.alias, exist_ok=parsed_args.exist_ok,
            **chap)
        self.say(f'target node {made}')


class NodeDelete(_Iscsi):
    """Delete a target node; its sessions end."""

    arguments = (NAME, commands.MISSING_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        done = self.client(parsed_args).iscsi_delete_target_node(
            parsed_args.name, missing_ok=parsed_args.missing_ok)
        self.say(commands.gone(f'target node {parsed_args.name}', done))


class GroupList(_Iscsi, commands.Listing[clients.IscsiTgt]):
    """List the portal groups and the initiator groups."""

    narrow = ('Kind', 'Tag', 'Members')

    def take_action(self,
                    parsed_args: argparse.Namespace) -> commands.Table:
        rows: list[tuple[Any, ...]] = []
        for name, tgt in self.each(parsed_args):
            rows += [(name, 'portal', group.tag, commands.Words(
                [f'{portal.host}:{portal.port}' for portal in group.portals]))
                for group in tgt.iscsi_get_portal_groups()]
            rows += [(name, 'initiator', group.tag,
                      commands.Words(group.initiators + group.netmasks))
                     for group in tgt.iscsi_get_initiator_groups()]
        return ('Target', 'Kind', 'Tag', 'Members'), rows


class PortalGroupCreate(_Iscsi):
    """Listen for iSCSI."""

    arguments = (TAG, (('portals',), {
        'nargs': '+', 'metavar': 'ADDRESS:PORT', 'help': 'Where.'}),
        commands.EXIST_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        self.client(parsed_args).iscsi_create_portal_group(
            parsed_args.tag, parsed_args.portals,
            exist_ok=parsed_args.exist_ok)
        self.say(f'portal group {parsed_args.tag}')


class PortalGroupDelete(_Iscsi):
    """Delete a portal group."""

    arguments = (TAG, commands.MISSING_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        done = self.client(parsed_args).iscsi_delete_portal_group(
            parsed_args.tag, missing_ok=parsed_args.missing_ok)
        self.say(commands.gone(f'portal group {parsed_args.tag}', done))


class InitiatorGroupCreate(_Iscsi):
    """Say which initiators may log in."""

    arguments = (
        TAG,
        (('initiators',), {'nargs': '+', 'metavar': 'NAME', 'help':
                           'Names of initiators, or ANY.'}),
        (('--netmask',), {'action': 'append', 'default': [],
                          'metavar': 'NETWORK', 'help':
                          'Where they may come from; can be given several '
                          'times. Default: ANY.'}),
        commands.EXIST_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        self.client(parsed_args).iscsi_create_initiator_group(
            parsed_args.tag, parsed_args.initiators,
            parsed_args.netmask or ['ANY'], exist_ok=parsed_args.exist_ok)
        self.say(f'initiator group {parsed_args.tag}')


class InitiatorGroupDelete(_Iscsi):
    """Delete an initiator group."""

    arguments = (TAG, commands.MISSING_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        done = self.client(parsed_args).iscsi_delete_initiator_group(
            parsed_args.tag, missing_ok=parsed_args.missing_ok)
        self.say(commands.gone(f'initiator group {parsed_args.tag}', done))


class ConnectionList(_Iscsi, commands.Listing[clients.IscsiTgt]):
    """List the connections of initiators."""

    narrow = ('Initiator', 'Target node')

    def take_action(self,
                    parsed_args: argparse.Namespace) -> commands.Table:
        rows: list[tuple[Any, ...]] = [
            (name, each.id, commands.Maybe(each.target_node_name),
             each.initiator_addr, each.target_addr, each.state)
            for name, tgt in self.each(parsed_args)
            for each in tgt.iscsi_get_connections()]
        return ('Target', 'Id', 'Target node', 'Initiator', 'Portal',
                'State'), rows
