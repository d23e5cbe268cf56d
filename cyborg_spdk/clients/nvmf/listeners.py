# SPDX-License-Identifier: Apache-2.0

"""Listeners of subsystems, and why one could not be made."""

import errno
import os
import socket
from typing import Any

from cyborg_spdk.clients import addresses
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.nvmf import calls
from cyborg_spdk.clients.nvmf import subsystems
from cyborg_spdk.clients.nvmf import transports
from cyborg_spdk.clients import types
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: schema.json, nvme_ana_state.
ANA_STATES = ('optimized', 'non_optimized', 'inaccessible')


def add(client: calls.Caller, nqn: str, listener: addresses.Address, *,
        exist_ok: bool = False, **options: Any) -> types.ListenAddress:
    """Let a subsystem listen somewhere.

    :param nqn: the subsystem; the discovery subsystem will do.
    :param listener: address as
        :func:`cyborg_spdk.clients.addresses.parse` takes it.
    :param exist_ok: do not mind if it listens there already.
    :param options: others that the release has: secure_channel, ana_state,
        sock_impl.
    :returns: the :class:`~cyborg_spdk.clients.types.ListenAddress`.
    :raises NotFound: no such subsystem, or the transport was not created.
    :raises AlreadyExists: it listens there already.
    :raises Busy: the port is in use by another process.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    address = addresses.parse(listener)
    if options.get('ana_state') is not None:
        validate.choice('ana_state', options['ana_state'], ANA_STATES)
    # v24.01 and before answer "true" to a listener that exists.
    method = 'nvmf_subsystem_add_listener'
    if _listens(subsystems.existing(client, nqn, method), address):
        if exist_ok:
            return address
        raise errors.taken(method, {'nqn': nqn},
                           f'{nqn} listens on {address} already')
    calls.call(client, method, nqn=nqn, **options,
               listen_address=addresses.params(address),
               _about=f'listener {address} of {nqn}',
               _cause=lambda _exc: _refused(client, nqn, address, options))
    return address


def _listens(subsystem: types.Subsystem,
             address: types.ListenAddress) -> bool:
    return any(each.place == address.place
               for each in subsystem.listen_addresses)


def remove(client: calls.Caller, nqn: str, listener: addresses.Address, *,
           missing_ok: bool = False) -> bool:
    """Stop a subsystem from listening somewhere.

    :param nqn: the subsystem.
    :param listener: address as
        :func:`cyborg_spdk.clients.addresses.parse` takes it.
    :param missing_ok: do not mind if it does not listen there; the
        subsystem itself must exist.
    :returns: True; False if it did not listen there.
    :raises NotFound: no such subsystem, or no such listener.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    address = addresses.parse(listener)
    return calls.delete(
        client, 'nvmf_subsystem_remove_listener',
        f'listener {address} of {nqn}',
        lambda: not _listens(subsystems.get(client, nqn)[0], address),
        missing_ok, lambda _exc: _missing(client, nqn, address),
        nqn=nqn, listen_address=addresses.params(address))


def get(client: calls.Caller, nqn: str) -> list[types.Listener]:
    """The listeners of a subsystem with their ANA states (v20.10).

    :param nqn: the subsystem.
    :returns: list of :class:`~cyborg_spdk.clients.types.Listener`.
    :raises NotFound: no such subsystem.
    """
    return types.Listener.parse_list(subsystems.read_of(
        client, 'nvmf_subsystem_get_listeners', nqn))


