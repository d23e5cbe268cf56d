# SPDX-License-Identifier: Apache-2.0

"""What becomes of each call; neither sockets nor a clock.

An exchange is told what happens to a connection, and when; it says what to
write, and ends each operation once: with a result, or an error that is true.
Whoever drives it moves the bytes (:mod:`~cyborg_spdk.rpc.serving.engine`).
"""

from __future__ import annotations

import operator

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import framing
from cyborg_spdk.rpc.protocol import message
from cyborg_spdk.rpc.protocol import readonly
from cyborg_spdk.rpc.serving import call as calls
from cyborg_spdk.rpc.serving import discovery
from cyborg_spdk.rpc.serving import outcome
from cyborg_spdk.rpc.serving import retry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence
    from collections import deque
    from typing import Any

    from cyborg_spdk.rpc import address as addresses

FOREVER = float("inf")
#: Requests are joined up to this size into one write.
_WRITE_SIZE = 256 * 1024
#: From so many calls on, batches pay. In batches a real v26.05 answers twice
#: as many calls in a second as one by one: it sends each reply by itself, and
#: a UNIX socket holds about 200 of them until its next poll. A few calls are
#: answered in one poll anyway.
_MANY = 64
#: Whoever calls these expects the connection to be lost.
_ENDING = frozenset({"spdk_kill_instance", "kill_instance"})
_data = operator.attrgetter("data")


