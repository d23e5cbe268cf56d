# SPDX-License-Identifier: Apache-2.0

"""What a command learns from the service of its host, or does not."""

import os

from cyborg_spdk.service import ask
from cyborg_spdk.service import endpoint
from tests.unit.service import test_endpoint

_FOUND = {'duties': {'wipe': {'problems': ['it fails']}}}


class AskTest(test_endpoint.Case):

    def answering(self, document=None):
        served = endpoint.Endpoint(self.conf, {
            '/health': endpoint.json_application(
                lambda: (False, document or _FOUND))})
        self.addCleanup(served.close)
        self.set(listen_port=served.port)

    def test_health(self):
        self.answering()
        self.assertEqual(_FOUND, ask.health(self.conf))

    def test_with_a_token(self):
        path = self.token_file('0123456789abcdef0123456789abcdef\n')
        self.set(token_file=path)
        self.answering()
        self.assertEqual(_FOUND, ask.health(self.conf))
        os.unlink(path)
        self.assertIsNone(ask.health(self.conf))

    def test_something_else_listens(self):
        for document in ([1], {'duties': 'none'}, {'a': 1}):
            self.answering(document)
            self.assertIsNone(ask.health(self.conf), document)
            self.set(listen_port=0)

    def test_nobody_listens(self):
        self.answering()
        self.assertIsNotNone(ask.health(self.conf))
        self.set(listen_port=0)
        self.assertIsNone(ask.health(self.conf))