def set_ana_state(client: calls.Caller, nqn: str,
                  listener: addresses.Address, ana_state: str, *,
                  anagrpid: int | None = None) -> bool:
    """Set the ANA state of a listener (v20.10).

    :param nqn: the subsystem; it must have been created with
        ``ana_reporting``.
    :param listener: address as
        :func:`cyborg_spdk.clients.addresses.parse` takes it.
    :param ana_state: one of :data:`ANA_STATES`.
    :param anagrpid: ANA group (v22.09); None means all.
    :returns: True.
    :raises NotFound: no such subsystem or listener.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    address = addresses.parse(listener)
    ana_state = validate.choice('ana_state', ana_state, ANA_STATES)
    if anagrpid is not None:
        validate.integer('anagrpid', anagrpid, 1, 2 ** 32 - 1)

    def cause(_exc: exceptions.RpcError) -> errors.Finding:
        return _missing(client, nqn, address) or (
            exceptions.InvalidParams, f'listener {address} of {nqn}: the '
            'subsystem does not report ANA (ana_reporting), or has no such '
            'group')

    return calls.act(client, 'nvmf_subsystem_listener_set_ana_state',
                     nqn=nqn, listen_address=addresses.params(address),
                     ana_state=ana_state, anagrpid=anagrpid,
                     _about=f'listener {address} of {nqn}', _cause=cause)


def _missing(client: calls.Caller, nqn: str,
             address: types.ListenAddress) -> errors.Finding | None:
    """Cause: the listener, or its subsystem, does not exist."""
    subsystem = subsystems.find(client, nqn)
    if subsystem is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    if not _listens(subsystem, address):
        return exceptions.NotFound, f'{nqn} does not listen on {address}'
    return None


def _refused(client: calls.Caller, nqn: str, address: types.ListenAddress,
             options: reported.Json) -> errors.Finding | None:
    """Cause: why a subsystem cannot listen there.

    :param options: what else was asked for.
    """
    subsystem = subsystems.find(client, nqn)
    if subsystem is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    if _listens(subsystem, address):
        return exceptions.AlreadyExists, f'{nqn} listens on {address} already'
    no_transport = transports.missing(client, address.trtype)
    if no_transport:
        return no_transport
    if options.get('secure_channel') and subsystem.allow_any_host:
        return exceptions.InvalidParams, f'{nqn} allows any host: TLS ' \
            'needs hosts with keys'
    return _no_socket(client, options.get('sock_impl')) or \
        _bind(client, address) or \
        unfit_options(f'listener {address} of {nqn}', options)


def unfit_options(about: str,
                  options: reported.Json) -> errors.Finding | None:
    """Cause, where nothing else is left: an option, if there are any."""
    if not options:
        return None
    return exceptions.InvalidParams, f'{about}: the name, type or value of ' \
        f'one of the options {", ".join(sorted(options))} does not suit'


def _no_socket(client: calls.Caller,
               name: str | None) -> errors.Finding | None:
    """Cause: the target has no socket implementation of that name."""
    method = 'sock_impl_get_options'
    if name is None or not client.rpc.has(method):
        return None
    try:
        client.rpc.call(method, impl_name=name)
    except exceptions.RpcError:
        return exceptions.NotFound, f'the target has no socket ' \
            f'implementation {name!r}'
    return None


def _bind(client: calls.Caller,
          address: types.ListenAddress) -> errors.Finding | None:
    """Cause: what the system says to a listener of our own at that place.

    Only for TCP, and only if the target is a process in our own network
    namespace. The socket is closed at once and never listens.
    """
    if address.trtype != 'TCP' or not _same_network(client):
        return None
    family = socket.AF_INET6 if address.adrfam == 'IPv6' else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address.traddr, int(address.trsvcid)))
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                return exceptions.Busy, f'port {address.trsvcid} of ' \
                    f'{address.traddr} is in use by another process'
            if exc.errno == errno.EADDRNOTAVAIL:
                return exceptions.InvalidParams, \
                    f'{address.traddr} is no address of this host'
    return None


def _same_network(client: calls.Caller) -> bool:
    try:
        peer = client.rpc.peer()
        return peer is not None and os.readlink(
            f'/proc/{peer[0]}/ns/net') == os.readlink('/proc/self/ns/net')
    except (OSError, TypeError, IndexError):
        return False
