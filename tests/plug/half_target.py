# SPDX-License-Identifier: Apache-2.0

"""A target that answers the first question, and hangs at the next."""

import os
import select
import socket
import struct
import threading

import fixtures

_GET_FEATURES, _REPLY, _VERSION = 1, 4, 1
_HEADER = struct.Struct('<III')


class HalfTarget(fixtures.Fixture):
    """Tells its features at a socket, and then nothing more.

    :param path: of the socket; what is there is replaced, with the owner and
        the mode that it has.
    :ivar sessions: how many have come.
    """

    def __init__(self, path):
        super().__init__()
        self._path = path
        self.sessions = 0

    def _setUp(self):
        before = os.stat(self._path)
        os.unlink(self._path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        os.chown(self._path, before.st_uid, before.st_gid)
        os.chmod(self._path, before.st_mode & 0o777)
        self._listener.listen()
        self._end = os.eventfd(0)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.addCleanup(os.close, self._end)
        self.addCleanup(self.stop)

    def stop(self):
        """End all sessions."""
        os.eventfd_write(self._end, 1)
        self._thread.join()

    def _serve(self):
        there = []
        while True:
            ready = select.select([self._listener, self._end], [], [])[0]
            if self._end in ready:
                break
            connection, _ = self._listener.accept()
            self.sessions += 1
            there.append(connection)
            if connection.recv(12):
                connection.sendall(_HEADER.pack(
                    _GET_FEATURES, _VERSION | _REPLY, 8)
                    + struct.pack('<Q', 1 << 30 | 1 << 32))
        for connection in [*there, self._listener]:
            connection.close()
