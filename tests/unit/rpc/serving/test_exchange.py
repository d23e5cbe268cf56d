# SPDX-License-Identifier: Apache-2.0

"""What becomes of each call, byte by byte: no socket, no clock."""

import collections
import json
import unittest

import hypothesis
from hypothesis import stateful
from hypothesis import strategies

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.serving import call as calls
from cyborg_spdk.rpc.serving import exchange as exchanges

ADDRESS = '/run/x.sock'
READ, CHANGE = 'bdev_get_bdevs', 'change_something'
END = 'spdk_kill_instance'


class Receiver:
    """Counts how often an operation ended."""

    def __init__(self):
        self.ended = 0

    def done(self, operation):
        self.ended += 1

    def renew(self):
        pass


class Rig:
    """An exchange, and a time that the test sets."""

    def __init__(self, connect_timeout=5.0):
        self.now = 1000.0
        self.queue = collections.deque()
        self.exchange = exchanges.Exchange(ADDRESS, connect_timeout,
                                           self.queue)

    def call(self, method, timeout=30.0, **kwargs):
        params = {'sig_name': 'SIGTERM'} if method == END else None
        call = calls.Call(method, params, timeout, self.now + timeout,
                          Receiver(), **kwargs)
        call.encode(self.exchange.discovery.target)
        self.queue.append(call)
        return call

    def learn(self):
        learn = calls.Learn(30.0, self.now + 30.0, Receiver())
        self.queue.append(learn)
        return learn

    def write(self, count=None):
        """Write so many bytes of the output; all of them if None."""
        exchange = self.exchange
        if not exchange.output:
            exchange.load(self.now)
        data = bytes(exchange.output[:count])
        exchange.wrote(len(data))
        return data

    def written(self):
        """The requests in everything that is to be written now (list)."""
        text, requests = b'', []
        while data := self.write():
            text += data
        text = text.decode().lstrip()
        while text:
            request, end = json.JSONDecoder().raw_decode(text)
            requests += request if isinstance(request, list) else [request]
            text = text[end:].lstrip()
        return requests

    def reply(self, request, result=True):
        self.exchange.receive(json.dumps(
            {'jsonrpc': '2.0', 'id': request['id'], 'result': result}
        ).encode() + b'\n', self.now)

    def refuse(self, request, code=-32601, message='Method not found'):
        self.exchange.receive(json.dumps(
            {'jsonrpc': '2.0', 'id': request['id'],
             'error': {'code': code, 'message': message}}
        ).encode() + b'\n', self.now)

    def lose(self, error=None):
        self.exchange.lose('it went away', self.now, error)


