# SPDX-License-Identifier: Apache-2.0

import io
import json
import types

import testtools

from spdk_simulator.jsonrpc import requests
from spdk_simulator import log
from spdk_simulator import release


class FaultTest(testtools.TestCase):

    def test_a_method_that_fails_is_answered(self):
        said, replies = io.StringIO(), []
        played = release.Release("v26.05")
        target = types.SimpleNamespace(
            log=log.Log(said), initialized=True, release=played,
            server=types.SimpleNamespace(current=None))

        def fails(target, params, request):
            return {}["missing"]
        method = types.SimpleNamespace(
            name="x", canonical="x", deprecated=None, warned=False,
            runtime=True, startup=False, early=None, function=fails,
            params=lambda value: value)
        dispatcher = requests.Dispatcher(
            target, types.SimpleNamespace(table={"x": method}))
        request = requests.Request(types.SimpleNamespace(
            reply=replies.append))
        request.method = "x"
        dispatcher.call(request, {})
        self.assertEqual(-32603, json.loads(replies[0])["error"]["code"])
        self.assertIn("KeyError: 'missing'", said.getvalue())
        self.assertIsNone(target.server.current)
