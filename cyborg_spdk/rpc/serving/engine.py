# SPDX-License-Identifier: Apache-2.0

"""What happens behind the window: for the one thread that leads.

It writes, reads, matches replies, watches deadlines and connects again. A
socket that is full in one direction stops neither the other one nor a
caller, and what becomes of a call whose connection is lost is decided in
one place (:meth:`Engine._lost`).
"""

import os
import time

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import message
from cyborg_spdk.rpc.protocol import readonly
from cyborg_spdk.rpc.serving import call as one_call
from cyborg_spdk.rpc.serving import connection as links
from cyborg_spdk.rpc.serving import discovery
from cyborg_spdk.rpc.serving import window as windows
from cyborg_spdk.rpc.transport import dial
from cyborg_spdk.rpc.transport import polling
from cyborg_spdk.rpc.transport import sockets

#: Requests are joined up to this size into one write.
_WRITE_SIZE = 256 * 1024
#: Silence after which a reply without a line feed is looked at, in seconds.
_SETTLE = 0.02
#: Pause between two attempts to reach a target that went away, in seconds;
#: so there are at most 50 connections in a second that come to nothing.
RETRY = 0.02
#: Whoever calls these expects the connection to be lost.
_ENDING = ("spdk_kill_instance", "kill_instance")


