# SPDX-License-Identifier: Apache-2.0

import os
import socket

import fixtures
import testtools

from cyborg_spdk.service.plug import sockets


class LookTest(testtools.TestCase):
    """The kernel of this machine is asked."""

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
        self.assertEqual(sockets.Seen(False, 0), sockets.look(self.path))

    def test_one_that_listens(self):
        self.listen()
        self.assertEqual(sockets.Seen(True, 0), sockets.look(self.path))

    def test_connections_are_counted(self):
        listener = self.listen()
        for count in (1, 2):
            self.connect()
            accepted, _ = listener.accept()
            self.addCleanup(accepted.close)
            self.assertEqual(sockets.Seen(True, count),
                             sockets.look(self.path))
        accepted.close()
        self.assertEqual(sockets.Seen(True, 1), sockets.look(self.path))

    def test_one_that_nobody_has_taken_is_none(self):
        self.listen()
        self.connect()
        self.assertEqual(sockets.Seen(True, 0), sockets.look(self.path))

    def test_a_name_that_another_begins_with(self):
        self.listen()
        self.assertEqual(sockets.Seen(False, 0),
                         sockets.look(self.path[:-1]))

    def test_no_table(self):
        self.listen()
        self.assertEqual(sockets.Seen(False, 0), sockets.look(
            self.path, os.path.join(self.directory, 'none')))
