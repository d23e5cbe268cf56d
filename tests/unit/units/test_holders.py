# SPDX-License-Identifier: Apache-2.0

import socket

import fixtures
import testtools

from cyborg_spdk.clients import types
from cyborg_spdk.units import holders


class SessionsTest(testtools.TestCase):

    def controller(self, **told):
        return types.VhostController.parse(
            {'ctrlr': 'blk.0', 'socket': self.path, **told})

    def setUp(self):
        super().setUp()
        self.path = self.useFixture(
            fixtures.TempDir(rootdir='/tmp')).path + '/blk.0'
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen()
        guest = socket.socket(socket.AF_UNIX)
        self.addCleanup(guest.close)
        guest.connect(self.path)
        self.addCleanup(listener.accept()[0].close)

    def test_what_the_target_tells(self):
        self.assertEqual(('vhost_blk0s1', 'a session'), holders.sessions(
            self.controller(sessions=[{'name': 'vhost_blk0s1'}, {}])))
        self.assertEqual((), holders.sessions(self.controller(sessions=[])))

    def test_before_v2305_the_kernel_is_asked(self):
        self.assertEqual(('a connection',),
                         holders.sessions(self.controller()))
