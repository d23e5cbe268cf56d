# SPDX-License-Identifier: Apache-2.0

"""The ways to call a target that are compared."""

import json
import os
import socket
import subprocess
import sys
import threading

from spdk.rpc import client as spdk_client

_RPC_PY = """
from spdk import spdk_rpc
import sys
sys.argv = ['rpc.py', *sys.argv[1:]]
spdk_rpc.main()
"""


def rpc_py(*arguments):
    """Command line of rpc.py: that of the SPDK at hand, or PyPI's."""
    directory = os.environ.get('CYBORG_SPDK_TEST_SPDK_DIR')
    if directory:
        return [sys.executable, os.path.join(directory, 'scripts/rpc.py'),
                *arguments]
    return [sys.executable, '-c', _RPC_PY, *arguments]


def ours(*arguments):
    """Command line of ours."""
    script = os.path.join(os.path.dirname(sys.executable), 'cyborg-spdk')
    if os.path.exists(script):
        return [script, 'rpc', *arguments]
    return [sys.executable, '-m', 'cyborg_spdk.cli.main', 'rpc', *arguments]


def run(command):
    """Run a process to its end."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Raw:
    """A bare socket: the least that any client must do."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)

    @staticmethod
    def request(number, method='spdk_get_version'):
        return (b'{"jsonrpc":"2.0","id":%d,"method":"%b"}'
                % (number, method.encode()))

    def call(self):
        self.sock.sendall(self.request(1))
        return json.loads(self.sock.recv(65536))['result']

    def pipelined(self, count):
        """Send all at once; every reply is parsed."""
        data = b''.join(map(self.request, range(count)))
        sender = threading.Thread(target=self.sock.sendall, args=(data,))
        sender.start()
        parts, lines = [], 0
        while lines < count:
            part = self.sock.recv(1 << 18)
            lines += part.count(b'\n')
            parts.append(part)
        sender.join()
        return [json.loads(line)['result']
                for line in b''.join(parts).split(b'\n')[:-1]]

    def get_bdevs(self):
        self.sock.sendall(self.request(1, 'bdev_get_bdevs'))
        parts = []
        while not parts or not parts[-1].endswith(b'\n'):
            parts.append(self.sock.recv(1 << 18))
        return json.loads(b''.join(parts))['result']


def spdk_kept_open(path):
    """JSONRPCClient of the package spdk, with one connection."""
    client = spdk_client.JSONRPCClient(path, timeout=600)
    return client.call


def spdk_connecting(path):
    """The same, with a connection for each call."""
    def call(method, params=None):
        with spdk_client.JSONRPCClient(path, timeout=600) as client:
            return client.call(method, params)
    return call


class Server:
    """A server that takes command lines of rpc.py, as a coprocess."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)

    def run(self, line):
        """One command line; returns what it printed."""
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        output = []
        while True:
            answer = self.process.stdout.readline()
            if answer.startswith('**STATUS='):
                if answer.strip() != '**STATUS=0':
                    raise RuntimeError(line + '\n' + ''.join(output))
                return ''.join(output)
            output.append(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def nine_calls(command):
    """The calls of rpc_integrity in SPDK's test/rpc/rpc.sh.

    :param command: function that runs one command line of rpc.py.
    """
    command('bdev_get_bdevs')
    malloc = command('bdev_malloc_create 8 512').strip()
    command('bdev_get_bdevs')
    command(f'bdev_passthru_create -b {malloc} -p Passthru0')
    command('bdev_get_bdevs')
    command('bdev_passthru_delete Passthru0')
    command('bdev_get_bdevs')
    command(f'bdev_malloc_delete {malloc}')
    command('bdev_get_bdevs')
