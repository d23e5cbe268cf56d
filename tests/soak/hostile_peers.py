# SPDX-License-Identifier: Apache-2.0

"""Calls to targets that lie, stammer and fall silent.

A peer answers truthfully for a while and then in one of many wrong ways. It
never gives one call's result under another's number, so a caller that gets
another's result was crossed by us.
"""

import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time

from cyborg_spdk import exceptions
from cyborg_spdk import rpc

_AT_ONCE = 100
_TIMEOUT = 0.2
# Seconds that a call may be late on a machine that is busy.
_LATE = 60.0
_VERSION = {'version': 'SPDK v26.05', 'fields': {
    'major': 26, 'minor': 5, 'patch': 0, 'suffix': ''}}


def _reply(number, result, **more):
    return json.dumps({'jsonrpc': '2.0', 'id': number, 'result': result,
                       **more}).encode()


def _error(number, error):
    return json.dumps({'jsonrpc': '2.0', 'id': number,
                       'error': error}).encode()


#: What a hostile peer says in the place of a reply: functions of the number
#: and result of the call. None closes the connection.
LIES = (
    lambda number, result: None,
    lambda number, result: b'',
    lambda number, result: b' ' * 100000,
    lambda number, result: b'\0' * 100,
    lambda number, result: b'\xff\xfe\xfd',
    lambda number, result: b'\xef\xbb\xbf' + _reply(number, result),
    lambda number, result: _reply(number, result)[:-1],
    lambda number, result: _reply(number, result)[1:],
    lambda number, result: _reply(number, result) * 2,
    lambda number, result: _reply(number, result) + b'}',
    lambda number, result: _reply(number, result) + b'{',
    lambda number, result: b'[' + _reply(number, result) + b']',
    lambda number, result: b'[[' + _reply(number, result) + b']]',
    lambda number, result: b'[' + _reply(number, result),
    lambda number, result: b'[]',
    lambda number, result: b'{}',
    lambda number, result: b'null',
    lambda number, result: b'"text"',
    lambda number, result: b'0',
    lambda number, result: b'-',
    lambda number, result: b'1e999999',
    lambda number, result: b'9' * 5000,
    lambda number, result: b'[' * 5000,
    lambda number, result: b'{"a":' * 5000,
    lambda number, result: b'"' + b'x' * 5000,
    lambda number, result: b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    lambda number, result: _reply(None, result),
    lambda number, result: _reply(str(number), result),
    lambda number, result: _reply(-1, result),
    lambda number, result: _reply(1 << 80, result),
    lambda number, result: _reply([number], result),
    lambda number, result: _reply({}, result),
    lambda number, result: _error(number, None),
    lambda number, result: _error(number, 'text'),
    lambda number, result: _error(number, {'code': 'x', 'message': 1}),
    lambda number, result: _error(number, {'code': 1 << 70,
                                           'message': '\x1b[2J' * 50}),
    lambda number, result: _reply(number, result, error={
        'code': -1, 'message': 'both'}),
    lambda number, result: json.dumps({'id': number}).encode(),
    lambda number, result: json.dumps({'result': result}).encode(),
)


class _Peer:
    """Serves one connection after the other, a thread each."""

    def __init__(self, path, seed):
        self._chance = random.Random(seed)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(64)

    def serve(self):
        while True:
            connection, _address = self._listener.accept()
            threading.Thread(
                target=self._converse, daemon=True, args=(
                    connection, random.Random(self._chance.random()))
            ).start()

    def _converse(self, connection, chance):
        # A target that was never true is not even asked for its methods.
        true = int(chance.choice((0, 0, 2, 2)) + chance.expovariate(1 / 400))
        decoder, text = json.JSONDecoder(), ''
        try:
            while data := connection.recv(1 << 16):
                text += data.decode()
                out = []
                while text := text.lstrip():
                    try:
                        request, end = decoder.raw_decode(text)
                    except ValueError:
                        break
                    text = text[end:]
                    for one in (request if isinstance(request, list)
                                else [request]):
                        true -= 1
                        said = self._said(one) if true >= 0 else \
                            chance.choice(LIES)(one['id'], self._result(one))
                        if said is None:
                            connection.sendall(b''.join(out))
                            connection.close()
                            return
                        out.append(said)
                if chance.random() < 0.2:
                    chance.shuffle(out)
                connection.sendall(b''.join(out))
        except OSError:
            return

    def _said(self, request):
        return _reply(request['id'], self._result(request))

    @staticmethod
    def _result(request):
        if request['method'] == 'rpc_get_methods':
            return ['rpc_get_methods', 'spdk_get_version', 'bdev_get_bdevs']
        if request['method'] == 'spdk_get_version':
            return _VERSION
        return request.get('params', {}).get('name')


