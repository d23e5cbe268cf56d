# SPDX-License-Identifier: Apache-2.0

"""Many calls at once, encoded and sent portion by portion."""

import contextlib
import time

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import readonly
from cyborg_spdk.rpc.serving import call as calls

#: Calls in one portion.
_PORTION = 1024


class Many:
    """The calls of one ``call_many()``.

    :param channel: the :class:`~cyborg_spdk.rpc.serving.channel.Channel`.
    :param address: for errors.
    :param requests: iterable of
        :class:`~cyborg_spdk.rpc.serving.call.Request`.
    :param timeout: seconds for all of them, or None.

    :ivar made: the calls, in the order of the requests (list); each has
        its result or its error after :meth:`run`.
    """

    def __init__(self, channel, address, requests, timeout):
        self.made = []
        self._channel = channel
        self._address = address
        self._requests = iter(requests)
        self._end = None if timeout is None else (
            time.monotonic() + calls.seconds(timeout))
        self._group = calls.Group()
        self._queued = 0
        self._last = time.monotonic()
        self._more = True
        self._ready = []
        self._error = None

    def run(self):
        """Make the calls and wait until all have ended."""
        self._ready = self._portion()
        if len(self._ready) == _PORTION and self._channel.book is None:
            # So many are worth to know whether there are batches. If that
            # cannot be found out, the calls will find out why.
            with contextlib.suppress(exceptions.SpdkError):
                learn(self._channel, max(0, self._last - time.monotonic()))
        if self._channel.serve(self._refill, self._is_done):
            if self._error is not None:
                raise self._error
            return
        while self._ready or self._more:
            self._put(self._next())
        if not self._group.wait(self._queued, self._last + calls.GRACE):
            for call in self.made:
                if not call.finished and call.error is None:
                    call.error = self._timed_out(call)

    def _is_done(self):
        return not self._more and not self._ready \
            and self._group.finished >= self._queued

    def _refill(self):
        if (self._ready or self._more) and self._channel.has_room():
            try:
                self._put(self._next())
            except Exception as exc:
                # From the caller's own iterable: what was sent is not to
                # suffer from it.
                self._error, self._more = exc, False

    def _next(self):
        portion, self._ready = self._ready or self._portion(), []
        return portion

    def _portion(self):
        """The next calls that can be sent; errors of others are noted."""
        portion = []
        for request in self._requests:
            call = self._make(request)
            self.made.append(call)
            if call.error is None:
                portion.append(call)
                if call.deadline > self._last:
                    self._last = call.deadline
                if len(portion) == _PORTION:
                    return portion
        self._more = False
        return portion

    def _make(self, request):
        method, params, timeout = request
        if self._end is not None:
            left = max(0.0, self._end - time.monotonic())
            timeout = left if timeout is None else min(timeout, left)
        call = calls.Call(method, params or None, calls.seconds(timeout),
                          self._group)
        try:
            self._channel.prepare(call)
            call.batchable = readonly.is_quick(method, call.params)
        except exceptions.SpdkError as exc:
            call.error = exc
        return call

    def _put(self, portion):
        if not portion:
            return
        self._queued += len(portion)
        late = self._channel.submit(portion)
        for call in late:
            call.error = self._timed_out(call)
        self._queued -= len(late)

    def _timed_out(self, call):
        return exceptions.RpcTimeout(self._address, call.method,
                                     call.timeout)


def learn(channel, timeout):
    """Find out what the target has, if it is not known; blocks.

    :param channel: the :class:`~cyborg_spdk.rpc.serving.channel.Channel`.
    :param timeout: seconds of wall-clock time.
    :returns: :class:`~cyborg_spdk.rpc.protocol.catalogue.Book`.
    :raises SpdkError: if it cannot be found out.
    """
    waiter = calls.Waiter()
    call = calls.Call(None, None, timeout, waiter)
    if not channel.submit_and_wait(call, waiter,
                                   call.deadline + calls.GRACE):
        raise exceptions.RpcTimeout(channel.address, "rpc_get_methods",
                                    timeout)
    if call.error is not None:
        raise call.error
    return call.result
