# SPDX-License-Identifier: Apache-2.0

"""Hosts that may use a subsystem, and their keys."""

from typing import Any

from cyborg_spdk.clients import errors
from cyborg_spdk.clients import keyring
from cyborg_spdk.clients.nvmf import calls
from cyborg_spdk.clients.nvmf import subsystems
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def add(client: calls.Caller, nqn: str, host: str, *,
        exist_ok: bool = False, **options: Any) -> str:
    """Allow a host to use a subsystem.

    :param nqn: the subsystem.
    :param host: NQN of the host.
    :param exist_ok: do not mind if it is allowed already.
    :param options: others that the release has: psk, dhchap_key,
        dhchap_ctrlr_key (names of keys of the keyring, v24.05).
    :returns: the host's NQN.
    :raises NotFound: no such subsystem.
    :raises AlreadyExists: the host is allowed already.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    validate.nqn(host, 'host NQN')
    # v24.05 and before answer "true" to a host that is there.
    method = 'nvmf_subsystem_add_host'
    if host in subsystems.existing(client, nqn, method).hosts:
        if exist_ok:
            return host
        raise errors.taken(method, {'nqn': nqn, 'host': host},
                           f'host {host} may use {nqn} already')
    calls.call(client, method, nqn=nqn, host=host, **options,
               _about=f'host {host} of {nqn}',
               _cause=lambda _exc: _refused(client, nqn, host, False,
                                            options))
    return host


def remove(client: calls.Caller, nqn: str, host: str, *,
           missing_ok: bool = False) -> bool:
    """Forbid a host to use a subsystem; it is disconnected (v20.10).

    :param nqn: the subsystem.
    :param host: NQN of the host.
    :param missing_ok: do not mind if it was not allowed; the subsystem
        itself must exist.
    :returns: True; False if it was not allowed.
    :raises NotFound: no such subsystem, or no such host in it.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    validate.text('host NQN', host, validate.NQN_MAX)
    return calls.delete(
        client, 'nvmf_subsystem_remove_host', f'host {host} of {nqn}',
        lambda: host not in subsystems.get(client, nqn)[0].hosts, missing_ok,
        lambda _exc: _refused(client, nqn, host, True, {}),
        nqn=nqn, host=host)


def allow_any(client: calls.Caller, nqn: str,
              allow_any_host: bool = True) -> bool:
    """Let any host use a subsystem, or only those that were added.

    :param nqn: the subsystem.
    :param allow_any_host: True for any.
    :returns: True.
    :raises NotFound: no such subsystem.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    return calls.act(
        client, 'nvmf_subsystem_allow_any_host', nqn=nqn,
        allow_any_host=bool(allow_any_host), _about=f'subsystem {nqn}',
        _cause=lambda _exc: subsystems.missing(client, nqn))


def set_keys(client: calls.Caller, nqn: str, host: str, *,
             dhchap_key: str | None = None,
             dhchap_ctrlr_key: str | None = None) -> bool:
    """Set the DH-HMAC-CHAP keys of a host (v24.09).

    :param nqn: the subsystem.
    :param host: NQN of a host that was added to it.
    :param dhchap_key: name of a key in the keyring.
    :param dhchap_ctrlr_key: name of the key for the other direction.
    :returns: True.
    :raises NotFound: no such subsystem, host or key.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    validate.text('host NQN', host, validate.NQN_MAX)
    keys = {'dhchap_key': dhchap_key, 'dhchap_ctrlr_key': dhchap_ctrlr_key}
    return calls.act(
        client, 'nvmf_subsystem_set_keys', nqn=nqn, host=host, **keys,
        _about=f'keys of host {host} of {nqn}',
        _cause=lambda _exc: _refused(client, nqn, host, True, keys))


def _refused(client: calls.Caller, nqn: str, host: str, is_wanted: bool,
             keys: reported.Json) -> errors.Finding | None:
    """Cause: why a host could not be added, removed or given keys.

    :param is_wanted: whether the host should have been there.
    :param keys: parameter to the name of a key in the keyring.
    """
    subsystem = subsystems.find(client, nqn)
    if subsystem is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    is_there = host in subsystem.hosts
    if is_there and not is_wanted:
        return exceptions.AlreadyExists, f'host {host} may use {nqn} already'
    if is_wanted and not is_there:
        return exceptions.NotFound, f'{nqn} has no host {host}'
    return _unfit_keys(client, host, keys)


def _unfit_keys(client: calls.Caller, host: str,
                keys: reported.Json) -> errors.Finding | None:
    """Cause: why the keys of a host were not taken."""
    keys = {name: value for name, value in keys.items() if value is not None}
    if not keys or not client.rpc.has('keyring_get_keys'):
        return None
    existing = [key.name for key in keyring.get_keys(client)]
    for name, key in keys.items():
        # Until v26.01 a PSK may also be a path.
        if key not in existing and not (
                name == 'psk' and key.startswith('/')):
            return exceptions.NotFound, f'{name}: there is no key {key!r} ' \
                'in the keyring: call keyring_file_add_key first'
    if 'dhchap_ctrlr_key' in keys and 'dhchap_key' not in keys:
        return exceptions.InvalidParams, 'dhchap_ctrlr_key needs dhchap_key'
    return exceptions.InvalidParams, f'host {host}: key ' \
        f'{", ".join(map(repr, keys.values()))} is not of the form that ' \
        'this use needs'
