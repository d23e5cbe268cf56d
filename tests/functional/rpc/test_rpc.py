# SPDX-License-Identifier: Apache-2.0

"""The RPC layer against targets: simulated ones of several releases, or a
real one."""

import socket
import threading

import fixtures

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from tests.functional.fixtures import forwarder
from tests.functional.fixtures import target

PATIENCE = target.PATIENCE


class RpcTests:
    """For each release; one target for all tests of a class."""

    release = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.target = target.Target('nvmf_tgt', cls.release)
        cls.target.setUp()
        cls.addClassCleanup(cls.target.cleanUp)

    def setUp(self):
        super().setUp()
        self.client = self.target.connect()

    def null(self, name, **params):
        """Create a null bdev, and have it deleted at the end."""
        self.addCleanup(self.drop, name)
        return self.client.call('bdev_null_create', name=name,
                                num_blocks=2048, block_size=512, **params)

    def drop(self, name):
        try:
            self.client.call('bdev_null_delete', name=name)
        except exceptions.RpcError:
            # The test deleted it itself, or the release cannot.
            return

    def test_version(self):
        version = self.client.version
        if self.release is not None:
            self.assertEqual(rpc.Version.parse(self.release), version)
        self.assertGreaterEqual(version, rpc.Version(17, 10))

    def test_methods(self):
        self.assertGreater(len(self.client.methods), 20)
        self.assertTrue(self.client.has('bdev_get_bdevs'))
        self.assertTrue(self.client.has('nvmf_get_subsystems'))
        self.assertFalse(self.client.has('no_such_method'))
        self.assertFalse(self.client.has('vhost_get_controllers'))

    def test_current_names(self):
        self.null('Names0')
        bdev, = self.client.call('bdev_get_bdevs', name='Names0')
        self.assertEqual(('Names0', 2048, 512), (
            bdev['name'], bdev['num_blocks'], bdev['block_size']))

    def test_current_names_on_a_connection_that_is_new(self):
        client = rpc.connect(self.target.socket, shared=False)
        self.addCleanup(client.close)
        self.assertIsInstance(client.call('bdev_get_bdevs'), list)
        client.close()
        self.assertTrue(client.call_many([
            rpc.Request('nvmf_get_subsystems')] * 3, raise_errors=True))

    def test_a_method_that_is_not_there(self):
        with self.assertRaises(exceptions.MethodNotFound) as caught:
            self.client.call('bdev_get_bdev')
        self.assertIn('did you mean', str(caught.exception))
        with self.assertRaises(exceptions.MethodNotFound) as caught:
            self.client.call('get_luns')
        self.assertIn('vhost_get_controllers', str(caught.exception))

    def test_a_param_that_is_too_new(self):
        if self.client.supports('bdev_get_bdevs', 'timeout'):
            with self.assertRaises(exceptions.SpdkError):
                self.client.call('bdev_get_bdevs', name='nosuch', timeout=1)
        else:
            with self.assertRaises(exceptions.InvalidParams) as caught:
                self.client.call('bdev_get_bdevs', name='nosuch', timeout=1)
            self.assertIn('timeout needs v22.05', str(caught.exception))

    def test_errors_have_their_type(self):
        self.null('Errors0')
        if self.client.version >= (19, 10):
            with self.assertRaises(exceptions.AlreadyExists):
                self.null('Errors0')
            with self.assertRaises(exceptions.NotFound):
                self.client.call('bdev_get_bdevs', name='nosuch')
        with self.assertRaises(exceptions.RpcError):
            self.client.call('bdev_get_bdevs', nonsense=1)
        self.assertIsInstance(self.client.call('bdev_get_bdevs'), list)

    def test_request_limits(self):
        large = self.client.version >= (26, 5)
        for size, values in [(262144, 8192) if large else (32768, 1024)]:
            fitting = {'name': 'x' * (size - 88)}
            with self.assertRaises(exceptions.RpcError):
                self.client.call('bdev_get_bdevs', **fitting)
            with self.assertRaises(exceptions.RequestTooLarge) as caught:
                self.client.call('bdev_get_bdevs', name='x' * size)
            self.assertIn(f'the target takes {size};',
                          str(caught.exception))
            with self.assertRaises(exceptions.RequestTooLarge) as caught:
                # As it is: a list is no name, and refused for that first.
                self.client.exchange('bdev_get_bdevs',
                                     {'name': [1] * values})
            self.assertIn(f'the target takes {values};',
                          str(caught.exception))
        self.assertTrue(self.client.is_open)

    def test_many_calls_at_once(self):
        count = 3000
        method = 'bdev_get_bdevs'
        results = self.client.call_many(
            [rpc.Request(method, {'name': 'nosuch'})] * count
            + [rpc.Request(method)])
        self.assertEqual(count + 1, len(results))
        for result in results[:-1]:
            self.assertIsInstance(result, exceptions.RpcError)
        self.assertIsInstance(results[-1], list)

    def test_many_quick_calls_at_once(self):
        # Large enough for batches where there are any.
        names = [f'Quick{n}' for n in range(20)]
        for name in names:
            self.null(name)
        requests = [rpc.Request('bdev_get_bdevs', {'name': name})
                    for name in names] * 20
        results = self.client.call_many(requests, raise_errors=True)
        self.assertEqual(names * 20, [one['name'] for one, in results])

    def test_notification(self):
        self.client.notify('bdev_null_create', name='Note0',
                           num_blocks=2048, block_size=512)
        self.addCleanup(self.drop, 'Note0')
        self.client.notify('bdev_null_delete', name='nosuch')
        names = [one['name'] for one in self.client.call('bdev_get_bdevs')]
        self.assertIn('Note0', names)

    def test_peer(self):
        self.assertEqual(self.target.process.pid, self.client.peer()[0])

    def test_tcp(self):
        for host in ('127.0.0.1', '::1'):
            with self.subTest(host):
                try:
                    through = self.useFixture(forwarder.Forwarder(
                        self.target.socket, host))
                except OSError:
                    # A machine without IPv6.
                    self.assertEqual('::1', host)
                    continue
                where = f'[{host}]' if ':' in host else host
                client = rpc.connect(f'tcp://{where}:{through.port}')
                self.addCleanup(client.close)
                self.assertEqual(f'tcp://{where}:{through.port}',
                                 client.address)
                self.assertEqual(self.client.call('bdev_get_bdevs'),
                                 client.call('bdev_get_bdevs'))
                self.assertIsNone(client.peer())
                rpc.disconnect_host(host)
                self.assertFalse(client.is_open)


