# SPDX-License-Identifier: Apache-2.0

"""iSCSI target nodes; their LUNs and maps have modules of their own.

A target node may be given by its full name, or without the node base, as
when it was created.
"""

from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.iscsi import initiator_groups
from cyborg_spdk.clients.iscsi import portal_groups
from cyborg_spdk.clients.iscsi import values
from cyborg_spdk.clients import types
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

_PREFIXES = ('iqn.', 'eui.', 'naa.')
_CREATE = 'iscsi_create_target_node'


def get_options(client: base.Caller) -> reported.Json:
    """Options of the iSCSI target.

    :returns: dict as SPDK has it, ``node_base`` among them.
    """
    options: reported.Json = base.call(client, 'iscsi_get_options')
    return options


def full_name(client: base.Caller, name: str) -> str:
    """The full name of a target node.

    :param name: full, or without the node base of the target.
    :returns: str.
    """
    validate.text('target node', name)
    if not name.lower().startswith(_PREFIXES):
        name = f'{get_options(client)["node_base"]}:{name}'
    return values.iscsi_name('target node', name)


def get(client: base.Caller,
        name: str | None = None) -> list[types.TargetNode]:
    """The target nodes.

    :param name: the only one wanted; None means all.
    :returns: list of :class:`~cyborg_spdk.clients.types.TargetNode`.
    :raises NotFound: there is none of that name.
    """
    method = 'iscsi_get_target_nodes'
    nodes = types.TargetNode.parse_list(base.call(client, method))
    if name is None:
        return nodes
    full = full_name(client, name)
    nodes = [node for node in nodes if node.name == full]
    if not nodes:
        raise errors.missing(method, {'name': full},
                             f'target node {full} does not exist')
    return nodes


def find(client: base.Caller, name: str) -> types.TargetNode | None:
    """The target node of that name, or None."""
    try:
        return get(client, name)[0]
    except exceptions.NotFound:
        return None


def create(client: base.Caller, name: str, luns: values.Luns,
           pg_ig_maps: values.Maps, *, alias_name: str | None = None,
           queue_depth: int = 64, exist_ok: bool = False,
           header_digest: bool | None = None,
           data_digest: bool | None = None, **chap: Any) -> str:
    """Create a target node.

    :param name: its name, full or without the node base.
    :param luns: bdevs: a list of names, which become LUN 0, 1, ...; of
        ``(lun_id, bdev_name)``; or a dict of lun_id to name. There must be
        a LUN 0.
    :param pg_ig_maps: list of ``(pg_tag, ig_tag)``.
    :param alias_name: a second name; None means the first again.
    :param queue_depth: commands at once in a session.
    :param exist_ok: do not mind if it exists with these properties.
    :param header_digest: whether headers have a checksum.
    :param data_digest: whether data has one.
    :param chap: disable_chap, require_chap, mutual_chap, chap_group.
    :returns: its full name.
    :raises AlreadyExists: there is one of that name.
    :raises NotFound: a bdev or a group does not exist.
    :raises PermissionDenied: a bdev is in use by another module.
    """
    full = full_name(client, name)
    sent_luns = values.luns_of(luns)
    maps = values.maps_of(pg_ig_maps)
    settings = values.check_chap(chap)
    validate.integer('queue_depth', queue_depth, 1, 2 ** 31 - 1)
    params = {'pg_ig_maps': maps, 'luns': sent_luns, **settings,
              'header_digest': header_digest, 'data_digest': data_digest}
    if has_flat_arrays(client):
        params = values.flat(params)
    base.create(
        client, _CREATE, f'target node {full}', lambda: find(client, full),
        _wanted(sent_luns, maps), exist_ok,
        lambda _exc: missing_group(client, maps)
        or _claimed(client, sent_luns),
        name=full, alias_name=alias_name or full, queue_depth=queue_depth,
        **params)
    return full


def _wanted(luns: list[reported.Json],
            maps: list[dict[str, int]]) -> errors.Wanted:
    return {
        'luns': (values.pairs_of(luns), lambda node: sorted(
            (lun.lun_id, lun.bdev_name) for lun in node.luns)),
        'maps': (sorted((pair['pg_tag'], pair['ig_tag']) for pair in maps),
                 lambda node: sorted((pair.pg_tag, pair.ig_tag)
                                     for pair in node.pg_ig_maps))}


