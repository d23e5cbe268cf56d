# SPDX-License-Identifier: Apache-2.0

"""Transports of an NVMe-oF target."""

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from cyborg_spdk.clients import addresses
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.nvmf import calls
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

_GET = 'nvmf_get_transports'
_CREATE = 'nvmf_create_transport'


def get(client: calls.Caller,
        trtype: str | None = None) -> list[types.Transport]:
    """The transports that were created.

    :param trtype: the only one wanted; None means all.
    :returns: list of :class:`~cyborg_spdk.clients.types.Transport`.
    :raises NotFound: that one was not created.
    :raises MethodNotFound: before v19.01.
    """
    transports = types.Transport.parse_list(calls.call(client, _GET))
    if trtype is None:
        return transports
    trtype = validate.choice('trtype', trtype, addresses.TRTYPES)
    transports = [each for each in transports if _is(each, trtype)]
    if not transports:
        raise errors.missing(_GET, {'trtype': trtype},
                             f'transport {trtype} was not created')
    return transports


def find(client: calls.Caller, trtype: str) -> types.Transport | None:
    """The transport of that type, or None."""
    return next((each for each in get(client) if _is(each, trtype)), None)


def _is(transport: types.Transport, trtype: str) -> bool:
    return transport.trtype.upper() == trtype.upper()


def create(client: calls.Caller, trtype: str, *, exist_ok: bool = False,
           **options: Any) -> str:
    """Create a transport: v19.01 and later need one to listen.

    :param trtype: ``TCP``, ``RDMA``, ``VFIOUSER``, ...
    :param exist_ok: do not mind if it exists with these options.
    :param options: those that the release has: max_queue_depth,
        max_io_qpairs_per_ctrlr, in_capsule_data_size, max_io_size,
        io_unit_size, max_aq_depth, ...
    :returns: the transport's type.
    :raises AlreadyExists: it exists and ``exist_ok`` is not set, or has
        other options.
    :raises InvalidParams: this build does not have that transport.
    """
    trtype = validate.choice('trtype', trtype, addresses.TRTYPES)

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        if 'already exists' in exc.message:
            return exceptions.AlreadyExists, \
                f'transport {trtype} exists already'
        return exceptions.InvalidParams, f'transport {trtype}: not built ' \
            'into this target, not so much memory for its buffers, or an ' \
            'option is out of range'

    wanted = {name: (value, _reader(name, value))
              for name, value in options.items()}
    try:
        calls.create(client, _CREATE, f'transport {trtype}',
                     lambda: find(client, trtype), wanted, exist_ok, cause,
                     trtype=trtype, **options)
    except exceptions.AlreadyExists:
        # v18.10 cannot tell which options it has.
        if not exist_ok or client.rpc.has(_GET):
            raise
    return trtype


def _reader(option: str, wanted: Any) -> Callable[[types.Transport], Any]:
    """Reads an option; one that the release does not tell is as wanted."""
    return lambda transport: transport.raw.get(option, wanted)


def create_missing(client: calls.Caller,
                   listen: Iterable[addresses.Address]) -> list[str]:
    """Create those transports that addresses need and that are missing.

    :param listen: list of what
        :func:`cyborg_spdk.clients.addresses.parse` takes.
    :returns: list of the types that were created.
    """
    if not client.rpc.has(_CREATE):
        return []                    # until v18.07: made by SPDK itself
    wanted = {addresses.parse(address).trtype for address in listen}
    existing = {each.trtype for each in get(client)} \
        if wanted and client.rpc.has(_GET) else set()
    return [create(client, trtype, exist_ok=True)
            for trtype in sorted(wanted - existing)]


def missing(client: calls.Caller, trtype: str) -> errors.Finding | None:
    """Cause: the transport was not created (v19.01)."""
    if not client.rpc.has(_GET) or find(client, trtype) is not None:
        return None
    return exceptions.NotFound, f'transport {trtype} was not created: call ' \
        'nvmf_create_transport first'
