# SPDX-License-Identifier: Apache-2.0

"""Which initiators may come in to a target node by which portals."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.iscsi import target_nodes
from cyborg_spdk.clients.iscsi import values
from cyborg_spdk import exceptions


def add(client: base.Caller, name: str, pg_ig_maps: values.Maps) -> bool:
    """Let more initiators come in by more portals.

    :param name: the target node.
    :param pg_ig_maps: list of ``(pg_tag, ig_tag)``.
    :returns: True.
    :raises NotFound: no such target node or group.
    :raises AlreadyExists: it has one of them already.
    """
    return _change(client, 'iscsi_target_node_add_pg_ig_maps', name,
                   pg_ig_maps, False)


def remove(client: base.Caller, name: str, pg_ig_maps: values.Maps) -> bool:
    """Take back what ``iscsi_target_node_add_pg_ig_maps`` gave.

    :param name: the target node.
    :param pg_ig_maps: list of ``(pg_tag, ig_tag)``.
    :returns: True.
    :raises NotFound: no such target node, or it has not got them.
    """
    return _change(client, 'iscsi_target_node_remove_pg_ig_maps', name,
                   pg_ig_maps, True)


def _change(client: base.Caller, method: str, name: str,
            pg_ig_maps: values.Maps, must_exist: bool) -> bool:
    full = target_nodes.full_name(client, name)
    maps = values.maps_of(pg_ig_maps)
    params = values.flat_maps(maps) if target_nodes.has_flat_arrays(client) \
        else {'pg_ig_maps': maps}

    def cause(_exc: exceptions.RpcError) -> errors.Finding | None:
        return _unfit(client, full, maps, must_exist) or \
            target_nodes.missing_group(client, maps)

    return base.act(client, method, name=full, _cause=cause,
                    _about=f'maps of target node {full}', **params)


def _unfit(client: base.Caller, full: str, maps: list[dict[str, int]],
           must_exist: bool) -> errors.Finding | None:
    """Cause: a map is missing, or is there already.

    :param must_exist: whether the maps should have been there.
    """
    node = target_nodes.find(client, full)
    if node is None:
        return exceptions.NotFound, f'target node {full} does not exist'
    existing = [(pair.pg_tag, pair.ig_tag) for pair in node.pg_ig_maps]
    for pair in maps:
        groups = f'portal group {pair["pg_tag"]} with initiator group ' \
            f'{pair["ig_tag"]}'
        exists = (pair['pg_tag'], pair['ig_tag']) in existing
        if exists and not must_exist:
            return exceptions.AlreadyExists, f'{full} has {groups} already'
        if must_exist and not exists:
            return exceptions.NotFound, f'{full} has no {groups}'
    return None
