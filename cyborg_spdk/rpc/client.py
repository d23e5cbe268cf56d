# SPDX-License-Identifier: Apache-2.0

"""What callers hold: one client for one address."""

import contextlib
import threading

from cyborg_spdk import exceptions
from cyborg_spdk.rpc import address as addresses
from cyborg_spdk.rpc.serving import bulk
from cyborg_spdk.rpc.serving import call as calls
from cyborg_spdk.rpc.serving import channel as channels
from cyborg_spdk.rpc.transport import dial

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

    def __init__(self, address, connect_timeout=DEFAULT_CONNECT_TIMEOUT):
        self._address = addresses.parse_address(address)
        self._channel = channels.Channel(self._address,
                                         calls.seconds(connect_timeout))
        self._opening = threading.Lock()
        self._closed = None

    def __repr__(self):
        return f"<rpc.Client {self._address}>"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        """Leave the connection as it is, for the next use."""

    @property
    def address(self):
        """The address, in its canonical form (str)."""
        return str(self._address)

    @property
    def is_open(self):
        """Whether there is a connection at present."""
        return self._channel.is_open

    def open(self, timeout=None):
        """Connect, unless there is a connection whose peer is there.

        :param timeout: seconds; None means the client's own.
        :raises ConnectError: with the reason and the remedy.
        """
        with self._opening:
            self._channel.open(self._channel.connect_timeout
                               if timeout is None
                               else calls.seconds(timeout))

    def close(self):
        """Close the connection.

        Calls that are on their way fail: with :class:`OutcomeUnknown` if
        they were written and may change something.
        """
        self._channel.close("it was closed by this process")
        dial.release(self._address)
        if self._closed is not None:
            self._closed(self)

    def after_fork(self):
        """In a child process: leave the parent's connection alone."""
        self._opening = threading.Lock()
        self._channel.after_fork()

    def on_close(self, function):
        """Have a function called with this client when it was closed."""
        self._closed = function

    def call(self, method, /, *, _timeout=None, **params):
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
        waiter = calls.Waiter()
        call = calls.Call(method, _given(params), calls.seconds(_timeout),
                          waiter)
        self._channel.prepare(call)
        return self._result(call, waiter)

    def _send(self, call):
        if self._channel.submit((call,)):
            raise self._timed_out(call)

    def _timed_out(self, call):
        return exceptions.RpcTimeout(self._address, call.method,
                                     call.timeout)

    def _result(self, call, waiter):
        if not self._channel.submit_and_wait(call, waiter,
                                             call.deadline + calls.GRACE):
            raise self._timed_out(call)
        if call.error is not None:
            raise call.error
        return call.result

    def submit(self, method, /, *, _timeout=None, **params):
        """Call a method and do not wait.

        It blocks only while the window of the connection is full.

        :returns: ``concurrent.futures.Future`` of the result. It cannot
            be cancelled. A callback of it runs in the thread that receives
            for this address, so it must not wait for another call.
        :raises SpdkError: if it cannot be sent at all.
        """
        from cyborg_spdk.rpc.serving import futures
        sink = futures.Sink()
        call = calls.Call(method, _given(params), calls.seconds(_timeout),
                          sink)
        self._channel.prepare(call)
        self._send(call)
        return sink.future

    def exchange(self, method, params=None, timeout=None):
        """Send a request as it is and return the reply as it is.

        No name is looked up and no error is made of an ``error`` member:
        for tools that show what the target says.

        :param method: name as the target has it.
        :param params: dict or list, or None.
        :param timeout: seconds of wall-clock time; None means 30.
        :returns: the reply (dict).
        :raises SpdkError: if there is none; see :meth:`call`.
        """
        waiter = calls.Waiter()
        call = calls.Call(method, params, calls.seconds(timeout), waiter)
        call.verbatim = True
        self._channel.prepare(call)
        return self._result(call, waiter)

    def call_many(self, requests, *, timeout=None, raise_errors=False):
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
        called = bulk.Many(self._channel, self._address, requests, timeout)
        called.run()
        results = [call.result if call.error is None else call.error
                   for call in called.made]
        if raise_errors:
            for call in called.made:
                if call.error is not None:
                    raise call.error
        return results

    def notify(self, method, /, **params):
        """Send a notification: a call without a reply.

        It returns when the request is written. Whether it was executed is
        not known; a method that fails says so to nobody.

        Releases before v26.05 answer a notification, and leave the last
        bracket out of the answer, which spoils the one behind it. To those
        a call goes out whose reply is dropped.

        :raises ConnectError: nobody could be reached.
        :raises RpcTimeout: it could not be written in time.
        """
        if not self._book().has_batches:
            with contextlib.suppress(exceptions.RpcError):
                self.call(method, **params)
            return
        waiter = calls.Waiter()
        call = calls.Call(method, _given(params), calls.DEFAULT_TIMEOUT,
                          waiter, note=True)
        self._channel.prepare(call)
        self._result(call, waiter)

    def peer(self):
        """Which process listens at the other end of a UNIX socket.

        :returns: ``(pid, uid, gid)``, or None if it is no UNIX socket of
            this machine or there is no connection.
        """
        if self._address.scheme != "unix":
            return None
        return self._channel.peer()

    @property
    def methods(self):
        """The methods that the target serves (frozenset of str).

        Asked for once per connection; empty if the target cannot tell
        (before v17.10).
        """
        return self._book().methods or frozenset()

    @property
    def version(self):
        """The target's :class:`Version`, or None if it cannot be told."""
        return self._book().version

    def has(self, method):
        """Whether the target serves a method, under whatever name.

        :param method: its name in the newest SPDK release, or any other.
        """
        return self._book().has(method)

    def supports(self, method, param):
        """Whether the target's method takes a parameter.

        :param method: the method's name in the newest SPDK release.
        :param param: the parameter's name there.
        """
        return self._book().supports(method, param)

    def _book(self):
        book = self._channel.book
        if book is None or not self._channel.is_open:
            book = bulk.learn(self._channel, calls.DEFAULT_TIMEOUT)
        return book


def _given(params):
    if None in params.values():
        params = {name: value for name, value in params.items()
                  if value is not None}
    return params or None
