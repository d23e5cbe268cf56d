# SPDX-License-Identifier: Apache-2.0

"""What systemd is told, if it asks."""

import os
import socket

import fixtures
import testtools

from cyborg_spdk.service import systemd


class SystemdTest(testtools.TestCase):

    def listen(self, path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.bind(path)
        sock.settimeout(60)
        return sock

    def environ(self, name, value):
        self.useFixture(fixtures.EnvironmentVariable(name, value))

    def test_told(self):
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, 's')
        sock = self.listen(path)
        self.environ('NOTIFY_SOCKET', path)
        self.assertTrue(systemd.notify('READY=1'))
        self.assertEqual(b'READY=1', sock.recv(100))

    def test_abstract(self):
        name = f'cyborg-spdk-{os.getpid()}-{id(self)}'
        sock = self.listen('\0' + name)
        self.environ('NOTIFY_SOCKET', '@' + name)
        self.assertTrue(systemd.notify('STOPPING=1'))
        self.assertEqual(b'STOPPING=1', sock.recv(100))

    def test_nobody_asks(self):
        for value in (None, '', 'relative', '/nowhere/at/all'):
            self.environ('NOTIFY_SOCKET', value)
            self.assertFalse(systemd.notify('READY=1'))

    def test_watchdog(self):
        self.environ('WATCHDOG_PID', None)
        for value, seconds in (('60000000', 60.0), (None, None),
                               ('0', None), ('x', None)):
            self.environ('WATCHDOG_USEC', value)
            self.assertEqual(seconds, systemd.watchdog_seconds())
        self.environ('WATCHDOG_USEC', '1000000')
        self.environ('WATCHDOG_PID', '1')
        self.assertIsNone(systemd.watchdog_seconds())