class ExchangeTest(unittest.TestCase):

    def setUp(self):
        self.rig = Rig()
        self.exchange = self.rig.exchange
        self.exchange.begin(self.rig.now)

    def test_replies_in_any_order_byte_by_byte(self):
        made = [self.rig.call(f'm{n}') for n in range(3)]
        requests = self.rig.written()
        text = b''.join(json.dumps({
            'jsonrpc': '2.0', 'id': request['id'],
            'result': request['method']}).encode() + b'\n'
            for request in reversed(requests))
        for byte in range(len(text)):
            self.exchange.receive(text[byte:byte + 1], self.rig.now)
        self.assertEqual(['m0', 'm1', 'm2'], [one.result for one in made])
        self.assertEqual([1, 1, 1], [one.receiver.ended for one in made])
        self.assertEqual(3, self.exchange.ended)

    def test_written_to_the_last_byte_or_not(self):
        whole, torn = self.rig.call(CHANGE), self.rig.call(CHANGE)
        self.exchange.load(self.rig.now)
        self.exchange.wrote(len(self.exchange.output) - 1)
        self.rig.lose()
        self.assertIsInstance(whole.error, exceptions.OutcomeUnknown)
        self.assertFalse(torn.finished)
        self.exchange.begin(self.rig.now)
        self.assertEqual([torn.id], [one['id'] for one in
                                     self.rig.written()])

    def test_a_read_is_sent_twice_and_not_three_times(self):
        read = self.rig.call(READ)
        for _ in range(2):
            self.assertEqual([read.id], [one['id'] for one in
                                         self.rig.written()])
            self.assertFalse(read.finished)
            self.rig.lose()
            self.exchange.begin(self.rig.now)
        self.assertIsInstance(read.error, exceptions.ConnectionLost)
        self.assertNotIsInstance(read.error, exceptions.OutcomeUnknown)

    def test_a_name_that_is_refused_while_others_are_not_written(self):
        # What was written is counted by what it was, not by what became
        # of it since.
        self.exchange.begin(self.rig.now)
        first, second = (self.rig.call('log_get_flags') for _ in range(2))
        size = len(first.data)
        self.rig.write(size + 5)
        self.rig.refuse({'id': first.id})
        self.rig.lose()
        self.assertEqual([None, None], [first.error, second.error])
        self.exchange.begin(self.rig.now)
        self.assertEqual({first.id, second.id},
                         {one['id'] for one in self.rig.written()})

    def test_learning_is_an_operation_of_its_own(self):
        learn = self.rig.learn()
        methods, version = self.rig.written()
        self.assertEqual({'include_aliases': True}, methods['params'])
        self.rig.reply(methods, [READ, 'get_bdevs'])
        self.assertFalse(learn.finished)
        self.rig.reply(version, {'fields': {
            'major': 24, 'minor': 1, 'patch': 0, 'suffix': ''}})
        self.assertEqual(frozenset({READ, 'get_bdevs'}),
                         learn.result.methods)
        self.assertEqual('v24.01', str(learn.result.version))
        # Once for each connection.
        again = self.rig.learn()
        self.assertEqual([], self.rig.written())
        self.assertIs(learn.result, again.result)
        self.rig.lose()
        third = self.rig.learn()
        self.exchange.begin(self.rig.now)
        self.assertEqual(2, len(self.rig.written()))
        self.assertFalse(third.finished)

    def test_an_old_target_is_asked_by_older_names(self):
        call = self.rig.call(READ)
        self.rig.refuse(*self.rig.written())
        for expected in ({'rpc_get_methods', 'spdk_get_version'},
                         {'rpc_get_methods', 'get_spdk_version'},
                         {'get_rpc_methods'}):
            requests = self.rig.written()
            self.assertEqual(expected, {one['method'] for one in requests})
            for request in requests:
                if request['method'] == 'get_rpc_methods':
                    self.rig.reply(request, ['get_bdevs', 'get_rpc_methods'])
                else:
                    self.rig.refuse(request)
        [request] = self.rig.written()
        self.assertEqual('get_bdevs', request['method'])
        self.rig.reply(request, [])
        self.assertEqual([], call.result)

    def test_a_target_that_is_not_trusted_gets_no_call(self):
        call = self.rig.call(CHANGE)
        self.rig.lose()
        self.exchange.begin(self.rig.now, trusted=False)
        data = bytes(self.exchange.output)
        self.exchange.wrote(len(data))
        self.assertEqual('spdk_get_version', json.loads(data)['method'])
        self.assertFalse(self.exchange.trusted)
        self.rig.reply(json.loads(data))
        self.assertTrue(self.exchange.trusted)
        self.assertEqual([call.id], [one['id'] for one in
                                     self.rig.written()])

    def test_who_is_waited_for(self):
        error = exceptions.ConnectError(ADDRESS, 'nobody')
        for quiet, ending, waits in ((4.9, False, True), (5.1, False, False),
                                     (0.0, True, False)):
            with self.subTest(quiet=quiet, ending=ending):
                rig = Rig(connect_timeout=5.0)
                rig.exchange.begin(rig.now)
                rig.call(END if ending else CHANGE)
                rig.reply(*rig.written())
                rig.now += quiet
                call = rig.call(READ)
                rig.lose()
                rig.exchange.refuse(error, rig.now)
                self.assertEqual(not waits, call.finished)
                if waits:
                    self.assertLess(rig.now,
                                    rig.exchange.retry.next_attempt)
                    rig.now += 5.0
                    rig.exchange.refuse(error, rig.now)
                    self.assertIs(error, call.error)

    def test_deadlines(self):
        late, sent = self.rig.call(READ, 1.0), self.rig.call(READ, 2.0)
        self.assertEqual(self.rig.now + 1.0, self.exchange.expire(
            self.rig.now, list(self.rig.queue)))
        self.rig.now += 1.0
        self.assertEqual(self.rig.now + 1.0, self.exchange.expire(
            self.rig.now, list(self.rig.queue)))
        self.assertIn('it was not sent', str(late.error))
        self.assertEqual([sent.id], [one['id'] for one in
                                     self.rig.written()])
        self.rig.now += 1.0
        self.assertEqual(exchanges.FOREVER, self.exchange.expire(
            self.rig.now, []))
        self.assertIn('64 connections', str(sent.error))
        self.assertEqual(1, sent.receiver.ended)
        # Too late: it harms nobody.
        self.rig.reply({'id': sent.id})
        self.assertEqual(1, sent.receiver.ended)

    def test_closed_by_this_process(self):
        made = {'read': self.rig.call(READ), 'change': self.rig.call(CHANGE)}
        self.rig.written()
        made['queued'] = self.rig.call(CHANGE)
        self.exchange.end('it was closed')
        self.assertEqual(
            {'read': exceptions.ConnectionLost,
             'change': exceptions.OutcomeUnknown,
             'queued': exceptions.ConnectionLost},
            {name: type(call.error) for name, call in made.items()})

    def test_a_reply_without_end(self):
        self.rig.call(READ)
        self.rig.written()
        piece = b'["' + b'x' * (1 << 20)
        with self.assertRaises(exceptions.ProtocolError) as caught:
            for _ in range(100):
                self.exchange.receive(piece, self.rig.now)
        self.assertIn('has no end', str(caught.exception))

    def test_notifications_end_when_they_are_written(self):
        note = self.rig.call('m', notification=True)
        self.rig.write(3)
        self.assertFalse(note.finished)
        self.rig.write()
        self.assertTrue(note.finished)
        self.assertIsNone(note.error)


