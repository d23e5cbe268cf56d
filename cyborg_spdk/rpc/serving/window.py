# SPDX-License-Identifier: Apache-2.0

"""The queue between callers and the thread that serves an address.

It is bounded: who puts a call into a full window waits for room, up to the
call's deadline. A call takes its place until it has a result or an error,
so the bound holds for what is queued and what is unanswered together.
"""

from __future__ import annotations

import collections
import os
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cyborg_spdk.rpc.serving import call as calls

#: Calls and bytes of requests that may be queued or unanswered at a time.
MAX_CALLS = 8192
MAX_BYTES = 4 * 1024 * 1024
#: Callers that wait are let in again below this, many at a time.
_LOW_CALLS = MAX_CALLS * 3 // 4
_LOW_BYTES = MAX_BYTES * 3 // 4
FOREVER = float("inf")
_MOMENT = 0.05


class Window:
    """Calls on their way to the thread, and the means to wake it.

    :ivar queue: deque of calls; the thread takes from its left.
    :ivar fd: readable when the thread shall look (an eventfd).
    :ivar leader: identity of the thread that serves the calls, or None;
        changed under the lock.
    :ivar next_deadline: no call ends before this (``time.monotonic()``).
    """

    def __init__(self) -> None:
        self.queue: collections.deque[calls.Operation] = collections.deque()
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.next_deadline = FOREVER
        self.lock = threading.Lock()
        self._room = threading.Condition(self.lock)
        self._changed = threading.Condition(self.lock)
        self.leader: int | None = None
        self._waiting = 0
        self._calls = self._bytes = 0
        self._awake = True

    def put(self, operations: Iterable[calls.Operation], lead: bool = False
            ) -> tuple[list[calls.Operation], bool]:
        """Queue calls; waits for room if there is none.

        The thread that leads does not wait, since only it can make room:
        a callback of a future may put a call.

        :param operations: operations that have their size.
        :param lead: take the lead if nobody has it.
        :returns: ``(late, leads)``: the calls whose deadline came before
            there was room (they are not queued), and whether the lead was
            taken.
        """
        late: list[calls.Operation] = []
        me = threading.get_ident()
        with self.lock:
            for operation in operations:
                if (self._calls >= MAX_CALLS or self._bytes >= MAX_BYTES) \
                        and self.leader != me \
                        and not self._wait_for_room(operation.deadline):
                    late.append(operation)
                    continue
                self.queue.append(operation)
                self._calls += 1
                self._bytes += operation.size
                if operation.deadline < self.next_deadline:
                    self.next_deadline = operation.deadline
            if self.leader is not None:
                self._wake()
            elif lead and not late:
                self.leader = me
                return late, True
        return late, False

    def has_room(self) -> bool:
        """Whether a call would not have to wait."""
        return self._calls < MAX_CALLS and self._bytes < MAX_BYTES

    def take_lead(self) -> bool:
        """Lead, if nobody does.

        :returns: whether this thread leads from now on.
        """
        with self.lock:
            if self.leader is not None:
                return False
            self.leader = threading.get_ident()
            return True

    def resign(self) -> None:
        """Lead no longer."""
        with self.lock:
            self.leader = None
            self._changed.notify_all()

    def is_mine(self) -> bool:
        """Whether this thread leads."""
        return self.leader == threading.get_ident()

    def wait_for_leader(self) -> None:
        """Wait until nobody leads, for a moment."""
        with self.lock:
            if self.leader is not None:
                self._changed.wait(_MOMENT)

    def _wait_for_room(self, deadline: float) -> bool:
        self._wake()
        self._waiting += 1
        try:
            while self._calls >= MAX_CALLS or self._bytes >= MAX_BYTES:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._room.wait(left)
            return True
        finally:
            self._waiting -= 1

    def release(self, count: int, size: int) -> None:
        """Give room back.

        :param count: how many operations have ended.
        :param size: the bytes that they took.
        """
        with self.lock:
            self._calls -= count
            self._bytes -= size
            if self._waiting and self._calls <= _LOW_CALLS \
                    and self._bytes <= _LOW_BYTES:
                self._room.notify_all()

    def wake(self) -> None:
        """Make the thread look at its state."""
        with self.lock:
            self._wake()

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            os.eventfd_write(self.fd, 1)

    def fall_asleep(self, may_take: bool) -> float:
        """The thread is about to wait; ask for how long it may.

        :param may_take: whether it would take from the queue.
        :returns: seconds until the next deadline (may be infinite), or 0
            if there is something to do.
        """
        with self.lock:
            if may_take and self.queue:
                return 0
            self._awake = False
            if self.next_deadline == FOREVER:
                return FOREVER
            return max(0, self.next_deadline - time.monotonic())

    def wake_up(self, woken: bool) -> None:
        """The thread is awake again.

        :param woken: whether :attr:`fd` was readable.
        """
        with self.lock:
            self._awake = True
            if woken:
                os.eventfd_read(self.fd)

    def waiting(self) -> list[calls.Operation]:
        """The operations in the queue, as they are now."""
        with self.lock:
            return list(self.queue)

    def set_deadline(self, nearest: float) -> None:
        """Note the next deadline.

        :param nearest: of what is not in the queue.
        """
        with self.lock:
            self.next_deadline = min(
                [nearest, *(operation.deadline for operation in self.queue
                            if not operation.finished)])

    def close(self) -> None:
        """Free the descriptor."""
        os.close(self.fd)
