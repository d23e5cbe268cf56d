# SPDX-License-Identifier: Apache-2.0

"""What becomes of a call when its connection is lost."""

import os
import subprocess
import sys
import threading
import time

import fixtures

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from tests.unit.rpc import peer

PATIENCE = peer.PATIENCE


class OutcomeTest(fixtures.TestWithFixtures):

    def setUp(self):
        super().setUp()
        self.addCleanup(rpc.disconnect_all)
        self.asked = []
        self.gone = threading.Event()

    def connect(self, *talks):
        self.peer = self.useFixture(peer.Peer(*talks))
        return rpc.connect(self.peer.path)

    def echo(self, conversation):
        """Answer every call."""
        conversation.serve(self.answer)

    def answer(self, request):
        if request['method'] != 'spdk_get_version':
            self.asked.append(request['method'])
        return peer.reply(request, request['method'])

    def read(self, conversation):
        """The next call; what only sees whether we live is answered."""
        while True:
            request = conversation.read()
            if request is None or request['method'] != 'spdk_get_version':
                return request
            conversation.send(self.answer(request))

    def once(self, conversation):
        """Answer one call and go."""
        request = conversation.read()
        if request is not None:
            conversation.send(self.answer(request))
            conversation.sock.close()
            self.gone.set()

    def await_end(self):
        """Wait until a peer that answers once has gone."""
        self.assertTrue(self.gone.wait(PATIENCE))

    def swallow(self, conversation):
        """Read one call and go without a word."""
        self.asked.append(self.read(conversation)['method'])

    def test_a_restart_between_two_calls_is_not_noticed(self):
        client = self.connect(self.once, self.echo)
        for method in ('change_a', 'change_b', 'x', 'y'):
            self.assertEqual(method, client.call(method))
            self.await_end()
        self.assertEqual(2, self.peer.accepted)

    def test_a_read_is_repeated_once(self):
        client = self.connect(self.swallow, self.echo)
        self.assertEqual('bdev_get_bdevs', client.call('bdev_get_bdevs'))
        self.assertEqual(['bdev_get_bdevs'] * 2, self.asked)

    def test_a_read_is_not_repeated_twice(self):
        client = self.connect(self.swallow)
        with self.assertRaises(exceptions.ConnectionLost) as caught:
            client.call('bdev_get_bdevs')
        self.assertNotIsInstance(caught.exception, exceptions.OutcomeUnknown)
        self.assertEqual(['bdev_get_bdevs'] * 2, self.asked)

    def test_what_may_have_changed_something_is_never_repeated(self):
        client = self.connect(self.swallow, self.echo)
        with self.assertRaises(exceptions.OutcomeUnknown) as caught:
            client.call('bdev_null_delete', name='x')
        self.assertEqual('bdev_null_delete', caught.exception.method)
        self.assertIn('bdev_null_delete', str(caught.exception))
        self.assertEqual(['bdev_null_delete'], self.asked)
        self.assertEqual('m', client.call('m'))

    def test_what_was_not_written_is_sent_again(self):
        # The target reads one small call and ends; the large one behind it
        # cannot have been written to its end.
        client = self.connect(self.swallow, self.echo)
        large = 'z' * 30000
        first = client.submit('framework_start_init')
        rest = [client.submit('bdev_null_delete', name=large)
                for _ in range(60)]
        self.assertIsInstance(first.exception(PATIENCE),
                              exceptions.OutcomeUnknown)
        outcomes = [future.exception(PATIENCE) for future in rest]
        self.assertLessEqual({type(error) for error in outcomes},
                             {type(None), exceptions.OutcomeUnknown})
        # Those written before are unknown, all others were executed: once.
        at = [error is None for error in outcomes].index(True)
        self.assertEqual([None] * (len(rest) - at), outcomes[at:])
        self.assertEqual(1 + len(rest) - at, len(self.asked))

    def test_replies_before_the_end_count(self):
        def talk(conversation):
            requests = [self.read(conversation) for _ in range(3)]
            conversation.send(self.answer(requests[0])
                              + self.answer(requests[2]))
        client = self.connect(talk, self.echo)
        first, second, third = client.call_many([
            rpc.Request('a'), rpc.Request('b'), rpc.Request('c')])
        self.assertEqual(('a', 'c'), (first, third))
        self.assertIsInstance(second, exceptions.OutcomeUnknown)

    def test_a_reply_that_is_torn_is_none(self):
        def talk(conversation):
            request = self.read(conversation)
            conversation.send(peer.reply(request)[:-6])
        client = self.connect(talk, talk, self.echo)
        with self.assertRaises(exceptions.OutcomeUnknown):
            client.call('framework_start_init')
        self.assertEqual('bdev_get_bdevs', client.call('bdev_get_bdevs'))

    def test_a_target_that_is_away_for_a_moment_under_load(self):
        def talk(conversation):
            self.read(conversation)
            self.peer.hang_up()
            again.set()
        again = threading.Event()
        client = self.connect(talk, self.echo)
        future = client.submit('bdev_get_bdevs')
        self.assertTrue(again.wait(PATIENCE))
        self.peer.listen()
        self.assertEqual('bdev_get_bdevs', future.result(PATIENCE))

    def own(self, connect_timeout, *talks):
        """A client with a connect timeout of its own."""
        self.peer = self.useFixture(peer.Peer(*talks))
        client = rpc.Client(self.peer.path, connect_timeout)
        self.addCleanup(client.close)
        return client

    def take(self, client, **kwargs):
        """How long a call takes to be told that nobody is there."""
        began = time.monotonic()
        with self.assertRaises(exceptions.ConnectError) as caught:
            client.call('bdev_get_bdevs', **kwargs)
        self.assertIn('no such socket', str(caught.exception))
        return time.monotonic() - began

    def test_a_target_that_does_not_come_back(self):
        client = self.own(1.0, self.once)
        client.call('m')
        self.await_end()
        self.peer.hang_up()
        self.assertGreaterEqual(self.take(client), 1.0)
        # It has been quiet for as long by now.
        self.assertLess(self.take(client), 1.0)

    def test_a_target_that_is_restarted_between_two_calls(self):
        # Nothing is on its way when it goes, but the last reply is young.
        client = self.own(PATIENCE, self.once, self.echo)
        client.call('m')
        self.await_end()
        self.peer.hang_up()
        future = client.submit('framework_start_init')
        self.peer.listen()
        self.assertEqual('framework_start_init', future.result(PATIENCE))

    def test_a_deadline_ends_the_wait_for_a_target(self):
        client = self.own(PATIENCE, self.once)
        client.call('m')
        self.await_end()
        self.peer.hang_up()
        with self.assertRaises(exceptions.RpcTimeout) as caught:
            client.call('framework_start_init', _timeout=0.2)
        self.assertIn('it was not sent', str(caught.exception))

    def test_a_target_that_was_told_to_end(self):
        client = self.own(PATIENCE, self.once)
        client.call('spdk_kill_instance', sig_name='SIGTERM')
        self.await_end()
        self.peer.hang_up()
        self.assertLess(self.take(client), PATIENCE / 2)

    def test_a_peer_that_accepts_and_hangs_up(self):
        # A forwarder whose target is down: 50 connections a second.
        client = self.own(1.0, lambda conversation: None)
        began = time.monotonic()
        with self.assertRaises(exceptions.ConnectionLost):
            client.call('bdev_get_bdevs')
        while time.monotonic() < began + 2.0:
            with self.assertRaises(exceptions.SpdkError):
                client.open()
                client.call('framework_start_init', _timeout=0.1)
        self.assertLess(self.peer.accepted,
                        10 + 50 * (time.monotonic() - began))
        self.assertGreater(self.peer.accepted, 10)

    def test_a_peer_that_speaks_something_else(self):
        client = self.own(1.0, lambda conversation: conversation.send(
            b'220 mail.example ESMTP\r\n'))
        began = time.monotonic()
        while time.monotonic() < began + 1.0:
            with self.assertRaises(exceptions.SpdkError):
                client.call('bdev_get_bdevs')
        self.assertLess(self.peer.accepted,
                        10 + 50 * (time.monotonic() - began))

    def test_connect_checks_a_connection_that_was_kept(self):
        client = self.connect(self.once, self.echo)
        client.call('m')
        self.await_end()
        self.peer.hang_up()
        with self.assertRaises(exceptions.ConnectError):
            rpc.connect(self.peer.path)
        self.peer.listen()
        self.assertIs(client, rpc.connect(self.peer.path))
        self.assertTrue(client.is_open)

    def test_a_target_that_is_about_to_end_gets_no_call(self):
        # It still accepts after it has lost the connection. Neither a read
        # nor a change is trusted to it before it has answered.
        asked = []

        def ending(conversation):
            asked.append(conversation.read()['method'])
        client = self.connect(ending, ending, ending, self.echo)
        read = client.submit('bdev_get_bdevs')
        self.assertEqual('bdev_get_bdevs', read.result(PATIENCE))
        self.assertEqual('framework_start_init',
                         client.call('framework_start_init'))
        self.assertEqual(['bdev_get_bdevs'] + ['spdk_get_version'] * 2,
                         asked)
        self.assertEqual(['bdev_get_bdevs', 'framework_start_init'],
                         self.asked)

    def test_close_ends_what_is_on_its_way(self):
        client = self.connect(lambda talk: talk.serve(lambda request: b''),
                              self.echo)
        read = client.submit('bdev_get_bdevs')
        change = client.submit('framework_start_init')
        while self.peer.accepted < 1 or not client.is_open:
            pass
        rpc.disconnect(self.peer.path)
        self.assertIsInstance(read.exception(PATIENCE),
                              exceptions.ConnectionLost)
        self.assertIsInstance(change.exception(PATIENCE),
                              exceptions.ConnectionLost)
        self.assertFalse(client.is_open)
        self.assertEqual('m', client.call('m'))

    def test_after_a_fork_the_child_has_a_connection_of_its_own(self):
        client = self.connect(self.echo)
        client.call('m')
        pid = os.fork()
        if not pid:
            status = 1
            try:
                ok = client.call('child') == 'child' \
                    and rpc.connect(self.peer.path) is client
                status = 0 if ok else 1
            finally:
                os._exit(status)
        self.assertEqual(0, os.waitpid(pid, 0)[1])
        self.assertEqual('m', client.call('m'))
        self.assertEqual(2, self.peer.accepted)

    def test_a_fork_while_calls_are_on_their_way(self):
        go = threading.Event()

        def talk(conversation):
            request = conversation.read()
            go.wait(PATIENCE)
            conversation.send(self.answer(request))
            self.echo(conversation)
        client = self.connect(talk, self.echo)
        future = client.submit('slow')
        pid = os.fork()
        if not pid:
            status = 1
            try:
                error = future.exception(PATIENCE)
                ok = isinstance(error, exceptions.ConnectionLost) \
                    and client.call('child') == 'child'
                status = 0 if ok else 1
            finally:
                os._exit(status)
        self.assertEqual(0, os.waitpid(pid, 0)[1])
        go.set()
        self.assertEqual('slow', future.result(PATIENCE))

    def test_a_program_ends_with_calls_on_their_way(self):
        self.connect(lambda talk: talk.serve(lambda request: b''))
        done = subprocess.run(
            [sys.executable, '-c', 'import sys\n'
             'from cyborg_spdk import rpc\n'
             'rpc.connect(sys.argv[1]).submit("m")\n', self.peer.path],
            capture_output=True, timeout=PATIENCE)
        self.assertEqual((0, b'', b''), (done.returncode, done.stdout,
                                         done.stderr))


