# SPDX-License-Identifier: Apache-2.0

"""An initiator and a target node of an iSCSI target."""

from cyborg_spdk.clients.iscsi import client as iscsi_client
from cyborg_spdk.clients.iscsi import values as iscsi_values
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

ATTACH_OPTIONS = ('portal_group', 'netmask')
DETACH_OPTIONS = ()

ANY = 'ANY'


def attach(client, handle, initiator, portal_group=None, netmask=ANY):
    """Allow an initiator to log in to the target node of a LUN.

    The initiator gets a group of its own, mapped to the node.

    :param client: ``rpc.Client`` of the target.
    :param handle: dict with ``iqn`` and ``lun``.
    :param initiator: IQN of the initiator.
    :param portal_group: tag of the portal group by which it comes in; None
        means those that the node is mapped to, or the first one.
    :param netmask: where it may come from.
    :returns: triple for :class:`~cyborg_spdk.units.attach.Attachment`.
    :raises NotFound: if there is no such LUN or portal group.
    """
    iscsi_values.iscsi_name('initiator', initiator)
    target = iscsi_client.IscsiTgt(client)
    node = target.find_target_node(handle['iqn'])
    if node is None or int(handle['lun']) not in {
            lun.lun_id for lun in node.luns}:
        raise exceptions.NotFound(
            -19, 'No such device', 'iscsi_get_target_nodes', None,
            f'{handle["iqn"]} has no LUN {handle["lun"]}')
    groups = {one.tag: one for one in target.iscsi_get_initiator_groups()}
    portals = {one.tag: one for one in target.iscsi_get_portal_groups()}
    warnings = [f'{node.name} lets in any initiator: initiator group {tag}'
                for tag in sorted({one.ig_tag for one in node.pg_ig_maps})
                if tag in groups and ANY in groups[tag].initiators]
    tags = _portal_tags(node, portals, portal_group)
    wanted = [tag for tag in tags if not any(
        one.pg_tag == tag and initiator in groups[one.ig_tag].initiators
        for one in node.pg_ig_maps if one.ig_tag in groups)]
    if wanted:
        tag = max([0, *groups]) + 1
        target.iscsi_create_initiator_group(tag, [initiator], [netmask])
        try:
            target.iscsi_target_node_add_pg_ig_maps(
                node.name, [(one, tag) for one in wanted])
        except BaseException:
            target.iscsi_delete_initiator_group(tag, missing_ok=True)
            raise
    if len(node.luns) > 1:
        warnings.append(f'{node.name} has {len(node.luns) - 1} more LUNs, '
                        f'and {initiator} reaches them too')
    return bool(wanted), [f'{portal.host}:{portal.port}' for tag in tags
                          for portal in portals[tag].portals], warnings


def _portal_tags(node, portals, chosen):
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


def detach(client, handle, initiator):
    """Allow an initiator to log in no more.

    A session that it has goes on until it ends.

    :param client: ``rpc.Client`` of the target.
    :param handle: dict with ``iqn`` and ``lun``.
    :param initiator: IQN of the initiator.
    :returns: bool: whether it was allowed.
    :raises InvalidValue: if it was let in by a group that others share.
    """
    iscsi_values.iscsi_name('initiator', initiator)
    target = iscsi_client.IscsiTgt(client)
    node = target.find_target_node(handle['iqn'])
    if node is None:
        return False
    groups = {one.tag: one for one in target.iscsi_get_initiator_groups()}
    nodes = target.iscsi_get_target_nodes()
    tags = sorted({one.ig_tag for one in node.pg_ig_maps
                   if one.ig_tag in groups
                   and initiator in groups[one.ig_tag].initiators})
    for tag in tags:
        if groups[tag].initiators != (initiator,):
            validate.refuse(
                'initiator', initiator, f'initiator group {tag} lets in '
                'others too, and was not made here; remove it there')
        target.iscsi_target_node_remove_pg_ig_maps(
            node.name, [(one.pg_tag, tag) for one in node.pg_ig_maps
                        if one.ig_tag == tag])
        used = {one.ig_tag for other in nodes if other.name != node.name
                for one in other.pg_ig_maps}
        if tag not in used:
            target.iscsi_delete_initiator_group(tag, missing_ok=True)
    return bool(tags)
