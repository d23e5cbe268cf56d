# SPDX-License-Identifier: Apache-2.0

"""All calls to one address, from any number of threads.

Callers put operations into a
:class:`~cyborg_spdk.rpc.serving.window.Window`; one thread at a time leads:
it runs the :class:`~cyborg_spdk.rpc.serving.engine.Engine` behind the window
for all of them. Who waits for a call leads if nobody does, so that a single
call costs what it costs on a bare socket: no other thread has to be woken.
When its call is done and others are on their way, the channel's own thread
takes over; it also serves those that nobody waits for.
"""

from __future__ import annotations

import threading
import time

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.serving import call as calls
from cyborg_spdk.rpc.serving import engine as engines
from cyborg_spdk.rpc.serving import retry
from cyborg_spdk.rpc.serving import window as windows
from cyborg_spdk.rpc.transport import dial
from cyborg_spdk.rpc.transport import sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    import socket

    from cyborg_spdk.rpc import address as addresses
    from cyborg_spdk.rpc.protocol import catalogue


class Channel:
    """Calls to one address.

    :param address: an :class:`~cyborg_spdk.rpc.address.Address`.
    :param connect_timeout: seconds, for each time that it connects.
    """

    def __init__(self, address: addresses.Address,
                 connect_timeout: float) -> None:
        self.address = address
        self.connect_timeout = connect_timeout
        self._reset()

    def _reset(self) -> None:
        self._window = windows.Window()
        self._engine = engines.Engine(self.address, self.connect_timeout,
                                      self._window)
        self._thread: threading.Thread | None = None
        self._work = threading.Event()

    @property
    def target(self) -> catalogue.TargetMethods | None:
        """What the target has, or None while nobody asked."""
        return self._engine.exchange.discovery.target

    def open(self, timeout: float) -> None:
        """Make sure that there is a connection; blocks.

        :param timeout: seconds.
        :raises ConnectError: if nobody can be reached.
        """
        engine = self._engine
        if self.is_open:
            if sockets.identity(self.address) in (None, engine.identity):
                return
            self.close("another target listens at its path now")
        self._pause(timeout)
        sock: socket.socket | None = dial.connect(self.address, timeout)
        with self._window.lock:
            held = self._sock()
            if held is None or not sockets.is_alive(held):
                sock, engine.spare = engine.spare, sock
                engine.identity = sockets.identity(self.address)
        if sock is not None:
            sock.close()

    def _pause(self, timeout: float) -> None:
        """Let a peer be that accepts and hangs up at once."""
        engine = self._engine
        with self._window.lock:
            if engine.spare is not None:
                engine.exchange.retry.next_attempt = (
                    time.monotonic() + retry.PAUSE)
            pause = engine.exchange.retry.next_attempt - time.monotonic()
        if pause > 0:
            time.sleep(min(pause, timeout))

    @property
    def is_open(self) -> bool:
        """Whether there is a connection whose peer is there."""
        with self._window.lock:
            sock = self._sock()
            return sock is not None and sockets.is_alive(sock)

    def peer(self) -> tuple[int, int, int] | None:
        """``(pid, uid, gid)`` of the process that listens, or None."""
        with self._window.lock:
            sock = self._sock()
            return None if sock is None else sockets.peer_credentials(sock)

    def _sock(self) -> socket.socket | None:
        return self._engine.spare or self._engine.sock

    def learn(self, timeout: float) -> catalogue.TargetMethods:
        """Find out what the target has, if it is not known; blocks.

        :param timeout: seconds of wall-clock time.
        :raises SpdkError: if it cannot be found out.
        """
        waiter = calls.Waiter()
        learn = calls.Learn(timeout, time.monotonic() + timeout, waiter)
        if not self.submit_and_wait(learn, waiter):
            raise exceptions.RpcTimeout(self.address, learn.method, timeout)
        if learn.error is not None:
            raise learn.error
        target: catalogue.TargetMethods = learn.result
        return target

    def submit(self, operations: Iterable[calls.Operation]
               ) -> list[calls.Operation]:
        """Queue calls that are encoded.

        It blocks only while the window is full.

        :returns: list of those whose deadline came before there was room.
        """
        late, _ = self._window.put(operations)
        self._see_to_it()
        return late

    def submit_and_wait(self, operation: calls.Operation,
                        waiter: calls.Waiter) -> bool:
        """Queue one operation and wait until it is done.

        :param operation: the operation; a call is encoded.
        :param waiter: its receiver.
        :returns: whether it is done. It is not if its deadline came before
            there was room for it, or if the thread that leads does not get
            to it.
        """
        window = self._window
        nested = window.is_mine()
        try:
            late, leads = window.put((operation,), lead=True)
            if leads:
                self._lead(lambda: operation.finished)
                return True
        except BaseException as exc:
            self._give_up(nested, exc)
            raise
        self._see_to_it()
        return not late and waiter.wait(operation.deadline + calls.GRACE)

    def serve(self, refill: Callable[[], None],
              is_done: Callable[[], bool]) -> bool:
        """Serve calls that come in portions, if nobody leads at present.

        :param refill: function that puts the next portion.
        :param is_done: function that tells whether all are done.
        :returns: false if somebody else leads.
        """
        nested = self._window.is_mine()
        try:
            if not self._window.take_lead():
                return False
            self._engine.refill = refill
            refill()
            self._lead(is_done)
        except BaseException as exc:
            self._give_up(nested, exc)
            raise
        return True

    def has_room(self) -> bool:
        """Whether a call would not have to wait."""
        return self._window.has_room()

    def _lead(self, is_done: Callable[[], bool]) -> None:
        """Serve until something is done; then lead no longer."""
        engine = self._engine
        while not is_done():
            engine.step()
        engine.refill = None
        self._window.resign()
        self._see_to_it()

    def _give_up(self, nested: bool, exc: BaseException) -> None:
        """Lead no longer, after Ctrl-C, or a fault of ours.

        It may have come in the middle of anything: what the connection
        would still say cannot be relied on, and no other caller may be left
        waiting.

        :param nested: whether this thread led before: then it is a callback
            of a call that was interrupted, and its leader gives up.
        :param exc: what came.
        """
        if nested:
            return
        if self._window.is_mine():
            try:
                self._engine.refill = None
                self._engine.end(f"interrupted ({type(exc).__name__})")
            finally:
                self._window.resign()
        self._see_to_it()

    def _see_to_it(self) -> None:
        """Have somebody lead, if there is something to be done."""
        if self._window.leader is None and self._engine.is_busy:
            if self._thread is None:
                self._start()
            if not self._work.is_set():
                self._work.set()

    def _start(self) -> None:
        with self._window.lock:
            if self._thread is None:
                thread = threading.Thread(
                    target=self._run, args=(self._engine, self._work),
                    name=f"spdk-rpc {self.address}", daemon=True)
                thread.start()
                # Not before: one that Ctrl-C has kept from starting would
                # be waited for.
                self._thread = thread

    def _run(self, engine: engines.Engine, work: threading.Event) -> None:
        while True:
            work.wait()
            work.clear()
            if self._window.take_lead():
                try:
                    self._lead(lambda: not engine.is_busy)
                except BaseException as exc:
                    # The next call gets another thread.
                    self._thread = None
                    self._give_up(False, exc)
                    raise

    def close(self, reason: str) -> None:
        """End the connection; calls that are on their way fail.

        :param reason: what their errors shall say.
        """
        engine, window = self._engine, self._window
        with window.lock:
            engine.closing = reason
        nested = window.is_mine()
        try:
            while engine.closing is not None and not nested:
                if window.take_lead():
                    self._lead(lambda: engine.closing is None)
                else:
                    window.wake()
                    window.wait_for_leader()
        except BaseException as exc:
            self._give_up(nested, exc)
            raise

    def after_fork(self) -> None:
        """In a child process: let go of what belongs to the parent.

        The thread that leads may not exist here. Calls that were on their
        way are the parent's; here they only end with an error.
        """
        engine, window = self._engine, self._window
        self._reset()
        window.close()
        engine.after_fork()
