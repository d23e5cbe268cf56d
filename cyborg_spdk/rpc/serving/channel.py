# SPDX-License-Identifier: Apache-2.0

"""All calls to one address, from any number of threads.

Callers put calls into a :class:`~cyborg_spdk.rpc.serving.window.Window`; one
thread at a time leads: it runs the
:class:`~cyborg_spdk.rpc.serving.engine.Engine` behind the window for all of
them. Who waits for a call leads if nobody does, so that a single call costs
what it costs on a bare socket: no other thread has to be woken. When its call
is done and others are on their way, the channel's own thread takes over; it
also serves those that nobody waits for.
"""

import threading
import time

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import catalogue
from cyborg_spdk.rpc.protocol import limits
from cyborg_spdk.rpc.protocol import message
from cyborg_spdk.rpc.serving import engine as engines
from cyborg_spdk.rpc.serving import window as windows
from cyborg_spdk.rpc.transport import dial
from cyborg_spdk.rpc.transport import sockets


class Channel:
    """Calls to one address.

    :param address: an :class:`~cyborg_spdk.rpc.address.Address`.
    :param connect_timeout: seconds, for each time that it connects.
    """

    def __init__(self, address, connect_timeout):
        self.address = address
        self.connect_timeout = connect_timeout
        self._reset()

    def _reset(self):
        self._window = windows.Window()
        self._engine = engines.Engine(
            self.address, self.connect_timeout, self._window, self.prepare)
        self._thread = None
        self._summons = None

    @property
    def book(self):
        """What the target has, or None while nobody asked."""
        return self._engine.book

    def open(self, timeout):
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
        sock = dial.connect(self.address, timeout)
        with self._window.lock:
            held = self._sock()
            if held is None or not sockets.is_alive(held):
                sock, engine.spare = engine.spare, sock
                engine.identity = sockets.identity(self.address)
        if sock is not None:
            sock.close()

    def _pause(self, timeout):
        """Let a peer be that accepts and hangs up at once."""
        engine = self._engine
        with self._window.lock:
            if engine.spare is not None:
                engine.next_attempt = time.monotonic() + engines.RETRY
            pause = engine.next_attempt - time.monotonic()
        if pause > 0:
            time.sleep(min(pause, timeout))

    @property
    def is_open(self):
        """Whether there is a connection whose peer is there."""
        with self._window.lock:
            sock = self._sock()
            return sock is not None and sockets.is_alive(sock)

    def peer(self):
        """``(pid, uid, gid)`` of the process that listens, or None."""
        with self._window.lock:
            sock = self._sock()
            return sock and sockets.peer_credentials(sock)

    def _sock(self):
        engine = self._engine
        return engine.spare or (engine.link and engine.link.sock)

    def prepare(self, call):
        """Encode a call, as far as its target is known.

        :param call: a :class:`~cyborg_spdk.rpc.serving.call.Call`.
        :raises SpdkError: if it can never be sent.
        """
        book = self._engine.book
        call.name, params = call.method, call.params
        varies = params and not call.verbatim \
            and catalogue.varies(call.method, params)
        if book is not None and not call.verbatim:
            call.name, params = book.translate(call.method, params)
        data = message.encode(call.name, params, call.id)
        call.book = book if varies or call.name != call.method else None
        if len(data) > limits.HARMLESS:
            if book is not None:
                limits.check(call.method, data, book.limits())
            elif not limits.fits(call.method, data, limits.SMALL):
                limits.check(call.method, data, limits.LARGE)
                varies = True
        # What depends on the release waits until that is known.
        call.data = data if book is not None or not varies else None
        call.size = len(data)

    def submit(self, calls):
        """Queue calls that :meth:`prepare` has seen.

        It blocks only while the window is full.

        :param calls: list of :class:`~cyborg_spdk.rpc.serving.call.Call`.
        :returns: list of those whose deadline came before there was room.
        """
        late, _ = self._window.put(calls)
        self._see_to_it()
        return late

    def submit_and_wait(self, call, waiter, deadline):
        """Queue one call and wait until it is done.

        :param call: a :class:`~cyborg_spdk.rpc.serving.call.Call`.
        :param waiter: its sink.
        :param deadline: when to give up, if the thread that leads does not
            get to it (``time.monotonic()``).
        :returns: whether it is done.
        """
        late, leads = self._window.put((call,), lead=True)
        if leads:
            self._lead(lambda: call.finished)
            return True
        self._see_to_it()
        return not late and waiter.wait(deadline)

    def serve(self, refill, is_done):
        """Serve calls that come in portions, if nobody leads at present.

        :param refill: function that puts the next portion.
        :param is_done: function that tells whether all are done.
        :returns: false if somebody else leads.
        """
        if not self._window.take_lead():
            return False
        self._engine.refill = refill
        try:
            refill()
            self._lead(is_done)
        finally:
            self._engine.refill = None
            if self._window.is_mine():
                self._window.resign()
        return True

    def has_room(self):
        """Whether a call would not have to wait."""
        return self._window.has_room()

    def _lead(self, is_done):
        engine, window = self._engine, self._window
        try:
            while not is_done():
                engine.step()
        except BaseException as exc:
            # Ctrl-C, or a fault of ours, in the middle of anything: what
            # this connection would still say cannot be relied on, and no
            # other caller may be left waiting.
            engine.end(f"interrupted ({type(exc).__name__})")
            raise
        finally:
            window.resign()
            self._see_to_it()

    def _see_to_it(self):
        """Have somebody lead, if there is something to be done."""
        if self._window.leader is None and self._engine.is_busy:
            if self._thread is None:
                self._start()
            if not self._summons.is_set():
                self._summons.set()

    def _start(self):
        with self._window.lock:
            if self._thread is None:
                self._summons = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._engine, self._summons),
                    name=f"spdk-rpc {self.address}", daemon=True)
                self._thread.start()

    def _run(self, engine, summons):
        while True:
            summons.wait()
            summons.clear()
            if self._window.take_lead():
                try:
                    self._lead(lambda: not engine.is_busy)
                except BaseException:
                    # The next call gets another thread.
                    self._thread = None
                    raise

    def close(self, reason):
        """End the connection; calls that are on their way fail.

        :param reason: what their errors shall say.
        """
        engine, window = self._engine, self._window
        with window.lock:
            engine.closing = reason
        while engine.closing is not None and not window.is_mine():
            if window.take_lead():
                self._lead(lambda: engine.closing is None)
            else:
                window.wake()
                window.wait_for_leader()

    def after_fork(self):
        """In a child process: let go of what belongs to the parent.

        The thread that leads may not exist here. Calls that were on their
        way are the parent's; here they only end with an error.
        """
        engine, window = self._engine, self._window
        calls = list(window.queue) + engine.parked
        if engine.link is not None:
            calls += engine.link.inflight.values()
            engine.link.close()
        if engine.spare is not None:
            engine.spare.close()
        window.close()
        self._reset()
        for call in calls:
            if not call.internal and not call.finished:
                call.finished = True
                call.error = exceptions.ConnectionLost(
                    self.address, call.method, "the process has forked")
                call.sink.renew()
                call.sink.done(call)
