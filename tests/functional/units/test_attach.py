# SPDX-License-Identifier: Apache-2.0

"""attach and detach, at targets; with real consumers where SPDK is real."""

import os
import pwd
import stat

import testtools

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from cyborg_spdk.host.target import lifecycle
from cyborg_spdk import tasks
from cyborg_spdk.units import attach
from cyborg_spdk.units.attach import keys
from tests.functional.fixtures import targets

_MIB = 1 << 20
NQN = 'nqn.2016-06.io.spdk:cnode1'
HOST = 'nqn.2016-06.io.spdk:host1'


class AttachCase(testtools.TestCase):

    KIND = None

    def setUp(self):
        super().setUp()
        self.targets = self.useFixture(targets.Targets(
            {self.KIND: [f'spdk_{self.KIND}']}))
        target = self.targets.target(f'spdk_{self.KIND}')
        tasks.run(f'start {id(self)}', lifecycle.ensure, self.targets.conf,
                  target)
        tasks.wait(f'start {id(self)}')
        self.client = self.targets.client(target.name)


class NvmfCase(AttachCase):

    KIND = 'nvmf'

    def setUp(self):
        super().setUp()
        self.target = clients.NvmfTgt(self.client)
        self.target.nvmf_create_transport('TCP')
        self.target.bdev_null_create('Null0', 64 * _MIB, 512)
        self.target.nvmf_create_subsystem(NQN)
        self.nsid = self.target.nvmf_subsystem_add_ns(NQN, 'Null0')
        self.port = targets.free_port()
        self.target.nvmf_subsystem_add_listener(
            NQN, {'trtype': 'TCP', 'adrfam': 'IPv4', 'traddr': '127.0.0.1',
                  'trsvcid': str(self.port)})
        self.handle = {'nqn': NQN, 'nsid': '1'}


