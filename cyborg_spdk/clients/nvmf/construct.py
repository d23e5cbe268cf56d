# SPDX-License-Identifier: Apache-2.0

"""``construct_nvmf_subsystem``: a whole subsystem, all or nothing.

SPDK had one call for it until v18.10; today it is one RPC for the
subsystem and one for each namespace, host and listener.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
from typing import Any

from cyborg_spdk.clients import addresses
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.nvmf import calls
from cyborg_spdk.clients.nvmf import hosts as nvmf_hosts
from cyborg_spdk.clients.nvmf import listeners
from cyborg_spdk.clients.nvmf import namespaces as nvmf_namespaces
from cyborg_spdk.clients.nvmf import properties
from cyborg_spdk.clients.nvmf import subsystems
from cyborg_spdk.clients.nvmf import transports
from cyborg_spdk.clients import types
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions
from cyborg_spdk import loggers

LOG = loggers.get(__name__)

_CONSTRUCT = 'construct_nvmf_subsystem'

# After these there is no subsystem of ours: it was refused, here or by the
# target, or there was one already.
_NOT_DONE = (exceptions.InvalidValue, exceptions.RpcError)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What is to be made.

    :ivar nqn: name of the subsystem.
    :ivar addresses: where it listens.
    :ivar hosts: NQNs of the hosts that may use it.
    :ivar namespaces: arguments of ``nvmf_subsystem_add_ns`` for each.
    :ivar properties: arguments of ``nvmf_create_subsystem``.
    """

    nqn: str
    addresses: list[types.ListenAddress]
    hosts: list[str]
    namespaces: list[reported.Json]
    properties: reported.Json


def construct(client: calls.Caller, nqn: str,
              listen: Iterable[addresses.Address] | None,
              hosts: Iterable[str] | None, serial_number: str | None,
              namespaces: Iterable[str | Mapping[str, Any]] | None, *,
              allow_any_host: bool | None = None, **options: Any) -> str:
    """Create a subsystem with all that belongs to it, or nothing.

    Whatever step fails, the target is as before: what was done is undone.
    Up to v18.07 it is the one call that SPDK had. From v19.01 on the
    transports must have been created: they cannot be undone, so they are
    not made here.

    :param nqn: name of the subsystem.
    :param listen: addresses: a list of what
        :func:`cyborg_spdk.clients.addresses.parse` takes, or one string
        with commas, as py-spdk had it:
        ``"trtype:TCP traddr:127.0.0.1 trsvcid:4420,..."``.
    :param hosts: NQNs of hosts: a list, or a string with blanks. None at
        all allows no host, unless ``allow_any_host``.
    :param serial_number: at most 20 printable characters, or None.
    :param namespaces: bdevs: a list, or a string with blanks; each ``bdev``
        or ``bdev:nsid``, in a list also a dict of the arguments of
        ``nvmf_subsystem_add_ns``.
    :param allow_any_host: let any host connect.
    :param options: others of ``nvmf_create_subsystem``.
    :returns: the NQN.
    :raises AlreadyExists: there is a subsystem of that name.
    :raises SpdkError: that of the step that failed.
    """
    plan = _Plan(
        nqn,
        [addresses.parse(each) for each in words(listen, 'listen', ',')],
        [validate.nqn(each, 'host NQN') for each in words(hosts, 'hosts')],
        [namespace(each) for each in words(namespaces, 'namespaces')],
        {'serial_number': serial_number,
         'allow_any_host': bool(allow_any_host), **options})
    if subsystems.find(client, nqn) is not None:
        raise errors.taken(_CONSTRUCT, {'nqn': nqn},
                           f'subsystem {nqn} exists already')
    if subsystems.are_constructed(client):
        _construct_by_one_call(client, plan)
    else:
        _construct_by_steps(client, plan)
    return nqn