class CacheTest(fixtures.TestWithFixtures):

    def setUp(self):
        super().setUp()
        self.addCleanup(rpc.disconnect_all)
        self.peer = self.useFixture(peer.Peer(
            lambda talk: talk.serve(peer.reply)))

    def test_the_same_object_for_the_same_address(self):
        client = rpc.connect(self.peer.path)
        self.assertIs(client, rpc.connect('unix:' + self.peer.path))
        with rpc.connect(self.peer.path) as again:
            again.call('m')
        self.assertTrue(client.is_open)
        self.assertIs(client, again)
        self.assertEqual(1, self.peer.accepted)

    def test_threads_that_connect_at_once_share_one(self):
        barrier = threading.Barrier(8)
        found = []

        def work():
            barrier.wait(PATIENCE)
            client = rpc.connect(self.peer.path)
            client.call('m')
            found.append(client)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(1, len(set(map(id, found))))
        self.assertEqual(8, len(found))
        self.assertEqual(1, self.peer.accepted)

    def test_disconnect(self):
        other = self.useFixture(peer.Peer(
            lambda talk: talk.serve(peer.reply)))
        first, second = rpc.connect(self.peer.path), rpc.connect(other.path)
        rpc.disconnect(self.peer.path)
        self.assertEqual((False, True), (first.is_open, second.is_open))
        rpc.disconnect('/never/connected')
        rpc.disconnect_host('elsewhere')
        self.assertTrue(second.is_open)
        rpc.disconnect_host('localhost')
        self.assertFalse(second.is_open)
        self.assertIs(first, rpc.connect(self.peer.path))
        rpc.disconnect_all()
        self.assertFalse(first.is_open)

    def test_connections_of_their_own_are_reused_last_in_first_out(self):
        shared = rpc.connect(self.peer.path)
        mine = [rpc.connect(self.peer.path, shared=False) for _ in range(3)]
        self.assertEqual(4, len({id(one) for one in [shared, *mine]}))
        self.assertTrue(all(one.call('m') for one in mine))
        for one in mine:
            one.close()
        again = [rpc.connect(self.peer.path, shared=False) for _ in range(3)]
        self.assertEqual([id(one) for one in reversed(mine)],
                         [id(one) for one in again])
        self.assertTrue(all(one.call('m') for one in again))
        rpc.disconnect(self.peer.path)
        self.assertFalse(any(one.is_open for one in [shared, *mine]))

    def test_a_new_target_on_the_same_path(self):
        # The old one lives on, with nothing on its path: what connects
        # there means the new one.
        client = rpc.connect(self.peer.path)
        client.call('m')
        os.rename(self.peer.path, self.peer.path + '.old')
        self.peer.listen()
        self.assertIs(client, rpc.connect(self.peer.path))
        client.call('m')
        self.assertEqual(2, self.peer.accepted)