class NvmfTest(NvmfCase):

    def hosts(self):
        return list(self.target.nvmf_get_subsystems(NQN)[0].hosts)

    def test_allow_and_forbid_a_host(self):
        made = attach.allow(self.client, self.handle, HOST)
        self.assertEqual((True, [HOST]), (made.changed, self.hosts()))
        self.assertIn(str(self.port), made.reach[0])
        self.assertEqual([], made.warnings)
        again = attach.allow(self.client, self.handle, HOST)
        self.assertEqual((False, [HOST]), (again.changed, self.hosts()))
        self.assertTrue(attach.forbid(self.client, self.handle, HOST))
        self.assertEqual([], self.hosts())
        self.assertFalse(attach.forbid(self.client, self.handle, HOST))

    def test_what_the_operator_should_know(self):
        self.target.nvmf_subsystem_allow_any_host(NQN, True)
        self.target.bdev_null_create('Null1', 64 * _MIB, 512)
        self.target.nvmf_subsystem_add_ns(NQN, 'Null1')
        made = attach.allow(self.client, self.handle, HOST)
        self.assertIn('lets in any host', made.warnings[0])
        self.assertIn('1 more namespaces', made.warnings[1])
        made = attach.allow(self.client, self.handle, HOST,
                             only_listed=True)
        self.assertTrue(made.changed)
        self.assertFalse(
            self.target.nvmf_get_subsystems(NQN)[0].allow_any_host)

    def test_units_that_are_not_there(self):
        for handle in ({'nqn': NQN, 'nsid': '7'},
                       {'nqn': NQN + 'x', 'nsid': '1'}):
            self.assertRaises(exceptions.NotFound, attach.allow,
                              self.client, handle, HOST)
            self.assertRaises(exceptions.NotFound, attach.forbid,
                              self.client, handle, HOST)

    def test_values_that_cannot_be_used(self):
        for handle in ('', '[]', '{}', {'nqn': NQN}, {'nqn': NQN, 'nsid': 1},
                       {'nqn': NQN, 'nsid': 'x'}):
            self.assertRaises(exceptions.InvalidValue, attach.allow,
                              self.client, handle, HOST)
        self.assertRaises(exceptions.InvalidValue, attach.allow,
                          self.client, self.handle, 'not an NQN')
        error = self.assertRaises(
            exceptions.InvalidValue, attach.allow, self.client, self.handle,
            HOST, mode=0o600)
        self.assertIn('key_file', str(error))

    def test_key(self):
        if not self.client.has('keyring_file_add_key'):
            return
        path = self.targets.path('key')
        with open(path, 'w') as out:
            out.write('DHHC-1:00:'
                      'ia6zGodOr4SEG0Zzaw398rpY0wqipUWj4jWjUh4HWUz6aQ2n:\n')
        os.chmod(path, 0o600)
        attach.allow(self.client, self.handle, HOST, key_file=path)
        raw = self.client.call('nvmf_get_subsystems')
        hosts = next(one for one in raw if one['nqn'] == NQN)['hosts']
        self.assertEqual([HOST], [one['nqn'] for one in hosts])
        key, = self.target.keyring_get_keys()
        self.assertEqual(key.name, hosts[0]['dhchap_key'])
        self.assertFalse(attach.allow(self.client, self.handle, HOST,
                                       key_file=path).changed)
        self.assertTrue(attach.forbid(self.client, self.handle, HOST))
        self.assertEqual([], self.target.keyring_get_keys())

    def test_key_for_tls(self):
        if not self.client.has('nvmf_subsystem_set_keys'):
            return
        self.target.nvmf_create_transport('TCP', exist_ok=True)
        paths = {}
        for option, kind in (('psk_file', keys.PSK), ('key_file',
                                                      keys.DHCHAP)):
            paths[option] = self.targets.path(option)
            with open(paths[option], 'w', opener=lambda name, flags: os.open(
                    name, flags, 0o600)) as out:
                out.write(keys.text(kind))
        attach.allow(self.client, self.handle, HOST,
                     psk_file=paths['psk_file'])
        # The same key again changes nothing, and another one beside it can
        # be set.
        self.assertFalse(attach.allow(self.client, self.handle, HOST,
                                      psk_file=paths['psk_file']).changed)
        self.assertTrue(attach.allow(self.client, self.handle, HOST,
                                     **paths).changed)
        self.assertEqual(2, len(self.target.keyring_get_keys()))
        self.assertTrue(attach.forbid(self.client, self.handle, HOST))
        self.assertEqual([], self.target.keyring_get_keys())


class VhostCase(AttachCase):

    KIND = 'vhost'

    def setUp(self):
        super().setUp()
        self.target = clients.VhostTgt(self.client)
        self.target.bdev_malloc_create('Malloc0', 16 * _MIB, 512)
        self.socket = self.targets.path('vhost', 'blk.0')
        self.handle = {'socket': self.socket}
        self.user = pwd.getpwuid(os.geteuid())


class VhostTest(VhostCase):

    def mode(self):
        status = os.lstat(self.socket)
        return status.st_uid, stat.S_IMODE(status.st_mode)

    def test_give_the_socket_away_and_take_it_back(self):
        self.target.vhost_create_blk_controller('blk.0', 'Malloc0')
        made = attach.allow(self.client, self.handle, self.user.pw_name,
                             mode=0o640)
        self.assertEqual((True, [self.socket]), (made.changed, made.reach))
        self.assertEqual((self.user.pw_uid, 0o640), self.mode())
        self.assertFalse(attach.allow(
            self.client, self.handle, self.user.pw_name, mode=0o640).changed)
        self.assertTrue(attach.allow(
            self.client, self.handle, self.user.pw_name).changed)
        self.assertEqual((self.user.pw_uid, 0o660), self.mode())
        self.assertTrue(attach.forbid(self.client, self.handle,
                                      self.user.pw_name))
        self.assertEqual((self.user.pw_uid, 0o600), self.mode())
        self.assertFalse(attach.forbid(self.client, self.handle,
                                       self.user.pw_name))

    def test_create_and_delete_the_controller(self):
        self.assertRaises(exceptions.NotFound, attach.allow, self.client,
                          self.handle, self.user.pw_name)
        made = attach.allow(self.client, self.handle, self.user.pw_name,
                             bdev='Malloc0')
        self.assertTrue(made.changed)
        self.assertEqual('Malloc0', self.target.find_controller('blk.0').bdev)
        self.assertTrue(attach.forbid(self.client, self.handle,
                                      self.user.pw_name, delete=True))
        self.assertIsNone(self.target.find_controller('blk.0'))
        self.assertRaises(exceptions.NotFound, attach.forbid, self.client,
                          self.handle, self.user.pw_name, delete=True)

    def test_a_socket_that_the_target_does_not_make(self):
        error = self.assertRaises(
            exceptions.InvalidValue, attach.allow, self.client,
            {'socket': '/elsewhere/blk.0'}, self.user.pw_name,
            bdev='Malloc0')
        self.assertIn(os.path.dirname(self.socket), str(error))
        self.assertEqual([], self.target.vhost_get_controllers())

    def test_users_and_modes_that_are_none(self):
        self.target.vhost_create_blk_controller('blk.0', 'Malloc0')
        for user, options in (('no such user', {}),
                              (self.user.pw_name, {'group': 'no such'}),
                              (self.user.pw_name, {'mode': 0o7777})):
            self.assertRaises(exceptions.InvalidValue, attach.allow,
                              self.client, self.handle, user, **options)