def _started(program, path):
    process = subprocess.Popen(
        [sys.executable, '-m', 'tests.soak.hostile_peers', program, path],
        stdout=subprocess.PIPE, env={**os.environ, 'PYTHONPATH': os.pathsep
                                     .join(filter(None, sys.path))})
    process.stdout.readline()
    return process


def run(amount, seed):
    """Make calls.

    :param amount: how many.
    :param seed: of what the peers say.
    :returns: counts: ``answered``, ``failed``, ``hung``, ``crossed`` and
        ``untyped``.
    """
    figures = dict.fromkeys(
        ('answered', 'failed', 'hung', 'crossed', 'untyped'), 0)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'sock')
        process = _started(str(seed), path)
        try:
            client = rpc.connect(path)
            for number in range(0, amount, _AT_ONCE):
                names = [f't{number + one}' for one in range(
                    min(_AT_ONCE, amount - number))]
                began = time.monotonic()
                try:
                    found = client.call_many(
                        [rpc.Request('bdev_get_bdevs', {'name': name})
                         for name in names], timeout=_TIMEOUT)
                except Exception as exc:
                    found = [exc] * len(names)
                figures['hung'] += \
                    time.monotonic() - began > _TIMEOUT + _LATE
                for name, one in zip(names, found, strict=True):
                    figures[_verdict(name, one)] += 1
            client.close()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    return figures


def _verdict(name, outcome):
    if isinstance(outcome, exceptions.SpdkError):
        return 'failed'
    if isinstance(outcome, Exception):
        return 'untyped'
    return 'answered' if outcome == name else 'crossed'


def endless(amount, seed):
    """Call a target whose reply never ends.

    :param amount: how many calls.
    :returns: ``peak MiB`` that this process needed for them beyond what it
        had, and ``answered``.
    """
    del seed
    answered = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'sock')
        process = _started('endless', path)
        try:
            client = rpc.connect(path)
            for _ in range(amount):
                try:
                    client.call('bdev_get_bdevs', _timeout=60)
                    answered += 1
                except exceptions.SpdkError:
                    continue
            client.close()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {'answered': answered, 'peak MiB': round(peak / 1024)}


def accepted_and_closed(amount, seed):
    """Call a target that accepts each connection and closes it.

    :param amount: how many calls, of half a second each.
    :returns: ``connections a second`` and ``answered``.
    """
    del seed
    answered = connections = 0
    with tempfile.TemporaryDirectory() as directory, \
            socket.socket(socket.AF_UNIX) as listener:
        path = os.path.join(directory, 'sock')
        listener.bind(path)
        listener.listen(64)

        def accept():
            nonlocal connections
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return
                connections += 1

        threading.Thread(target=accept, daemon=True).start()
        client = rpc.connect(path)
        began = time.monotonic()
        for _ in range(amount):
            try:
                client.call('bdev_get_bdevs', _timeout=0.5)
                answered += 1
            except exceptions.SpdkError:
                continue
        seconds = time.monotonic() - began
        client.close()
        listener.shutdown(socket.SHUT_RDWR)
    return {'answered': answered,
            'connections a second': round(connections / seconds)}


def _never_end(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    print('ready', flush=True)
    block = b'"' + b'x' * (1 << 20) + b'",'
    while True:
        connection, _address = listener.accept()
        try:
            connection.recv(1 << 16)
            connection.sendall(b'{"jsonrpc": "2.0", "id": 1, "result": [')
            while True:
                connection.sendall(block)
        except OSError:
            connection.close()


def main(program, path):
    """Be a peer until killed."""
    if program == 'endless':
        _never_end(path)
    peer = _Peer(path, int(program))
    print('ready', flush=True)
    peer.serve()


if __name__ == '__main__':
    main(*sys.argv[1:])
