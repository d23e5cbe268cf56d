# SPDX-License-Identifier: Apache-2.0

"""What a target is to have, on disk."""

import json
import os
import resource
import signal
import socket
import threading

import fixtures

from cyborg_spdk.desired import changing
from cyborg_spdk.desired import keep
from cyborg_spdk.desired import observe
from cyborg_spdk.desired import starting
from cyborg_spdk.desired import store
from cyborg_spdk.desired import unchanged
from cyborg_spdk import exceptions
from tests.functional.desired import test_losses
from tests.functional.fixtures import host

NQN = 'nqn.2016-06.io.spdk:cnode1'


class KeepingTest(test_losses.DesiredCase):

    @property
    def path(self):
        return store.path(self.host.conf, self.target)

    def make_bdev(self, name):
        self.call('bdev_malloc_create', name=name, num_blocks=2048,
                  block_size=512)

    def run_with(self, bdev):
        pid = self.ensure().process.pid
        self.make_bdev(bdev)
        self.look()
        return pid

    def read(self, path=None):
        with open(path or self.path, 'rb') as stream:
            return stream.read()

    def test_given_back_after_kill_9(self):
        self.ensure()
        self.make_bdev('Malloc0')
        self.call('nvmf_create_transport', trtype='TCP')
        self.call('nvmf_create_subsystem', nqn=NQN, allow_any_host=True)
        self.call('nvmf_subsystem_add_ns', nqn=NQN,
                  namespace={'bdev_name': 'Malloc0', 'nsid': 3})
        before = self.call('nvmf_get_subsystems')
        uuid = self.call('bdev_get_bdevs')[0]['uuid']
        self.assertTrue(self.look().written)
        self.assertTrue(self.restart().started)
        self.assertEqual(before, self.call('nvmf_get_subsystems'))
        self.assertEqual(uuid, self.call('bdev_get_bdevs')[0]['uuid'])

    def test_given_back_when_the_clock_was_set_back(self):
        """Then all that was written before is from the future."""
        self.run_with('Malloc0')
        future = os.stat(self.path).st_mtime + 3 * 86400
        for top in ('run', 'state'):
            for entry in os.scandir(self.host.path(top)):
                os.utime(entry.path, (future, future))
        self.assertTrue(self.restart().started)
        self.assertEqual(['Malloc0'], self.bdevs())
        self.make_bdev('Malloc1')
        self.assertTrue(self.look().written)
        self.assertLess(os.stat(self.path).st_mtime, future)

    def test_written_only_when_it_has_changed(self):
        self.run_with('Malloc0')
        before = os.stat(self.path)
        self.assertFalse(self.look().written)
        self.assertEqual(before.st_mtime_ns, os.stat(self.path).st_mtime_ns)
        size = self.state().size()
        self.make_bdev('Malloc1')
        self.assertTrue(self.look().written)
        self.assertEqual(size + 1, self.state().size())
        self.assertEqual(0o600, os.stat(self.path).st_mode & 0o777)

    def test_a_target_at_rest_is_not_read_again(self):
        self.run_with('Malloc0')
        self.look()
        seen = keep.begin(self.host.conf, self.target)
        answers = observe.ask(self.client, seen.cursor)
        self.assertEqual({}, unchanged.controllers(
            self.path, seen.last, answers, answers.digest()))
        # What another process of ours writes is read, though.
        changing.declare(self.host.conf, self.target, [
            ('bdev_malloc_create', {'name': 'Malloc1', 'num_blocks': 2048,
                                    'block_size': 512})])
        self.assertIsNone(unchanged.controllers(
            self.path, seen.last, answers, answers.digest()))
        self.look()
        self.assertEqual(['Malloc0', 'Malloc1'], sorted(self.bdevs()))

    def test_one_that_went_and_came_is_looked_at(self):
        self.run_with('Malloc0')
        self.look()
        told = self.call('bdev_get_bdevs')
        self.call('bdev_malloc_delete', name='Malloc0')
        self.call('bdev_malloc_create', name='Malloc0', num_blocks=2048,
                  block_size=512, uuid=told[0]['uuid'])
        seen = keep.begin(self.host.conf, self.target)
        answers = observe.ask(self.client, seen.cursor)
        self.assertIsNone(unchanged.controllers(
            self.path, seen.last, answers, answers.digest()))

    def test_what_is_deleted_is_kept_beside_it(self):
        self.run_with('Malloc0')
        self.call('bdev_malloc_delete', name='Malloc0')
        self.assertEqual(['bdev:Malloc0'], self.look().changes.deleted)
        self.assertNotIn(b'Malloc0', self.read())
        self.assertIn(b'Malloc0', self.read(self.path + '.previous'))
        self.restart()
        self.assertEqual([], self.bdevs())

    def test_a_target_that_goes_down_does_not_wipe_it_out(self):
        pid = self.run_with('Malloc0')
        before = self.read()
        # What is read while the subsystems of a target go.
        self.call('bdev_malloc_delete', name='Malloc0')
        ended = threading.Timer(0.2, host.kill, [pid])
        ended.start()
        self.addCleanup(ended.join)
        try:
            self.look(confirm=1.0)
        except exceptions.SpdkError:
            pass
        self.assertEqual(before, self.read())
        self.ensure()
        self.assertEqual(['Malloc0'], self.bdevs())

    def test_what_the_operator_takes_for_all(self):
        self.run_with('Malloc0')
        self.kill()
        self.start_bare()
        self.make_bdev('Other')
        self.assertTrue(changing.adopt(self.host.conf, self.target,
                                       self.client))
        self.assertNotIn(b'Malloc0', self.read())
        self.assertIn(b'Malloc0', self.read(self.path + '.previous'))
        self.restart()
        self.assertEqual(['Other'], self.bdevs())

    def test_what_somebody_else_has_made_is_kept_too(self):
        self.run_with('Malloc0')
        self.kill()
        self.start_bare()
        self.make_bdev('Other')
        self.look()
        self.assertEqual(['Malloc0', 'Other'], self.bdevs())
        self.restart()
        self.assertEqual(['Malloc0', 'Other'], self.bdevs())

    def test_kept_before_it_is_stopped(self):
        self.ensure()
        self.make_bdev('Malloc0')
        starting.stop(self.host.conf, self.target)
        self.ensure()
        self.assertEqual(['Malloc0'], self.bdevs())

    def test_a_damaged_file(self):
        """The one before it is taken."""
        self.run_with('Malloc0')
        self.make_bdev('Malloc1')
        self.look()
        self.call('bdev_malloc_delete', name='Malloc1')
        self.look()
        self.kill()
        damaged = self.read()[:-20]
        with open(self.path, 'wb') as stream:
            stream.write(damaged)
        with self.assertLogs('cyborg_spdk.desired', 'ERROR') as logs:
            self.ensure()
        self.assertIn('is damaged', logs.output[0])
        self.assertEqual(['Malloc0', 'Malloc1'], self.bdevs())
        aside, = store.damaged(self.path)
        self.assertRegex(aside, r'/nvmf\.desired\.json\.damaged-\d{8}T\d{6}Z$')
        self.assertEqual(damaged, self.read(aside))

    def test_one_that_cannot_be_read_is_not_gone(self):
        self.run_with('Malloc0')
        self.kill()
        # Whoever reads it: a link is not followed.
        os.rename(self.path, self.path + '.real')
        os.symlink(self.path + '.real', self.path)
        with self.assertRaisesRegex(exceptions.StateError,
                                    'nvmf.desired.json: cannot be read'):
            self.ensure()
        self.kill()
        os.rename(self.path + '.real', self.path)
        self.ensure()
        self.assertEqual(['Malloc0'], self.bdevs())

    def first(self, text):
        path = self.host.path('first.json')
        with open(path, 'w') as stream:
            stream.write(text)
        self.host.set('nvmf', config_file=path)

    FIRST = """{ // what -c takes
        "subsystems": [{"subsystem": "bdev", "config": [
            /* the name of v19.01 */
            {"method": "construct_malloc_bdev", "params": {
             "name": "First", "num_blocks": 2048, "block_size": 512}}]},
            {"subsystem": "nvmf", "config": null}]} behind it"""

    def test_a_first_configuration(self):
        self.first(self.FIRST)
        self.ensure()
        self.assertEqual(['First'], self.bdevs())
        self.make_bdev('Second')
        self.look()
        self.restart()
        self.assertEqual(['First', 'Second'], self.bdevs())
        self.call('bdev_malloc_delete', name='First')
        self.look()
        self.restart()
        self.assertEqual(['Second'], self.bdevs())

    def test_a_first_configuration_that_leaves_names_to_spdk(self):
        self.first(json.dumps({'subsystems': [
            {'subsystem': 'bdev', 'config': [
                {'method': 'bdev_malloc_create', 'params': {
                    'num_blocks': 2048, 'block_size': 512}}]},
            {'subsystem': 'nvmf', 'config': [
                {'method': 'nvmf_create_subsystem', 'params': {
                    'nqn': NQN}},
                {'method': 'nvmf_subsystem_allow_any_host', 'params': {
                    'nqn': NQN, 'allow_any_host': True}},
                {'method': 'nvmf_subsystem_add_ns', 'params': {
                    'nqn': NQN, 'namespace': {'bdev_name': 'Malloc0'}}}]},
        ]}))
        for _ in range(2):
            self.assertEqual((), self.restart().missing)
            self.assertEqual(['Malloc0'], self.bdevs())
            found, = [one for one in self.call('nvmf_get_subsystems')
                      if one['nqn'] == NQN]
            self.assertEqual((True, 1), (found['allow_any_host'],
                                         len(found['namespaces'])))

    def test_a_first_configuration_that_is_not_there(self):
        self.host.set('nvmf', config_file=self.host.path('none.json'))
        with self.assertRaisesRegex(exceptions.ConfigurationError,
                                    'none.json.*there is no such file'):
            self.ensure()

    def test_one_bad_call_of_it_costs_nothing_else(self):
        call = {'method': 'bdev_malloc_create', 'params': {
            'name': 'Good', 'num_blocks': 2048, 'block_size': 512}}
        self.first(json.dumps({'subsystems': [{'subsystem': 'bdev', 'config': [
            {'method': 'no_such_method'}, call,
            {'method': 'bdev_malloc_create', 'params': {
                'name': 'Bad', 'num_blocks': 0, 'block_size': 512}}]}]}))
        missing = self.ensure().missing
        self.assertEqual(['Good'], self.bdevs())
        self.assertEqual({'bdev_malloc_create', 'no_such_method'},
                         {one.method for one in missing})

    def test_an_address_that_is_not_there_costs_one_listener(self):
        """A network that comes up later than the target."""
        nqns = ['nqn.2016-06.io.spdk:here', 'nqn.2016-06.io.spdk:there']
        calls = [{'method': 'nvmf_create_transport',
                  'params': {'trtype': 'TCP'}}]
        # 192.0.2.1 is of no machine (RFC 5737).
        for nqn, address in zip(nqns, ('127.0.0.1', '192.0.2.1'),
                                strict=True):
            calls += [
                {'method': 'nvmf_create_subsystem', 'params': {
                    'nqn': nqn, 'allow_any_host': True}},
                {'method': 'nvmf_subsystem_add_listener', 'params': {
                    'nqn': nqn, 'listen_address': {
                        'trtype': 'TCP', 'adrfam': 'IPv4',
                        'traddr': address, 'trsvcid': self.port()}}}]
        self.first(json.dumps({'subsystems': [
            {'subsystem': 'nvmf', 'config': calls}]}))
        found = self.ensure().missing
        self.assertEqual(['nvmf_subsystem_add_listener'],
                         [one.method for one in found])
        self.assertIn('192.0.2.1', found[0].why)
        listeners = {one['nqn']: one['listen_addresses']
                     for one in self.call('nvmf_get_subsystems')}
        self.assertEqual([1, 0], [len(listeners[nqn]) for nqn in nqns])

    def port(self):
        """A port that is free just now."""
        with socket.socket() as sock:
            sock.bind(('127.0.0.1', 0))
            return str(sock.getsockname()[1])

    def test_not_kept_if_it_must_not_be(self):
        self.first(self.FIRST)
        self.host.set('nvmf', save_config=False)
        self.ensure()
        self.make_bdev('Malloc0')
        starting.stop(self.host.conf, self.target)
        self.assertFalse(self.state().objects)
        self.ensure()
        self.assertEqual(['First'], self.bdevs())

    def test_a_full_disk_costs_nothing_that_was_kept(self):
        self.run_with('Malloc0')
        before = self.read()
        self.make_bdev('Malloc1')
        # A file may grow to less than what is to be written.
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with self.assertRaisesRegex(exceptions.StateError,
                                        'what was there before is kept'):
                self.look()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
        self.assertEqual(before, self.read())
        self.assertTrue(self.look().written)
        self.assertEqual([], [name for name in
                              os.listdir(self.host.path('state'))
                              if name.endswith('.tmp')])

    def test_what_a_killed_save_has_left_goes_with_the_next(self):
        self.run_with('Malloc0')
        for name in ('nvmf.desired.json.0123abcd.tmp',
                     'nvmf.secrets.json.0123abcd.tmp'):
            with open(self.host.path('state', name), 'w') as stream:
                stream.write('half')
        self.make_bdev('Malloc1')
        self.look()
        self.assertEqual([], [name for name in
                              os.listdir(self.host.path('state'))
                              if name.endswith('.tmp')])

    def test_keys_are_kept_apart_and_leave_no_trace(self):
        self.ensure()
        if not self.client.has('accel_crypto_key_create'):
            self.skipTest('this SPDK has no such keys')
        self.call('accel_crypto_key_create', cipher='AES_XTS', name='K',
                  key='00112233445566778899aabbccddeeff',
                  key2='ffeeddccbbaa99887766554433221100')
        self.look()
        secrets = self.host.path('state', 'nvmf.secrets.json')
        self.assertEqual(0o600, os.stat(secrets).st_mode & 0o777)
        self.assertIn(b'00112233', self.read(secrets))
        self.assertNotIn(b'00112233', self.read())
        self.restart()
        found, = self.call('accel_crypto_keys_get')
        self.assertEqual('K', found['name'])
        self.call('accel_crypto_key_destroy', key_name='K')
        self.look()
        for directory, _, names in os.walk(self.host.path('state')):
            for name in names:
                self.assertNotIn(b'00112233', self.read(
                    os.path.join(directory, name)), name)


