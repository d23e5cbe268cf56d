# SPDX-License-Identifier: Apache-2.0

"""Whose unit it is: marks on disk around attach and detach."""

import json
import os
import pwd
import stat

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from cyborg_spdk.units import attach
from cyborg_spdk.units import reading
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import run
from cyborg_spdk.units.wipe import state
from tests.functional.fixtures import targets
from tests.functional.units import test_attach as attach_tests

_MIB = 1 << 20
NQN, HOST = attach_tests.NQN, attach_tests.HOST
OTHER = 'nqn.2016-06.io.spdk:host2'


class Custody(attach_tests.AttachCase):
    """A unit on a file: nobody knows what its disk had on it before."""

    KIND = 'nvmf'

    def setUp(self):
        super().setUp()
        self.conf = self.targets.conf
        self.spdk = self.targets.target('spdk_nvmf')
        self.target = clients.NvmfTgt(self.client)
        self.target.nvmf_create_transport('TCP')
        self.handle = self.unit(NQN, self.disk('disk'))

    def disk(self, name):
        path = self.targets.path(name)
        with open(path, 'wb') as file:
            file.truncate(16 * _MIB)
        return self.target.bdev_aio_create(path, name, 512)

    def unit(self, nqn, bdev):
        self.target.nvmf_create_subsystem(nqn)
        self.target.nvmf_subsystem_add_ns(nqn, bdev)
        self.target.nvmf_subsystem_add_listener(
            nqn, f'tcp://127.0.0.1:{targets.free_port()}')
        return {'nqn': nqn, 'nsid': '1'}

    def state(self):
        units = reading.read(self.client, 'nvmf', 30).units
        found = state.of_all(self.conf, self.spdk.name, units)
        one = next(one for one in units if json.loads(one.handle)
                   == self.handle)
        self.assertEqual(found[one.handle],
                         state.of(self.conf, self.spdk.name, one))
        return found[one.handle]

    def made_clean(self):
        one, = reading.read(self.client, 'nvmf', 30).units
        state.note_clean(self.conf, self.spdk.name, one.handle, one.identity)

    def attach(self, host=HOST, **options):
        return attach.attach(self.conf, self.spdk, self.handle, host,
                             **options)

    def detach(self, host=HOST, **options):
        return attach.detach(self.conf, self.spdk, self.handle, host,
                             **options)

    def hosts(self):
        return list(self.target.nvmf_get_subsystems(NQN)[0].hosts)


