# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk iscsi``: target nodes and their groups."""

from cyborg_spdk.cli import commands
from cyborg_spdk import clients
from cyborg_spdk import exceptions

NAME = (('name',), {'metavar': 'NAME', 'help':
                    'Name of the target node, with or without node base.'})
TAG = (('tag',), {'type': int, 'metavar': 'TAG',
                  'help': 'Number of the group.'})


class _Iscsi(commands.Managing):

    kind = 'iscsi'
    client_class = clients.IscsiTgt


class NodeList(_Iscsi, commands.Listing):
    """List the iSCSI target nodes."""

    arguments = ((('name',), {'nargs': '?', 'metavar': 'NAME',
                              'help': 'Only this one.'}),)

    def take_action(self, parsed_args):
        rows = [self._row(name, one)
                for name, tgt in self.each(parsed_args)
                for one in tgt.iscsi_get_target_nodes(
                    parsed_args.name)]
        return ('Target', 'Name', 'Alias', 'LUNs', 'Groups', 'CHAP'), rows

    @staticmethod
    def _row(target, one):
        chap = 'off' if one.disable_chap else \
            'required' if one.require_chap else 'optional'
        return (target, one.name, one.alias_name,
                commands.Words([f'{lun.lun_id}:{lun.bdev_name}'
                                for lun in one.luns]),
                commands.Words([f'{pair.pg_tag}:{pair.ig_tag}'
                                for pair in one.pg_ig_maps]), chap)


def _pair(text):
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

    def take_action(self, parsed_args):
        chap = {'disable_chap': True}
        if parsed_args.chap_group:
            chap = {'require_chap': True,
                    'chap_group': parsed_args.chap_group}
        made = self.client(parsed_args).iscsi_create_target_node(
            parsed_args.name, parsed_args.bdevs,
            [_pair(one) for one in parsed_args.map],
            alias_name=parsed_args.alias, exist_ok=parsed_args.exist_ok,
            **chap)
        self.say(f'target node {made}')


class NodeDelete(_Iscsi):
    """Delete a target node; its sessions end."""

    arguments = (NAME, commands.MISSING_OK)

    def take_action(self, parsed_args):
        done = self.client(parsed_args).iscsi_delete_target_node(
            parsed_args.name, missing_ok=parsed_args.missing_ok)
        self.say(commands.gone(f'target node {parsed_args.name}', done))


class GroupList(_Iscsi, commands.Listing):
    """List the portal groups and the initiator groups."""

    def take_action(self, parsed_args):
        rows = []
        for name, tgt in self.each(parsed_args):
            rows += [(name, 'portal', one.tag, commands.Words(
                [f'{where.host}:{where.port}' for where in one.portals]))
                for one in tgt.iscsi_get_portal_groups()]
            rows += [(name, 'initiator', one.tag,
                      commands.Words(one.initiators + one.netmasks))
                     for one in tgt.iscsi_get_initiator_groups()]
        return ('Target', 'Kind', 'Tag', 'Members'), rows


class PortalGroupCreate(_Iscsi):
    """Listen for iSCSI."""

    arguments = (TAG, (('portals',), {
        'nargs': '+', 'metavar': 'ADDRESS:PORT', 'help': 'Where.'}),
        commands.EXIST_OK)

    def take_action(self, parsed_args):
        self.client(parsed_args).iscsi_create_portal_group(
            parsed_args.tag, parsed_args.portals,
            exist_ok=parsed_args.exist_ok)
        self.say(f'portal group {parsed_args.tag}')


class PortalGroupDelete(_Iscsi):
    """Delete a portal group."""

    arguments = (TAG, commands.MISSING_OK)

    def take_action(self, parsed_args):
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

    def take_action(self, parsed_args):
        self.client(parsed_args).iscsi_create_initiator_group(
            parsed_args.tag, parsed_args.initiators,
            parsed_args.netmask or ['ANY'], exist_ok=parsed_args.exist_ok)
        self.say(f'initiator group {parsed_args.tag}')


class InitiatorGroupDelete(_Iscsi):
    """Delete an initiator group."""

    arguments = (TAG, commands.MISSING_OK)

    def take_action(self, parsed_args):
        done = self.client(parsed_args).iscsi_delete_initiator_group(
            parsed_args.tag, missing_ok=parsed_args.missing_ok)
        self.say(commands.gone(f'initiator group {parsed_args.tag}', done))


class ConnectionList(_Iscsi, commands.Listing):
    """List the connections of initiators."""

    def take_action(self, parsed_args):
        rows = [(name, one.id, commands.Maybe(one.target_node_name),
                 one.initiator_addr, one.target_addr, one.state)
                for name, tgt in self.each(parsed_args)
                for one in tgt.iscsi_get_connections()]
        return ('Target', 'Id', 'Target node', 'Initiator', 'Portal',
                'State'), rows
