# SPDX-License-Identifier: Apache-2.0

"""Errors of calls, told with their cause.

A socket answers here what a target would: how real ones answer is the
functional tests' business.
"""

import json
import os
import socketserver
import tempfile
import threading
import unittest

from cyborg_spdk.clients import base
from cyborg_spdk import exceptions
from cyborg_spdk import rpc


class Handler(socketserver.StreamRequestHandler):
    """Answers every call of "m" with one thing and remembers the params."""

    def handle(self):
        decoder, data = json.JSONDecoder(), ''
        while True:
            chunk = self.connection.recv(65536)
            if not chunk:
                return
            data += chunk.decode()
            while data.strip():
                try:
                    request, end = decoder.raw_decode(data.lstrip())
                except ValueError:
                    break
                data = data.lstrip()[end:]
                self.wfile.write(json.dumps(
                    {'jsonrpc': '2.0', 'id': request['id'],
                     **self.reply(request)}).encode() + b'\n')

    def reply(self, request):
        """``result`` or ``error`` for one request."""
        if request['method'] != 'm':
            return {'result': ['m']}
        self.server.params.append(request.get('params'))
        return self.server.answer


class Server(socketserver.ThreadingUnixStreamServer):

    daemon_threads = True
    block_on_close = False


def error(code=-32602, message='Invalid parameters'):
    """What a target says when it fails."""
    return {'error': {'code': code, 'message': message}}


class BaseTests(unittest.TestCase):

    def client(self, answer):
        """A client of a target that gives this answer."""
        directory = tempfile.TemporaryDirectory(prefix='spdk-')
        self.addCleanup(directory.cleanup)
        address = os.path.join(directory.name, 's')
        server = Server(address, Handler)
        server.params = []
        server.answer = answer if isinstance(answer, dict) else {
            'result': answer}
        threading.Thread(target=server.serve_forever, args=(0.02,),
                         daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(rpc.disconnect, address)
        self.server = server
        return base.Client(rpc.connect(address))

    def test_call(self):
        client = self.client(7)
        self.assertEqual(7, client._call('m', a=1, b=None))
        self.assertEqual(7, client.with_timeout(5)._call('m'))
        self.assertEqual([{'a': 1}, None], self.server.params)
        self.assertIsNone(client.timeout)

    def test_cause(self):
        client = self.client(error())
        with self.assertRaises(exceptions.NotFound) as caught:
            client._call('m', _about='x', _cause=lambda exc: (
                exceptions.NotFound, f'no x ({exc.code})'))
        self.assertEqual('m: Invalid parameters (code -32602): no x '
                         '(-32602)', str(caught.exception))

    def test_cause_that_cannot_be_found(self):
        def fails(_exc):
            raise exceptions.ConnectionLost('a')

        for cause in (None, lambda exc: None, fails):
            with self.assertRaises(exceptions.InvalidParams) as caught:
                self.client(error())._call('m', _about='thing x',
                                           _cause=cause)
            self.assertEqual('thing x', caught.exception.detail)

    def test_clear_errors_stay(self):
        for answer, kind in (
                (error(-32601, 'Method not found'),
                 exceptions.MethodNotFound),
                (error(-1, 'Method may only be called before x'),
                 exceptions.NotReady),
                (error(-108, 'Cannot send after transport endpoint '
                       'shutdown'), exceptions.TargetStopping)):
            with self.assertRaises(kind):
                self.client(answer)._call('m', _about='x', _cause=self.fail)

    def test_busy_by_its_text(self):
        for code, message in (
                (-32603, 'Subsystem currently in another state change try '
                         'again later.'),
                (-32602, 'Failed: Resource temporarily unavailable')):
            with self.assertRaises(exceptions.Busy):
                self.client(error(code, message))._call('m')

    def test_missing_is_told(self):
        with self.assertRaises(exceptions.NotFound) as caught:
            self.client(error(-19, 'No such device'))._call(
                'm', _about="bdev 'x'")
        self.assertIn("bdev 'x' does not exist", str(caught.exception))

    def test_false_is_a_failure(self):
        with self.assertRaises(exceptions.InternalError):
            self.client(False)._call('m', _about='x')
        self.assertIs(False, self.client(False)._call('m', _false_ok=True))

    def test_secrets_are_not_repeated(self):
        params = {'name': 'k', 'key': 'geheim', 'psk': 'auch'}
        with self.assertRaises(exceptions.InvalidParams) as caught:
            self.client(error())._call('m', **params)
        self.assertEqual({'name': 'k', 'key': '***', 'psk': '***'},
                         caught.exception.params)
        self.assertNotIn('geheim', repr(caught.exception))

    def test_delete(self):
        client = self.client(True)
        self.assertTrue(client._delete('m', 'x', self.fail, False, a=1))
        client = self.client(error())
        self.assertFalse(client._delete('m', 'x', lambda: True, True))
        with self.assertRaises(exceptions.NotFound):
            client._delete('m', 'x', lambda: True, False)
        # It is there: missing_ok is no excuse for another failure.
        with self.assertRaises(exceptions.InvalidParams):
            client._delete('m', 'x', lambda: False, True)

    def test_create(self):
        wanted = {'size': (5, lambda found: found['size']),
                  'mode': (None, lambda found: found['mode'])}
        same, other = {'size': 5, 'mode': 1}, {'size': 6, 'mode': 1}
        self.assertEqual('n', self.client('n')._create(
            'm', 'x', self.fail, wanted, False))
        client = self.client(error(-17, 'File exists'))
        self.assertIsNone(client._create('m', 'x', lambda: same, wanted,
                                         True))
        for found, exist_ok, text in ((same, False, 'x exists already'),
                                      (other, True, 'size 6, not 5'),
                                      (other, False, 'size 6, not 5')):
            with self.assertRaises(exceptions.AlreadyExists) as caught:
                client._create('m', 'x', lambda found=found: found, wanted,
                               exist_ok)
            self.assertIn(text, str(caught.exception))
        full = self.client(error(-12, 'Cannot allocate memory'))
        with self.assertRaises(exceptions.NoSpace):
            full._create('m', 'x', lambda: same, wanted, True)
