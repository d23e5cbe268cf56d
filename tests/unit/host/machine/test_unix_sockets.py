# SPDX-License-Identifier: Apache-2.0

"""The kernel of this machine is asked."""

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


class LookTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.useFixture(
            fixtures.TempDir(rootdir='/tmp')).path
        self.path = self.directory + '/blk 0'

    def listen(self):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen()
        return listener

    def connect(self):
        made = socket.socket(socket.AF_UNIX)
        self.addCleanup(made.close)
        made.connect(self.path)
        return made

    def test_nobody(self):
        self.assertEqual(unix_sockets.Seen(False, 0),
                         unix_sockets.look(self.path))

    def test_one_that_listens(self):
        self.listen()
        self.assertEqual(unix_sockets.Seen(True, 0),
                         unix_sockets.look(self.path))

    def test_connections_are_counted(self):
        listener = self.listen()
        for count in (1, 2):
            self.connect()
            accepted, _ = listener.accept()
            self.addCleanup(accepted.close)
            self.assertEqual(unix_sockets.Seen(True, count),
                         unix_sockets.look(self.path))
        accepted.close()
        self.assertEqual(unix_sockets.Seen(True, 1),
                         unix_sockets.look(self.path))

    def test_one_that_nobody_has_taken_is_none(self):
        self.listen()
        self.connect()
        self.assertEqual(unix_sockets.Seen(True, 0),
                         unix_sockets.look(self.path))

    def test_a_name_that_another_begins_with(self):
        self.listen()
        self.assertEqual(unix_sockets.Seen(False, 0),
                         unix_sockets.look(self.path[:-1]))

    def test_no_table(self):
        self.listen()
        self.assertEqual(unix_sockets.Seen(False, 0), unix_sockets.look(
            self.path, os.path.join(self.directory, 'none')))
