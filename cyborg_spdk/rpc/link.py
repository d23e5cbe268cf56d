# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""One connected socket: requests out, pieces of replies in; never blocks."""

import select

from cyborg_spdk.rpc import framing

_READ_SIZE = 256 * 1024
_FOREVER = float("inf")


class Link:
    """A connection and what is on its way over it.

    Only the channel's thread uses it.

    :ivar inflight: calls that are with the target, by id.
    :ivar blocked: the socket takes no more at present.
    """

    def __init__(self, sock, wake_fd):
        self.sock = sock
        self.frames = framing.Frames()
        self.inflight = {}
        self.blocked = False
        self.highest_id = 0
        self.notes = False
        self._out = memoryview(b"")
        self._sent = 0
        self._batch = []
        self._poll = select.poll()
        self._poll.register(wake_fd, select.POLLIN)
        self._poll.register(sock, select.POLLIN)
        self._waits_for_output = False
        self._wake_fd = wake_fd

    @property
    def has_output(self):
        """Whether bytes wait to be written."""
        return self._sent < len(self._out)

    def load(self, batch):
        """Take the calls that are to be written next.

        :param batch: list of calls.
        """
        for call in batch:
            if call.id is None:
                self.notes = True
            else:
                self.inflight[call.id] = call
                if call.id > self.highest_id:
                    self.highest_id = call.id
        self._batch = batch
        self._out = memoryview(b"".join([call.data for call in batch]))
        self._sent = 0

    def send(self):
        """Write what can be written now.

        :returns: calls without an id that were written by this (list).
        :raises OSError: if the connection is broken.
        """
        try:
            self._sent += self.sock.send(self._out[self._sent:])
        except BlockingIOError:
            self.blocked = True
            return ()
        self.blocked = self.has_output
        if self.blocked or not self.notes:
            return ()
        return [call for call in self._batch if call.id is None]

    def receive(self):
        """Read what is there.

        :returns: list of pieces (see :mod:`cyborg_spdk.rpc.framing`); an
            empty tuple if nothing is there; None at the end of the stream.
        :raises OSError: if the connection is broken.
        """
        try:
            data = self.sock.recv(_READ_SIZE)
        except BlockingIOError:
            return ()
        return self.frames.feed(data) if data else None

    def wait(self, timeout):
        """Wait until something can be done.

        :param timeout: seconds; may be infinite.
        :returns: ``(woken, readable)``; :attr:`blocked` is kept up to date.
        """
        if self.blocked != self._waits_for_output:
            self._waits_for_output = self.blocked
            self._poll.modify(self.sock, select.POLLIN | (
                select.POLLOUT if self.blocked else 0))
        woken = readable = False
        for fd, event in self._poll.poll(
                None if timeout == _FOREVER else timeout * 1000):
            if fd == self._wake_fd:
                woken = True
                continue
            readable = bool(event & ~select.POLLOUT)
            if event & select.POLLOUT:
                self.blocked = False
        return woken, readable

    def unwritten(self):
        """Calls that were taken and not written to their last byte.

        :returns: list of calls, in order; they are no longer in flight.
        """
        rest, end = [], 0
        for call in self._batch:
            end += len(call.data)
            if end > self._sent:
                rest.append(call)
                self.inflight.pop(call.id, None)
        return [call for call in rest if not call.finished]

    def close(self):
        """Close the socket."""
        self.sock.close()