class IscsiTest(AttachCase):

    KIND = 'iscsi'
    IQN = 'iqn.2016-06.io.spdk:disk1'
    INITIATOR = 'iqn.2016-06.io.spdk:init1'

    def setUp(self):
        super().setUp()
        self.target = clients.IscsiTgt(self.client)
        self.target.bdev_malloc_create('Malloc0', 16 * _MIB, 512)
        self.port = targets.free_port()
        self.target.iscsi_create_portal_group(
            1, [f'127.0.0.1:{self.port}'])
        self.target.iscsi_create_initiator_group(
            1, ['iqn.2016-06.io.spdk:other'], ['ANY'])
        self.target.iscsi_create_target_node(
            'disk1', [(0, 'Malloc0')], [(1, 1)])
        self.handle = {'iqn': self.IQN, 'lun': '0'}

    def maps(self):
        return [(one.pg_tag, one.ig_tag) for one in
                self.target.find_target_node(self.IQN).pg_ig_maps]

    def test_map_and_unmap_an_initiator(self):
        made = attach.allow(self.client, self.handle, self.INITIATOR)
        self.assertEqual((True, [f'127.0.0.1:{self.port}']),
                         (made.changed, made.reach))
        self.assertEqual(
            ['iqn.2016-06.io.spdk:other may use iqn.2016-06.io.spdk:disk1 '
             'too'], made.warnings)
        self.assertEqual([(1, 1), (1, 2)], sorted(self.maps()))
        self.assertFalse(attach.allow(self.client, self.handle,
                                       self.INITIATOR).changed)
        self.assertTrue(attach.forbid(self.client, self.handle,
                                      self.INITIATOR))
        self.assertEqual([(1, 1)], self.maps())
        self.assertEqual([1], [
            one.tag for one in self.target.iscsi_get_initiator_groups()])
        self.assertFalse(attach.forbid(self.client, self.handle,
                                       self.INITIATOR))

    def test_units_and_groups_that_are_not_there(self):
        for handle, options in (
                ({**self.handle, 'lun': '5'}, {}),
                ({**self.handle, 'iqn': self.IQN + 'x'}, {}),
                (self.handle, {'portal_group': 9})):
            self.assertRaises(exceptions.NotFound, attach.allow,
                              self.client, handle, self.INITIATOR, **options)
        self.assertRaises(
            exceptions.NotFound, attach.forbid, self.client,
            {**self.handle, 'iqn': self.IQN + 'x'}, self.INITIATOR)

    def test_a_group_of_several_is_left_alone(self):
        self.target.iscsi_initiator_group_add_initiators(1, [self.INITIATOR])
        self.assertRaises(exceptions.InvalidValue, attach.forbid,
                          self.client, self.handle, self.INITIATOR)
        self.assertEqual([(1, 1)], self.maps())
