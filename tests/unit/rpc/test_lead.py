# SPDX-License-Identifier: Apache-2.0

"""Who serves the connection: a caller that waits, or the channel's thread."""

import subprocess
import sys
import threading

import fixtures

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from tests.unit.rpc import peer

PATIENCE = peer.PATIENCE

# The target answers the second call only when the first was interrupted.
_INTERRUPTED = """
import os, signal, sys, threading
from cyborg_spdk import exceptions, rpc
client = rpc.connect(sys.argv[1])
other = []

def work():
    try:
        other.append(client.call('bdev_get_bdevs', _timeout=60))
    except exceptions.SpdkError as exc:
        other.append(exc)
    ended.set()
ended = threading.Event()
try:
    threading.Timer(0.5, threading.Thread(target=work).start).start()
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    client.call('framework_start_init', _timeout=60)
except KeyboardInterrupt:
    print('interrupted')
print(ended.wait(60), client.call('bdev_get_bdevs', _timeout=60))
"""


def threads():
    """Names of the threads that serve channels."""
    return [thread.name for thread in threading.enumerate()
            if thread.name.startswith('spdk-rpc')]


class LeadTest(fixtures.TestWithFixtures):

    def setUp(self):
        super().setUp()
        self.addCleanup(rpc.disconnect_all)

    def connect(self, *talks):
        self.peer = self.useFixture(peer.Peer(*talks))
        return rpc.connect(self.peer.path)

    def test_a_caller_that_waits_needs_no_other_thread(self):
        client = self.connect(lambda talk: talk.serve(peer.reply))
        self.assertTrue(client.call('m'))
        self.assertEqual([True] * 3000, client.call_many(
            [rpc.Request('m')] * 3000))
        self.assertNotIn(f'spdk-rpc {self.peer.path}', threads())
        self.assertTrue(client.submit('m').result(PATIENCE))
        self.assertIn(f'spdk-rpc {self.peer.path}', threads())

    def test_the_lead_is_handed_over(self):
        # The reply to the one who leads comes first, the others' later.
        go = threading.Event()

        def talk(conversation):
            requests = [conversation.read() for _ in range(9)]
            conversation.send(peer.reply(requests[0]))
            go.wait(PATIENCE)
            for request in requests[1:]:
                conversation.send(peer.reply(request))
            conversation.read()
        client = self.connect(talk)
        results = []
        workers = [threading.Thread(
            target=lambda: results.append(client.call('m', _timeout=PATIENCE)
                                          )) for _ in range(9)]
        for worker in workers:
            worker.start()
        while not results:
            workers[0].join(0.01)
        go.set()
        for worker in workers:
            worker.join(PATIENCE)
        self.assertEqual([True] * 9, results)

    def test_ctrl_c_in_a_call_harms_no_other(self):
        def talk(conversation):
            while True:
                request = conversation.read()
                if request is None:
                    return
                if request['method'] != 'framework_start_init':
                    conversation.send(peer.reply(request))
        self.connect(talk)
        done = subprocess.run(
            [sys.executable, '-c', _INTERRUPTED, self.peer.path], text=True,
            capture_output=True, timeout=PATIENCE)
        self.assertEqual(('interrupted\nTrue True\n', ''),
                         (done.stdout, done.stderr))

    def test_a_request_that_cannot_be_made_harms_no_other(self):
        client = self.connect(lambda talk: talk.serve(peer.reply))

        def requests():
            for _ in range(2500):
                yield rpc.Request('m')
            raise KeyError('from the caller')
        with self.assertRaises(KeyError):
            client.call_many(requests())
        with self.assertRaises(exceptions.InvalidValue):
            client.call_many([rpc.Request('m')] * 1500
                             + [rpc.Request('m', None, 'soon')])
        self.assertTrue(client.call('m'))
        self.assertEqual(1, self.peer.accepted)