def words(value: Any, name: str, separator: str | None = None) -> list[Any]:
    """A list, or one string with separators, as a list.

    :param name: what the value is, for the error.
    :raises InvalidValue: it is neither.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return [word.strip() for word in value.split(separator)
                if word.strip()]
    if isinstance(value, (list, tuple)):
        return list(value)
    validate.refuse(name, value, 'give a list, or a string')


def namespace(value: str | Mapping[str, Any]) -> reported.Json:
    """One namespace: bdev name, or dict with ``bdev_name`` and others.

    :returns: dict of keyword arguments for ``nvmf_subsystem_add_ns``.
    :raises InvalidValue: it is neither.
    """
    if isinstance(value, str):
        name, colon, nsid = value.rpartition(':')
        if colon and nsid.isdigit() and name:
            return {'bdev_name': name, 'nsid': int(nsid)}
        return {'bdev_name': validate.text('bdev', value)}
    if not isinstance(value, Mapping) or 'bdev_name' not in value:
        validate.refuse('namespace', value, 'give the name of a bdev, or a '
                        'dict with "bdev_name"')
    return dict(value)


def _construct_by_steps(client: calls.Caller, plan: _Plan) -> None:
    """One call for each part (v18.10)."""
    _check_transports(client, plan)
    created = False
    try:
        subsystems.create(client, plan.nqn, **plan.properties)
        created = True
        for arguments in plan.namespaces:
            nvmf_namespaces.add(client, plan.nqn, **arguments)
        for host in dict.fromkeys(plan.hosts):
            nvmf_hosts.add(client, plan.nqn, host)
        # Last, so that no host sees a subsystem that is half made.
        for address in plan.addresses:
            listeners.add(client, plan.nqn, address)
    except BaseException as exc:
        # A subsystem that somebody else made since we looked is not ours.
        # But a create whose reply was lost may have been done.
        if created or not isinstance(exc, _NOT_DONE):
            _undo(client, plan.nqn)
        raise


def _check_transports(client: calls.Caller, plan: _Plan) -> None:
    for trtype in sorted({each.trtype for each in plan.addresses}):
        finding = transports.missing(client, trtype)
        if finding:
            raise errors.missing(_CONSTRUCT, {'trtype': trtype}, finding[1])


def _construct_by_one_call(client: calls.Caller, plan: _Plan) -> None:
    """One call for all (until v18.07).

    It may leave the subsystem behind when it fails, where the transport is
    one that this SPDK has not (lib/event/subsystems/nvmf/nvmf_rpc.c, v18.04
    and v18.07). There was none of that name just before.
    """
    wanted = properties.checked(plan.nqn, **plan.properties)
    params = {**plan.properties, **wanted,
              'serial_number': wanted['serial_number']
              or properties.SERIAL_NUMBER}
    try:
        calls.call(client, _CONSTRUCT, nqn=plan.nqn, **params,
                   _cause=lambda exc: _refused(client, exc, plan),
                   hosts=plan.hosts or None,
                   namespaces=plan.namespaces or None,
                   listen_addresses=[addresses.params(each)
                                     for each in plan.addresses])
    except BaseException:
        _undo(client, plan.nqn)
        raise


def _refused(client: calls.Caller, exc: exceptions.RpcError,
             plan: _Plan) -> errors.Finding:
    """Why the one call failed."""
    for arguments in plan.namespaces:
        claimed = claims.claimed(client, arguments['bdev_name'])
        if claimed:
            return claimed
    if any(address.trtype == 'TCP' for address in plan.addresses):
        return type(exc), f'subsystem {plan.nqn}: NVMe/TCP needs v19.01, ' \
            f'the target is {client.rpc.version}'
    return type(exc), f'subsystem {plan.nqn}: a transport that this target ' \
        'has not, a port in use, or an NSID twice'


def _undo(client: calls.Caller, nqn: str) -> None:
    try:
        subsystems.delete(client, nqn, missing_ok=True)
    except exceptions.SpdkError as exc:
        LOG.error('%s: subsystem %s is left half made, since it could not '
                  'be deleted again: %s', client.rpc.address, nqn, exc)
