# SPDX-License-Identifier: Apache-2.0

"""Many calls at once, encoded and sent portion by portion."""

from __future__ import annotations

import threading
import time

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import readonly
from cyborg_spdk.rpc.serving import call as calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from cyborg_spdk.rpc.serving import channel as channels

#: Calls in one portion.
_PORTION = 1024


class Group:
    """Receiver for many calls whose thread waits for all of them.

    The thread that receives counts, the one that waits sets how many it
    expects. Whichever of the two is second sees what the other did.
    """

    __slots__ = ("_lock", "finished", "_expected")

    def __init__(self) -> None:
        self.finished = 0
        self.renew()

    def renew(self) -> None:
        """After a fork: no thread of this process waits."""
        self._lock = threading.Lock()
        self._lock.acquire()
        self._expected = -1

    def done(self, operation: calls.Operation) -> None:
        """One more call has its result or error."""
        self.finished += 1
        if self.finished == self._expected:
            self._lock.release()

    def wait(self, expected: int, deadline: float) -> bool:
        """Wait until that many are done; false if the deadline came first.
        """
        self._expected = expected
        if self.finished == expected:
            return True
        return self._lock.acquire(
            timeout=max(0, deadline - time.monotonic()))


class Bulk:
    """The calls of one ``call_many()``.

    :param channel: the :class:`~cyborg_spdk.rpc.serving.channel.Channel`.
    :param requests: iterable of
        :class:`~cyborg_spdk.rpc.serving.call.Request`.
    :param timeout: seconds for all of them, or None.
    """

    def __init__(self, channel: channels.Channel,
                 requests: Iterable[calls.Request],
                 timeout: float | None) -> None:
        self._calls: list[calls.Call] = []
        # Of calls that were never sent.
        self._errors: dict[calls.Operation, exceptions.SpdkError] = {}
        self._channel = channel
        self._requests = iter(requests)
        self._end = None if timeout is None else (
            time.monotonic() + calls.seconds(timeout))
        self._group = Group()
        self._queued = 0
        self._last = time.monotonic()
        self._more = True
        self._ready: list[calls.Call] = []
        self._fault: Exception | None = None

    def run(self) -> list[Any]:
        """Make the calls and wait until all have ended.

        :returns: list of results, in the order of the requests; where a
            call failed, its exception.
        """
        self._ready = self._portion()
        if len(self._ready) == _PORTION and self._channel.target is None:
            # So many are worth to know whether there are batches. If that
            # cannot be found out, the calls will find out why.
            try:
                self._channel.learn(max(0, self._last - time.monotonic()))
            except exceptions.SpdkError:
                pass
        if self._channel.serve(self._refill, self._is_done):
            if self._fault is not None:
                raise self._fault
        else:
            while self._ready or self._more:
                self._put(self._next())
            self._group.wait(self._queued, self._last + calls.GRACE)
        return [call.result if call.finished and call.error is None
                else self._failure(call) for call in self._calls]

    def _failure(self, call: calls.Call) -> BaseException:
        return self._errors.get(call) or call.error or self._timed_out(call)

    def _is_done(self) -> bool:
        return not self._more and not self._ready \
            and self._group.finished >= self._queued

    def _refill(self) -> None:
        if (self._ready or self._more) and self._channel.has_room():
            try:
                self._put(self._next())
            except Exception as exc:
                # From the caller's own iterable: what was sent is not to
                # suffer from it.
                self._fault, self._more = exc, False

    def _next(self) -> list[calls.Call]:
        portion, self._ready = self._ready or self._portion(), []
        return portion

    def _portion(self) -> list[calls.Call]:
        """The next calls that can be sent; errors of others are noted."""
        portion: list[calls.Call] = []
        target, now = self._channel.target, time.monotonic()
        for method, params, timeout in self._requests:
            if self._end is not None:
                left = max(0.0, self._end - now)
                timeout = left if timeout is None else min(timeout, left)
            timeout = calls.seconds(timeout)
            call = calls.Call(
                method, params or None, timeout, now + timeout, self._group,
                batchable=readonly.is_quick(method, params))
            self._calls.append(call)
            try:
                call.encode(target)
            except exceptions.SpdkError as exc:
                self._errors[call] = exc
                continue
            portion.append(call)
            if call.deadline > self._last:
                self._last = call.deadline
            if len(portion) == _PORTION:
                return portion
        self._more = False
        return portion

    def _put(self, portion: list[calls.Call]) -> None:
        if not portion:
            return
        self._queued += len(portion)
        late = self._channel.submit(portion)
        for call in late:
            self._errors[call] = self._timed_out(call)
        self._queued -= len(late)

    def _timed_out(self, call: calls.Operation) -> exceptions.RpcTimeout:
        return exceptions.RpcTimeout(self._channel.address, call.method,
                                     call.timeout)
