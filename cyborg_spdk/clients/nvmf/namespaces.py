# SPDX-License-Identifier: Apache-2.0

"""Namespaces of NVM subsystems."""

from typing import Any
from uuid import UUID

from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.nvmf import calls
from cyborg_spdk.clients.nvmf import namespace_cause
from cyborg_spdk.clients.nvmf import subsystems
from cyborg_spdk.clients import types
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: What else an object "namespace" may hold (lib/nvmf, nvmf_rpc.c). Which
#: release has it is in the catalogue of :mod:`cyborg_spdk.rpc`.
NAMESPACE_OPTIONS = ('anagrpid', 'hide_metadata', 'no_auto_visible',
                     'ptpl_file')

#: The highest number that a namespace can have (nvme_spec.h).
_NSID_MAX = 2 ** 32 - 2


def add(client: calls.Caller, nqn: str, bdev_name: str, *,
        nsid: int | None = None, nguid: str | None = None,
        eui64: str | None = None, uuid: str | UUID | None = None,
        exist_ok: bool = False, **options: Any) -> int:
    """Give a subsystem a namespace.

    :param nqn: the subsystem.
    :param bdev_name: the bdev behind it; it is claimed.
    :param nsid: its number from 1 on; None takes the first free one.
    :param nguid: 32 hexadecimal digits.
    :param eui64: 16 hexadecimal digits.
    :param uuid: UUID; None means that of the bdev.
    :param exist_ok: do not mind if the bdev is a namespace of this
        subsystem already, with that number if one is given.
    :param options: others that the release has: anagrpid, no_auto_visible,
        ptpl_file, hide_metadata (until v26.05).
    :returns: the NSID.
    :raises NotFound: no such subsystem or bdev.
    :raises AlreadyExists: the NSID is taken.
    :raises PermissionDenied: the bdev is in use.
    :raises NoSpace: all NSIDs are taken.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    validate.text('bdev', bdev_name)
    identifiers = _identifiers(nsid, nguid, eui64, uuid)
    for name in options:
        if name not in NAMESPACE_OPTIONS:
            validate.refuse('namespace option', name,
                            'use one of ' + ', '.join(NAMESPACE_OPTIONS))
    method = 'nvmf_subsystem_add_ns'
    _check_is_no_discovery(method, nqn)
    if exist_ok:
        existing = _find(client, nqn, bdev_name)
        if existing is not None and nsid in (None, existing.nsid):
            return existing.nsid
    given = {name: value for name, value in options.items()
             if value is not None}
    added: int = calls.call(
        client, method, nqn=nqn,
        namespace={'bdev_name': bdev_name, **identifiers, **given},
        _about=f'bdev {bdev_name!r} as namespace of {nqn}',
        _cause=lambda _exc: namespace_cause.not_added(
            client, nqn, bdev_name, nsid, options))
    return added


def _identifiers(nsid: int | None, nguid: str | None, eui64: str | None,
                 uuid: str | UUID | None) -> reported.Json:
    """Those that are given, checked."""
    identifiers: reported.Json = {}
    if nsid is not None:
        identifiers['nsid'] = validate.integer('nsid', nsid, 1, _NSID_MAX)
    if nguid is not None:
        identifiers['nguid'] = validate.hexadecimal('nguid', nguid, 32)
    if eui64 is not None:
        identifiers['eui64'] = validate.hexadecimal('eui64', eui64, 16)
    if uuid is not None:
        identifiers['uuid'] = validate.uuid('uuid', uuid)
    return identifiers


def _check_is_no_discovery(method: str, nqn: str) -> None:
    if nqn == validate.DISCOVERY_NQN:
        # v19.07 takes it.
        raise errors.invalid(
            method, {'nqn': nqn}, f'{nqn} is a discovery subsystem: it has '
            'no namespaces; not sent')


def _find(client: calls.Caller, nqn: str,
          bdev_name: str) -> types.Namespace | None:
    """The namespace of a subsystem that a bdev is, or None."""
    subsystem = subsystems.find(client, nqn)
    bdev = bdevs.find(client, bdev_name)
    if subsystem is None or bdev is None:
        return None
    return next((space for space in subsystem.namespaces
                 if bdev.known_as(space.bdev_name)), None)


def remove(client: calls.Caller, nqn: str, nsid: int, *,
           missing_ok: bool = False) -> bool:
    """Take a namespace from a subsystem; its bdev stays.

    :param nqn: the subsystem.
    :param nsid: number of the namespace.
    :param missing_ok: do not mind if there is none; the subsystem itself
        must exist.
    :returns: True; False if it was not there.
    :raises NotFound: no such subsystem or namespace.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    validate.integer('nsid', nsid, 1, _NSID_MAX)
    return calls.delete(
        client, 'nvmf_subsystem_remove_ns', f'namespace {nsid} of {nqn}',
        lambda: subsystems.get(client, nqn)[0].namespace(nsid) is None,
        missing_ok, lambda _exc: namespace_cause.missing(client, nqn, nsid),
        nqn=nqn, nsid=nsid)


def set_ana_group(client: calls.Caller, nqn: str, nsid: int,
                  anagrpid: int) -> bool:
    """Put a namespace into an ANA group (v24.09).

    :param nqn: the subsystem.
    :param nsid: number of the namespace.
    :param anagrpid: number of the group, at most max_namespaces.
    :returns: True.
    :raises NotFound: no such subsystem or namespace.
    """
    validate.integer('anagrpid', anagrpid, 1, 2 ** 32 - 1)
    return _act(client, 'nvmf_subsystem_set_ns_ana_group', nqn, nsid,
                f'anagrpid {anagrpid} is over max_namespaces, or the '
                'subsystem does not report ANA', anagrpid=anagrpid)


def add_host(client: calls.Caller, nqn: str, nsid: int, host: str) -> bool:
    """Make a namespace visible to a host (v24.05).

    :param nqn: the subsystem.
    :param nsid: number of a namespace that was added with
        ``no_auto_visible``.
    :param host: NQN of the host.
    :returns: True.
    :raises NotFound: no such subsystem or namespace.
    :raises InvalidParams: the namespace is visible to all.
    """
    return _show(client, 'nvmf_ns_add_host', nqn, nsid, host)


def remove_host(client: calls.Caller, nqn: str, nsid: int,
                host: str) -> bool:
    """Hide a namespace from a host again (v24.05).

    :param nqn: the subsystem.
    :param nsid: number of the namespace.
    :param host: NQN of the host.
    :returns: True.
    :raises NotFound: no such subsystem or namespace.
    """
    return _show(client, 'nvmf_ns_remove_host', nqn, nsid, host)


def _show(client: calls.Caller, method: str, nqn: str, nsid: int,
          host: str) -> bool:
    validate.nqn(host, 'host NQN')
    return _act(client, method, nqn, nsid,
                f'it was not added with no_auto_visible, or host {host} is '
                'not in the right state', host=host)


def _act(client: calls.Caller, method: str, nqn: str, nsid: int,
         otherwise: str, **params: Any) -> bool:
    """A call on a namespace.

    :param otherwise: why it fails if the namespace is there.
    """
    validate.text('NQN', nqn, validate.NQN_MAX)
    validate.integer('nsid', nsid, 1, _NSID_MAX)

    def cause(_exc: exceptions.RpcError) -> errors.Finding:
        return namespace_cause.missing(client, nqn, nsid) or (
            exceptions.InvalidParams,
            f'namespace {nsid} of {nqn}: {otherwise}')

    return calls.act(client, method, nqn=nqn, nsid=nsid, **params,
                     _about=f'namespace {nsid} of {nqn}', _cause=cause)