class Exchange:
    """The operations of one address, over one connection at a time.

    :param address: for errors.
    :param connect_timeout: seconds that connecting may take.
    :param queue: operations that nobody has looked at yet; taken from its
        left. Other threads may append to it.

    :ivar retry: when to connect again (:class:`retry.Retry`).
    :ivar discovery: what the target has, and who waits for that.
    :ivar inflight: calls that are with the target, by id; also those that
        are not written yet.
    :ivar connected: whether there is a connection.
    :ivar trusted: whether it may carry calls. One that may lead to a target
        that is about to end carries only the question whether that lives,
        until it has answered.
    :ivar answered: whether anything came over it that made sense.
    :ivar held: bytes of a reply that is not whole.
    :ivar output: the bytes to write next; may be none.
    :ivar unseen: whether something came in since the last nudge, and there
        are calls that the target may not have looked at.
    :ivar ended: operations that have ended since the driver looked.
    :ivar ended_size: bytes of the window that they took.
    """

    def __init__(self, address: addresses.Address | str,
                 connect_timeout: float,
                 queue: deque[calls.Operation]) -> None:
        self.address = address
        self.queue = queue
        self.retry = retry.Retry(connect_timeout)
        self.discovery = discovery.Discovery(queue, self._finish)
        self.inflight: dict[int | None, calls.Call] = {}
        self.connected = self.trusted = self.answered = False
        self.held = 0
        self.unseen = False
        self.output = memoryview(b"")
        self.ended = self.ended_size = 0
        self._connect_timeout = connect_timeout
        self._outcome = outcome.Outcome(address)
        self._frames = framing.Frames()
        self._highest_id = 0
        self._notifications = False
        # What the output began as: texts, and which calls are in each.
        self._texts: list[bytes] = []
        self._members: Sequence[Sequence[calls.Call] | calls.Call] = ()

    # A connection, from its beginning to its end.

    def begin(self, now: float, trusted: bool = True) -> None:
        """There is a connection.

        :param now: ``time.monotonic()``.
        :param trusted: false if it may be to a target that is about to end.
        """
        self.connected, self.trusted = True, trusted
        self.answered = self.unseen = self._notifications = False
        self._frames = framing.Frames()
        self.held = self._highest_id = 0
        if not trusted:
            probe = calls.Call(
                "spdk_get_version", None, self._connect_timeout,
                now + self._connect_timeout, calls.Nobody(), internal=True)
            probe.encode(None)
            self._load([probe])

    def load(self, now: float) -> None:
        """Take from the queue what is to be written next.

        Only while there is nothing to write and the connection is trusted.

        :param now: ``time.monotonic()``.
        """
        queue, target, size = self.queue, self.discovery.target, 0
        members: list[calls.Call] = []
        while queue and size < _WRITE_SIZE:
            call: Any = queue.popleft()
            if call.finished:
                continue
            if (call.data is None or call.basis is not None
                    and call.basis is not target) \
                    and not self.discovery.is_encoded(call, now):
                continue
            if call.method in _ENDING:
                self.retry.ending = True
            members.append(call)
            size += len(call.data)
        if members:
            self._load(members)

    def _load(self, members: list[calls.Call]) -> None:
        for call in members:
            if call.id is None:
                self._notifications = True
            else:
                self.inflight[call.id] = call
                if call.id > self._highest_id:
                    self._highest_id = call.id
        target = self.discovery.target
        if len(members) >= _MANY and target is not None \
                and target.has_batches:
            # Costs time to import, and a command makes one call.
            from cyborg_spdk.rpc.serving import batches
            self._texts, self._members = batches.join(members)
        else:
            self._texts = list(map(_data, members))
            self._members = members
        self.output = memoryview(b"".join(self._texts))

    def wrote(self, count: int) -> None:
        """So many bytes of the output were written."""
        self.output = self.output[count:]
        if self._notifications and not self.output:
            for call in self._members:
                if isinstance(call, calls.Call) and call.id is None:
                    self._finish(call)

    def may_be_unseen(self) -> bool:
        """Whether the target may wait for more before it goes on.

        Before v19.01 it executes one request each time it reads, and the
        others that came with it only when something more comes. Where the
        release is not known yet, some silence is waited for first.
        """
        target = self.discovery.target
        return self.unseen and not self.output and bool(self.inflight) \
            and (target is None or target.reads_one)

    def nudge(self) -> None:
        """Write a line feed, which means nothing by itself."""
        self._texts, self._members = [], ()
        self.output = memoryview(b"\n")
        self.unseen = False

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes that came.

        :param data: the bytes.
        :param now: ``time.monotonic()``.
        :raises ProtocolError: if they make no sense: the connection is of
            no use, and is to be closed and given up (:meth:`lose`).
        """
        try:
            pieces = self._frames.feed(data)
        except framing.TooLong as exc:
            raise exceptions.ProtocolError(self.address, str(exc),
                                           exc.data) from None
        self.held = len(self._frames)
        self._take(pieces, now)
        self.answered = self.trusted = True
        self.retry.last_reply = now
        if pieces:
            self.unseen = bool(self.inflight)

    def pause(self, now: float) -> None:
        """Nothing came for a while, and something is to be expected.

        :param now: ``time.monotonic()``.
        :raises ProtocolError: as :meth:`receive`.
        """
        if self.held:
            pieces = self._frames.settle()
            self.held = len(self._frames)
            self._take(pieces, now)
        elif self.may_be_unseen():
            self.nudge()

    def lose(self, reason: str, now: float,
             error: exceptions.ProtocolError | None = None) -> None:
        """Decide what becomes of each call when the connection is lost.

        Not written to the last byte: the target cannot have executed it,
        so it is sent again. Written and read-only: sent again, once, unless
        the peer does not speak JSON-RPC. Written and not: only its caller
        can find out.

        :param reason: for errors.
        :param now: ``time.monotonic()``.
        :param error: what was wrong with what the peer said, or None.
        """
        trusted, again = self.trusted, self.discovery.forget()
        while self.queue and self.queue[0].internal:
            self.queue.popleft()
        unwritten = self._give_up()
        written = [call for call in self.inflight.values()
                   if not call.internal]
        self.inflight = {}
        self.retry.lost(now, answered=self.answered and error is None,
                        trusted=trusted, in_flight=bool(written))
        for call in written:
            if error is None and readonly.is_read_only(call.method,
                                                       call.params):
                again.append(call)
            else:
                self._finish(call, error=self._outcome.of_written(
                    call, reason, error))
        self._requeue([*again, *unwritten], reason)

    def _requeue(self, operations: Iterable[calls.Operation],
                 reason: str) -> None:
        kept = []
        for operation in operations:
            operation.lost += 1
            if operation.internal or operation.finished:
                continue
            if operation.lost > 1:
                self._finish(operation, error=self._outcome.of_unwritten(
                    operation, reason))
            else:
                kept.append(operation)
        self.queue.extendleft(reversed(kept))

    def refuse(self, error: exceptions.ConnectError, now: float) -> None:
        """Nobody could be reached: all fail, or wait for the next attempt.

        :param error: why.
        :param now: ``time.monotonic()``.
        """
        if not self.retry.refused(now):
            while self.queue:
                self._finish(self.queue.popleft(), error=error)

    def expire(self, now: float,
               queued: Iterable[calls.Operation]) -> float:
        """End what is late.

        :param now: ``time.monotonic()``.
        :param queued: what is in the queue.
        :returns: the next deadline (may be infinite).
        """
        nearest = FOREVER
        for operation in [*queued, *self.discovery.waiting]:
            if operation.deadline <= now:
                self._finish(operation,
                             error=self._outcome.of_late(operation))
            elif not operation.finished:
                nearest = min(nearest, operation.deadline)
        for call in list(self.inflight.values()):
            if call.deadline <= now:
                del self.inflight[call.id]
                self._finish(call, error=self._outcome.of_unanswered(
                    call, self.answered))
            else:
                nearest = min(nearest, call.deadline)
        return nearest

    def end(self, reason: str) -> None:
        """The connection is closed by this process: everything ends.

        :param reason: for errors.
        """
        rest = [*self.discovery.forget(), *self._give_up()]
        # Other threads may append to it meanwhile.
        while self.queue:
            rest.append(self.queue.popleft())
        written, self.inflight = self.inflight, {}
        for operation in rest:
            self._finish(operation, error=self._outcome.of_unwritten(
                operation, reason))
        for call in written.values():
            self._finish(call, error=self._outcome.of_written(call, reason))
        self.retry.until, self.retry.ending = 0.0, False

    def operations(self) -> list[calls.Operation]:
        """Everything that has not ended."""
        return [*self.queue, *self.discovery.waiting,
                *self.inflight.values()]

    def _give_up(self) -> list[calls.Call]:
        """Forget the connection.

        :returns: calls that were taken and not written to their last byte;
            they are no longer in flight.
        """
        unwritten: list[calls.Call] = []
        end = len(self.output) - sum(map(len, self._texts))
        for text, members in zip(self._texts, self._members, strict=True):
            end += len(text)
            if end > 0:
                unwritten += [members] if isinstance(members, calls.Call) \
                    else members
        self._texts, self._members, self.output = [], (), memoryview(b"")
        self.connected = self.trusted = False
        self.held = 0
        for call in unwritten:
            self.inflight.pop(call.id, None)
        return [call for call in unwritten if not call.finished]

    # Replies.

    def _take(self, pieces: list[framing.Piece], now: float) -> None:
        for data, cut in pieces:
            if cut:
                self._cut(data)
                continue
            head = bytes(data[:200])
            try:
                for value in message.decode(data):
                    if isinstance(value, list):
                        for reply in value:
                            self._reply(reply, head, now)
                    else:
                        self._reply(value, head, now)
            except message.NotJson as exc:
                raise exceptions.ProtocolError(self.address, str(exc),
                                               head) from None

    def _reply(self, reply: Any, head: bytes, now: float) -> None:
        try:
            call = self.inflight.pop(reply["id"])
        except (KeyError, TypeError):
            unmatched = self._unmatched(reply, head)
            if unmatched is None:
                return
            call = unmatched
        error = reply.get("error")
        if error is None and "result" not in reply:
            self.inflight[call.id] = call
            raise exceptions.ProtocolError(
                self.address, "a reply has neither result nor error", head)
        if call.verbatim:
            self._finish(call, reply)
        elif error is None:
            self._finish(call, reply["result"])
        else:
            self._refused(call, error, now)

    def _refused(self, call: calls.Call, sent: Any, now: float) -> None:
        error = message.error_of(sent, call.method, call.params)
        if error.code == -32601 and not call.internal:
            self.discovery.refused(call, error, now)
        else:
            self._finish(call, error=error)

    def _unmatched(self, reply: Any, head: bytes) -> calls.Call | None:
        if not isinstance(reply, dict) or not (
                "result" in reply or "error" in reply):
            raise exceptions.ProtocolError(
                self.address, "not a JSON-RPC reply", head)
        call_id = reply.get("id")
        if call_id is None:
            # Up to v26.01 a notification gets a reply. Without any, it
            # is a request that the target could not make out.
            if "error" in reply and not self._notifications \
                    and len(self.inflight) == 1:
                return self.inflight.popitem()[1]
            return None
        if isinstance(call_id, int) and 0 < call_id <= self._highest_id:
            return None             # too late: nobody waits for it
        raise exceptions.ProtocolError(
            self.address, "a reply to a call that was never made", head)

    def _cut(self, data: bytes | bytearray) -> None:
        call = self.inflight.pop(message.id_of_cut(data[:100]), None)
        if call is not None:
            self._finish(call, error=exceptions.ReplyTooLarge(
                call.method, len(data)))

    def _finish(self, operation: calls.Operation, result: Any = None,
                error: BaseException | None = None) -> None:
        if operation.finished:
            return
        operation.finished = True
        operation.result = result
        operation.error = error
        if not operation.internal:
            self.ended += 1
            self.ended_size += operation.size
        operation.receiver.done(operation)