class TakeoverTest(test_losses.DesiredCase):
    """What a release before had kept."""

    CALL = {'method': 'bdev_malloc_create', 'params': {
        'name': 'M0', 'num_blocks': 2048, 'block_size': 512}}

    def write(self, name, *calls):
        os.makedirs(self.host.path('state'), 0o750, exist_ok=True)
        with open(self.host.path('state', name), 'w') as stream:
            json.dump({'subsystems': [
                {'subsystem': 'bdev', 'config': list(calls)}]}, stream)

    def test_what_it_had(self):
        self.write('nvmf.json', self.CALL)
        self.assertEqual((), self.ensure().missing)
        self.assertEqual(['M0'], [one['name'] for one in
                                  self.call('bdev_get_bdevs')])
        self.assertFalse(os.path.exists(
            self.host.path('state', 'nvmf.json')))
        self.assertTrue(os.path.exists(
            self.host.path('state', 'nvmf.json.taken-over')))

    def test_an_empty_one_is_no_wish(self):
        self.write('nvmf.json')
        self.write('nvmf.json.rejected-20260101T000000Z', self.CALL)
        self.ensure()
        self.assertEqual(['M0'], self.bdevs())

    def test_what_went_in_an_outage_comes_back(self):
        attach = {'method': 'bdev_nvme_attach_controller', 'params': {
            'name': 'Nvme0', 'trtype': 'TCP', 'adrfam': 'IPv4',
            'traddr': '127.0.0.1', 'trsvcid': '1', 'subnqn': NQN,
            'ctrlr_loss_timeout_sec': 30}}
        other = {**self.CALL, 'params': {**self.CALL['params'],
                                         'name': 'M1'}}
        self.write('nvmf.json.previous', self.CALL, attach, other)
        self.write('nvmf.json', self.CALL)
        missing = self.ensure().missing
        # The controller was lost, the other bdev was deleted.
        self.assertEqual(['nvme:Nvme0@TCP:127.0.0.1:1'],
                         [one.key for one in missing])
        self.assertEqual(['M0'], self.bdevs())


class OneProcessTest(fixtures.TestWithFixtures):

    def test_two_targets_have_one_configuration(self):
        one = self.useFixture(host.Host({'nvmf': ['nvmf'],
                                         'vhost': ['vhost']}))
        for name in ('nvmf', 'vhost'):
            one.set(name, application='spdk_tgt',
                    rpc_address=one.path('run', 'both.sock'))
        pid = starting.ensure(one.conf, one.target('vhost')).process.pid
        self.assertEqual(pid, starting.ensure(
            one.conf, one.target('nvmf')).process.pid)
        for name in ('nvmf', 'vhost'):
            one.client(name).call('bdev_malloc_create', name=f'Of-{name}',
                                  num_blocks=2048, block_size=512)
            self.assertTrue(keep.look(
                one.conf, one.target(name), one.client(name)).written)
        self.assertEqual({one.path('state', 'nvmf.desired.json')}, {
            store.path(one.conf, one.target(name))
            for name in ('nvmf', 'vhost')})
        host.kill(pid)
        starting.ensure(one.conf, one.target('vhost'))
        self.assertEqual(['Of-nvmf', 'Of-vhost'], sorted(
            bdev['name'] for bdev in
            one.client('nvmf').call('bdev_get_bdevs')))
