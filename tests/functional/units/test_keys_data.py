# SPDX-License-Identifier: Apache-2.0

"""Keys of hosts, as SPDK's own initiator meets them: at a real SPDK.

Only with ``CYBORG_SPDK_TEST_SPDK_DIR``. The consumer is bdevperf, a program
with the initiator of v24.09 and later: it ends with an error if it is not let
in, and at the first I/O that fails.
"""

import json
import os
import shutil
import subprocess
import time

from cyborg_spdk import rpc
from cyborg_spdk.units import attach
from cyborg_spdk.units.attach import keys as keys_module
from tests.functional.fixtures import clients as client_fixtures
from tests.functional.fixtures import target as target_fixture
from tests.functional.units import test_wipe_data as data

_NQN = 'nqn.2016-06.io.spdk:unit'
A = data.A
#: Parameters of the initiator by the names that attach has.
_PARAMETERS = {'dhchap': 'dhchap_key', 'mutual': 'dhchap_ctrlr_key',
               'tls': 'psk'}


class KeyCase(data.DataCase):

    tls = False

    def setUp(self):
        super().setUp()
        self.nvmf.bdev_malloc_create('M', 64 << 20, 4096)
        self.nvmf.nvmf_create_transport('TCP', exist_ok=True)
        self.nvmf.nvmf_create_subsystem(_NQN)
        self.nvmf.nvmf_subsystem_add_ns(_NQN, 'M')
        self.port = client_fixtures.free_port()
        self.nvmf.nvmf_subsystem_add_listener(
            _NQN, f'tcp://127.0.0.1:{self.port}',
            **({'secure_channel': True} if self.tls else {}))
        self.handle = {'nqn': _NQN, 'nsid': '1'}

    def attach(self, *keys, **options):
        return attach.attach(self.conf, self.targets['nvmf'], self.handle, A,
                             make_keys=keys, **options)

    def brought(self, made):
        """The keys as the operator has brought them to the host."""
        number = len(os.listdir(self.spdk.directory))
        return {name: shutil.copy(path, self.spdk.path(f'{name}-{number}'))
                for name, path in made.keys.items()}

    def other(self, name):
        """A key that is none of this host."""
        path = self.spdk.path(f'other-{name}')
        kind = _PARAMETERS[name]
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600),
                  'w') as out:
            out.write(keys_module.text(kind))
        return path

    def consumer(self, keys, seconds=1, socket='consumer'):
        """bdevperf with some keys, by the names that attach has."""
        config = self.spdk.path(f'c-{len(os.listdir(self.spdk.directory))}')
        attached = {'name': 'X', 'trtype': 'TCP', 'adrfam': 'IPv4',
                    'traddr': '127.0.0.1', 'trsvcid': str(self.port),
                    'subnqn': _NQN, 'hostnqn': A,
                    **{_PARAMETERS[name]: name for name in keys}}
        with open(config, 'w') as out:
            json.dump({'subsystems': [
                {'subsystem': 'keyring', 'config': [
                    {'method': 'keyring_file_add_key',
                     'params': {'name': name, 'path': path}}
                    for name, path in keys.items()]},
                {'subsystem': 'bdev', 'config': [
                    {'method': 'bdev_nvme_attach_controller',
                     'params': attached}]}]}, out)
        log = self.spdk.path(f'{socket}.log')
        with open(log, 'w') as out:
            process = subprocess.Popen(
                [os.path.join(target_fixture.SPDK_DIR,
                              'build/examples/bdevperf'),
                 '--json', config, '-m', '0x2', '--no-huge', '-s', '512',
                 '--disable-cpumask-locks', '-r', self.spdk.path(socket),
                 '-q', '4', '-o', '4096', '-w', 'randrw', '-M', '50',
                 '-t', str(seconds)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, log

    def end(self, consumer):
        process, log = consumer
        status = process.wait(300)
        with open(log) as said:
            return status, said.read()

    def served(self, keys):
        before = self.operations()
        status, said = self.end(self.consumer(keys))
        self.assertEqual(0, status, said)
        self.assertGreater(self.operations(), before, said)

    def refused(self, keys):
        before = self.operations()
        status, said = self.end(self.consumer(keys))
        self.assertNotEqual(0, status, said)
        self.assertEqual(before, self.operations(), said)

    def operations(self):
        found = self.client.call('bdev_get_iostat', names=['M'])['bdevs'][0]
        return found['num_read_ops'] + found['num_write_ops']

    def until_more(self, than, consumer):
        process, _log = consumer
        deadline = time.monotonic() + 120
        while self.operations() <= than:
            if process.poll() is not None:
                self.fail(self.end(consumer))
            self.assertLess(time.monotonic(), deadline)


class DhchapTest(KeyCase):

    def refused_without(self, keys):
        """No key, and each one wrong."""
        self.refused({})
        for name in keys:
            self.refused({**keys, name: self.other(name)})

    def test_one_way(self):
        keys = self.brought(self.attach('dhchap'))
        self.assertEqual(['dhchap'], list(keys))
        self.refused_without(keys)
        self.served(keys)
        attach.detach(self.conf, self.targets['nvmf'], self.handle, A)
        self.refused(keys)

    def test_both_ways(self):
        keys = self.brought(self.attach('dhchap', 'mutual'))
        self.refused_without(keys)
        self.served(keys)
        attach.detach(self.conf, self.targets['nvmf'], self.handle, A)
        self.refused(keys)
        # The keys of the next attach are others.
        again = self.brought(self.attach('dhchap', 'mutual'))
        self.refused(keys)
        self.served(again)

    def test_rotated_under_io(self):
        before = self.brought(self.attach('dhchap', 'mutual'))
        consumer = self.consumer(before, seconds=20)
        # The first ones are of whoever looks what is on the disk.
        self.until_more(self.operations() + 1000, consumer)
        after = self.brought(self.attach('dhchap', 'mutual',
                                         rotate_keys=True))
        self.until_more(self.operations(), consumer)
        # Who is in stays in, and takes the new keys without leaving.
        initiator = rpc.connect(self.spdk.path('consumer'))
        self.addCleanup(rpc.disconnect, self.spdk.path('consumer'))
        for name, path in after.items():
            initiator.call('keyring_file_add_key', name=f'new-{name}',
                           path=path)
        initiator.call('bdev_nvme_set_keys', name='X',
                       dhchap_key='new-dhchap',
                       dhchap_ctrlr_key='new-mutual')
        self.until_more(self.operations(), consumer)
        rpc.disconnect(self.spdk.path('consumer'))
        status, said = self.end(consumer)
        self.assertEqual(0, status, said)
        self.assertNotIn('rror', said)
        self.refused(before)
        self.served(after)


class TlsTest(KeyCase):

    tls = True

    def test_a_key_is_needed(self):
        keys = self.brought(self.attach('tls'))
        self.refused({})
        self.refused({'tls': self.other('tls')})
        self.served(keys)
        attach.detach(self.conf, self.targets['nvmf'], self.handle, A)
        self.refused(keys)
        again = self.brought(self.attach('tls'))
        self.refused(keys)
        self.served(again)

    def test_with_keys_of_both_directions_rotated_under_it(self):
        before = self.brought(self.attach('tls', 'dhchap', 'mutual'))
        consumer = self.consumer(before, seconds=20)
        # The first ones are of whoever looks what is on the disk.
        self.until_more(self.operations() + 1000, consumer)
        after = self.brought(self.attach('tls', 'dhchap', 'mutual',
                                         rotate_keys=True))
        self.until_more(self.operations(), consumer)
        status, said = self.end(consumer)
        self.assertEqual(0, status, said)
        self.assertNotIn('rror', said)
        self.refused(before)
        self.served(after)


def load_tests(loader, _tests, _pattern):
    """Only where there is a real target."""
    suite = loader.suiteClass()
    for case in (DhchapTest, TlsTest) if target_fixture.SPDK_DIR else ():
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite
