# SPDX-License-Identifier: Apache-2.0

"""A broken part never costs the rest, and what was there comes back."""

import os
import shutil
import signal
import socket
import subprocess
import unittest

import fixtures

from cyborg_spdk.desired import changing
from cyborg_spdk.desired import keep
from cyborg_spdk.desired import starting
from cyborg_spdk.desired import store
from cyborg_spdk.host.machine import installation
from cyborg_spdk.host.machine import spawn
from cyborg_spdk.host.target import ready as target_ready
from cyborg_spdk.rpc import Request
from tests.functional.fixtures import host
from tests.functional.fixtures import targets

A = 'nqn.2016-06.io.spdk:a'
B = 'nqn.2016-06.io.spdk:b'
C = 'nqn.2016-06.io.spdk:c'


class DesiredCase(fixtures.TestWithFixtures):
    """One target, and what is kept of it."""

    KINDS = {'nvmf': ['nvmf']}
    NAME = 'nvmf'

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(host.Host(self.KINDS))

    @property
    def target(self):
        return self.host.target(self.NAME)

    @property
    def client(self):
        return self.host.client(self.NAME)

    def call(self, method, **params):
        return self.client.call(method, **params)

    def ensure(self):
        return starting.ensure(self.host.conf, self.target, force=True)

    def look(self, **options):
        options.setdefault('confirm', 0.2)
        return keep.look(self.host.conf, self.target, self.client,
                         at_once=True, **options)

    def state(self):
        return store.load(self.host.conf, self.target)

    def missing(self):
        return sorted(one.key for one in self.state().missing())

    def kill(self):
        for pid in self.host.processes():
            host.kill(pid)

    def restart(self):
        """Kill -9, and start it again."""
        self.kill()
        return self.ensure()

    def start_bare(self):
        """Start the target as somebody else would: empty."""
        path = self.target.rpc_address
        found = installation.find(self.host.conf.spdk.spdk_dir)
        program = spawn.Detached(
            [found.path(self.target.application), '-r', path, '-s',
             str(self.target.memory_mb), *self.target.extra_args],
            self.host.path('run', 'bare.log'), self.host.directory, -1)
        self.addCleanup(host.kill, program.pid)
        self.addCleanup(program.release)
        self.assertTrue(target_ready.wait(
            self.target, float('inf'),
            lambda seconds: program.poll(seconds) is not None))

    def disk(self, name):
        path = self.host.path(name)
        with open(path, 'wb') as file:
            file.truncate(16 << 20)
        return path

    def bdevs(self):
        return sorted(bdev['name'] for bdev in self.call('bdev_get_bdevs'))

    def subsystems(self):
        """Bdevs and listeners of each subsystem."""
        return {one['nqn']: (
            [ns['bdev_name'] for ns in one.get('namespaces', ())],
            [where['trsvcid'] for where in one['listen_addresses']])
            for one in self.call('nvmf_get_subsystems')
            if 'discovery' not in one['nqn']}

    def export(self, nqn, bdev, port=None, address='127.0.0.1', **options):
        self.call('nvmf_create_subsystem', nqn=nqn, allow_any_host=True)
        self.call('nvmf_subsystem_add_ns', nqn=nqn,
                  namespace={'bdev_name': bdev, 'nsid': 1, **options})
        if port:
            self.listen(nqn, port, address)

    def listen(self, nqn, port, address='127.0.0.1'):
        self.call('nvmf_subsystem_add_listener', nqn=nqn, listen_address={
            'trtype': 'TCP', 'adrfam': 'ipv4', 'traddr': address,
            'trsvcid': str(port)})


