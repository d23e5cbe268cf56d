# SPDX-License-Identifier: Apache-2.0

"""An initiator and a target node of an iSCSI target."""

from collections.abc import Mapping
import time

from cyborg_spdk import clients
from cyborg_spdk.clients.iscsi import values as iscsi_values
from cyborg_spdk.clients import types
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units.attach import made

ATTACH_OPTIONS = ('portal_group', 'netmask')
DETACH_OPTIONS = ()

ANY = 'ANY'

#: Seconds for a session to end that was asked to.
_PATIENCE = 10.0

_Groups = dict[int, types.InitiatorGroup]
_Portals = dict[int, types.PortalGroup]


def allow(client: rpc.Client, handle: Mapping[str, str], initiator: str, *,
          portal_group: int | None = None,
          netmask: str = ANY) -> made.Attachment:
    """Allow an initiator to log in to the target node of a LUN.

    The initiator gets a group of its own, mapped to the node.

    :param client: ``rpc.Client`` of the target.
    :param handle: dict with ``iqn`` and ``lun``.
    :param initiator: IQN of the initiator.
    :param portal_group: tag of the portal group by which it comes in; None
        means those that the node is mapped to, or the first one.
    :param netmask: where it may come from.
    :returns: :class:`~cyborg_spdk.units.attach.made.Attachment`, as it was
        looked up after the change.
    :raises NotFound: if there is no such LUN or portal group.
    """
    iscsi_values.iscsi_name('initiator', initiator)
    target = clients.IscsiTgt(client)
    node = _node(target, handle)
    groups = _groups(target)
    portals = {one.tag: one for one in target.iscsi_get_portal_groups()}
    tags = _portal_tags(node, portals, portal_group)
    wanted = [tag for tag in tags
              if not _lets_in(node, groups, tag, initiator)]
    if wanted:
        _map(target, node, groups, wanted, initiator, netmask)
    after, groups = _node(target, handle), _groups(target)
    for tag in tags:
        if not _lets_in(after, groups, tag, initiator):
            raise exceptions.rpc_error(
                -32603, 'the target said yes',
                'iscsi_target_node_add_pg_ig_maps', None,
                f'{after.name} does not let {initiator} in all the same')
    return made.Attachment(
        bool(wanted), [f'{portal.host}:{portal.port}' for tag in tags
                       for portal in portals[tag].portals],
        _warnings(target, after, groups, initiator))


def _node(target: clients.IscsiTgt,
          handle: Mapping[str, str]) -> types.TargetNode:
    node: types.TargetNode | None = target.find_target_node(handle['iqn'])
    if node is None or node.lun(int(handle['lun'])) is None:
        raise exceptions.NotFound(
            -19, 'No such device', 'iscsi_get_target_nodes', None,
            f'{handle["iqn"]} has no LUN {handle["lun"]}')
    return node


def _groups(target: clients.IscsiTgt) -> _Groups:
    return {one.tag: one for one in target.iscsi_get_initiator_groups()}


def _lets_in(node: types.TargetNode, groups: _Groups, tag: int,
             initiator: str) -> bool:
    return any(one.pg_tag == tag
               and initiator in groups[one.ig_tag].initiators
               for one in node.pg_ig_maps if one.ig_tag in groups)


def _map(target: clients.IscsiTgt, node: types.TargetNode, groups: _Groups,
         wanted: list[int], initiator: str, netmask: str) -> None:
    tag = max([0, *groups]) + 1
    target.iscsi_create_initiator_group(tag, [initiator], [netmask])
    try:
        target.iscsi_target_node_add_pg_ig_maps(
            node.name, [(one, tag) for one in wanted])
    except BaseException:
        target.iscsi_delete_initiator_group(tag, missing_ok=True)
        raise


