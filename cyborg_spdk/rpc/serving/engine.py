# SPDX-License-Identifier: Apache-2.0

"""Moves bytes and time between a socket and an exchange.

For the one thread that leads: it connects, writes, reads, and waits until
one of these can be done or a deadline comes. A socket that is full in one
direction stops neither the other one nor a caller. What becomes of the
calls is not decided here (:mod:`~cyborg_spdk.rpc.serving.exchange`).
"""

from __future__ import annotations

import array
import os
import socket
import time

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.serving import exchange as exchanges
from cyborg_spdk.rpc.transport import dial
from cyborg_spdk.rpc.transport import polling
from cyborg_spdk.rpc.transport import sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cyborg_spdk.rpc import address as addresses
    from cyborg_spdk.rpc.serving import window as windows

#: Silence after which a reply without a line feed is looked at, in seconds.
_SETTLE = 0.02
#: No attempt to connect is given less than this, in seconds.
_SHORTEST = 0.02
_READ_SIZE = 256 * 1024
# A target goes on with a large reply only as long as the socket takes it, and
# then waits for its next poll, 4 ms later. So while more than this of a reply
# is there, nothing is done between two reads, and each waits for so long
# (seconds, microseconds): until the reply ends, or so much is there, or so
# little comes that there is no hurry.
_LARGE = 128 * 1024
_LARGE_READ = 1024 * 1024
_LARGE_TIME = array.array("l", (0, 8000)).tobytes()
_LITTLE = 4 * 1024