class CustodyTest(Custody):

    def test_a_unit_that_was_never_seen_is_dirty(self):
        self.assertEqual((False, False), (self.state().clean,
                                          self.state().known))
        error = self.assertRaises(exceptions.DirtyUnit, self.attach)
        self.assertIn('units wipe', str(error))
        self.assertEqual([], self.hosts())

    def test_it_is_one_consumers_until_it_is_wiped(self):
        self.made_clean()
        self.assertTrue(self.state().clean)
        self.assertTrue(self.attach().changed)
        self.assertEqual(('in use', HOST), (self.state().word,
                                            self.state().consumer))
        self.assertFalse(self.attach().changed)
        error = self.assertRaises(exceptions.DirtyUnit, self.attach, OTHER)
        self.assertIn(f"is {HOST}'s", str(error))
        self.assertEqual([HOST], self.hosts())
        self.assertTrue(self.detach().changed)
        self.assertEqual('dirty', self.state().word)
        self.assertFalse(self.detach().changed)
        # The same host has its own data there.
        self.assertRaises(exceptions.DirtyUnit, self.attach, OTHER)
        self.assertTrue(self.attach().changed)
        self.assertEqual([HOST], self.hosts())

    def test_a_consumer_that_never_had_it(self):
        self.made_clean()
        self.attach()
        error = self.assertRaises(exceptions.NotFound, self.detach, OTHER)
        self.assertIn('had no right', str(error))
        self.assertEqual('in use', self.state().word)

    def test_an_owner_counts_more_than_a_name(self):
        self.made_clean()
        self.attach(owner='instance-1')
        self.detach(owner='instance-1')
        self.assertRaises(exceptions.DirtyUnit, self.attach,
                          owner='instance-2')
        self.assertTrue(self.attach(owner='instance-1').changed)

    def test_who_let_a_consumer_in_takes_that_back(self):
        self.made_clean()
        self.attach(owner='instance-1', maker=marks.PLUG)
        self.assertEqual(marks.PLUG, self.state().maker)
        for refused in (self.detach, lambda: self.detach(
                owner='instance-1')):
            error = self.assertRaises(exceptions.AnothersUse, refused)
            self.assertIn('--made-by plug', str(error))
        self.assertRaises(exceptions.AnothersUse, state.end_use, self.conf,
                          self.spdk, self.handle)
        # Nothing was changed, also not who made it by one who comes later.
        self.attach(owner='instance-1')
        self.assertEqual(([HOST], 'in use', marks.PLUG), (
            self.hosts(), self.state().word, self.state().maker))
        self.assertTrue(self.detach(owner='instance-1',
                                    maker=marks.PLUG).changed)
        self.assertEqual(([], 'dirty'), (self.hosts(), self.state().word))
        # And the other way round.
        self.attach(owner='instance-1')
        self.assertRaises(exceptions.AnothersUse, self.detach,
                          owner='instance-1', maker=marks.PLUG)
        self.assertTrue(self.detach(owner='instance-1').changed)

    def test_another_disk_behind_the_same_address(self):
        self.made_clean()
        self.target.nvmf_subsystem_remove_ns(NQN, 1)
        self.target.nvmf_subsystem_add_ns(NQN, self.disk('other'), nsid=1)
        self.assertFalse(self.state().clean)
        self.assertRaises(exceptions.DirtyUnit, self.attach)

    def test_a_value_that_is_refused_makes_nothing_dirty(self):
        self.made_clean()
        self.assertRaises(exceptions.InvalidValue, self.attach, 'no NQN')
        self.assertRaises(exceptions.InvalidValue, self.attach, mode=0o600)
        self.assertTrue(self.state().clean)

    def test_a_mark_that_cannot_be_written_lets_nobody_in(self):
        self.made_clean()
        path = marks.directory(self.conf)
        # As on a disk without space: no file can be made beside it.
        os.rename(path, path + '.away')
        with open(path, 'w'):
            pass
        self.assertRaises(exceptions.StateError, self.attach)
        self.assertEqual([], self.hosts())

    def test_a_unit_that_was_deleted_while_it_was_attached(self):
        self.made_clean()
        self.attach()
        self.target.nvmf_delete_subsystem(NQN)
        self.assertTrue(self.detach().changed)
        self.assertRaises(exceptions.NotFound, self.detach, OTHER)

    def test_it_is_not_wiped_while_somebody_may_use_it(self):
        self.made_clean()
        self.attach()
        for _count in range(2):
            error = self.assertRaises(
                exceptions.WipeError, run.wipe, self.conf, self.spdk,
                self.handle)
            self.assertIn('detach it', str(error))
            # As if the mark had been lost: the target itself is asked.
            marks.forget(self.conf, self.spdk.name, self.handle)

    def test_nobody_else_comes_in_while_it_is_wiped(self):
        self.made_clean()
        with marks.locked(self.conf, self.spdk.name, self.handle, 'a wipe'):
            error = self.assertRaises(
                exceptions.StateError, state.begin_use, self.conf, self.spdk,
                self.handle, HOST, timeout=0.2)
        self.assertIn('another process', str(error))
        self.assertEqual([], self.hosts())

    def test_limits_end_with_the_attach(self):
        self.made_clean()
        self.target.bdev_set_qos_limit('disk', rw_mbytes_per_sec=50)
        self.attach(limits={'rw_mbytes_per_sec': 20, 'rw_ios_per_sec': 1500})
        self.assertEqual((20, 2000), self.limits())
        # Changed while it is attached; again is no change.
        self.assertTrue(self.attach(limits={'rw_mbytes_per_sec': 30})
                        .changed)
        self.assertFalse(self.attach(limits={'rw_mbytes_per_sec': 30})
                         .changed)
        self.assertEqual((30, 2000), self.limits())
        self.detach()
        self.assertEqual((50, 0), self.limits())

    def limits(self):
        found = self.target.bdev_get_bdevs('disk')[0].assigned_rate_limits
        return found['rw_mbytes_per_sec'], found['rw_ios_per_sec']


