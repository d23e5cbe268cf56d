# SPDX-License-Identifier: Apache-2.0

import concurrent.futures
import json
import os
import resource
import socket
import sys
import threading
import time
import tracemalloc
import unittest
from unittest import mock

import fixtures

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.rpc.protocol import message
from cyborg_spdk.rpc.serving import window
from tests.unit.rpc import peer

PATIENCE = peer.PATIENCE


def echo(request):
    return peer.reply(request, [request['method'], request.get('params')])


class ClientTestCase(fixtures.TestWithFixtures):

    def setUp(self):
        super().setUp()
        self.addCleanup(rpc.disconnect_all)

    def connect(self, *talks):
        """A client of a peer with these talks."""
        self.peer = self.useFixture(peer.Peer(*talks))
        return rpc.connect(self.peer.path)

    def answering(self, answer):
        """A client of a peer that answers each request so."""
        return self.connect(lambda talk: talk.serve(answer))


class CallTest(ClientTestCase):

    def test_call(self):
        client = self.answering(echo)
        self.assertEqual(['m', {'a': 1, 'b': None}],
                         client.call('m', a=1, c=None) and
                         client.call_many([rpc.Request('m', {
                             'a': 1, 'b': None})])[0])
        self.assertEqual(['m', {'a': 1}], client.call('m', a=1, c=None))
        self.assertEqual(['m', None], client.call('m'))
        self.assertEqual(['m', {'method': 1, 'self': 2}],
                         client.call('m', method=1, self=2))

    def test_submit(self):
        client = self.answering(echo)
        future = client.submit('m', a=1)
        self.assertIsInstance(future, concurrent.futures.Future)
        self.assertEqual(['m', {'a': 1}], future.result(PATIENCE))
        self.assertFalse(future.cancel())

    def test_replies_in_any_order(self):
        def talk(conversation):
            requests = [conversation.read() for _ in range(50)]
            for request in reversed(requests):
                conversation.send(echo(request))
            conversation.read()
        client = self.connect(talk)
        results = client.call_many(
            [rpc.Request('m', {'n': n}) for n in range(50)])
        self.assertEqual([['m', {'n': n}] for n in range(50)], results)

    def test_errors_in_their_places(self):
        def answer(request):
            if request['method'] == 'bad':
                return peer.refusal(request, -19, 'No such device')
            return echo(request)
        client = self.answering(answer)
        requests = [rpc.Request('good'), rpc.Request('bad', {'x': 1}),
                    rpc.Request('worse', {'x': float('nan')})]
        good, bad, worse = client.call_many(requests)
        self.assertEqual(['good', None], good)
        self.assertIsInstance(bad, exceptions.NotFound)
        self.assertEqual((-19, 'No such device', 'bad', {'x': 1}), (
            bad.code, bad.message, bad.method, bad.params))
        self.assertIsInstance(worse, exceptions.InvalidValue)
        with self.assertRaises(exceptions.NotFound):
            client.call_many(requests, raise_errors=True)
        with self.assertRaises(exceptions.NotFound):
            client.submit('bad').result(PATIENCE)
        self.assertEqual([], client.call_many([]))

    def test_errors_by_code(self):
        cases = [
            (-32602, 'Invalid parameters', exceptions.InvalidParams),
            (-32603, 'Internal error', exceptions.InternalError),
            (-32603, 'No such device', exceptions.NotFound),
            (-17, 'File exists', exceptions.AlreadyExists),
            (-1, 'Operation not permitted', exceptions.PermissionDenied),
            (-1, 'Method may only be called after framework is initialized '
             'using framework_start_init RPC.', exceptions.NotReady),
            (-108, 'Cannot send after transport endpoint shutdown',
             exceptions.TargetStopping),
            (-999, 'Whatever', exceptions.RpcError)]
        replies = iter(cases)
        client = self.answering(lambda request: peer.refusal(
            request, *next(replies)[:2]))
        for code, text, error in cases:
            with self.subTest(text), self.assertRaises(error) as caught:
                client.call('m')
            self.assertEqual((code, text), (caught.exception.code,
                                            caught.exception.message))

    def test_threads_share_a_connection(self):
        client = self.answering(echo)
        failures = []

        def work(number):
            for turn in range(50):
                result = client.call('m', n=number, t=turn)
                if result != ['m', {'n': number, 't': turn}]:
                    failures.append(result)
        threads = [threading.Thread(target=work, args=(n,))
                   for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual([], failures)
        self.assertEqual(1, self.peer.accepted)

    def test_a_target_that_executes_one_request_each_time_it_reads(self):
        known = ['get_rpc_methods', 'get_bdevs', 'delete_bdev', 'm']
        read = []

        def answer(request):
            read.append(request['method'])
            if request['method'] == 'get_rpc_methods':
                return peer.reply(request, known)
            if request['method'] not in known:
                return peer.refusal(request, -32601, 'Method not found')
            return echo(request)

        client = self.connect(
            lambda talk: talk.serve_one_each_read(answer))
        # Before the release is known, while it is learnt, and after.
        calls = [rpc.Request('m', {'n': number}) for number in range(20)]
        wanted = [['m', {'n': number}] for number in range(20)]
        self.assertEqual(wanted, client.call_many(calls))
        self.assertEqual(['get_bdevs', None], client.call('bdev_get_bdevs'))
        self.assertEqual((17, 10), client.version[:2])
        self.assertEqual(wanted, client.call_many(calls))
        futures = [client.submit('m', n=number) for number in range(20)]
        self.assertEqual(wanted, [one.result(PATIENCE) for one in futures])
        self.assertEqual(60, read.count('m'))

    def test_a_callback_may_submit(self):
        client = self.answering(echo)
        done = threading.Event()
        results = []

        def callback(future):
            results.append(future.result())
            if len(results) < 20:
                client.submit('m').add_done_callback(callback)
            else:
                done.set()
        client.submit('m').add_done_callback(callback)
        self.assertTrue(done.wait(PATIENCE))

    def test_exchange_shows_what_came(self):
        client = self.answering(lambda request: peer.refusal(
            request, -32601, 'Method not found'))
        self.assertEqual(
            {'code': -32601, 'message': 'Method not found'},
            client.exchange('get_bdevs')['error'])
        self.assertEqual(1, self.peer.accepted)

    def test_notification(self):
        for minor in (1, 5):
            seen = []

            def talk(conversation, minor=minor, seen=seen):
                while True:
                    request = conversation.read()
                    if request is None:
                        return
                    seen.append(request)
                    if request['method'] == 'spdk_get_version':
                        conversation.send(peer.reply(request, {'fields': {
                            'major': 26, 'minor': minor, 'patch': 0}}))
                    elif 'id' not in request:
                        # v26.05 says it when one fails.
                        conversation.send(peer.refusal(
                            {'id': None}, -19, 'No such device'))
                    else:
                        conversation.send(peer.reply(
                            request, ['m', 'bdev_null_delete']))
            client = self.connect(talk)
            self.assertIsNone(client.notify('bdev_null_delete', name='x'))
            self.assertTrue(client.call('m'))
            note = [one for one in seen if 'params' in one
                    and 'name' in one['params']]
            # Before v26.05 the answer to a notification is broken JSON.
            self.assertEqual(minor == 1, 'id' in note[0])
            self.assertEqual(1, len(note))

    def test_bad_timeouts(self):
        client = self.answering(echo)
        for timeout in (-1, 'x', float('nan')):
            with self.assertRaises(exceptions.InvalidValue):
                client.call('m', _timeout=timeout)
            with self.assertRaises(exceptions.InvalidValue):
                client.call_many([rpc.Request('m')], timeout=timeout)
            with self.assertRaises(exceptions.InvalidValue):
                rpc.connect(client.address, timeout=timeout)

    def test_without_a_deadline(self):
        # Beyond what poll() and a lock's acquire() take.
        client = self.answering(echo)
        for timeout in (float('inf'), 1e12):
            rpc.connect(client.address, timeout=timeout)
            made = rpc.Request('m', None, timeout)
            results = client.call_many([made], timeout=timeout)
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                waiting = [pool.submit(client.call, 'm', _timeout=timeout)
                           for _ in range(8)]
            results += [one.result() for one in waiting]
            results.append(
                client.submit('m', _timeout=timeout).result(PATIENCE))
            self.assertEqual([['m', None]] * 10, results)

    def test_peer(self):
        client = self.answering(echo)
        self.assertEqual((os.getpid(), os.geteuid(), os.getegid()),
                         client.peer())
        client.close()
        self.assertIsNone(client.peer())

    def test_an_error_without_id_goes_to_the_only_call(self):
        client = self.answering(lambda request: peer.refusal(
            {'id': None}, -32600, 'Invalid request'))
        with self.assertRaises(exceptions.InvalidRequest):
            client.call('m')


class PeerTest(ClientTestCase):
    """Peers that do not behave."""

    def test_nonsense(self):
        for data in (b'HTTP/1.1 400 Bad Request\r\n\r\n', b'{"a":1}\n',
                     b'{"id":1}\n', b'[1]\n', b'[]x\n', b'{]}\n',
                     b'{"jsonrpc":"2.0","id":99999999,"result":1}\n',
                     b'{"jsonrpc":"2.0","id":[1],"result":1}\n'):
            with self.subTest(data):
                def talk(conversation, data=data):
                    conversation.read()
                    conversation.send(data)
                    conversation.read()
                client = self.connect(talk)
                with self.assertRaises(exceptions.ProtocolError) as caught:
                    client.call('bdev_get_bdevs')
                self.assertIn(self.peer.path, str(caught.exception))
                self.assertNotIn('\n', str(caught.exception))

    def test_a_reply_without_result_and_error(self):
        client = self.answering(
            lambda request: b'{"id":%d}\n' % request['id'])
        with self.assertRaises(exceptions.ProtocolError):
            client.call('bdev_get_bdevs')

    def test_garbage_after_a_change_leaves_its_outcome_unknown(self):
        client = self.answering(lambda request: b'?\n')
        with self.assertRaises(exceptions.OutcomeUnknown) as caught:
            client.call('change_something')
        self.assertIn('read the target', str(caught.exception))
        self.assertIsInstance(caught.exception.__cause__,
                              exceptions.ProtocolError)

    def test_a_reply_that_is_nested_too_deep(self):
        for text in (b'[' * 100000 + b']' * 100000,
                     b'{"a":' * 100000 + b'1' + b'}' * 100000):
            client = self.answering(lambda request, text=text:
                                    b'{"id":%d,"result":%b}\n'
                                    % (request['id'], text))
            with self.assertRaises(exceptions.ProtocolError) as caught:
                client.call('bdev_get_bdevs')
            self.assertIn('nested too deep', str(caught.exception))
        client = self.answering(lambda request:
                                b'{"id":%d,"error":{"message":%b}}\n' % (
                                    request['id'],
                                    b'[' * 900 + b']' * 900))
        with self.assertRaises(exceptions.RpcError) as caught:
            client.call('bdev_get_bdevs')
        self.assertLess(len(str(caught.exception)), 200)

    def test_a_reply_without_end(self):
        def talk(conversation):
            conversation.read()
            conversation.send(b'{"result":"')
            while True:
                conversation.send(b'x' * (1 << 20))
        client = self.connect(talk)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with self.assertRaises(exceptions.ProtocolError) as caught:
            client.call('bdev_get_bdevs', _timeout=PATIENCE)
        self.assertIn('has no end', str(caught.exception))
        self.assertLess(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before,
            256 * 1024)

    def test_no_line_feeds(self):
        client = self.answering(lambda request: echo(request).strip())
        for n in range(5):
            self.assertEqual(['m', {'n': n}], client.call('m', n=n))

    def test_replies_in_pieces(self):
        def talk(conversation):
            while True:
                request = conversation.read()
                if request is None:
                    return
                for byte in echo(request):
                    conversation.send(bytes([byte]))
        client = self.connect(talk)
        self.assertEqual(['m', {'n': '\u00e9'}], client.call('m', n='\u00e9'))

    def memory_of_a_large_reply(self):
        """What receiving it takes beside its objects, in its own sizes."""
        # Made before anything is counted, and sent as it is.
        text = json.dumps([
            {'name': f'Null{n:05}', 'aliases': ['a' * 600],
             'supported_io_types': dict.fromkeys(
                ('read', 'write', 'unmap', 'flush', 'reset'), True)}
            for n in range(10000)]).encode() + b'}\n'
        self.assertGreater(len(text), 6900000)

        def talk(conversation):
            while request := conversation.read():
                conversation.send(b'{"jsonrpc":"2.0","id":%d,"result":'
                                  % request['id'])
                conversation.send(text)
        client = self.connect(talk)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        result = client.call('bdev_get_bdevs', _timeout=PATIENCE)
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertEqual(10000, len(result))
        return (peak - held) / len(text)

    def test_the_memory_that_a_large_reply_takes(self):
        self.addCleanup(message._fast_decoder.cache_clear)
        for hidden in ({}, {'msgspec': None}):
            with self.subTest(hidden), mock.patch.dict(sys.modules, hidden):
                message._fast_decoder.cache_clear()
                self.assertLessEqual(self.memory_of_a_large_reply(), 2)

    def test_a_reply_of_many_mebibytes(self):
        text = 'x' * (20 << 20)
        client = self.answering(lambda request: peer.reply(request, text))
        self.assertEqual(text, client.call('m', _timeout=PATIENCE))

    def test_a_cut_reply_harms_no_other(self):
        limit = 32 << 20

        def talk(conversation):
            first, second = conversation.read(), conversation.read()
            conversation.send((b'{"jsonrpc":"2.0","id":%d,"result":"'
                               % first['id']).ljust(limit, b'x'))
            conversation.send(echo(second))
            third = conversation.read()
            conversation.send((b'{"jsonrpc":"2.0","id":%d,"result":"'
                               % third['id']).ljust(limit, b'x'))
            conversation.read()
        client = self.connect(talk)
        large, small = client.call_many([
            rpc.Request('bdev_get_bdevs', None, PATIENCE), rpc.Request('m')])
        self.assertIsInstance(large, exceptions.ReplyTooLarge)
        self.assertEqual((limit, 'bdev_get_bdevs'),
                         (large.size, large.method))
        self.assertEqual(['m', None], small)
        # Nothing comes behind this one.
        with self.assertRaises(exceptions.ReplyTooLarge):
            client.call('bdev_get_bdevs', _timeout=PATIENCE)

    def test_a_peer_that_floods_and_does_not_read(self):
        # The peer sends without an end and reads nothing until the client
        # has taken more than any socket buffer holds. With a writer that
        # waits for its socket, or a reader that waits for the writer, both
        # would wait forever.
        flood = b'{"jsonrpc":"2.0","id":null,"result":"%s"}\n' % (b'x' * 4000)
        sent = []

        def talk(conversation):
            first = conversation.read()
            for _ in range(8000):
                conversation.send(flood)
                sent.append(1)
            conversation.send(echo(first))
            conversation.serve(echo)
        client = self.connect(talk)
        # Far more than the socket takes: the client's writer is stuck.
        params = {'data': 'y' * 30000}
        futures = [client.submit('m', _timeout=PATIENCE, **params)
                   for _ in range(100)]
        for future in futures:
            self.assertEqual(['m', params], future.result(PATIENCE))
        self.assertEqual(8000, len(sent))

    def test_a_full_window_makes_callers_wait(self):
        go = threading.Event()

        def talk(conversation):
            go.wait(PATIENCE)
            conversation.serve(echo)
        client = self.connect(talk)
        total = window.MAX_CALLS + 500
        submitted = []

        def work():
            for n in range(total):
                submitted.append(client.submit('m', _timeout=PATIENCE, n=n))
        thread = threading.Thread(target=work)
        thread.start()
        deadline = time.monotonic() + PATIENCE
        while len(submitted) < window.MAX_CALLS:
            self.assertLess(time.monotonic(), deadline)
            thread.join(0.01)
        thread.join(0.2)
        self.assertEqual(window.MAX_CALLS, len(submitted))
        # A call that finds no room ends at its deadline like any other.
        with self.assertRaises(exceptions.RpcTimeout):
            client.call('m', _timeout=0.05)
        go.set()
        thread.join(PATIENCE)
        self.assertEqual(
            [['m', {'n': n}] for n in range(total)],
            [future.result(PATIENCE) for future in submitted])


class DeadlineTest(ClientTestCase):

    def test_no_reply(self):
        client = self.connect(lambda talk: talk.serve(lambda request: b''))
        with self.assertRaises(exceptions.RpcTimeout) as caught:
            client.call('bdev_get_bdevs', _timeout=0.05)
        self.assertEqual(0.05, caught.exception.timeout)
        self.assertIn('bdev_get_bdevs', str(caught.exception))
        future = client.submit('m', _timeout=0.05)
        self.assertIsInstance(future.exception(PATIENCE),
                              exceptions.RpcTimeout)
        results = client.call_many([rpc.Request('m', None, 0.05),
                                    rpc.Request('m')], timeout=0.1)
        self.assertEqual([exceptions.RpcTimeout] * 2,
                         [type(one) for one in results])

    def test_a_late_reply_harms_nobody(self):
        asked = []

        def talk(conversation):
            late = conversation.read()
            asked.append(late)
            while True:
                request = conversation.read()
                if request is None:
                    return
                conversation.send(echo(late) + echo(request))
        client = self.connect(talk)
        with self.assertRaises(exceptions.RpcTimeout):
            client.call('slow', _timeout=0.05)
        for n in range(5):
            self.assertEqual(['m', {'n': n}], client.call('m', n=n))
        self.assertEqual(1, self.peer.accepted)

    def test_nobody_accepts(self):
        # As the 65th connection to a target: it is made and not served.
        path = self.useFixture(fixtures.TempDir()).join('s')
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            client = rpc.connect(path)
            with self.assertRaises(exceptions.RpcTimeout) as caught:
                client.call('m', _timeout=0.05)
            self.assertIn('64 connections', str(caught.exception))

    def test_a_full_listen_queue(self):
        path = self.useFixture(fixtures.TempDir()).join('s')
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(0)
            with socket.socket(socket.AF_UNIX) as first:
                first.connect(path)
                with self.assertRaises(exceptions.ConnectError) as caught:
                    rpc.connect(path, timeout=0.1)
            self.assertIn('64 connections', str(caught.exception))
            self.assertIn('0.1 s', str(caught.exception))


class ConnectErrorTest(ClientTestCase):

    def assertFails(self, path, *words):
        with self.assertRaises(exceptions.ConnectError) as caught:
            rpc.connect(path)
        text = str(caught.exception)
        for word in (path, *words):
            self.assertIn(word, text)
        self.assertNotIn('\n', text)

    def test_reasons(self):
        directory = self.useFixture(fixtures.TempDir()).path
        self.assertFails(f'{directory}/none', 'no such socket',
                         'start the target')
        file = f'{directory}/file'
        with open(file, 'w'):
            pass
        self.assertFails(file, 'not a socket', '-r option')
        self.assertFails(f'{file}/sock', 'not a directory')
        self.assertFails(directory, 'not a socket')
        stale = f'{directory}/stale'
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(stale)
            listener.listen()
        self.assertFails(stale, 'nobody listens', 'start the target again')
        other = f'{directory}/other'
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(other)
            self.assertFails(other, 'another type')
        with socket.socket() as sock:
            sock.bind(('127.0.0.1', 0))
            self.assertFails(f'tcp://127.0.0.1:{sock.getsockname()[1]}',
                             'nobody listens', 'ssh://')
        self.assertFails('tcp://no-such-host.invalid:1', 'host name')

    def test_no_permission(self):
        client = self.answering(echo)
        client.close()
        os.chmod(self.peer.path, 0)
        if os.geteuid():
            self.assertFails(self.peer.path, 'permission denied', '0660')
            return
        # root may do anything: let a child that is not root try.
        pid = os.fork()
        if not pid:
            status = 1
            try:
                os.chmod(os.path.dirname(self.peer.path), 0o755)
                os.setuid(65534)
                self.assertFails(self.peer.path, 'permission denied', '0660')
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(0, os.waitpid(pid, 0)[1])


if __name__ == '__main__':
    unittest.main()