class Engine:
    """Serves the operations of a window over one connection at a time.

    :param address: an :class:`~cyborg_spdk.rpc.address.Address`.
    :param connect_timeout: seconds, for each time that it connects.
    :param window: the :class:`~cyborg_spdk.rpc.serving.window.Window`.

    :ivar exchange: what becomes of the calls.
    :ivar refill: called when the queue is empty, to put more into it; or
        None.
    :ivar closing: why to end the connection, or None; set under the
        window's lock.
    :ivar spare: a connected socket to use next, or None; under that lock.
    :ivar sock: the connection, or None; changed under that lock.
    :ivar identity: of the file that the socket was reached by, or None.
    """

    def __init__(self, address: addresses.Address, connect_timeout: float,
                 window: windows.Window) -> None:
        self.address = address
        self.connect_timeout = connect_timeout
        self.exchange = exchanges.Exchange(address, connect_timeout,
                                           window.queue)
        self.refill: Callable[[], None] | None = None
        self.closing: str | None = None
        self.spare: socket.socket | None = None
        self.sock: socket.socket | None = None
        self.identity: tuple[int, int] | None = None
        self._window = window
        self._blocked = False        # the socket takes no more at present
        self._poll = polling.poller()
        self._polls_for_output = False

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to be done, at once or later."""
        exchange = self.exchange
        return bool(self._window.queue or exchange.inflight
                    or exchange.output or exchange.discovery.waiting
                    or self.closing)

    def step(self) -> None:
        """Do what can be done, or wait until something can."""
        if self.refill is not None and not self._window.queue:
            self.refill()
        try:
            if self.closing is not None:
                self.end(self.closing)
            elif self.sock is None:
                self._without_connection()
            else:
                self._turn(self.sock)
        except OSError as exc:
            if self.sock is not None:
                self._lose(os.strerror(exc.errno) if exc.errno else str(exc))
        except exceptions.ProtocolError as exc:
            self._lose(exc.reason, exc)
        if self.exchange.ended:
            self._release()

    def _release(self) -> None:
        exchange = self.exchange
        self._window.release(exchange.ended, exchange.ended_size)
        exchange.ended = exchange.ended_size = 0

    def _turn(self, sock: socket.socket) -> None:
        exchange, window = self.exchange, self._window
        now = time.monotonic()
        if window.queue and not exchange.output and exchange.trusted:
            exchange.load(now)
        unseen = exchange.unseen and exchange.may_be_unseen()
        if unseen and exchange.discovery.target is not None:
            exchange.nudge()
        ready = bool(exchange.output) and not self._blocked
        timeout = 0.0 if ready else window.fall_asleep(
            not exchange.output and exchange.trusted)
        if self.closing is not None:
            return
        settle = (exchange.held or unseen) and timeout > _SETTLE
        woken, readable = self._wait(sock, _SETTLE if settle else timeout)
        if not ready:
            window.wake_up(woken)
        if readable:
            self._receive(sock)
        elif settle and not woken:
            exchange.pause(time.monotonic())
        if exchange.output and not self._blocked \
                and self.sock is not None:
            self._send(sock)
        if time.monotonic() >= window.next_deadline:
            self._expire()

    def _wait(self, sock: socket.socket, timeout: float) -> tuple[bool, bool]:
        """Wait until something can be done.

        :param timeout: seconds; may be infinite.
        :returns: ``(woken, readable)``.
        """
        if self._blocked != self._polls_for_output:
            self._polls_for_output = self._blocked
            self._poll.modify(sock, polling.IN | (
                polling.OUT if self._blocked else 0))
        woken = readable = False
        for fd, event in self._poll.poll(
                None if timeout == exchanges.FOREVER else timeout * 1000):
            if fd == self._window.fd:
                woken = True
                continue
            readable = bool(event & ~polling.OUT)
            if event & polling.OUT:
                self._blocked = False
        return woken, readable

    def _send(self, sock: socket.socket) -> None:
        exchange = self.exchange
        try:
            exchange.wrote(sock.send(exchange.output, socket.MSG_DONTWAIT))
        except BlockingIOError:
            self._blocked = True
        except OSError:
            # What the peer said before it went is still to be read.
            while self._receive(sock):
                pass
            raise
        else:
            self._blocked = bool(exchange.output)

    def _receive(self, sock: socket.socket) -> bool:
        """Read what is there; false if nothing is."""
        try:
            data = sock.recv(_READ_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        if not data:
            self._lose("the target closed it")
            return False
        if self.exchange.held >= _LARGE and not _is_green(sock):
            data = self._drain(sock, data)
        self.exchange.receive(data, time.monotonic())
        return True

    @staticmethod
    def _drain(sock: socket.socket, data: bytes) -> bytes:
        """Read on, as fast as it comes.

        :param data: what came just now.
        :returns: that and what came after it. The end of the stream, or an
            error, shows again with the next read.
        """
        parts, size = [data], len(data)
        while size < _LARGE_READ and len(data) >= _LITTLE \
                and not data.endswith(b"\n"):
            try:
                data = sock.recv(_READ_SIZE)
            except OSError:
                break
            parts.append(data)
            size += len(data)
        return b"".join(parts)

    def _expire(self) -> None:
        window = self._window
        nearest = self.exchange.expire(time.monotonic(), window.waiting())
        window.set_deadline(nearest)

    def _lose(self, reason: str,
              error: exceptions.ProtocolError | None = None) -> None:
        sock, self.sock = self.sock, None
        if sock is not None:
            sock.close()
        self.exchange.lose(reason, time.monotonic(), error)

    def _without_connection(self) -> None:
        exchange, window = self.exchange, self._window
        if self._adopt(None) is not None:
            exchange.begin(time.monotonic())
            self._expire()
            return
        if not window.queue:
            return
        now = time.monotonic()
        if exchange.retry.next_attempt > now:
            self._pause(exchange.retry.next_attempt - now)
            self._expire()
            return
        try:
            sock = dial.connect(self.address, max(
                _SHORTEST, min(self.connect_timeout,
                               window.next_deadline - now)))
        except exceptions.ConnectError as exc:
            exchange.refuse(exc, time.monotonic())
            return
        before, self.identity = self.identity, sockets.identity(self.address)
        now = time.monotonic()
        # It may be the target that is about to end.
        suspect = self._adopt(sock) is sock and before == self.identity \
            and now < exchange.retry.until
        exchange.begin(now, trusted=not suspect)
        self._expire()

    def _adopt(self, sock: socket.socket | None) -> socket.socket | None:
        """Make the spare socket the connection, or else this one.

        In one step: a thread that opens in the meantime would connect once
        more if it saw neither a spare socket nor a connection.

        :returns: the connection, or None if there is neither.
        """
        with self._window.lock:
            spare, self.spare = self.spare, None
            if spare is not None:
                sock, spare = spare, sock
            if sock is None:
                return None
            self.sock = sock
        if spare is not None:
            spare.close()
        # It blocks only in _drain().
        if not _is_green(sock):
            sock.setblocking(True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LARGE_TIME)
        self._blocked = self._polls_for_output = False
        # Of its own for each connection: one that was lost in the middle of
        # something leaves nothing behind.
        self._poll = polling.poller()
        self._poll.register(self._window.fd, polling.IN)
        self._poll.register(sock, polling.IN)
        return sock

    def _pause(self, timeout: float) -> None:
        if self.closing is not None or self.spare is not None:
            return
        window = self._window
        timeout = min(timeout, window.fall_asleep(False))
        poll = polling.poller()
        poll.register(window.fd, polling.IN)
        window.wake_up(bool(poll.poll(timeout * 1000)))

    def end(self, reason: str) -> None:
        """Close the connection; everything that is on its way ends.

        :param reason: for errors.
        """
        window = self._window
        with window.lock:
            held = [self.sock, self.spare]
            self.sock = self.spare = self.closing = None
        for sock in held:
            if sock is not None:
                sock.close()
        self.exchange.end(reason)
        self._release()

    def after_fork(self) -> None:
        """In a child process: the connection and the calls are the parent's.

        Here they only end with an error.
        """
        for sock in (self.sock, self.spare):
            if sock is not None:
                sock.close()
        for operation in self.exchange.operations():
            operation.receiver.renew()
        self.exchange.end("the process has forked")


def _is_green(sock: socket.socket) -> bool:
    """Whether it is a socket of eventlet (Cyborg up to 15).

    When it may block it does so whatever the flags and time limits say.
    """
    return hasattr(sock, "act_non_blocking")
