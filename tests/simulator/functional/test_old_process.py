# SPDX-License-Identifier: Apache-2.0

"""Starts and ends of v18.01 and later, seen on v18.01 and v19.07."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from spdk_simulator import fixture


class Process(unittest.TestCase):
    """Command lines, files and ends."""

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def start(self, release, *arguments):
        """Start a program."""
        process = subprocess.Popen(
            [sys.executable, '-m', 'spdk_simulator', 'nvmf_tgt',
             '--spdk-version', release, *arguments], cwd=self.directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={
                **os.environ, 'PYTHONPATH': os.pathsep.join(
                    filter(None, [os.path.dirname(os.path.dirname(
                        os.path.abspath(fixture.__file__))),
                        os.environ.get('PYTHONPATH')]))})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def ends(self, status, release, *arguments):
        """See that a program ends with a status."""
        process = self.start(release, *arguments)
        said, _ = process.communicate(timeout=60)
        self.assertEqual(status, process.returncode,
                         (release, arguments, said))

    def without_socket(self, process):
        """Wait until a program says that it got no socket, and goes on."""
        for line in process.stdout:
            if b'Unable to start RPC service' in line:
                break
        self.assertRaises(subprocess.TimeoutExpired, process.wait, 0.5)

    def path(self, name, text=None):
        """A path in the directory; with a text, of a file."""
        path = os.path.join(self.directory, name)
        if text is not None:
            with open(path, 'w', encoding='ascii') as file:
                file.write(text)
        return path

    def connected(self, process, address, family=socket.AF_UNIX):
        """Connect to a program as soon as it listens; fail if it ends."""
        deadline = time.monotonic() + 60
        while True:
            connection = socket.socket(family)
            try:
                connection.connect(address)
                self.addCleanup(connection.close)
                return connection
            except OSError:
                connection.close()
                if time.monotonic() > deadline:
                    raise
            # It says nothing when it listens, only when it ends.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.fail(f'it ended with {process.wait(0.02)}')

    def test_options(self):
        """Long ones came with v18.10; a complaint was 1 before v18.07."""
        for release, status, *arguments in (
                ('v18.01', 0, '-h'), ('v18.01', 1, '--help'),
                ('v18.01', 1, '-v'), ('v18.01', 1, '-w'),
                ('v18.01', 1, '-s', 'abc'), ('v18.04', 1, '-z'),
                ('v18.07', 2, '-z'), ('v18.07', 2, '--help'),
                ('v18.10', 0, '--help'), ('v19.07', 2, '-v'),
                ('v19.07', 2, '-w'), ('v19.07', 2, '--iova-mode', 'va'),
                ('v20.01', 0, '-v')):
            self.ends(status, release, *arguments)

    def test_old_configuration(self):
        """Of ``-c`` it is only seen that it has a section."""
        empty, good = self.path('empty', ''), self.path('good', 'a\n[B]\n')
        for release in ('v18.01', 'v19.07', 'v20.07'):
            self.ends(1, release, '-c', self.path('nosuch'))
            self.ends(1, release, '-c', empty)
        where = self.path('rpc.sock')
        process = self.start('v19.07', '-r', where, '-c', good)
        self.connected(process, where)
        process.terminate()
        self.assertEqual(0, process.wait(60))

    def test_configuration(self):
        """A file of JSON may have neither objects nor calls."""
        bad = self.path('bad', json.dumps({'subsystems': [
            {'subsystem': 'bdev', 'config': [
                {'method': 'construct_malloc_bdev', 'params': {
                    'num_blocks': 0, 'block_size': 512}}]}]}))
        self.ends(234, 'v19.07', '--json', self.path('nosuch'))
        self.ends(234, 'v19.07', '--json', bad)

    def test_socket_that_cannot_be(self):
        """Up to v24.01 a target went on without one."""
        where = self.path('nodir/rpc.sock')
        self.ends(234, 'v24.05', '-r', where)
        process = self.start('v19.07', '-r', where)
        self.without_socket(process)
        process.terminate()
        self.assertEqual(0, process.wait(60))

    def test_socket_that_is_there(self):
        """v18.01 takes no path that exists, since it has no lock."""
        where = self.path('rpc.sock')
        process = self.start('v18.01', '-r', where)
        self.connected(process, where)
        self.assertEqual(['rpc.sock'], os.listdir(self.directory))
        process.terminate()
        self.assertEqual(0, process.wait(60))
        self.assertEqual([], os.listdir(self.directory))
        self.path('rpc.sock', 'mine')
        self.without_socket(self.start('v18.01', '-r', where))
        self.assertTrue(os.path.isfile(where))

    def test_port(self):
        """Up to v20.04 a target could be called over TCP."""
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            port = taken.getsockname()[1]
        process = self.start('v20.04', '-r', f'127.0.0.1:{port}')
        connection = self.connected(
            process, ('127.0.0.1', port), socket.AF_INET)
        connection.sendall(b'{"jsonrpc":"2.0","id":1,'
                           b'"method":"bdev_get_bdevs"}')
        self.assertEqual([], json.loads(connection.recv(4096))['result'])
