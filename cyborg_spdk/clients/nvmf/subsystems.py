# SPDX-License-Identifier: Apache-2.0

"""NVM subsystems; their parts have modules of their own."""

import operator
from typing import Any

from cyborg_spdk.clients import errors
from cyborg_spdk.clients.nvmf import calls
from cyborg_spdk.clients.nvmf import properties
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

_GET = 'nvmf_get_subsystems'


def get(client: calls.Caller,
        nqn: str | None = None) -> list[types.Subsystem]:
    """The subsystems, the discovery subsystem among them.

    :param nqn: the only one wanted; None means all.
    :returns: list of :class:`~cyborg_spdk.clients.types.Subsystem`.
    :raises NotFound: there is none of that NQN.
    """
    if nqn is None:
        return types.Subsystem.parse_list(calls.call(client, _GET))
    validate.text('NQN', nqn, validate.NQN_MAX)
    sent = nqn if client.rpc.supports(_GET, 'nqn') else None

    def cause(_exc: exceptions.RpcError) -> errors.Finding | None:
        # v26.09 answers "Invalid parameters" for an unknown NQN.
        if nqn not in [each.nqn for each in get(client)]:
            return exceptions.NotFound, f'subsystem {nqn} does not exist'
        return None

    reply = calls.call(client, _GET, f'subsystem {nqn}', cause, nqn=sent)
    subsystems = [each for each in types.Subsystem.parse_list(reply)
                  if each.nqn == nqn]
    if not subsystems:
        raise _missing(_GET, nqn)
    return subsystems


def find(client: calls.Caller, nqn: str) -> types.Subsystem | None:
    """The subsystem of that NQN, or None."""
    try:
        return get(client, nqn)[0]
    except exceptions.NotFound:
        return None


def existing(client: calls.Caller, nqn: str, method: str) -> types.Subsystem:
    """The subsystem of that NQN.

    :param method: the call that needs it.
    :raises NotFound: there is none.
    """
    subsystem = find(client, nqn)
    if subsystem is None:
        raise _missing(method, nqn)
    return subsystem


def _missing(method: str, nqn: str) -> exceptions.NotFound:
    return errors.missing(method, {'nqn': nqn},
                          f'subsystem {nqn} does not exist')


def missing(client: calls.Caller, nqn: str) -> errors.Finding | None:
    """Cause: the subsystem does not exist."""
    if find(client, nqn) is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    return None


def create(client: calls.Caller, nqn: str, *,
           serial_number: str | None = None,
           model_number: str | None = None,
           max_namespaces: int | None = None, allow_any_host: bool = False,
           admin_label: str | None = None, exist_ok: bool = False,
           **options: Any) -> str:
    """Create an NVM subsystem without listeners, hosts, namespaces.

    :param nqn: its name.
    :param serial_number: at most 20 printable ASCII characters.
    :param model_number: at most 40 (v19.04).
    :param max_namespaces: highest NSID; None means SPDK's 32.
    :param allow_any_host: let any host connect.
    :param admin_label: what the discovery log page says of it: 4 to 256
        printable ASCII characters (v26.09).
    :param exist_ok: do not mind if it exists with these properties.
    :param options: others that the release has: ana_reporting, min_cntlid,
        max_cntlid, passthrough, enable_nssr, ...
    :returns: the NQN.
    :raises AlreadyExists: it exists and ``exist_ok`` is not set, or has
        other properties.
    """
    wanted = properties.checked(
        nqn, serial_number, model_number, max_namespaces, allow_any_host,
        admin_label, **options)
    given = sorted([*(name for name, value in wanted.items()
                      if value is not None), *options])
    method = 'nvmf_create_subsystem'
    params = {**wanted, **options}
    if are_constructed(client):
        method = 'construct_nvmf_subsystem'
        params['listen_addresses'] = []
        params['serial_number'] = serial_number or properties.SERIAL_NUMBER
    calls.create(
        client, method, f'subsystem {nqn}', lambda: find(client, nqn),
        {name: (value, operator.attrgetter(name))
         for name, value in wanted.items()}, exist_ok,
        lambda exc: (type(exc), f'subsystem {nqn}: the target has no room '
                     'for another one, or one of its properties does not '
                     f'suit: {", ".join(given)}'),
        nqn=nqn, **params)
    return nqn


def are_constructed(client: calls.Caller) -> bool:
    """Whether subsystems are made by one call (until v18.07)."""
    return client.rpc.has('construct_nvmf_subsystem') and \
        not client.rpc.has('nvmf_create_subsystem')


def delete(client: calls.Caller, nqn: str, *,
           missing_ok: bool = False) -> bool:
    """Delete a subsystem; hosts that use it are disconnected.

    :param nqn: its name.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    return calls.delete(
        client, 'nvmf_delete_subsystem', f'subsystem {nqn}',
        lambda: find(client, nqn) is None, missing_ok, nqn=nqn)


def get_controllers(client: calls.Caller,
                    nqn: str) -> list[types.Controller]:
    """The controllers of a subsystem: the hosts connected (v20.10).

    :param nqn: the subsystem.
    :returns: list of :class:`~cyborg_spdk.clients.types.Controller`.
    :raises NotFound: no such subsystem.
    """
    return types.Controller.parse_list(
        read_of(client, 'nvmf_subsystem_get_controllers', nqn))


def get_qpairs(client: calls.Caller, nqn: str) -> list[types.QueuePair]:
    """The queue pairs of a subsystem (v20.10).

    :param nqn: the subsystem.
    :returns: list of :class:`~cyborg_spdk.clients.types.QueuePair`.
    :raises NotFound: no such subsystem.
    """
    return types.QueuePair.parse_list(
        read_of(client, 'nvmf_subsystem_get_qpairs', nqn))


def read_of(client: calls.Caller, method: str, nqn: str) -> Any:
    """Make a call that reads something of a subsystem.

    :returns: its result.
    :raises NotFound: no such subsystem.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    return calls.call(client, method, nqn=nqn, _about=f'subsystem {nqn}',
                      _cause=lambda _exc: missing(client, nqn))