class Machine(stateful.RuleBasedStateMachine):
    """Anything that can happen, in any order, to any calls.

    The target executes a call when it has read all of it. Whatever happens
    then: no change is executed twice; each call ends once; what ends well
    was executed; what ends as not executed was not.
    """

    def __init__(self):
        super().__init__()
        self.rig = Rig()
        self.exchange = self.rig.exchange
        self.made = {}
        self.executed = collections.Counter()
        self.read = ''               # what the target has read
        self.replies = []
        self.wire = b''              # and what is on its way back

    @stateful.rule(method=strategies.sampled_from([READ, CHANGE]),
                   timeout=strategies.floats(0, 3))
    def call(self, method, timeout):
        call = self.rig.call(method, timeout)
        self.made[call.id] = call

    @stateful.precondition(lambda self: not self.exchange.connected)
    @stateful.rule(trusted=strategies.booleans())
    def connect(self, trusted):
        self.exchange.begin(self.rig.now, trusted)

    @stateful.precondition(lambda self: self.exchange.connected)
    @stateful.rule(count=strategies.integers(1, 400))
    def write(self, count):
        if not self.exchange.output:
            if not self.exchange.trusted:
                return
            self.exchange.load(self.rig.now)
        data = bytes(self.exchange.output[:count])
        self.exchange.wrote(len(data))
        self.read += data.decode()
        while self.read.strip():
            try:
                request, end = json.JSONDecoder().raw_decode(self.read)
            except ValueError:
                return
            self.read = self.read[end:]
            self.executed[request['id']] += 1
            self.replies.append(request['id'])

    @stateful.precondition(lambda self: self.replies)
    @stateful.rule(data=strategies.data())
    def answer(self, data):
        at = data.draw(strategies.integers(0, len(self.replies) - 1))
        self.wire += b'{"jsonrpc":"2.0","id":%d,"result":1}\n' \
            % self.replies.pop(at)

    @stateful.precondition(lambda self: self.wire)
    @stateful.rule(count=strategies.integers(1, 100))
    def receive(self, count):
        data, self.wire = self.wire[:count], self.wire[count:]
        self.exchange.receive(data, self.rig.now)

    @stateful.precondition(lambda self: self.exchange.connected)
    @stateful.rule(wrong=strategies.booleans())
    def lose(self, wrong):
        self.rig.lose(exceptions.ProtocolError(ADDRESS, 'noise')
                      if wrong else None)
        self.read, self.replies, self.wire = '', [], b''

    @stateful.precondition(lambda self: not self.exchange.connected)
    @stateful.rule()
    def nobody(self):
        self.exchange.refuse(exceptions.ConnectError(ADDRESS, 'nobody'),
                             self.rig.now)

    @stateful.rule(seconds=strategies.floats(0, 2))
    def wait(self, seconds):
        self.rig.now += seconds
        self.exchange.expire(self.rig.now, list(self.rig.queue))

    @stateful.rule()
    def close(self):
        self.exchange.end('it was closed')
        self.read, self.replies, self.wire = '', [], b''

    @stateful.invariant()
    def all_is_true(self):
        for call_id, call in self.made.items():
            count = self.executed[call_id]
            assert call.receiver.ended == call.finished
            assert count <= (2 if call.method == READ else 1)
            if not call.finished:
                continue
            if call.error is None:
                assert count
            elif call.method == CHANGE and not isinstance(call.error, (
                    exceptions.OutcomeUnknown, exceptions.RpcTimeout)) or \
                    'not sent' in str(call.error):
                assert not count or call.method == READ

    def teardown(self):
        self.exchange.end('the end')
        for call in self.made.values():
            assert call.receiver.ended == 1
        assert self.exchange.ended == len(self.made)


ExchangeMachineTest = Machine.TestCase
ExchangeMachineTest.settings = hypothesis.settings(
    max_examples=150, stateful_step_count=40, deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck))