class Engine:
    """Serves the calls of a window over one connection at a time.

    :param address: an :class:`~cyborg_spdk.rpc.address.Address`.
    :param connect_timeout: seconds, for each time that it connects.
    :param window: the :class:`~cyborg_spdk.rpc.serving.window.Window`.
    :param prepare: function that encodes a call for what is known of the
        target.

    :ivar book: what the target has (:class:`methods.Book`), or None while
        nobody asked.
    :ivar refill: called when the queue is empty, to put more into it; or
        None.
    :ivar closing: why to end the connection, or None; set under the
        window's lock.
    :ivar spare: a connected socket to use next, or None; under that lock.
    :ivar link: the connection, or None; changed under that lock.
    :ivar next_attempt: not to connect before this (``time.monotonic()``).
    """

    def __init__(self, address, connect_timeout, window, prepare):
        self.address = address
        self.connect_timeout = connect_timeout
        self.book = self.refill = self.closing = None
        self.spare = self.link = None
        self.identity = None         # of the socket's file
        self._window = window
        self._prepare = prepare
        self._learner = None
        self.parked = []             # calls that wait for the book
        self._patience = 0           # how long to try to connect again
        self.next_attempt = 0
        self._last_reply = None      # when anything came in
        self._ends = False           # somebody has told the target to end
        self._freed = self._freed_bytes = 0

    @property
    def is_busy(self):
        """Whether there is anything to be done, at once or later."""
        link = self.link
        return bool(self._window.queue or self.parked or self.closing
                    or (link is not None
                        and (link.inflight or link.has_output)))

    def step(self):
        """Do what can be done, or wait until something can."""
        if self.refill is not None and not self._window.queue:
            self.refill()
        try:
            if self.closing is not None:
                self.end(self.closing)
            elif self.link is None:
                self._without_link()
            else:
                self._turn(self.link)
        except OSError as exc:
            if self.link is not None:
                self._lost(os.strerror(exc.errno) if exc.errno else str(exc))
        except exceptions.ProtocolError as exc:
            self._lost(exc.reason, exc)
        self._release()

    def _turn(self, link):
        window = self._window
        if not link.has_output and (link.heard or not link.on_trial):
            self._load(link)
        stuck = self._is_stuck(link)
        if stuck and self.book is not None:
            link.nudge()
        ready = link.has_output and not link.blocked
        timeout = 0 if ready else window.fall_asleep(
            not link.has_output and (link.heard or not link.on_trial))
        if self.closing is not None:
            return
        partial = len(link.frames)
        if (partial or stuck) and timeout > _SETTLE:
            timeout = _SETTLE
        woken, readable = link.wait(timeout)
        if not ready:
            window.wake_up(woken)
        if readable:
            self._receive(link)
        elif partial and timeout == _SETTLE and not woken:
            self._dispatch(link, link.frames.settle())
        elif stuck and timeout == _SETTLE and not woken:
            link.nudge()
        if self.link is link and link.has_output and not link.blocked:
            try:
                notes = link.send()
            except OSError:
                # What the peer said before it went is still to be read.
                while self._receive(link):
                    pass
                raise
            for call in notes:
                self._finish(call)
        if time.monotonic() >= window.next_deadline:
            self._expire()

    def _is_stuck(self, link):
        """Whether the target may wait for more before it goes on.

        Before v19.01 it executes one request each time it reads, and the
        others that came with it only when something more comes. Where the
        release is not known yet, some silence is waited for first.
        """
        return link.stuck and not link.has_output and bool(link.inflight) \
            and (self.book is None or self.book.reads_one)

    def _load(self, link):
        queue, batch, size = self._window.queue, [], 0
        while queue and size < _WRITE_SIZE:
            call = queue.popleft()
            if call.finished:
                continue
            if call.book is not None and call.book is not self.book:
                call.data = None
            if call.data is None and not self._translate(call):
                continue
            if call.method in _ENDING:
                self._ends = True
            batch.append(call)
            size += len(call.data)
        if batch:
            link.load(batch, self.book is not None
                      and self.book.has_batches)

    def _translate(self, call):
        if self.book is None:
            self.parked.append(call)
            if self._learner is None:
                self._learn()
            return False
        if call.method is None:
            self._finish(call, self.book)
            return False
        try:
            size = call.size
            self._prepare(call)
            call.size = size
        except exceptions.SpdkError as exc:
            self._finish(call, error=exc)
            return False
        return True

    def _learn(self):
        def send(calls):
            for call in calls:
                call.data = message.encode(call.method, call.params, call.id)
            self._window.queue.extendleft(reversed(calls))

        def learnt(book, error):
            if self._learner is learner:
                self._learner = None
                self._learnt(book, error)

        learner = self._learner = discovery.Learner(send, learnt)
        learner.begin()

    def _learnt(self, book, error):
        parked, self.parked = self.parked, []
        self.book = book
        again = []
        for call in parked:
            if call.finished:
                continue
            if error is not None:
                self._finish(call, error=error)
            elif self._translate(call):
                if call.refused is not None and call.name == call.method:
                    call.refused.detail = book.explain(call.method)
                    self._finish(call, error=call.refused)
                else:
                    again.append(call)
        self._window.queue.extendleft(reversed(again))

    def _receive(self, link):
        pieces = link.receive()
        if pieces is None:
            self._lost("the target closed it")
            return False
        self._dispatch(link, pieces)
        if pieces == ():
            return False
        link.heard = True
        link.stuck = link.stuck or bool(pieces)
        self._last_reply = time.monotonic()
        return True

    def _dispatch(self, link, pieces):
        inflight = link.inflight
        for piece, cut in pieces:
            if cut:
                self._cut(link, piece)
                continue
            head = bytes(piece[:200])
            try:
                for reply in message.decode(piece):
                    if isinstance(reply, list):
                        for one in reply:
                            self._reply(link, inflight, one)
                    else:
                        self._reply(link, inflight, reply)
            except ValueError:
                raise exceptions.ProtocolError(
                    self.address, "what it sends is not JSON",
                    head) from None

    def _reply(self, link, inflight, reply):
        try:
            call = inflight.pop(reply["id"])
        except (KeyError, TypeError):
            call = self._stray(link, reply)
            if call is None:
                return
        error = reply.get("error")
        if call.verbatim and (error is not None or "result" in reply):
            self._finish(call, reply)
            return
        if error is None:
            if "result" not in reply:
                inflight[call.id] = call
                raise exceptions.ProtocolError(
                    self.address, "a reply has neither result nor error",
                    repr(reply).encode())
            self._finish(call, reply["result"])
            return
        error = message.error_of(error, call.method, call.params)
        if error.code == -32601 and not call.internal:
            self._unknown_method(call, error)
        else:
            self._finish(call, error=error)

    def _stray(self, link, reply):
        if not isinstance(reply, dict) or not (
                "result" in reply or "error" in reply):
            raise exceptions.ProtocolError(
                self.address, "not a JSON-RPC reply", repr(reply).encode())
        call_id = reply.get("id")
        if call_id is None:
            # Up to v26.01 a notification gets a reply. Without any, it
            # is a request that the target could not make out.
            if "error" in reply and not link.notes \
                    and len(link.inflight) == 1:
                return link.inflight.popitem()[1]
            return None
        if isinstance(call_id, int) and 0 < call_id <= link.highest_id:
            return None             # too late: nobody waits for it
        raise exceptions.ProtocolError(
            self.address, "a reply to a call that was never made",
            repr(reply).encode())

    def _cut(self, link, piece):
        call = link.inflight.pop(message.id_of_cut(piece[:100]), None)
        if call is not None:
            self._finish(call, error=exceptions.ReplyTooLarge(
                call.method, len(piece)))

    def _unknown_method(self, call, error):
        call.refused = error
        if self.book is None:
            call.data = None
            self.parked.append(call)
            if self._learner is None:
                self._learn()
            return
        name = self.book.next_name(call)
        if name is None:
            error.detail = self.book.explain(call.method)
            self._finish(call, error=error)
            return
        call.name = name
        call.data = message.encode(name, call.params, call.id)
        self._window.queue.appendleft(call)

    def _finish(self, call, result=None, error=None):
        if call.finished:
            return
        call.finished = True
        call.result = result
        call.error = error
        if not call.internal:
            self._freed += 1
            self._freed_bytes += call.size
        call.sink.done(call)

    def _release(self):
        if self._freed:
            self._window.release(self._freed, self._freed_bytes)
            self._freed = self._freed_bytes = 0

    def _expire(self):
        now = time.monotonic()
        link = self.link
        inflight = link.inflight if link else {}
        nearest = windows.FOREVER
        for call in [*self._window.waiting(), *inflight.values(),
                     *self.parked]:
            if call.finished:
                continue
            if call.deadline > now:
                nearest = min(nearest, call.deadline)
                continue
            hint = "it was not sent"
            if inflight.pop(call.id, None) is not None:
                hint = "it may still be executed"
                if not link.heard:
                    hint += ("; nothing ever came over this connection: the "
                             "target hangs, or serves 64 connections already")
            self._finish(call, error=exceptions.RpcTimeout(
                self.address, call.method, call.timeout, hint))
        with self._window.lock:
            queue = self._window.queue
            self._window.next_deadline = min(
                [nearest, *(call.deadline for call in queue
                            if not call.finished)])

    def _lost(self, reason, error=None):
        """Decide what becomes of each call when the connection is lost.

        Not written to the last byte: the target cannot have executed it,
        so it is sent again. Written and read-only: sent again, once.
        Written and not: only its caller can find out.
        """
        link, self.link = self.link, None
        self._learner = self.book = None
        again = self.parked
        self.parked = []
        unwritten = link.unwritten()
        self._set_patience(link)
        if not link.heard or error is not None:
            self.next_attempt = time.monotonic() + RETRY
        for call in link.inflight.values():
            if call.finished or call.internal:
                continue
            if error is not None:
                self._finish(call, error=error)
            elif not readonly.is_read_only(call.method, call.params):
                self._finish(call, error=exceptions.OutcomeUnknown(
                    self.address, call.method, reason))
            else:
                again.append(call)
        again += unwritten
        link.close()
        kept = []
        for call in again:
            call.lost += 1
            if call.internal or call.finished:
                continue
            if call.lost > 1:
                self._finish(call, error=exceptions.ConnectionLost(
                    self.address, call.method, reason))
            else:
                kept.append(call)
        self._window.queue.extendleft(reversed(kept))

    def _set_patience(self, link):
        """Decide how long to wait for a target whose connection was lost.

        One that is restarted under load needs a moment: something was on
        its way, or its last reply is younger than the time that connecting
        may take. One that was quiet for longer, or was told to end, is
        found gone at once. A connection over which nothing came is as good
        as refused, and changes nothing.
        """
        now = time.monotonic()
        if self._ends:
            self._patience, self._last_reply = 0, None
        elif not link.heard:
            if not link.on_trial and link.inflight:
                self._patience = now + self.connect_timeout
        elif now - self._last_reply < self.connect_timeout or any(
                not call.internal for call in link.inflight.values()):
            self._patience = now + self.connect_timeout
        else:
            self._patience = 0
        self._ends = False

    def _without_link(self):
        window = self._window
        suspect = False
        link = self._adopt(None)
        if link is None:
            if not window.queue:
                return
            early = self.next_attempt - time.monotonic()
            if early > 0:
                self._pause(early)
                self._expire()
                return
            nearest = window.next_deadline - time.monotonic()
            try:
                sock = dial.connect(self.address, max(
                    RETRY, min(self.connect_timeout, nearest)))
            except exceptions.ConnectError as exc:
                if time.monotonic() < self._patience:
                    self.next_attempt = time.monotonic() + RETRY
                    return
                while window.queue:
                    self._finish(window.queue.popleft(), error=exc)
                return
            before, self.identity = self.identity, sockets.identity(
                self.address)
            suspect = before == self.identity \
                and time.monotonic() < self._patience
            link = self._adopt(sock)
        if suspect:
            # It may be the target that is about to end. Calls are trusted
            # to it only when it has answered one that changes nothing.
            link.on_trial = True
            probe = one_call.Call("spdk_get_version", None,
                                  self.connect_timeout, one_call.Nobody())
            probe.internal = True
            probe.data = message.encode(probe.method, None, probe.id)
            link.load([probe], False)
        self._expire()

    def _adopt(self, sock):
        """Make the spare socket the connection, or else this one.

        In one step: a thread that opens in the meantime would connect once
        more if it saw neither a spare socket nor a connection.
        """
        with self._window.lock:
            spare, self.spare = self.spare, None
            if spare is not None:
                sock, spare = spare, sock
            if sock is not None:
                self.link = links.Link(sock, self._window.fd)
        if spare is not None:
            spare.close()
        return self.link

    def _pause(self, timeout):
        if self.closing is not None or self.spare is not None:
            return
        window = self._window
        timeout = min(timeout, window.fall_asleep(False))
        poll = polling.poller()
        poll.register(window.fd, polling.IN)
        window.wake_up(bool(poll.poll(timeout * 1000)))

    def end(self, reason):
        window = self._window
        with window.lock:
            link, self.link = self.link, None
            spare, self.spare = self.spare, None
            self.closing = None
            queued = list(window.queue)
            window.queue.clear()
        if spare is not None:
            spare.close()
        calls = queued + self.parked
        self.parked = []
        self._learner = self.book = None
        written = []
        if link is not None:
            calls += link.unwritten()
            written = list(link.inflight.values())
            link.close()
        for call in calls:
            self._finish(call, error=exceptions.ConnectionLost(
                self.address, call.method, reason))
        for call in written:
            error = exceptions.OutcomeUnknown
            if readonly.is_read_only(call.method, call.params):
                error = exceptions.ConnectionLost
            self._finish(call, error=error(
                self.address, call.method, reason))
        self._release()
