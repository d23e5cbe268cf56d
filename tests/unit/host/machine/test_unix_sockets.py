# SPDX-License-Identifier: Apache-2.0

"""Connections to a UNIX socket are counted by the kernel's table."""

import os
import socket

import fixtures
import testtools

from cyborg_spdk.host.machine import unix_sockets


class AcceptedTest(testtools.TestCase):

    def test_those_that_wait_do_not_count(self):
        directory = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(directory, 'a socket.sock')
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            self.assertEqual(0, unix_sockets.accepted(path))
            for _ in range(3):
                client = socket.socket(socket.AF_UNIX)
                self.addCleanup(client.close)
                client.connect(path)
            self.assertEqual(0, unix_sockets.accepted(path))
            for _ in range(2):
                self.addCleanup(server.accept()[0].close)
            self.assertEqual(2, unix_sockets.accepted(path))
            self.assertEqual(
                0, unix_sockets.accepted(os.path.join(directory, 'a')))
