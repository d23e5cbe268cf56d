# SPDX-License-Identifier: Apache-2.0

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading

import fixtures

from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import installation
from cyborg_spdk.host.machine import spawn
from cyborg_spdk.host.saved import store as saved_store
from cyborg_spdk.host.target import lifecycle
from cyborg_spdk.host.target import ready as target_ready
from tests.functional.fixtures import host

NQN = 'nqn.2016-06.io.spdk:cnode1'


class SavedConfigTest(fixtures.TestWithFixtures):

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(host.Host())

    def ensure(self):
        return lifecycle.ensure(self.host.conf, self.host.target(),
                                force=True)

    def save(self, confirm=0.1, **kwargs):
        return saved_store.save(self.host.conf, self.host.target(),
                                self.host.client(), confirm=confirm,
                                **kwargs)

    def saved(self):
        return saved_store.load(self.host.conf, self.host.target())

    def make_bdev(self, name):
        self.host.client().call('bdev_malloc_create', name=name,
                                num_blocks=2048, block_size=512)

    def bdevs(self):
        return sorted(bdev['name'] for bdev in
                      self.host.client().call('bdev_get_bdevs'))

    def start_bare(self):
        """Start the target as somebody else would: without -c."""
        path = self.host.path('run', 'nvmf.sock')
        found = installation.find(self.host.conf.spdk.spdk_dir)
        program = spawn.Detached(
            [found.path('nvmf_tgt'), '-r', path, '-s', '512',
             *self.host.target().extra_args],
            self.host.path('run', 'bare.log'), self.host.directory, -1)
        self.addCleanup(host.kill, program.pid)
        self.addCleanup(program.release)
        self.assertTrue(target_ready.wait(
            self.host.target(), float('inf'),
            lambda seconds: program.poll(seconds) is not None))

    def test_given_back_after_kill_9(self):
        pid = self.ensure().process.pid
        client = self.host.client()
        self.make_bdev('Malloc0')
        client.call('nvmf_create_transport', trtype='TCP')
        client.call('nvmf_create_subsystem', nqn=NQN, allow_any_host=True)
        client.call('nvmf_subsystem_add_ns', nqn=NQN,
                    namespace={'bdev_name': 'Malloc0', 'nsid': 3})
        before = client.call('nvmf_get_subsystems')
        uuid = client.call('bdev_get_bdevs')[0]['uuid']
        self.assertTrue(self.save())
        host.kill(pid)
        self.assertTrue(self.ensure().started)
        client = self.host.client()
        self.assertEqual(before, client.call('nvmf_get_subsystems'))
        self.assertEqual(uuid, client.call('bdev_get_bdevs')[0]['uuid'])

    def test_given_back_when_the_clock_was_set_back(self):
        """Then all that was written before is from the future."""
        pid = self.ensure().process.pid
        self.make_bdev('Malloc0')
        self.assertTrue(self.save())
        future = os.stat(self.saved().path).st_mtime + 3 * 86400
        for top in ('run', 'state'):
            for entry in os.scandir(self.host.path(top)):
                os.utime(entry.path, (future, future))
        host.kill(pid)
        self.assertTrue(self.ensure().started)
        self.assertEqual(['Malloc0'], self.bdevs())
        self.make_bdev('Malloc1')
        self.assertTrue(self.save())
        self.assertLess(os.stat(self.saved().path).st_mtime, future)

    def test_written_only_when_it_has_changed(self):
        self.ensure()
        self.make_bdev('Malloc0')
        self.assertTrue(self.save())
        before = os.stat(self.saved().path)
        self.assertFalse(self.save())
        self.assertEqual(before.st_mtime_ns,
                         os.stat(self.saved().path).st_mtime_ns)
        self.make_bdev('Malloc1')
        self.assertTrue(self.save())
        self.assertEqual(2, saved_store.objects(self.saved().config)
                         - self.baseline())

    def baseline(self):
        # A bare target has calls of its own (an error bdev module's, say).
        return saved_store.objects(self.saved().config) - 2

    def test_it_may_hold_secrets(self):
        self.ensure()
        self.save()
        self.assertEqual(0o600, os.stat(self.saved().path).st_mode & 0o777)

    def test_what_the_operator_deletes_stays_deleted(self):
        pid = self.ensure().process.pid
        self.make_bdev('Malloc0')
        self.save()
        self.host.client().call('bdev_malloc_delete', name='Malloc0')
        self.assertTrue(self.save())
        host.kill(pid)
        self.ensure()
        self.assertEqual([], self.bdevs())

    def test_the_same_after_a_restart(self):
        pid = self.ensure().process.pid
        self.make_bdev('Malloc0')
        self.save()
        host.kill(pid)
        self.ensure()
        self.host.client().call('bdev_malloc_delete', name='Malloc0')
        self.assertTrue(self.save())
        with open(self.saved().path + '.previous') as stream:
            self.assertIn('Malloc0', stream.read())

    def test_a_bare_target_does_not_wipe_it_out(self):
        pid = self.ensure().process.pid
        self.make_bdev('Malloc0')
        self.save()
        before = self.saved().data
        host.kill(pid)
        self.start_bare()
        with self.assertLogs('cyborg_spdk.host.saved.store',
                             'WARNING') as logs:
            self.assertFalse(self.save())
        self.assertIn('it has nothing and was not started with its saved '
                      'configuration', logs.output[0])
        self.assertEqual(before, self.saved().data)
        lifecycle.stop(self.host.conf, self.host.target())
        self.assertEqual(before, self.saved().data)
        self.ensure()
        self.assertEqual(['Malloc0'], self.bdevs())

    def test_a_target_that_goes_down_does_not_wipe_it_out(self):
        pid = self.run_with('Malloc0')
        before = self.saved().data
        # What is read while the subsystems of a target go.
        self.host.client().call('bdev_malloc_delete', name='Malloc0')
        ended = threading.Timer(0.2, host.kill, [pid])
        ended.start()
        self.addCleanup(ended.join)
        try:
            self.assertFalse(self.save(confirm=1.0))
        except exceptions.SpdkError:
            pass
        self.assertEqual(before, self.saved().data)
        self.ensure()
        self.assertEqual(['Malloc0'], self.bdevs())

    def test_what_has_become_less_is_kept_beside_it(self):
        self.run_with('Malloc0')
        self.host.client().call('bdev_malloc_delete', name='Malloc0')
        self.assertTrue(self.save())
        with open(self.saved().path + '.previous') as stream:
            self.assertIn('Malloc0', stream.read())

    def test_unless_the_operator_says_so(self):
        host.kill(self.run_with('Malloc0'))
        self.start_bare()
        self.assertTrue(self.save(force=True))
        self.assertNotIn(b'Malloc0', self.saved().data)
        with open(self.saved().path + '.previous') as stream:
            self.assertIn('Malloc0', stream.read())

    def run_with(self, bdev):
        pid = self.ensure().process.pid
        self.make_bdev(bdev)
        self.save()
        return pid

    def test_what_somebody_else_has_made_is_taken_and_the_old_kept(self):
        host.kill(self.run_with('Malloc0'))
        self.start_bare()
        self.make_bdev('Other')
        self.assertTrue(self.save())
        self.assertIn(b'Other', self.saved().data)
        with open(self.saved().path + '.previous') as stream:
            self.assertIn('Malloc0', stream.read())

    def test_saved_before_it_is_stopped(self):
        self.ensure()
        self.make_bdev('Malloc0')
        lifecycle.stop(self.host.conf, self.host.target())
        self.ensure()
        self.assertEqual(['Malloc0'], self.bdevs())

    def write(self, data):
        os.makedirs(self.host.path('state'), 0o750, exist_ok=True)
        path = saved_store.path(self.host.conf, self.host.target())
        with open(path, 'wb') as stream:
            stream.write(data)

    def assert_set_aside(self, data, pattern):
        self.write(data)
        with self.assertLogs('cyborg_spdk.host', 'ERROR') as logs:
            self.assertTrue(self.ensure().started)
        self.assertRegex(logs.output[0], pattern)
        self.assertEqual([], self.bdevs())
        aside, = saved_store.rejected(self.host.conf, self.host.target())
        self.assertRegex(aside, r'/nvmf\.json\.rejected-\d{8}T\d{6}Z$')
        with open(aside, 'rb') as stream:
            self.assertEqual(data, stream.read())
        self.assertIsNone(self.saved())

    def test_an_unknown_method(self):
        self.assert_set_aside(
            json.dumps({'subsystems': [{'subsystem': 'bdev', 'config': [
                {'method': 'no_such_method'}]}]}).encode(),
            'nvmf: it refuses its saved configuration, which is now .*'
            'load-config nvmf .*(no_such_method|Method not found)')

    def test_a_call_that_fails(self):
        call = {'method': 'bdev_malloc_create', 'params': {
            'name': 'Twice', 'num_blocks': 2048, 'block_size': 512}}
        self.assert_set_aside(
            json.dumps({'subsystems': [{'subsystem': 'bdev', 'config': [
                call, call]}]}).encode(),
            'nvmf: it refuses its saved configuration')

    def test_a_port_that_is_taken(self):
        pid = self.run_with('Malloc0')
        client = self.host.client()
        probe = socket.socket()
        self.addCleanup(probe.close)
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
        probe.close()
        client.call('nvmf_create_transport', trtype='TCP')
        client.call('nvmf_create_subsystem', nqn=NQN, allow_any_host=True)
        client.call('nvmf_subsystem_add_listener', nqn=NQN, listen_address={
            'trtype': 'TCP', 'adrfam': 'ipv4', 'traddr': '127.0.0.1',
            'trsvcid': str(port)})
        self.assertTrue(self.save())
        before = self.saved().data
        host.kill(pid)
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def bound():
            try:
                taken.bind(('127.0.0.1', port))
            except OSError:
                return False  # The target is being cleaned up still.
            return True

        host.wait_until(bound)
        taken.listen()
        with self.assertLogs('cyborg_spdk.host', 'ERROR') as logs:
            self.assertTrue(self.ensure().started)
        self.assertIn('a port of its saved configuration is taken; it is '
                      'started with the rest', logs.output[0])
        self.assertEqual(['Malloc0'], self.bdevs())
        # What it lacks now is not taken for what is wanted.
        with self.assertLogs('cyborg_spdk.host', 'WARNING') as logs:
            self.assertFalse(self.save())
        self.assertIn('nvmf_subsystem_add_listener', logs.output[0])
        taken.close()
        lifecycle.stop(self.host.conf, self.host.target())
        self.assertEqual(before, self.saved().data)
        self.ensure()
        self.assertEqual([str(port)], [
            one['trsvcid'] for found in
            self.host.client().call('nvmf_get_subsystems')
            for one in found['listen_addresses']])

    def test_a_damaged_file(self):
        self.assert_set_aside(b'{"subsystems": [{',
                              'damaged: .*nvmf.json: not JSON')

    def test_one_that_cannot_be_read_is_not_gone(self):
        host.kill(self.run_with('Malloc0'))
        path = self.saved().path
        # Whoever reads it: a link is not followed.
        os.rename(path, path + '.real')
        os.symlink(path + '.real', path)
        with self.assertRaisesRegex(exceptions.StateError,
                                    'nvmf.json: cannot be read'):
            self.ensure()
        self.assertEqual([], self.host.processes())
        os.rename(path + '.real', path)
        self.ensure()
        self.assertEqual(['Malloc0'], self.bdevs())

    def test_a_first_configuration(self):
        path = self.host.path('first.json')
        with open(path, 'w') as stream:
            json.dump({'subsystems': [{'subsystem': 'bdev', 'config': [
                {'method': 'bdev_malloc_create', 'params': {
                    'name': 'First', 'num_blocks': 2048,
                    'block_size': 512}}]}]}, stream)
        self.host.set('nvmf', config_file=path)
        pid = self.ensure().process.pid
        self.assertEqual(['First'], self.bdevs())
        self.make_bdev('Second')
        self.save()
        host.kill(pid)
        self.ensure()
        self.assertEqual(['First', 'Second'], self.bdevs())

    def test_a_first_configuration_that_is_not_there(self):
        self.host.set('nvmf', config_file=self.host.path('none.json'))
        with self.assertRaisesRegex(exceptions.ConfigurationError,
                                    'none.json.*there is no such file'):
            self.ensure()

    def test_not_saved_if_it_must_not_be(self):
        self.host.set('nvmf', save_config=False)
        self.ensure()
        self.make_bdev('Malloc0')
        lifecycle.stop(self.host.conf, self.host.target())
        self.assertIsNone(self.saved())

    def test_a_full_disk_costs_nothing_that_was_saved(self):
        self.run_with('Malloc0')
        before = self.saved().data
        self.make_bdev('Malloc1')
        # A file may grow to less than what is to be written.
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with self.assertRaisesRegex(exceptions.StateError,
                                        'what was there before is kept'):
                self.save()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
        self.assertEqual(before, self.saved().data)
        self.assertEqual([], [name for name in
                              os.listdir(self.host.path('state'))
                              if name.endswith('.tmp')])
        self.assertTrue(self.save())


