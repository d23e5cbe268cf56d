# SPDX-License-Identifier: Apache-2.0

"""Who may read /health, and what is answered."""

import os

import fixtures
from oslo_config import cfg
import requests
import testtools

from cyborg_spdk import exceptions
from cyborg_spdk.service import endpoint
from cyborg_spdk.service import options

_TOKEN = '0123456789abcdef0123456789abcdef'


class Case(testtools.TestCase):
    """A configuration for an endpoint."""

    def setUp(self):
        super().setUp()
        self.conf = cfg.ConfigOpts()
        self.conf([])
        options.register(self.conf)
        self.well = True
        self.set(listen_port=0)

    def set(self, **values):
        for name, value in values.items():
            self.conf.set_override(name, value, group=options.GROUP)

    def serve(self):
        served = endpoint.Endpoint(self.conf, {
            '/health': endpoint.json_application(
                lambda: (self.well, {'status': 'as told'}))})
        self.addCleanup(served.close)
        return f'http://127.0.0.1:{served.port}'

    def token_file(self, text):
        path = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'token')
        with open(path, 'w', opener=lambda name, flags: os.open(
                name, flags, 0o600)) as stream:
            stream.write(text)
        return path


class EndpointTest(Case):

    def test_well_and_not_well(self):
        url = self.serve()
        answer = requests.get(url + '/health', timeout=60)
        self.assertEqual((200, {'status': 'as told'}),
                         (answer.status_code, answer.json()))
        self.well = False
        self.assertEqual(
            503, requests.get(url + '/health', timeout=60).status_code)

    def test_nothing_else(self):
        url = self.serve()
        self.assertEqual(
            404, requests.get(url + '/etc/passwd', timeout=60).status_code)
        self.assertEqual(
            405, requests.post(url + '/health', timeout=60).status_code)

    def test_token(self):
        self.set(token_file=self.token_file(_TOKEN + '\n'))
        url = self.serve() + '/health'
        for headers in ({}, {'Authorization': 'Bearer x'},
                        {'Authorization': _TOKEN}):
            self.assertEqual(401, requests.get(
                url, headers=headers, timeout=60).status_code)
        self.assertEqual(200, requests.get(
            url, headers={'Authorization': f'Bearer {_TOKEN}'},
            timeout=60).status_code)

    def test_short_token(self):
        self.set(token_file=self.token_file('x\n'))
        self.assertRaises(exceptions.ConfigurationError, self.serve)

    def test_open_to_all_is_refused(self):
        self.set(listen_address='0.0.0.0')
        error = self.assertRaises(exceptions.ConfigurationError, self.serve)
        self.assertIn('others can reach it', str(error))

    def test_not_an_address(self):
        self.set(listen_address='localhost')
        self.assertRaises(exceptions.ConfigurationError, self.serve)

    def test_port_taken(self):
        port = int(self.serve().rpartition(':')[2])
        self.set(listen_port=port)
        error = self.assertRaises(exceptions.ConfigurationError, self.serve)
        self.assertIn(str(port), str(error))
