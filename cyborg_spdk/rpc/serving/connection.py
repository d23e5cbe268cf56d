# SPDX-License-Identifier: Apache-2.0

"""One connected socket: requests out, pieces of replies in."""

import socket
import struct

from cyborg_spdk.rpc.protocol import framing
from cyborg_spdk.rpc.protocol import message
from cyborg_spdk.rpc.transport import polling

_READ_SIZE = 256 * 1024
# A target goes on with a large reply only as long as the socket takes it, and
# then waits for its next poll, 4 ms later. So while more than this of a reply
# is there, the kernel is left to fetch what comes for so long, with nothing
# in between.
_LARGE = 128 * 1024
_LARGE_READ = 1024 * 1024
_LARGE_TIME = struct.pack("ll", 0, 8000)
# In batches a real v26.05 answers twice as many calls in a second as one
# by one: it sends each reply by itself, and a UNIX socket holds about 200 of
# them until its next poll. A few calls are answered in one poll anyway.
_MANY = 64
# So a batch cannot have more values than SPDK takes (8,192).
_BATCH_SIZE = 4000
_FOREVER = float("inf")


class Link:
    """A connection and what is on its way over it.

    Only the channel's thread uses it.

    :ivar inflight: calls that are with the target, by id.
    :ivar blocked: the socket takes no more at present.
    :ivar heard: whether anything came in yet that made sense.
    :ivar on_trial: only what changes nothing may be sent before that.
    :ivar highest_id: the highest id that was taken for it.
    :ivar notes: whether a call without an id was.
    :ivar stuck: something came in since the last nudge, and there are calls
        in flight that a target of before v19.01 may not have looked at.
    """

    def __init__(self, sock, wake_fd):
        # It would block only in receive(), where it says so. A socket of
        # eventlet (Cyborg up to 15) would do so whatever the flags say.
        if not hasattr(sock, "act_non_blocking"):
            sock.setblocking(True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LARGE_TIME)
        self.sock = sock
        self.frames = framing.Frames()
        self.inflight = {}
        self.blocked = self.heard = self.on_trial = False
        self.highest_id = 0
        self.notes = self.stuck = False
        self._out = memoryview(b"")
        self._sent = 0
        self._parts = []     # (bytes, the calls in it)
        self._poll = polling.poller()
        self._poll.register(wake_fd, polling.IN)
        self._poll.register(sock, polling.IN)
        self._waits_for_output = False
        self._wake_fd = wake_fd

    @property
    def has_output(self):
        """Whether bytes wait to be written."""
        return self._sent < len(self._out)

    def load(self, calls, batches):
        """Take the calls that are to be written next.

        :param calls: list of calls.
        :param batches: whether the target takes batches.
        """
        for call in calls:
            if call.id is None:
                self.notes = True
            else:
                self.inflight[call.id] = call
                if call.id > self.highest_id:
                    self.highest_id = call.id
        if batches and len(calls) >= _MANY:
            self._parts = _in_batches(calls)
            data = [data for data, _ in self._parts]
        else:
            self._parts = [(call.data, (call,)) for call in calls]
            data = [call.data for call in calls]
        self._out = memoryview(b"".join(data))
        self._sent = 0

    def nudge(self):
        """Take a line feed to write, which means nothing by itself.

        A target that executes one request each time it reads (before
        v19.01) looks at the next one of those that came together with it
        only when something more comes in.
        """
        self._parts = []
        self._out = memoryview(b"\n")
        self._sent = 0
        self.stuck = False

    def send(self):
        """Write what can be written now.

        :returns: calls without an id that were written by this (list).
        :raises OSError: if the connection is broken.
        """
        try:
            self._sent += self.sock.send(self._out[self._sent:],
                                         socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.blocked = True
            return ()
        self.blocked = self.has_output
        if self.blocked or not self.notes:
            return ()
        return [call for _, calls in self._parts for call in calls
                if call.id is None]

    def receive(self):
        """Read what is there.

        :returns: list of pieces (see :mod:`cyborg_spdk.rpc.protocol.framing`);
            an empty tuple if nothing is there; None at the end of the stream.
        :raises OSError: if the connection is broken.
        """
        try:
            if len(self.frames) < _LARGE:
                data = self.sock.recv(_READ_SIZE, socket.MSG_DONTWAIT)
            else:
                data = self.sock.recv(_LARGE_READ, socket.MSG_WAITALL)
        except BlockingIOError:
            return ()
        if not data:
            return None
        return self.frames.feed(data)

    def wait(self, timeout):
        """Wait until something can be done.

        :param timeout: seconds; may be infinite.
        :returns: ``(woken, readable)``; :attr:`blocked` is kept up to date.
        """
        if self.blocked != self._waits_for_output:
            self._waits_for_output = self.blocked
            self._poll.modify(self.sock, polling.IN | (
                polling.OUT if self.blocked else 0))
        woken = readable = False
        for fd, event in self._poll.poll(
                None if timeout == _FOREVER else timeout * 1000):
            if fd == self._wake_fd:
                woken = True
                continue
            readable = bool(event & ~polling.OUT)
            if event & polling.OUT:
                self.blocked = False
        return woken, readable

    def unwritten(self):
        """Calls that were taken and not written to their last byte.

        :returns: list of calls, in order; they are no longer in flight.
        """
        rest, end = [], 0
        for data, calls in self._parts:
            end += len(data)
            if end > self._sent:
                for call in calls:
                    rest.append(call)
                    self.inflight.pop(call.id, None)
        return [call for call in rest if not call.finished]

    def close(self):
        """Close the socket."""
        self.sock.close()


def _in_batches(calls):
    """Join neighbours that may share a batch.

    :returns: list of ``(bytes, calls)``.
    """
    parts, members, size = [], [], 0
    for call in calls:
        room = call.batchable and size + len(call.data) < _BATCH_SIZE
        if members and not room:
            parts.append(_close_batch(members))
            members, size = [], 0
        if call.batchable:
            members.append(call)
            size += len(call.data) + 1
        else:
            parts.append((call.data, (call,)))
    if members:
        parts.append(_close_batch(members))
    return parts


def _close_batch(members):
    if len(members) == 1:
        return members[0].data, members
    return message.batch([call.data for call in members]), members
