# SPDX-License-Identifier: Apache-2.0

"""A host and a subsystem of an NVMe-oF target."""

from collections.abc import Mapping
import os
import time
from typing import Any

from cyborg_spdk import clients
from cyborg_spdk.clients import types
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units.attach import keys
from cyborg_spdk.units.attach import made
from cyborg_spdk.units import listeners

ATTACH_OPTIONS = ('key_file', 'ctrlr_key_file', 'psk_file', 'only_listed')
DETACH_OPTIONS = ()

#: Of which kind the key in each file is.
_FILES = {'key_file': keys.DHCHAP, 'ctrlr_key_file': keys.DHCHAP_CTRLR,
          'psk_file': keys.PSK}

#: Since this release a PSK is the name of a key, not a path.
_PSK_BY_NAME = (24, 9)

#: Seconds for the connections of a host that is forbidden to end.
_PATIENCE = 10.0


def allow(client: rpc.Client, handle: Mapping[str, str], host: str, *,
          key_file: str | None = None, ctrlr_key_file: str | None = None,
          psk_file: str | None = None,
          only_listed: bool = False) -> made.Attachment:
    """Allow a host to connect to the subsystem of a namespace.

    :param client: ``rpc.Client`` of the target.
    :param handle: dict with ``nqn`` and ``nsid``.
    :param host: NQN of the host.
    :param key_file: absolute path, on the target's host, of a file with the
        host's DH-HMAC-CHAP key (``DHHC-1:...``); v24.05 and later.
    :param ctrlr_key_file: the same with the key by which the target proves
        who it is.
    :param psk_file: the same with the host's key for TLS
        (``NVMeTLSkey-1:...``).
    :param only_listed: if the subsystem lets in any host, let it let in
        only those that are listed from now on.
    :returns: :class:`~cyborg_spdk.units.attach.made.Attachment`, as it was
        looked up after the change.
    :raises NotFound: if there is no such namespace.
    :raises InvalidValue: if the subsystem listens with TLS alone, and the
        host has no key for it.
    """
    target = clients.NvmfTgt(client)
    nqn = handle['nqn']
    subsystem = _subsystem(target, handle)
    files = {'key_file': key_file, 'ctrlr_key_file': ctrlr_key_file,
             'psk_file': psk_file}
    _check_tls(target, subsystem, host, psk_file)
    options = {_FILES[option]: _add_key(target, _FILES[option], path, nqn,
                                        host)
               for option, path in files.items() if path}
    changed = _add_host(target, subsystem, host, options)
    if subsystem.allow_any_host and only_listed:
        target.nvmf_subsystem_allow_any_host(nqn, False)
        changed = True
    after = target.nvmf_get_subsystems(nqn)[0]
    if host not in after.hosts:
        raise exceptions.rpc_error(
            -32603, 'the target said yes', 'nvmf_subsystem_add_host', None,
            f'{nqn} does not let {host} in all the same')
    return made.Attachment(
        changed, [str(one) for one in after.listen_addresses],
        _warnings(target, after, host))


def _subsystem(target: clients.NvmfTgt,
               handle: Mapping[str, str]) -> types.Subsystem:
    nqn = handle['nqn']
    found: types.Subsystem = target.nvmf_get_subsystems(nqn)[0]
    if found.namespace(int(handle['nsid'])) is None:
        raise exceptions.NotFound(
            -19, 'No such device', 'nvmf_get_subsystems', {'nqn': nqn},
            f'{nqn} has no namespace {handle["nsid"]}')
    return found


def _check_tls(target: clients.NvmfTgt, subsystem: types.Subsystem,
               host: str, psk_file: str | None) -> None:
    """Refuse what cannot work: a listener with TLS, a host without a key."""
    places = {one.place for one in listeners.secure(target, subsystem.nqn)}
    if places and not psk_file and not _own(target, subsystem, host).get(
            keys.PSK) and \
            all(one.place in places for one in subsystem.listen_addresses):
        raise exceptions.InvalidValue(
            'host', host, f'{subsystem.nqn} listens with TLS alone; give the '
            'host a key for it: --tls, or --psk-file')


def _add_key(target: clients.NvmfTgt, kind: str, path: str, nqn: str,
             host: str) -> str:
    path = os.path.abspath(path)
    version = target.rpc.version
    if kind == keys.PSK and version and tuple(version[:2]) < _PSK_BY_NAME:
        return path
    name = keys.name(path, nqn, host)
    target.keyring_file_add_key(name, path, exist_ok=True)
    return name