def _portal_tags(node: types.TargetNode, portals: _Portals,
                 chosen: int | None) -> list[int]:
    if chosen is not None:
        if chosen not in portals:
            raise exceptions.NotFound(
                -19, 'No such device', 'iscsi_get_portal_groups', None,
                f'there is no portal group {chosen}')
        return [chosen]
    tags = sorted({one.pg_tag for one in node.pg_ig_maps} & set(portals)) \
        or sorted(portals)[:1]
    if not tags:
        raise exceptions.NotFound(
            -19, 'No such device', 'iscsi_get_portal_groups', None,
            'the target has no portal group; create one')
    return tags


def _warnings(target: clients.IscsiTgt, node: types.TargetNode,
              groups: _Groups, initiator: str) -> list[str]:
    names = {name: entry.ig_tag for entry in node.pg_ig_maps
             if entry.ig_tag in groups
             for name in groups[entry.ig_tag].initiators}
    found = [f'{node.name} lets in any initiator: initiator group '
             f'{names[ANY]}'] if ANY in names else []
    others = sorted(set(names) - {ANY, initiator})
    if others:
        found.append(f'{others[0]} may use {node.name} too'
                     + (f', and {len(others) - 1} more'
                        if len(others) > 1 else ''))
    if len(node.luns) > 1:
        found.append(f'{node.name} has {len(node.luns) - 1} more LUNs, '
                     f'and {initiator} reaches them too')
    count = len(_connections(target, node))
    if count:
        found.append(f'{node.name} has {count} connections open')
    return found


def _connections(target: clients.IscsiTgt,
                 node: types.TargetNode) -> list[types.IscsiConnection]:
    short = node.name.rpartition(':')[2]
    return [one for one in target.iscsi_get_connections()
            if one.target_node_name in (node.name, short)]


def forbid(client: rpc.Client, handle: Mapping[str, str],
           initiator: str) -> bool:
    """Allow an initiator to log in no more.

    A session that it has is asked to end (v22.05).

    :param client: ``rpc.Client`` of the target.
    :param handle: dict with ``iqn`` and ``lun``.
    :param initiator: IQN of the initiator.
    :returns: bool: whether it was allowed.
    :raises NotFound: if there is no such LUN.
    :raises InvalidValue: if it was let in by a group that others share.
    :raises Busy: if a session is open all the same.
    """
    iscsi_values.iscsi_name('initiator', initiator)
    target = clients.IscsiTgt(client)
    node = _node(target, handle)
    groups = _groups(target)
    tags = sorted({one.ig_tag for one in node.pg_ig_maps
                   if one.ig_tag in groups
                   and initiator in groups[one.ig_tag].initiators})
    for tag in tags:
        if groups[tag].initiators != (initiator,):
            raise exceptions.InvalidValue(
                'initiator', initiator, f'initiator group {tag} lets in '
                'others too, and was not made here; remove it there')
    for tag in tags:
        _unmap(target, node, tag)
    after, groups = _node(target, handle), _groups(target)
    if not any(one.ig_tag in groups for one in after.pg_ig_maps):
        _wait_for_the_end(target, after)
    return bool(tags)


def _unmap(target: clients.IscsiTgt, node: types.TargetNode,
           tag: int) -> None:
    target.iscsi_target_node_remove_pg_ig_maps(
        node.name, [(one.pg_tag, tag) for one in node.pg_ig_maps
                    if one.ig_tag == tag])
    used = {one.ig_tag for other in target.iscsi_get_target_nodes()
            for one in other.pg_ig_maps}
    if tag not in used:
        target.iscsi_delete_initiator_group(tag, missing_ok=True)


def _wait_for_the_end(target: clients.IscsiTgt,
                      node: types.TargetNode) -> None:
    """Nobody may log in any more: whoever is still there is to go."""
    if not _connections(target, node):
        return
    if target.rpc.has('iscsi_target_node_request_logout'):
        target.iscsi_target_node_request_logout(node.name)
    end = time.monotonic() + _PATIENCE
    while _connections(target, node):
        if time.monotonic() > end:
            raise exceptions.Busy(
                -16, 'in use', 'iscsi_get_connections', None,
                f'{node.name} has a session open: log out there, then '
                'detach again')
        time.sleep(0.05)