def has_flat_arrays(client: base.Caller) -> bool:
    """Whether maps and LUNs are arrays side by side (until v18.01)."""
    return not client.rpc.supports(_CREATE, 'pg_ig_maps')


def missing_group(client: base.Caller,
                  maps: list[dict[str, int]]) -> errors.Finding | None:
    """Cause: a portal group or initiator group does not exist."""
    portals = {group.tag for group in portal_groups.get(client)}
    initiators = {group.tag for group in initiator_groups.get(client)}
    for pair in maps:
        if pair['pg_tag'] not in portals:
            return exceptions.NotFound, \
                f'portal group {pair["pg_tag"]} does not exist'
        if pair['ig_tag'] not in initiators:
            return exceptions.NotFound, \
                f'initiator group {pair["ig_tag"]} does not exist'
    return None


def _claimed(client: base.Caller,
             luns: list[reported.Json]) -> errors.Finding | None:
    findings = (claims.claimed(client, lun['bdev_name']) for lun in luns)
    return next(filter(None, findings), None)


def delete(client: base.Caller, name: str, *,
           missing_ok: bool = False) -> bool:
    """Delete a target node; its sessions end.

    :param name: its name.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    """
    full = full_name(client, name)
    return base.delete(
        client, 'iscsi_delete_target_node', f'target node {full}',
        lambda: find(client, full) is None, missing_ok, name=full)


def set_auth(client: base.Caller, name: str, **chap: Any) -> bool:
    """Set CHAP of a target node.

    :param name: the target node.
    :param chap: disable_chap, require_chap, mutual_chap, chap_group.
    :returns: True.
    :raises NotFound: no such target node.
    """
    return _act(client, 'iscsi_target_node_set_auth', name,
                **values.check_chap(chap))


def set_redirect(client: base.Caller, name: str, pg_tag: int, *,
                 redirect_host: str | None = None,
                 redirect_port: int | str | None = None) -> bool:
    """Send initiators of a portal group elsewhere (v20.10).

    :param name: the target node.
    :param pg_tag: number of a public portal group of it.
    :param redirect_host: IP address; None ends it.
    :param redirect_port: port; goes with the address.
    :returns: True.
    :raises NotFound: no such target node.
    """
    if redirect_host is None or redirect_port is None:
        if redirect_host is not None or redirect_port is not None:
            validate.refuse('redirect_port', redirect_port,
                            'host and port go together')
    else:
        validate.ip_address('redirect_host', redirect_host.strip('[]'))
        redirect_port = validate.port('redirect_port', redirect_port)
    return _act(client, 'iscsi_target_node_set_redirect', name,
                pg_tag=values.tag(pg_tag, 'pg_tag'),
                redirect_host=redirect_host, redirect_port=redirect_port)


def request_logout(client: base.Caller, name: str, *,
                   pg_tag: int | None = None) -> bool:
    """Ask the initiators of a target node to log out (v20.10).

    :param name: the target node.
    :param pg_tag: only those of this portal group.
    :returns: True.
    :raises NotFound: no such target node.
    """
    return _act(client, 'iscsi_target_node_request_logout', name,
                pg_tag=pg_tag)


def _act(client: base.Caller, method: str, name: str, /,
         **params: Any) -> bool:
    full = full_name(client, name)
    pg_tag = params.get('pg_tag')

    def cause(exc: exceptions.RpcError) -> errors.Finding | None:
        node = find(client, full)
        if node is None:
            return exceptions.NotFound, f'target node {full} does not exist'
        if pg_tag is not None and all(
                pair.pg_tag != pg_tag for pair in node.pg_ig_maps):
            return exceptions.NotFound, \
                f'target node {full} has no portal group {pg_tag}'
        if params.get('redirect_host'):
            return type(exc), f'target node {full}: portal group {pg_tag} ' \
                'is private, or it is where it would redirect to'
        return None

    return base.act(client, method, name=full, **params,
                    _about=f'target node {full}', _cause=cause)