class OneProcessTest(fixtures.TestWithFixtures):

    def test_two_targets_have_one_configuration(self):
        one = self.useFixture(host.Host({'nvmf': ['nvmf'],
                                         'vhost': ['vhost']}))
        for name in ('nvmf', 'vhost'):
            one.set(name, application='spdk_tgt',
                    rpc_address=one.path('run', 'both.sock'))
        pid = lifecycle.ensure(one.conf, one.target('vhost')).process.pid
        self.assertEqual(pid, lifecycle.ensure(
            one.conf, one.target('nvmf')).process.pid)
        for name in ('nvmf', 'vhost'):
            one.client(name).call('bdev_malloc_create', name=f'Of-{name}',
                                  num_blocks=2048, block_size=512)
            self.assertTrue(saved_store.save(
                one.conf, one.target(name), one.client(name)))
        self.assertEqual({one.path('state', 'nvmf.json')}, {
            saved_store.load(one.conf, one.target(name)).path
            for name in ('nvmf', 'vhost')})
        host.kill(pid)
        lifecycle.ensure(one.conf, one.target('vhost'))
        self.assertEqual(['Of-nvmf', 'Of-vhost'], sorted(
            bdev['name'] for bdev in
            one.client('nvmf').call('bdev_get_bdevs')))


