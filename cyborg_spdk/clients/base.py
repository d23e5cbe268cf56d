# SPDX-License-Identifier: Apache-2.0

"""What all clients have in common: calls whose errors tell the cause.

Each operation is a function whose first argument is a client; the classes
of the clients list them by their names.
"""

from collections.abc import Callable
import copy
from typing import Any
from typing import Protocol
from typing import TypeVar

from cyborg_spdk.clients import errors
from cyborg_spdk import exceptions
from cyborg_spdk.rpc import client as rpc_client

# Errors that already say all there is: the method, the release, the state.
_CLEAR = (exceptions.MethodNotFound, exceptions.NotReady,
          exceptions.TargetStopping, exceptions.InvalidRequest)

_Client = TypeVar('_Client', bound='Client')


class Caller(Protocol):
    """What an operation needs of a client."""

    @property
    def rpc(self) -> rpc_client.Client:
        """The connection."""

    @property
    def timeout(self) -> float | None:
        """Seconds for each call, or None for the connection's default."""


def call(client: Caller, method: str, /, _about: str | None = None,
         _cause: errors.Cause | None = None, _false_ok: bool = False,
         **params: Any) -> Any:
    """Make one call; parameters that are None are left out.

    :param client: whose connection and timeout are used.
    :param method: its name in the newest SPDK release.
    :param _about: the object that the call is about, for the error:
        ``"bdev 'Malloc0'"``.
    :param _cause: is given the error and finds out by reading why the call
        failed.
    :param _false_ok: whether the result "false" is none of an error.
    :returns: the result, as JSON.
    :raises RpcError: with ``detail`` set.
    """
    params = {name: value for name, value in params.items()
              if value is not None}
    deadline = {} if client.timeout is None else {'_timeout': client.timeout}
    try:
        result = client.rpc.call(method, **deadline, **params)
    except _CLEAR:
        raise
    except exceptions.RpcError as exc:
        raise errors.explained(exc, _about, _cause) from exc
    if result is False and not _false_ok:
        # v22.01 and before: some deletes of what is not there.
        raise errors.explained(exceptions.rpc_error(
            -32603, 'the target answered "false"', method, params),
            _about, _cause)
    return result


def act(client: Caller, method: str, /, _about: str | None = None,
        _cause: errors.Cause | None = None, **params: Any) -> bool:
    """Make a call whose result says no more than that it went well.

    The parameters are those of :func:`call`.

    :returns: True.
    """
    call(client, method, _about=_about, _cause=_cause, **params)
    return True


def delete(client: Caller, method: str, /, _about: str,
           _missing: Callable[[], bool], _missing_ok: bool,
           _cause: errors.Cause | None = None, **params: Any) -> bool:
    """Make a call that deletes; tell "was not there" apart.

    :param _missing: finds out by reading whether the object is missing.
    :param _missing_ok: whether that is all right.
    :returns: True if it was deleted, False if it was not there.
    :raises NotFound: it was not there, and that is not all right.
    """
    try:
        return act(client, method, **params)
    except _CLEAR:
        raise
    except exceptions.RpcError as exc:
        if errors.was_not_sent(exc):
            raise
        if errors.was_not_read(exc):
            raise errors.explained(exc, _about) from exc
        if not errors.read_quietly(_missing):
            raise errors.explained(exc, _about, _cause) from exc
        if _missing_ok:
            return False
        raise errors.fault(exc, exceptions.NotFound,
                           f'{_about} does not exist') from exc


def create(client: Caller, method: str, /, _about: str,
           _existing: Callable[[], Any], _wanted: errors.Wanted,
           _exist_ok: bool, _cause: errors.Cause | None = None,
           **params: Any) -> Any:
    """Make a call that creates; tell an object that exists apart.

    :param _existing: reads the object of that name, or None if there is
        none.
    :param _wanted: properties that it must have to count as the same.
    :param _exist_ok: whether an object that exists already, with those
        properties, is all right.
    :returns: the result of the call, or None if it existed.
    :raises AlreadyExists: it exists, and that is not all right; or it
        differs, and then a property is named.
    """
    try:
        return call(client, method, **params)
    except _CLEAR:
        raise
    except exceptions.RpcError as exc:
        if errors.was_not_sent(exc):
            raise
        existing = None
        if not errors.was_not_read(exc) and not isinstance(
                exc, (exceptions.NoSpace, exceptions.Busy)):
            existing = errors.read_quietly(_existing)
        if existing is None:
            raise errors.explained(exc, _about, _cause) from exc
        differs = errors.difference(existing, _wanted)
        if differs is None and _exist_ok:
            return None
        raise errors.fault(exc, exceptions.AlreadyExists,
                           f'{_about} exists {differs or "already"}'
                           ) from exc


class Client:
    """Base of the clients: an RPC connection, and how calls are made.

    :ivar rpc: the :class:`cyborg_spdk.rpc.Client` that is used.
    :ivar timeout: seconds for each call, or None for that client's own.
    """

    rpc: rpc_client.Client
    timeout: float | None

    def __init__(self, client: rpc_client.Client, *,
                 timeout: float | None = None) -> None:
        """Use a connection.

        :param client: what :func:`cyborg_spdk.rpc.connect` returned.
        :param timeout: seconds of wall-clock time for each call; None is
            the connection's own default.
        """
        self.rpc = client
        self.timeout = timeout

    def __repr__(self) -> str:
        return f'<clients.{type(self).__name__} {self.rpc.address}>'

    def with_timeout(self: _Client, seconds: float | None) -> _Client:
        """The same client with another deadline for each of its calls.

        :param seconds: wall-clock time, or None for the default.
        :returns: a new client on the same connection.
        """
        other = copy.copy(self)
        other.timeout = seconds
        return other

    _call = call
    _create = create
    _delete = delete
