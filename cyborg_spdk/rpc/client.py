# SPDX-License-Identifier: Apache-2.0

"""What callers hold: one client for one address."""

from __future__ import annotations

import threading
import time

from cyborg_spdk import exceptions
from cyborg_spdk.rpc import address as addresses
from cyborg_spdk.rpc.serving import call as calls
from cyborg_spdk.rpc.serving import channel as channels
from cyborg_spdk.rpc.transport import dial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    import concurrent.futures
    import types
    from typing import Any

    from cyborg_spdk.rpc.protocol import catalogue
    from cyborg_spdk.rpc.protocol import version as versions

#: Seconds of wall-clock time to connect.
DEFAULT_CONNECT_TIMEOUT = 5.0


class Client:
    """Calls to one target, from any number of threads.

    Methods and parameters have the names of the newest SPDK release
    everywhere; what an older target calls them is looked up
    (:mod:`cyborg_spdk.rpc.protocol.catalogue`). A client connects again by
    itself when it is used after its connection was lost or closed.

    :param address: text or :class:`~cyborg_spdk.rpc.address.Address`.
    :param connect_timeout: seconds, for each time that it connects.
    """

    def __init__(self, address: addresses.AddressLike,
                 connect_timeout: float | None = DEFAULT_CONNECT_TIMEOUT
                 ) -> None:
        self._address = addresses.parse_address(address)
        self._channel = channels.Channel(self._address,
                                         calls.seconds(connect_timeout))
        self._opening = threading.Lock()
        self._closed: Callable[[Client], None] | None = None

    def __repr__(self) -> str:
        return f"<rpc.Client {self._address}>"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, exc_type: type[BaseException] | None,
                 exc: BaseException | None,
                 traceback: types.TracebackType | None) -> None:
        """Leave the connection as it is, for the next use."""

    @property
    def address(self) -> str:
        """The address, in its canonical form (str)."""
        return str(self._address)

    @property
    def is_open(self) -> bool:
        """Whether there is a connection at present."""
        return self._channel.is_open

    def open(self, timeout: float | None = None) -> None:
        """Connect, unless there is a connection whose peer is there.

        :param timeout: seconds; None means the client's own.
        :raises ConnectError: with the reason and the remedy.
        """
        with self._opening:
            self._channel.open(self._channel.connect_timeout
                               if timeout is None
                               else calls.seconds(timeout))

    def close(self) -> None:
        """Close the connection.

        Calls that are on their way fail: with :class:`OutcomeUnknown` if
        they were written and may change something.
        """
        self._channel.close("it was closed by this process")
        dial.release(self._address)
        if self._closed is not None:
            self._closed(self)

    def after_fork(self) -> None:
        """In a child process: leave the parent's connection alone."""
        self._opening = threading.Lock()
        self._channel.after_fork()

    def on_close(self, function: Callable[[Client], None]) -> None:
        """Have a function called with this client when it was closed."""
        self._closed = function

    def call(self, method: str, /, *, _timeout: float | None = None,
             **params: Any) -> Any:
        """Call a method and wait for its result.

        :param method: its name in the newest SPDK release.
        :param _timeout: seconds of wall-clock time for all of it; None
            means 30.
        :param params: its parameters; one that is None is left out.
        :returns: the ``result`` of the reply.
        :raises RpcError: the target answered with an error; a subclass by
            its code.
        :raises ConnectError: nobody could be reached.
        :raises RpcTimeout: no reply came in time.
        :raises OutcomeUnknown: the connection was lost after the request
            was written, and it may have changed something.
        :raises SpdkError: see :mod:`cyborg_spdk.exceptions` for the rest.
        """
        waiter, timeout = calls.Waiter(), calls.seconds(_timeout)
        call = calls.Call(method, _given(params), timeout,
                          time.monotonic() + timeout, waiter)
        return self._result(call, waiter)

    def _result(self, call: calls.Call, waiter: calls.Waiter) -> Any:
        call.encode(self._channel.target)
        if not self._channel.submit_and_wait(call, waiter):
            raise self._timed_out(call)
        if call.error is not None:
            raise call.error
        return call.result

    def _timed_out(self, call: calls.Call) -> exceptions.RpcTimeout:
        return exceptions.RpcTimeout(self._address, call.method,
                                     call.timeout)

    def submit(self, method: str, /, *, _timeout: float | None = None,
               **params: Any) -> concurrent.futures.Future[Any]:
        """Call a method and do not wait.

        It blocks only while the window of the connection is full.

        :returns: ``concurrent.futures.Future`` of the result. It cannot
            be cancelled. A callback of it runs in the thread that receives
            for this address, so it must not wait for another call.
        :raises SpdkError: if it cannot be sent at all.
        """
        from cyborg_spdk.rpc.serving import futures
        receiver, timeout = futures.Receiver(), calls.seconds(_timeout)
        call = calls.Call(method, _given(params), timeout,
                          time.monotonic() + timeout, receiver)
        call.encode(self._channel.target)
        if self._channel.submit((call,)):
            raise self._timed_out(call)
        return receiver.future

    def request(self, request: calls.Request) -> Any:
        """Make one call of which the parameters are not known in advance.

        :param request: the call; its parameters may be a list, and one that
            is None is sent as it is.
        :returns: the ``result`` of the reply.
        :raises SpdkError: as :meth:`call`.
        """
        method, params, timeout = request
        waiter, timeout = calls.Waiter(), calls.seconds(timeout)
        call = calls.Call(method, params or None, timeout,
                          time.monotonic() + timeout, waiter)
        return self._result(call, waiter)

    def exchange(self, method: str, params: Any = None,
                 timeout: float | None = None) -> dict[str, Any]:
        """Send a request as it is and return the reply as it is.

        No name is looked up and no error is made of an ``error`` member:
        for tools that show what the target says.

        :param method: name as the target has it.
        :param params: dict or list, or None.
        :param timeout: seconds of wall-clock time; None means 30.
        :returns: the reply (dict).
        :raises SpdkError: if there is none; see :meth:`call`.
        """
        waiter, timeout = calls.Waiter(), calls.seconds(timeout)
        call = calls.Call(method, params, timeout,
                          time.monotonic() + timeout, waiter, verbatim=True)
        reply: dict[str, Any] = self._result(call, waiter)
        return reply

    def call_many(self, requests: Iterable[calls.Request], *,
                  timeout: float | None = None, raise_errors: bool = False
                  ) -> list[Any]:
        """Make many calls that do not depend on each other.

        All are in flight together, as far as the window goes, and may be
        executed in any order.

        :param requests: iterable of :class:`Request`.
        :param timeout: seconds of wall-clock time for all of them; each
            may have a shorter one of its own.
        :param raise_errors: raise the first error (in the order of the
            requests) when all have ended.
        :returns: list of results, in the order of the requests; where a
            call failed, its exception.
        """
        # Costs time to import, and a command makes one call.
        from cyborg_spdk.rpc.serving import bulk
        results = bulk.Bulk(self._channel, requests, timeout).run()
        if raise_errors:
            for result in results:
                if isinstance(result, exceptions.SpdkError):
                    raise result
        return results

    def notify(self, method: str, /, **params: Any) -> None:
        """Send a notification: a call without a reply.

        It returns when the request is written. Whether it was executed is
        not known; a method that fails says so to nobody.

        Releases before v26.05 answer a notification, and leave the last
        bracket out of the answer, which spoils the one behind it. To those
        a call goes out whose reply is dropped.

        :raises ConnectError: nobody could be reached.
        :raises RpcTimeout: it could not be written in time.
        """
        if not self._target().has_batches:
            try:
                self.call(method, **params)
            except exceptions.RpcError:
                # Nobody is told of it.
                pass
            return
        waiter, timeout = calls.Waiter(), calls.DEFAULT_TIMEOUT
        call = calls.Call(method, _given(params), timeout,
                          time.monotonic() + timeout, waiter,
                          notification=True)
        self._result(call, waiter)

    def peer(self) -> tuple[int, int, int] | None:
        """Which process listens at the other end of a UNIX socket.

        :returns: ``(pid, uid, gid)``, or None if it is no UNIX socket of
            this machine or there is no connection.
        """
        if self._address.scheme != "unix":
            return None
        return self._channel.peer()

    @property
    def methods(self) -> frozenset[str]:
        """The methods that the target serves (frozenset of str).

        Asked for once per connection; empty if the target cannot tell
        (before v17.10).
        """
        return self._target().methods or frozenset()

    @property
    def version(self) -> versions.Version | None:
        """The target's :class:`Version`, or None if it cannot be told."""
        return self._target().version

    def has(self, method: str) -> bool:
        """Whether the target serves a method, under whatever name.

        :param method: its name in the newest SPDK release, or any other.
        """
        return self._target().has(method)

    def supports(self, method: str, param: str) -> bool:
        """Whether the target's method takes a parameter.

        :param method: the method's name in the newest SPDK release.
        :param param: the parameter's name there.
        """
        return self._target().supports(method, param)

    def _target(self) -> catalogue.TargetMethods:
        target = self._channel.target
        if target is None or not self._channel.is_open:
            target = self._channel.learn(calls.DEFAULT_TIMEOUT)
        return target


def _given(params: dict[str, Any]) -> dict[str, Any] | None:
    if None in params.values():
        params = {name: value for name, value in params.items()
                  if value is not None}
    return params or None
