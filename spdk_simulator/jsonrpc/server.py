# SPDX-License-Identifier: Apache-2.0

"""The RPC socket and its poll loop (``lib/jsonrpc/jsonrpc_server_tcp.c``).

A real target looks at its sockets every 4 ms: it accepts one connection,
then for each connection sends what is finished and receives once. So a
reply leaves in the poll after the one that read its request. This loop
does the same, but sleeps in ``epoll_wait`` while nothing is to be done.
"""

import collections
import heapq
import itertools
import select
import time

from spdk_simulator import errors
from spdk_simulator.jsonrpc import connection as connections
from spdk_simulator import log

MAX_CONNECTIONS = 64
BACKLOG = 512
# Messages that a thread handles before its pollers have their turn.
_BATCH = 8


class Server:
    """Serves one listening socket.

    :param release: the :class:`.release.Release` that is played.
    :param dispatcher: has ``message(value, connection)``.
    :param interval: seconds between two polls.
    :param faults: :class:`.faults.Faults`, or None.
    """

    def __init__(self, release, dispatcher, interval=0.004, faults=None):
        self.release = release
        self.dispatcher = dispatcher
        self.interval = interval
        self.faults = faults
        self.drops_late = release >= 2605
        self.connections = []
        # Places that requests of connections closed for an error hold
        # for ever: SPDK counts them no longer, and waits for them.
        self.lost = 0
        self.epoll = select.epoll()
        self.dirty = False
        self.listener = None
        self.listening = False
        self.messages = collections.deque()
        self.pollers = []
        self.timers = []
        self.sequence = itertools.count()
        # A signal may clear it before the loop is begun.
        self.running = True
        self.serving = False
        self.start = time.monotonic()
        self.wakeup = None
        #: The request whose work is being done, or None.
        self.current = None
        #: Where faults are written.
        self.log = log.Log()

    # Work of the target's threads.

    def post(self, function, *args):
        """Run a function as a message of SPDK's thread does: after what
        the present poll still does, before the next one.
        """
        self.messages.append((function, args, self.current))

    def poll_once(self, function, *args):
        """Run a function as a poller that has its way at once."""
        self.pollers.append((function, args, self.current))

    def later(self, seconds, function, *args):
        """Run a function after a time; returns a handle for cancel()."""
        timer = [time.monotonic() + seconds, next(self.sequence),
                 function, args, self.current]
        heapq.heappush(self.timers, timer)
        return timer

    @staticmethod
    def cancel(timer):
        """Forget a timer."""
        timer[2] = None

    # Sockets.

    def listen(self, sock):
        """Take over a bound UNIX socket and listen on it."""
        sock.listen(BACKLOG)
        sock.setblocking(False)
        self.listener = sock

    def watch(self, fd):
        """Wake up when a further descriptor becomes readable."""
        self.wakeup = fd
        self.epoll.register(fd, select.EPOLLIN)

    def unregister(self, connection):
        """Stop waiting for a connection's input."""
        if connection.registered:
            connection.registered = False
            self.epoll.unregister(connection.socket)
        self.dirty = True

    def _full(self):
        return len(self.connections) + self.lost >= MAX_CONNECTIONS

    def _listen_wanted(self):
        wanted = self.serving and not self._full()
        if self.listener is not None and wanted != self.listening:
            if wanted:
                self.epoll.register(self.listener, select.EPOLLIN)
            else:
                self.epoll.unregister(self.listener)
            self.listening = wanted

    def _accept(self):
        if self._full() or not self.listening:
            return
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        connection = connections.Connection(self, sock)
        self.connections.append(connection)
        self.epoll.register(sock, select.EPOLLIN)
        self.dirty = True

    def _drop(self, connection):
        if connection.registered and connection.socket is not None:
            self.epoll.unregister(connection.socket)
        connection.registered = False
        if connection.socket is not None:
            connection.socket.close()
            connection.socket = None
        if connection.waits() and not connection.broken \
                and self.release >= 1901:
            self.lost += 1
        connection.gone = True
        connection.queue.clear()
        self.connections.remove(connection)

    # The loop.

    def poll(self):
        """Do what one poll of a real target does."""
        self.dirty = False
        for connection in list(self.connections):
            if connection.closed and connection.ended():
                self._drop(connection)
        self._listen_wanted()
        self._accept()
        for connection in list(self.connections):
            if not connection.send():
                self._drop(connection)
                continue
            if connection.reads() and not connection.receive():
                self._drop(connection)
                continue
            if connection.queue or connection.ended():
                self.dirty = True
        self._listen_wanted()
        self.run_messages()

    def run_messages(self):
        """Run messages and due timers until there are none.

        As ``thread_poll()`` in ``lib/thread/thread.c``: a batch of messages,
        then the pollers, the newest first.
        """
        while True:
            while self.messages or self.pollers:
                for _ in range(min(_BATCH, len(self.messages))):
                    self._run(*self.messages.popleft())
                pollers, self.pollers = self.pollers, []
                for work in reversed(pollers):
                    self._run(*work)
            if not self.timers or self.timers[0][0] > time.monotonic():
                return
            timer = heapq.heappop(self.timers)
            if timer[2] is not None:
                self._run(*timer[2:])

    def _run(self, function, args, request):
        """Do a piece of work, of a request or of the target itself.

        If that fails the request is answered; the target goes on.
        """
        self.current = request
        try:
            function(*args)
        except errors.FAULTS:
            if request is None:
                raise
            request.failed(self.log)
        finally:
            self.current = None

    def _sleep(self):
        """Wait for something to do, then for the next tick."""
        timeout = None
        if self.dirty or self.messages or self.pollers:
            timeout = self.interval
        while self.timers and self.timers[0][2] is None:
            heapq.heappop(self.timers)
        if self.timers:
            left = max(0.0, self.timers[0][0] - time.monotonic())
            timeout = left if timeout is None else min(timeout, left)
        if self.interval and self.dirty:
            self._until_tick()
            return
        self.epoll.poll(timeout)
        if self.interval:
            self._until_tick()

    def _until_tick(self):
        now = time.monotonic() - self.start
        time.sleep(self.interval - now % self.interval)

    def wait(self):
        """Do the next work that is no connection's."""
        self._sleep()
        self.run_messages()

    def run(self):
        """Serve until :attr:`running` is cleared."""
        while self.running:
            self._listen_wanted()
            self._sleep()
            if self.running:
                self.poll()

    def close(self):
        """Close everything; what is not sent yet is lost."""
        for connection in list(self.connections):
            self._drop(connection)
        if self.listener is not None:
            self.listener.close()
        self.epoll.close()