class NvmfLossesTest(DesiredCase):

    def three_disks(self):
        self.ensure()
        self.call('nvmf_create_transport', trtype='TCP')
        paths = []
        for nqn, name in ((A, 'D0'), (B, 'D1'), (C, 'D2')):
            paths.append(self.disk(name + '.img'))
            self.call('bdev_aio_create', name=name, filename=paths[-1],
                      block_size=512)
            self.export(nqn, name)
        self.look()
        return paths

    def test_one_of_three_disks_is_away_at_the_start_and_back_later(self):
        paths = self.three_disks()
        before = self.call('nvmf_get_subsystems')
        os.rename(paths[1], paths[1] + '.away')
        running = self.restart()
        self.assertEqual(['bdev:D1', f'namespace:{B}/1'],
                         sorted(one.key for one in running.missing))
        self.assertIn('No such file', running.missing[0].why)
        self.assertEqual(
            {A: (['D0'], []), B: ([], []), C: (['D2'], [])},
            self.subsystems())
        self.assertEqual(2, len(self.look().missing))
        os.rename(paths[1] + '.away', paths[1])
        self.assertEqual(['bdev:D1', f'namespace:{B}/1'], self.look().made)
        # The same uuid and nguid: to an initiator the same disk.
        self.assertEqual(before, self.call('nvmf_get_subsystems'))
        self.assertEqual([], self.look().missing)
        self.assertEqual([], self.missing())

    def test_away_at_two_starts(self):
        paths = self.three_disks()
        os.rename(paths[1], paths[1] + '.away')
        self.restart()
        self.restart()
        starting.stop(self.host.conf, self.target)
        os.rename(paths[1] + '.away', paths[1])
        self.assertEqual((), self.ensure().missing)
        self.assertEqual(['D0', 'D1', 'D2'], self.bdevs())
        self.assertEqual((['D1'], []), self.subsystems()[B])

    def test_a_disk_that_goes_while_the_target_lives(self):
        """Its bdev goes as if it was pulled out."""
        paths = self.three_disks()
        os.rename(paths[1], paths[1] + '.away')
        self.call('bdev_aio_delete', name='D1')
        missing = self.look().missing
        self.assertEqual(['bdev:D1', f'namespace:{B}/1'],
                         sorted(one.key for one in missing))
        os.rename(paths[1] + '.away', paths[1])
        self.look()
        self.assertEqual((['D1'], []), self.subsystems()[B])

    def test_what_is_deleted_behind_our_back_stays_deleted(self):
        self.three_disks()
        self.call('nvmf_delete_subsystem', nqn=A)
        self.call('nvmf_subsystem_remove_ns', nqn=B, nsid=1)
        result = self.look()
        self.assertEqual(sorted([f'subsystem:{A}', f'namespace:{A}/1',
                                 f'namespace:{B}/1']),
                         sorted(result.changes.deleted))
        self.assertEqual([], result.missing)
        self.restart()
        self.assertEqual({B: ([], []), C: (['D2'], [])}, self.subsystems())
        self.assertEqual(['D0', 'D1', 'D2'], self.bdevs())

    def test_all_parts_of_a_subsystem_are_deleted_at_once(self):
        self.three_disks()
        nqns, ports = 'nqn.2014-08.org.nvmexpress:h', {}
        for nqn in (A, B):
            self.call('nvmf_subsystem_add_host', nqn=nqn, host=nqns)
            ports[nqn] = targets.free_port()
            self.listen(nqn, ports[nqn])
        self.look()
        self.call('nvmf_subsystem_remove_ns', nqn=A, nsid=1)
        self.call('nvmf_subsystem_remove_host', nqn=A, host=nqns)
        self.call('nvmf_subsystem_remove_listener', nqn=A, listen_address={
            'trtype': 'TCP', 'adrfam': 'ipv4', 'traddr': '127.0.0.1',
            'trsvcid': str(ports[A])})
        result = self.look()
        self.assertEqual(
            [f'host:{A}/{nqns}', f'listener:{A}/TCP:127.0.0.1:{ports[A]}',
             f'namespace:{A}/1'], sorted(result.changes.deleted))
        self.assertEqual([], result.missing)
        self.assertEqual((), self.restart().missing)
        self.assertEqual(
            {A: ([], []), B: (['D1'], [str(ports[B])]), C: (['D2'], [])},
            self.subsystems())
        self.assertEqual({A: [], B: [nqns], C: []}, {
            one['nqn']: [entry['nqn'] for entry in one['hosts']]
            for one in self.call('nvmf_get_subsystems')
            if 'discovery' not in one['nqn']})

    def test_two_losses_and_a_deletion_at_once(self):
        paths = self.three_disks()
        self.call('nvmf_delete_subsystem', nqn=A)
        for name, path in (('D1', paths[1]), ('D2', paths[2])):
            os.rename(path, path + '.away')
            self.call('bdev_aio_delete', name=name)
        result = self.look()
        self.assertEqual([f'namespace:{A}/1', f'subsystem:{A}'],
                         sorted(result.changes.deleted))
        away = ['bdev:D1', 'bdev:D2', f'namespace:{B}/1', f'namespace:{C}/1']
        self.assertEqual(away, sorted(one.key for one in result.missing))
        os.rename(paths[2] + '.away', paths[2])
        self.assertEqual(away[::2], sorted(
            one.key for one in self.restart().missing))
        os.rename(paths[1] + '.away', paths[1])
        self.look()
        self.assertEqual({B: (['D1'], []), C: (['D2'], [])},
                         self.subsystems())
        self.assertEqual([], self.missing())

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which('ip'),
                         'needs root and ip, to have another address')
    def test_an_address_that_is_there_later(self):
        address = '198.51.100.77'  # Of no machine (RFC 5737).

        def ip(verb):
            subprocess.run(['ip', 'address', verb, f'{address}/32', 'dev',
                            'lo'], check=verb == 'add',
                           stderr=subprocess.DEVNULL)

        self.addCleanup(ip, 'del')
        self.ensure()
        self.call('nvmf_create_transport', trtype='TCP')
        ip('add')
        ports = targets.free_port(), targets.free_port()
        for nqn, bdev, port, where in (
                (A, 'N0', ports[0], '127.0.0.1'),
                (B, 'N1', ports[1], address)):
            self.call('bdev_null_create', name=bdev, num_blocks=2048,
                      block_size=512)
            self.export(nqn, bdev, port, where)
        self.look()
        before = self.subsystems()
        self.kill()
        ip('del')
        missing, = self.ensure().missing
        self.assertEqual(f'listener:{B}/TCP:{address}:{ports[1]}',
                         missing.key)
        self.assertIn(f'{address}:{ports[1]} is no address of this host',
                      missing.why)
        self.assertEqual({A: before[A], B: (['N1'], [])}, self.subsystems())
        self.look()
        ip('add')
        # Whatever the pause is.
        keep.look(self.host.conf, self.target, self.client)
        self.assertEqual(before, self.subsystems())

    def test_a_bdev_that_is_deleted_takes_no_wish_with_it(self):
        self.ensure()
        self.call('bdev_malloc_create', name='M0', num_blocks=2048,
                  block_size=512)
        self.export(A, 'M0')
        self.look()
        self.call('bdev_malloc_delete', name='M0')
        self.assertEqual([f'namespace:{A}/1'],
                         [one.key for one in self.look().missing])
        self.assertEqual([], self.bdevs())
        changing.forget(self.host.conf, self.target, [f'{A}/1'])
        self.assertEqual([], self.look().missing)

    def test_a_port_that_is_taken_and_then_free(self):
        self.ensure()
        self.call('nvmf_create_transport', trtype='TCP')
        self.call('bdev_null_create', name='N0', num_blocks=2048,
                  block_size=512)
        self.call('bdev_null_create', name='N1', num_blocks=2048,
                  block_size=512)
        ports = targets.free_port(), targets.free_port()
        self.export(A, 'N0', ports[0])
        self.export(B, 'N1', ports[1])
        self.look()
        self.kill()
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def bound():
            try:
                taken.bind(('127.0.0.1', ports[1]))
            except OSError:
                return False
            return True

        host.wait_until(bound)
        taken.listen()
        missing = self.ensure().missing
        self.assertEqual([f'listener:{B}/TCP:127.0.0.1:{ports[1]}'],
                         [one.key for one in missing])
        self.assertTrue(missing[0].blocked)
        self.assertEqual({A: (['N0'], [str(ports[0])]), B: (['N1'], [])},
                         self.subsystems())
        self.look()
        taken.close()
        # Whatever the pause is.
        keep.look(self.host.conf, self.target, self.client)
        self.assertEqual((['N1'], [str(ports[1])]), self.subsystems()[B])

    def test_restarted_empty_by_somebody_else(self):
        self.three_disks()
        before = self.call('nvmf_get_subsystems')
        self.kill()
        self.start_bare()
        self.assertEqual([], self.bdevs())
        self.look()
        self.assertEqual(before, self.call('nvmf_get_subsystems'))
        self.assertEqual([], self.missing())

    def test_only_read(self):
        self.three_disks()
        self.kill()
        self.host.set('nvmf', start=False)
        self.start_bare()
        self.assertEqual(10, len(
            [one for one in self.look().missing]))
        self.assertEqual([], self.bdevs())
        self.host.set('nvmf', repair=True)
        self.assertEqual([], self.look().missing)
        self.assertEqual(['D0', 'D1', 'D2'], self.bdevs())

    def test_an_agent_killed_in_the_middle_of_a_start(self):
        self.three_disks()
        self.kill()
        found = installation.find(self.host.conf.spdk.spdk_dir)
        program = spawn.Detached(
            [found.path('nvmf_tgt'), '-r', self.target.rpc_address, '-s',
             '512', *self.target.extra_args, '--wait-for-rpc'],
            self.host.path('run', 'half.log'), self.host.directory, -1)
        self.addCleanup(host.kill, program.pid)
        self.addCleanup(program.release)
        running = self.ensure()
        self.assertFalse(running.started)
        self.assertEqual((), running.missing)
        self.assertEqual(['D0', 'D1', 'D2'], self.bdevs())

    def test_a_target_that_goes_down_loses_nothing(self):
        self.three_disks()
        before = dict(self.state().objects)
        self.call('nvmf_delete_subsystem', nqn=A)
        pid, = self.host.processes()
        os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGCONT)
        state = self.state()
        self.assertEqual(set(before), set(state.objects))

    def test_qos_comes_back_with_the_bdev(self):
        self.three_disks()
        self.call('bdev_set_qos_limit', name='D1', rw_ios_per_sec=20000)
        self.look()
        self.restart()
        bdev, = self.call('bdev_get_bdevs', name='D1')
        self.assertEqual(20000,
                         bdev['assigned_rate_limits']['rw_ios_per_sec'])

    def test_many_at_once(self):
        self.ensure()
        self.client.call_many([Request('bdev_null_create', {
            'name': f'N{n}', 'num_blocks': 2048, 'block_size': 512})
            for n in range(300)], raise_errors=True)
        self.call('nvmf_create_subsystem', nqn=A, allow_any_host=True,
                  max_namespaces=300)
        for n in range(300):
            # Before v24.05 one after the other.
            self.call('nvmf_subsystem_add_ns', nqn=A, namespace={
                'bdev_name': f'N{n}', 'nsid': n + 1})
        self.look()
        self.assertEqual((), self.restart().missing)
        self.assertEqual(300, len(self.subsystems()[A][0]))