def _add_host(target: clients.NvmfTgt, subsystem: types.Subsystem, host: str,
              options: dict[str, str]) -> bool:
    nqn = subsystem.nqn
    if host not in subsystem.hosts:
        target.nvmf_subsystem_add_host(nqn, host, exist_ok=True, **options)
        return True
    before = _own(target, subsystem, host)
    new = {kind: name for kind, name in options.items()
           if before.get(kind) != name}
    if not new:
        return False
    if keys.PSK in new:
        raise exceptions.InvalidValue(
            'host', host, f'it may use {nqn} already, without this key for '
            'TLS, and SPDK cannot change that; detach it first')
    # Both at once: one that is not named is taken away.
    wanted = {kind: options.get(kind) or before.get(kind)
              for kind in (keys.DHCHAP, keys.DHCHAP_CTRLR)}
    target.nvmf_subsystem_set_keys(nqn, host, **wanted)
    for kind in new:
        _remove_key(target, before.get(kind))
    return True


def _remove_key(target: clients.NvmfTgt, name: Any) -> None:
    """Take a key of ours out of the keyring."""
    if isinstance(name, str) and name.startswith('cyborg-') and \
            target.rpc.has('keyring_file_remove_key'):
        target.keyring_file_remove_key(name, missing_ok=True)


def _warnings(target: clients.NvmfTgt, subsystem: types.Subsystem,
              host: str) -> list[str]:
    nqn, found = subsystem.nqn, []
    if subsystem.allow_any_host:
        found.append(f'{nqn} lets in any host, attached or not; '
                     '--only-listed ends that')
    others = [one for one in subsystem.hosts if one != host]
    if others:
        found.append(f'{others[0]} may use {nqn} too'
                     + (f', and {len(others) - 1} more'
                        if len(others) > 1 else ''))
    more = len(subsystem.namespaces) - 1
    if more:
        found.append(f'{nqn} has {more} more namespaces, and {host} '
                     'reaches them too; give each its own subsystem')
    if not subsystem.listen_addresses:
        found.append(f'{nqn} listens nowhere: nobody can connect; '
                     'cyborg-spdk nvmf listener add')
    if target.rpc.has('nvmf_subsystem_get_controllers'):
        strangers = {one.hostnqn for one in
                     target.nvmf_subsystem_get_controllers(nqn)} - {host}
        if strangers:
            found.append(f'{min(strangers)} is connected to {nqn}')
    return found


def forbid(client: rpc.Client, handle: Mapping[str, str],
           host: str) -> bool:
    """Allow a host to connect no more; it is disconnected (v20.10).

    :param client: ``rpc.Client`` of the target.
    :param handle: dict with ``nqn`` and ``nsid``.
    :param host: NQN of the host.
    :returns: bool: whether it was allowed.
    :raises NotFound: if there is no such namespace.
    :raises Busy: if it is connected all the same.
    """
    target = clients.NvmfTgt(client)
    nqn = handle['nqn']
    subsystem = _subsystem(target, handle)
    before = _own(target, subsystem, host)
    found = bool(target.nvmf_subsystem_remove_host(nqn, host,
                                                   missing_ok=True))
    for kind in keys.KINDS:
        _remove_key(target, before.get(kind))
    after = target.nvmf_get_subsystems(nqn)[0]
    if host in after.hosts:
        raise exceptions.Busy(
            -16, 'the target said yes', 'nvmf_subsystem_remove_host', None,
            f'{nqn} lets {host} in all the same')
    if not after.allow_any_host:
        _wait_for_the_end(target, nqn, host)
    return found


def _wait_for_the_end(target: clients.NvmfTgt, nqn: str, host: str) -> None:
    if not target.rpc.has('nvmf_subsystem_get_controllers'):
        return
    end = time.monotonic() + _PATIENCE
    while host in {one.hostnqn for one in
                   target.nvmf_subsystem_get_controllers(nqn)}:
        if time.monotonic() > end:
            raise exceptions.Busy(
                -16, 'connected', 'nvmf_subsystem_get_controllers', None,
                f'{host} is still connected to {nqn}; disconnect it there')
        time.sleep(0.05)


def _own(target: clients.NvmfTgt, subsystem: types.Subsystem,
         host: str) -> dict[str, Any]:
    """The keys of a host, by their kinds.

    Of DH-HMAC-CHAP the subsystem tells (v24.05); which key for TLS a host has
    stands in the configuration alone.
    """
    if host not in subsystem.hosts:
        return {}
    found: dict[str, Any] = next((
        one for one in subsystem.raw.get('hosts') or ()
        if one.get('nqn') == host), {})
    if not target.rpc.has('framework_get_config'):
        return found
    reply = target.rpc.call('framework_get_config', name='nvmf')
    psk = next((one['params']['psk'] for one in reply or ()
                if one.get('method') == 'nvmf_subsystem_add_host'
                and one['params'].get('nqn') == subsystem.nqn
                and one['params'].get('host') == host
                and one['params'].get('psk')), None)
    return {**found, keys.PSK: psk}
