# SPDX-License-Identifier: Apache-2.0

"""One client of the RPC socket (``lib/jsonrpc/jsonrpc_server_tcp.c``)."""

import collections

from spdk_simulator.jsonrpc import wire


class Connection:
    """One client."""

    def __init__(self, server, sock):
        sock.setblocking(False)
        self.server = server
        self.socket = sock
        self.buffer = bytearray()
        self.queue = collections.deque()
        self.sent = 0
        self.closed = False
        self.gone = False
        self.outstanding = 0
        self.registered = True
        # Only faults look at these.
        self.requests = self.replies = 0
        self.broken = False

    def reply(self, data):
        """Queue one reply; an empty one only ends the request."""
        if self.gone or (self.closed and self.server.drops_late
                         and type(data) is not wire.Batched):
            self.outstanding -= 1
            self.server.dirty = True
            return
        limit = self.server.release.send_limit
        if data and type(data) in (bytes, wire.Batched):
            data = data + b"\n" if len(data) < limit else data[:limit]
        faults = self.server.faults
        if faults is None:
            self.queue.append(data)
        else:
            data, cut = faults.reply(self, data)
            if faults.delay():
                self.server.later(faults.delay(), self._queue, data, cut)
            else:
                self._queue(data, cut)
        self.server.dirty = True

    def _queue(self, data, cut):
        """Queue one reply.

        :param cut: whether the connection is closed behind it.
        """
        if not self.broken:
            self.queue.append(data)
        self.broken = self.broken or cut
        self.server.dirty = True

    def reads(self):
        """Whether what comes in is read."""
        return not self.closed and not self.broken

    def waits(self):
        """Whether a request is still being worked at."""
        return self.outstanding > len(self.queue)

    def ended(self):
        """Whether nothing comes in any more and all is answered."""
        return not self.reads() and self.outstanding <= 0

    def send(self):
        """Send what is finished, as far as the socket takes it.

        :returns: False if the connection is broken.
        """
        queue = self.queue
        if not queue:
            return not self.broken
        if len(queue) > 1 and not self.sent:
            self._glue()
        while queue:
            data = queue[0]
            if len(data) > self.sent and not self._push(data):
                return self.socket is not None
            queue.popleft()
            self.sent = 0
            self.outstanding -= 1
        return not self.broken

    def _glue(self):
        """Join small replies, so that one system call sends them all."""
        total = 0
        number = 0
        for data in self.queue:
            total += len(data)
            number += 1
            if total > 200000:
                break
        joined = b"".join(self.queue.popleft() for _ in range(number))
        self.queue.appendleft(joined)
        self.outstanding -= number - 1

    def _push(self, data):
        try:
            view = memoryview(data)[self.sent:] if self.sent else data
            if self.server.faults:
                view = view[:self.server.faults.receive_limit(len(view))]
            self.sent += self.socket.send(view)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self.socket.close()
            self.socket = None
            return False
        return self.sent >= len(data)

    def receive(self):
        """Receive once and hand complete requests to the dispatcher.

        :returns: False if the connection is to be closed.
        """
        room = self.server.release.recv_buffer - len(self.buffer)
        if room:
            if self.server.faults:
                room = self.server.faults.receive_limit(room)
            try:
                data = self.socket.recv(room)
            except (BlockingIOError, InterruptedError):
                return True
            except OSError:
                return False
        else:
            # recv() with no room returns 0, which SPDK takes for the end.
            data = b""
        if not data:
            if self.server.release < 1901:
                # What is not sent yet is lost, too.
                return False
            self.closed = True
            self.server.unregister(self)
            return True
        self.buffer += data
        return self.consume()

    def consume(self):
        """Run the complete requests of the buffer."""
        server = self.server
        text = self.buffer.decode("latin-1")
        pos = 0
        good = True
        while True:
            try:
                value, end, values = wire.parse(text, pos)
            except wire.Incomplete:
                break
            except wire.Malformed:
                good = False
                break
            if values > server.release.max_values:
                good = False
                break
            pos = end
            if server.faults and server.faults.drops(self):
                self.broken = True
            if self.broken:
                # What is queued is sent before it is closed.
                self.buffer.clear()
                server.unregister(self)
                return True
            self.outstanding += 1
            server.dispatcher.message(value, self)
            if server.release < 1901:
                # The next one waits until more bytes come.
                break
        del self.buffer[:pos]
        return good
