# SPDX-License-Identifier: Apache-2.0

"""Who has claimed a bdev: SPDK tells only that somebody has."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk import exceptions


def claimed(client: base.Caller, name: str) -> errors.Finding | None:
    """Cause: a module has claimed the bdev, or it does not exist."""
    bdev = bdevs.find(client, name)
    if bdev is None:
        return exceptions.NotFound, f'bdev {name!r} does not exist'
    if not bdev.claimed:
        return None
    above = [other.name for other in bdevs.get(client)
             if bdev.name in other.bases]
    by = f'by bdev {", ".join(above)}' if above else \
        _by_store(client, bdev) or _by_namespace(client, bdev) or \
        'by another module'
    return exceptions.PermissionDenied, f'bdev {name!r} is claimed {by}'


def _by_store(client: base.Caller, bdev: types.Bdev) -> str | None:
    if not client.rpc.has('bdev_lvol_get_lvstores'):
        return None
    for store in types.LvolStore.parse_list(
            base.call(client, 'bdev_lvol_get_lvstores')):
        if bdev.known_as(store.base_bdev):
            return f'by lvol store {store.name!r}'
    return None


def _by_namespace(client: base.Caller, bdev: types.Bdev) -> str | None:
    """The namespace that a bdev is, in any NVMe-oF target."""
    if not client.rpc.has('nvmf_get_subsystems'):
        return None
    tgt_names = base.call(client, 'nvmf_get_targets') \
        if client.rpc.has('nvmf_get_targets') else [None]
    for tgt_name in tgt_names:
        for subsystem in types.Subsystem.parse_list(base.call(
                client, 'nvmf_get_subsystems', tgt_name=tgt_name)):
            for space in subsystem.namespaces:
                if bdev.known_as(space.bdev_name):
                    return f'as NSID {space.nsid} of {subsystem.nqn}'
    return None