target.for_releases(globals(), RpcTests,
                    target.OLD_RELEASES + target.RELEASES)


class BatchLimitTest(fixtures.TestWithFixtures):

    def test_a_target_with_64_connections(self):
        tgt = self.useFixture(target.Target())
        socks = []
        for _ in range(64):
            sock = socket.socket(socket.AF_UNIX)
            self.addCleanup(sock.close)
            sock.settimeout(PATIENCE)
            sock.connect(tgt.socket)
            sock.sendall(b'{"jsonrpc":"2.0","id":1,'
                         b'"method":"spdk_get_version"}')
            self.assertTrue(sock.recv(1))
            socks.append(sock)
        client = tgt.connect()
        with self.assertRaises(exceptions.RpcTimeout) as caught:
            client.call('spdk_get_version', _timeout=0.5)
        self.assertIn('64 connections', str(caught.exception))
        socks[0].close()
        self.assertTrue(client.call('spdk_get_version', _timeout=PATIENCE))


class NotReadyTest(fixtures.TestWithFixtures):

    def test_every_release_says_in_which_state_a_method_may_be_called(self):
        for release in ('v19.07', 'v19.10', 'v20.04', 'v20.07', 'v20.10',
                        None):
            with self.subTest(release):
                tgt = target.Target('nvmf_tgt', release, '--wait-for-rpc')
                with tgt:
                    client = tgt.connect()
                    with self.assertRaises(exceptions.NotReady):
                        client.call('bdev_get_bdevs')


class RestartTest(fixtures.TestWithFixtures):

    def setUp(self):
        super().setUp()
        self.tgt = self.useFixture(target.Target())
        self.client = self.tgt.connect()

    def restart(self, signum):
        """End the target without telling the client, and start it again."""
        self.tgt.process.send_signal(signum)
        self.tgt.process.wait(PATIENCE)
        self.tgt.start()

    def test_between_two_calls(self):
        for signum in (15, 9):
            self.client.call('spdk_get_version')
            self.restart(signum)
            self.assertEqual('Between', self.client.call(
                'bdev_null_create', name='Between', num_blocks=2048,
                block_size=512))

    def test_under_load(self):
        # Each bdev is created once, under a name of its own: a create that
        # were executed twice would be refused the second time.
        stop = threading.Event()
        reads, created, unknown, wrong = [], [], [], []
        busy = threading.Semaphore(0)

        def read():
            while not stop.is_set():
                try:
                    reads.append(bool(self.client.call(
                        'spdk_get_version', _timeout=PATIENCE)))
                except exceptions.SpdkError as exc:
                    wrong.append(exc)

        def create(number):
            count = 0
            while not stop.is_set():
                count += 1
                name = f'Load{number}x{count}'
                try:
                    created.append(self.client.call(
                        'bdev_null_create', name=name, num_blocks=2048,
                        block_size=512, _timeout=PATIENCE) == name)
                    busy.release()
                except exceptions.OutcomeUnknown:
                    unknown.append(name)
                except exceptions.TargetStopping:
                    continue
                except exceptions.SpdkError as exc:
                    wrong.append(exc)

        threads = [threading.Thread(target=read) for _ in range(4)]
        threads += [threading.Thread(target=create, args=(n,))
                    for n in range(4)]
        for thread in threads:
            thread.start()
        try:
            for signum in (9, 15, 9):
                for _ in range(30):
                    self.assertTrue(busy.acquire(timeout=PATIENCE))
                self.restart(signum)
            for _ in range(30):
                self.assertTrue(busy.acquire(timeout=PATIENCE))
        finally:
            stop.set()
            for thread in threads:
                thread.join(PATIENCE)
        self.assertEqual([], [str(one) for one in wrong])
        self.assertTrue(all(reads) and all(created))
        self.assertLessEqual(len(unknown), 3 * 4)
