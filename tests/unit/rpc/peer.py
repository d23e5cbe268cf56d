# SPDX-License-Identifier: Apache-2.0

"""A server of a few lines, to be as awkward as a test wants it."""

import json
import os
import shutil
import socket
import tempfile
import threading

import fixtures

PATIENCE = 60


def reply(request, result=True):
    """A reply as SPDK writes it."""
    return json.dumps({'jsonrpc': '2.0', 'id': request['id'],
                       'result': result}, separators=(',', ':')
                      ).encode() + b'\n'


def refusal(request, code, message):
    """An error as SPDK writes it."""
    return json.dumps({'jsonrpc': '2.0', 'id': request['id'],
                       'error': {'code': code, 'message': message}},
                      separators=(',', ':')).encode() + b'\n'


class Conversation:
    """One connection, as the server sees it."""

    def __init__(self, sock):
        self.sock = sock
        self._text = ''

    def read(self):
        """The next request (dict or list), or None at the end."""
        while True:
            self._text = self._text.lstrip()
            try:
                value, end = json.JSONDecoder().raw_decode(self._text)
            except ValueError:
                try:
                    data = self.sock.recv(65536)
                except ConnectionError:
                    return None
                if not data:
                    return None
                self._text += data.decode()
                continue
            self._text = self._text[end:]
            return value

    def send(self, data):
        """Send bytes, all of them."""
        self.sock.sendall(data)

    def serve_one_each_read(self, answer):
        """Answer one request each time something comes in.

        So do SPDK's releases before v19.01; the rest stays where it is.
        """
        while True:
            data = self.sock.recv(65536)
            if not data:
                return
            text = (self._text + data.decode()).lstrip()
            self._text = ''
            if text:
                request, end = json.JSONDecoder().raw_decode(text)
                self._text = text[end:]
                self.send(answer(request))

    def serve(self, answer):
        """Answer every request by ``answer(request)`` until the end."""
        while True:
            request = self.read()
            if request is None:
                return
            data = answer(request)
            if data is None:
                return
            self.send(data)


class Peer(fixtures.Fixture):
    """Listens on a UNIX socket and runs a function for each connection.

    :param *talks: functions of a :class:`Conversation`, one for each
        connection in turn; the last one is for all further ones. The
        connection is closed when the function returns.
    :ivar path: the socket.
    :ivar accepted: how many connections there were.
    """

    def __init__(self, *talks):
        super().__init__()
        self._talks = list(talks)
        self.accepted = 0

    def _setUp(self):
        directory = tempfile.mkdtemp(prefix='peer-')
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        self.path = os.path.join(directory, 'sock')
        self._threads = []
        self._sockets = []
        self._lock = threading.Lock()
        self._ending = False
        self.addCleanup(self._end)
        self.listen()

    def listen(self):
        """Begin to listen (again)."""
        self.listener = socket.socket(socket.AF_UNIX)
        self._sockets.append(self.listener)
        self.listener.bind(self.path)
        self.listener.listen()
        self._run(self._accept, self.listener)

    def hang_up(self):
        """Stop listening, as a target that ends: the socket goes too."""
        os.unlink(self.path)
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            talk = self._talks[min(self.accepted, len(self._talks) - 1)]
            self.accepted += 1
            with self._lock:
                if self._ending:
                    sock.close()
                    return
                self._sockets.append(sock)
                self._run(self._talk, talk, sock)

    @staticmethod
    def _talk(talk, sock):
        try:
            talk(Conversation(sock))
        except OSError:
            # The client has gone, as it may.
            return
        finally:
            sock.close()

    def _run(self, function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _end(self):
        with self._lock:
            self._ending = True
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                sock.close()
        for thread in self._threads:
            thread.join(PATIENCE)