class CommandTest(fixtures.TestWithFixtures):

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(host.Host())

    def run_command(self, *arguments, status=0):
        done = subprocess.run(
            [sys.executable, '-m', 'cyborg_spdk.cli.main', '--config-file',
             self.host.config_file(), *arguments],
            capture_output=True, text=True, timeout=host.PATIENCE,
            check=False)
        self.assertEqual(status, done.returncode, done)
        return done

    def test_from_start_to_stop(self):
        shown = json.loads(self.run_command(
            'target', 'start', '-f', 'json').stdout)
        self.assertEqual([('nvmf', 'started')],
                         [(row['Target'], row['Result']) for row in shown])
        shown, = json.loads(self.run_command(
            'target', 'status', '-f', 'json').stdout)
        self.assertEqual('ready', shown['State'])
        self.host.client().call('bdev_malloc_create', name='Malloc0',
                                num_blocks=2048, block_size=512)
        path = self.host.path('copy.json')
        self.run_command('target', 'save-config', 'nvmf', path)
        self.assertIn('saved', self.run_command(
            'target', 'save-config', 'nvmf').stdout)
        shown, = json.loads(self.run_command(
            'target', 'restart', 'nvmf', '-f', 'json').stdout)
        self.assertEqual('restarted', shown['Result'])
        self.assertEqual(1, len(self.host.client().call('bdev_get_bdevs')))
        self.host.client().call('bdev_malloc_delete', name='Malloc0')
        done = self.run_command('target', 'load-config', 'nvmf', path)
        self.assertRegex(done.stdout, r'nvmf: \d+ calls made, \d+ left out,'
                         ' 0 failed')
        self.assertEqual(1, len(self.host.client().call('bdev_get_bdevs')))
        done = self.run_command('target', 'load-config', 'nvmf', path,
                                status=1)
        self.assertIn('bdev_malloc_create', done.stderr)
        self.run_command('target', 'stop')
        shown, = json.loads(self.run_command(
            'status', '-f', 'json', status=1).stdout)
        self.assertEqual(('stopped', 1),
                         (shown['State'], shown['Saved objects']))

    def test_load_with_a_restart(self):
        lifecycle.ensure(self.host.conf, self.host.target())
        path = self.host.path('other.json')
        with open(path, 'w') as stream:
            json.dump({'subsystems': [{'subsystem': 'bdev', 'config': [
                {'method': 'bdev_malloc_create', 'params': {
                    'name': 'New', 'num_blocks': 2048,
                    'block_size': 512}}]}]}, stream)
        self.run_command('target', 'load-config', 'nvmf', path, '--restart')
        self.assertEqual(['New'], [
            bdev['name'] for bdev in
            self.host.client().call('bdev_get_bdevs')])

    def test_one_reason_is_told_once(self):
        done = self.run_command(
            '--set', 'spdk.nvmf_targets=nvmf,other',
            '--set', 'spdk.spdk_dir=/none', 'target', 'start', '-f', 'json',
            status=1)
        self.assertEqual(['failed', 'failed'], [
            row['Result'] for row in json.loads(done.stdout)])
        self.assertEqual(1, len(done.stderr.splitlines()), done.stderr)
        self.assertIn('/none', done.stderr)

    def test_mistakes(self):
        for arguments, text in [
                (['target', 'start', 'typo'],
                 "target 'typo': the configuration has only nvmf"),
                (['target', 'load-config', 'nvmf', '/none/x'],
                 '/none/x: there is no such file'),
                (['target', 'load-config', 'nvmf', __file__],
                 'not JSON'),
                (['target', 'save-config', 'nvmf'], 'cannot connect')]:
            with self.subTest(arguments):
                done = self.run_command(*arguments, status=1)
                self.assertIn(text, done.stderr)
                self.assertNotIn('Traceback', done.stderr)
                self.assertEqual(1, len(done.stderr.splitlines()),
                                 done.stderr)