class KeysTest(Custody):

    def setUp(self):
        super().setUp()
        self.made_clean()

    def own(self):
        raw = self.client.call('nvmf_get_subsystems')
        return next(one for one in raw if one['nqn'] == NQN)['hosts'][0]

    def files(self):
        path = os.path.join(self.conf.spdk.state_path, 'keys')
        return sorted(os.path.join(path, name) for name in os.listdir(path))

    def test_made_used_again_rotated_and_removed(self):
        first = self.attach(make_keys=('dhchap', 'mutual'))
        self.assertEqual(sorted(first.keys.values()), self.files())
        for path in self.files():
            status = os.stat(path)
            self.assertEqual(0o600, stat.S_IMODE(status.st_mode))
            with open(path) as file:
                self.assertRegex(file.read(), r'\ADHHC-1:01:[\w+/=]+:\Z')
        names = {one.name for one in self.target.keyring_get_keys()}
        self.assertEqual(names, {self.own()['dhchap_key'],
                                 self.own()['dhchap_ctrlr_key']})
        self.assertEqual(first.keys, self.attach(
            make_keys=('dhchap', 'mutual')).keys)
        second = self.attach(make_keys=('dhchap', 'mutual'),
                             rotate_keys=True)
        self.assertTrue(second.changed)
        self.assertEqual(sorted(second.keys.values()), self.files())
        self.assertFalse(set(first.keys.values()) & set(self.files()))
        self.assertEqual(
            {one.name for one in self.target.keyring_get_keys()},
            {self.own()['dhchap_key'], self.own()['dhchap_ctrlr_key']})
        self.detach()
        self.assertEqual([], self.files())
        self.assertEqual([], self.target.keyring_get_keys())

    def test_a_subsystem_that_listens_with_tls_alone(self):
        subsystem, = (one for one in self.target.nvmf_get_subsystems()
                      if one.nqn == NQN)
        address = subsystem.listen_addresses[0]
        self.target.nvmf_subsystem_remove_listener(NQN, address)
        self.target.nvmf_subsystem_add_listener(
            NQN, f'tcp://127.0.0.1:{targets.free_port()}',
            secure_channel=True)
        error = self.assertRaises(exceptions.InvalidValue, self.attach)
        self.assertIn('TLS', str(error))
        self.assertEqual([], self.hosts())
        self.assertTrue(self.state().clean)
        made = self.attach(make_keys=('tls',))
        with open(made.keys['tls']) as file:
            self.assertRegex(file.read(), r'\ANVMeTLSkey-1:01:[\w+/=]+:\Z')
        self.assertEqual([HOST], self.hosts())


class VhostCustodyTest(attach_tests.VhostCase):

    def setUp(self):
        super().setUp()
        self.conf = self.targets.conf
        self.spdk = self.targets.target('spdk_vhost')

    def attach(self, user, **options):
        return attach.attach(self.conf, self.spdk, self.handle, user,
                             **options)

    def test_a_user_is_nobody_to_know_again(self):
        name = self.user.pw_name
        self.assertTrue(self.attach(name, bdev='Malloc0').changed)
        self.assertFalse(self.attach(name).changed)
        attach.detach(self.conf, self.spdk, self.handle, name)
        self.assertRaises(exceptions.DirtyUnit, self.attach, name)

    def test_a_directory_that_keeps_the_user_out(self):
        if os.geteuid() != 0:
            return
        nobody = pwd.getpwnam('nobody')
        self.target.vhost_create_blk_controller('blk.0', 'Malloc0')
        os.chmod(self.targets.directory, 0o755)
        os.chmod(self.targets.path('vhost'), 0o750)
        error = self.assertRaises(exceptions.HostError, self.attach,
                                  nobody.pw_name)
        self.assertIn(self.targets.path('vhost'), str(error))
        # One of ours is opened for that user, and for nobody else.
        # Back again, or the target is not found when it is to be stopped.
        self.addCleanup(self.conf.set_override, 'run_path',
                        self.conf.spdk.run_path, 'spdk')
        self.conf.set_override('run_path', self.targets.path('vhost'),
                               'spdk')
        self.assertTrue(self.attach(nobody.pw_name).changed)
        self.assertEqual(0, self.come_in(nobody))
        self.assertNotEqual(0, self.come_in(pwd.getpwnam('daemon')))

    def come_in(self, user):
        pid = os.fork()
        if not pid:
            try:
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
                os.lstat(self.socket)
                os._exit(0)
            except OSError:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
