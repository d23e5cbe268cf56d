# SPDX-License-Identifier: Apache-2.0

"""A host and a subsystem of an NVMe-oF target."""

import hashlib
import os

from cyborg_spdk.clients.nvmf import client as nvmf_client
from cyborg_spdk import exceptions

ATTACH_OPTIONS = ('key_file', 'only_listed')
DETACH_OPTIONS = ()


def attach(client, handle, host, key_file=None, only_listed=False):
    """Allow a host to connect to the subsystem of a namespace.

    :param client: ``rpc.Client`` of the target.
    :param handle: dict with ``nqn`` and ``nsid``.
    :param host: NQN of the host.
    :param key_file: absolute path, on the target's host, of a file with the
        host's DH-HMAC-CHAP key (``DHHC-1:...``); v24.05 and later.
    :param only_listed: if the subsystem lets in any host, let it let in
        only those that are listed from now on.
    :returns: triple for :class:`~cyborg_spdk.units.attach.Attachment`.
    :raises NotFound: if there is no such namespace.
    """
    target = nvmf_client.NvmfTgt(client)
    nqn = handle['nqn']
    subsystem = target.nvmf_get_subsystems(nqn)[0]
    if subsystem.namespace(int(handle['nsid'])) is None:
        raise exceptions.NotFound(
            -19, 'No such device', 'nvmf_get_subsystems', {'nqn': nqn},
            f'{nqn} has no namespace {handle["nsid"]}')
    changed = False
    options = {}
    if key_file:
        options['dhchap_key'] = _key(nqn, host)
        target.keyring_file_add_key(options['dhchap_key'],
                                    os.path.abspath(key_file), exist_ok=True)
    if host not in subsystem.hosts:
        changed = True
        target.nvmf_subsystem_add_host(nqn, host, exist_ok=True, **options)
    elif options and options.items() - _keys(subsystem, host).items():
        changed = True
        target.nvmf_subsystem_set_keys(nqn, host, **options)
    warnings = []
    if subsystem.allow_any_host and only_listed:
        changed = True
        target.nvmf_subsystem_allow_any_host(nqn, False)
    elif subsystem.allow_any_host:
        warnings.append(f'{nqn} lets in any host, attached or not; use '
                        'only_listed to end that')
    others = len(subsystem.namespaces) - 1
    if others:
        warnings.append(f'{nqn} has {others} more namespaces, and {host} '
                        'reaches them too; give each its own subsystem')
    return changed, [str(one) for one in subsystem.listen_addresses], warnings


def detach(client, handle, host):
    """Allow a host to connect no more; it is disconnected (v20.10).

    :param client: ``rpc.Client`` of the target.
    :param handle: dict with ``nqn`` and ``nsid``.
    :param host: NQN of the host.
    :returns: bool: whether it was allowed.
    """
    target = nvmf_client.NvmfTgt(client)
    subsystem = target.find_subsystem(handle['nqn'])
    found = subsystem is not None and target.nvmf_subsystem_remove_host(
        handle['nqn'], host, missing_ok=True)
    if client.has('keyring_file_remove_key'):
        target.keyring_file_remove_key(_key(handle['nqn'], host),
                                       missing_ok=True)
    return found


def _keys(subsystem, host):
    """What the target says of the keys of a host (v24.05)."""
    return next((one for one in subsystem.raw.get('hosts') or ()
                 if one.get('nqn') == host), {})


def _key(nqn, host):
    """Name of the keyring's key for a host in a subsystem."""
    digits = hashlib.sha256(f'{nqn}\0{host}'.encode()).hexdigest()[:32]
    return f'cyborg-{digits}'
