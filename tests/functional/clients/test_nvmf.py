# SPDX-License-Identifier: Apache-2.0

"""NVMe over Fabrics by the clients: each operation right and wrong."""

import os
import socket

from cyborg_spdk import clients
from cyborg_spdk.clients import addresses
from cyborg_spdk import exceptions
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target

unique = fixture.unique


class NvmfCase(fixture.ClientTests):
    """An ``nvmf_tgt`` with a TCP transport."""

    application = 'nvmf_tgt'
    client_class = clients.NvmfTgt

    @classmethod
    def prepare(cls, tgt):
        tgt.nvmf_create_transport('TCP', exist_ok=True)

    def subsystem(self, **options):
        """A new subsystem; returns its NQN."""
        return self.tgt.nvmf_create_subsystem(fixture.nqn(), **options)

    def read(self, nqn):
        """The subsystem as it is now."""
        return self.tgt.nvmf_get_subsystems(nqn)[0]


class NvmfSubsystems(NvmfCase):
    """Transports, subsystems, namespaces."""

    def test_transport(self):
        found = self.tgt.nvmf_get_transports('tcp')[0]
        self.assertEqual('TCP', found.trtype)
        self.assertGreater(found.max_queue_depth, 0)
        self.assertEqual('TCP', self.tgt.nvmf_create_transport(
            'TCP', exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, 'TCP',
                         self.tgt.nvmf_create_transport, 'tcp')
        self.assertFails(
            exceptions.AlreadyExists, f'max_queue_depth '
            f'{found.max_queue_depth}', self.tgt.nvmf_create_transport,
            'TCP', exist_ok=True, max_queue_depth=found.max_queue_depth // 2)
        self.assertFails(exceptions.InvalidParams, 'FC',
                         self.tgt.nvmf_create_transport, 'FC')
        self.assertFails(exceptions.NotFound, 'FC',
                         self.tgt.nvmf_get_transports, 'FC')
        self.assertFails(exceptions.InvalidValue, "'bogus'",
                         self.tgt.nvmf_create_transport, 'bogus')

    def test_subsystem(self):
        nqn = fixture.nqn()
        properties = dict(serial_number='SPDK0000001', model_number='Model',
                          max_namespaces=5)
        self.assertEqual(nqn, self.tgt.nvmf_create_subsystem(
            nqn, allow_any_host=True, **properties))
        found = self.read(nqn)
        self.assertEqual(('NVMe', True, (), (), ()),
                         (found.subtype, found.allow_any_host,
                          found.listen_addresses, found.hosts,
                          found.namespaces))
        self.assertEqual(tuple(properties.values()),
                         (found.serial_number, found.model_number,
                          found.max_namespaces))
        self.assertEqual(nqn, self.tgt.nvmf_create_subsystem(
            nqn, allow_any_host=True, exist_ok=True, **properties))
        for change, words in (
                ({'serial_number': 'X'}, 'serial_number'),
                ({'max_namespaces': 6}, 'max_namespaces 5, not 6'),
                ({'allow_any_host': False}, 'allow_any_host True')):
            self.assertFails(
                exceptions.AlreadyExists, [nqn, words],
                self.tgt.nvmf_create_subsystem, nqn, exist_ok=True,
                **{**properties, 'allow_any_host': True, **change})
        self.assertFails(exceptions.AlreadyExists, nqn,
                         self.tgt.nvmf_create_subsystem, nqn)
        self.assertTrue(self.tgt.nvmf_delete_subsystem(nqn))
        self.assertIsNone(self.tgt.find_subsystem(nqn))
        self.assertFalse(self.tgt.nvmf_delete_subsystem(
            nqn, missing_ok=True))
        for call in (self.tgt.nvmf_delete_subsystem,
                     self.tgt.nvmf_get_subsystems):
            self.assertFails(exceptions.NotFound, [nqn, 'does not exist'],
                             call, nqn)

    def test_the_discovery_subsystem(self):
        found = [one for one in self.tgt.nvmf_get_subsystems()
                 if one.is_discovery]
        self.assertEqual(['nqn.2014-08.org.nvmexpress.discovery'],
                         [one.nqn for one in found])
        self.assertFails(exceptions.InvalidValue, 'discovery',
                         self.tgt.nvmf_create_subsystem, found[0].nqn)
        self.assertFails(exceptions.InvalidParams, 'discovery subsystem',
                         self.tgt.nvmf_subsystem_add_ns, found[0].nqn,
                         self.null())

    def test_namespace(self):
        nqn, bdev = self.subsystem(max_namespaces=3), self.malloc()
        nguid = 'ABCDEF0123456789ABCDEF0123456789'
        nsid = self.tgt.nvmf_subsystem_add_ns(
            nqn, bdev, nsid=2, nguid=nguid, eui64='0123456789abcdef')
        self.assertEqual(2, nsid)
        space = self.read(nqn).namespace(2)
        self.assertEqual((bdev, nguid, '0123456789ABCDEF'),
                         (space.bdev_name, space.nguid, space.eui64))
        self.assertTrue(self.tgt.find_bdev(bdev).claimed)
        self.assertEqual(2, self.tgt.nvmf_subsystem_add_ns(
            nqn, bdev, exist_ok=True))
        self.assertEqual(1, self.tgt.nvmf_subsystem_add_ns(nqn, self.null()))
        self.assertTrue(self.tgt.nvmf_subsystem_remove_ns(nqn, 2))
        self.assertIsNone(self.read(nqn).namespace(2))
        self.assertFalse(self.tgt.find_bdev(bdev).claimed)
        self.assertFalse(self.tgt.nvmf_subsystem_remove_ns(
            nqn, 2, missing_ok=True))
        self.assertFails(exceptions.NotFound, [nqn, '2'],
                         self.tgt.nvmf_subsystem_remove_ns, nqn, 2)

    def test_namespace_that_cannot_be(self):
        nqn, used = self.subsystem(max_namespaces=2), self.malloc()
        other, claimed = self.malloc(), self.null()
        self.tgt.nvmf_subsystem_add_ns(nqn, used, nsid=1)
        above = self.tgt.bdev_passthru_create(unique('P'), claimed)
        missing = fixture.nqn()
        for args, error, words in (
                ((missing, other, 1), exceptions.NotFound, missing),
                ((nqn, 'nosuch', 2), exceptions.NotFound, "bdev 'nosuch'"),
                ((nqn, other, 1), exceptions.AlreadyExists,
                 ['NSID 1', used]),
                ((nqn, other, 3), exceptions.InvalidParams,
                 'max_namespaces 2'),
                ((nqn, used, 2), exceptions.PermissionDenied,
                 [used, 'NSID 1 of']),
                ((self.subsystem(), used, None), exceptions.PermissionDenied,
                 [used, nqn]),
                ((nqn, claimed, 2), exceptions.PermissionDenied,
                 [claimed, above]),
                ((nqn, other, 0), exceptions.InvalidValue, 'nsid')):
            with self.subTest(args=args):
                self.assertFails(error, words,
                                 self.tgt.nvmf_subsystem_add_ns, *args[:2],
                                 nsid=args[2])
        self.tgt.nvmf_subsystem_add_ns(nqn, other)
        self.assertFails(exceptions.NoSpace, 'all 2 NSIDs',
                         self.tgt.nvmf_subsystem_add_ns, nqn, self.null())
        self.assertFails(exceptions.NotFound, missing,
                         self.tgt.nvmf_subsystem_remove_ns, missing, 1,
                         missing_ok=True)

    def test_visibility_and_ana_group(self):
        nqn = self.subsystem(ana_reporting=True)
        host = fixture.host_nqn()
        self.tgt.nvmf_subsystem_add_host(nqn, host)
        if not self.has('nvmf_ns_add_host'):
            self.assertFails(exceptions.MethodNotFound, 'nvmf_ns_add_host',
                             self.tgt.nvmf_ns_add_host, nqn, 1, host)
            self.assertFails(exceptions.InvalidParams, 'no_auto_visible',
                             self.tgt.nvmf_subsystem_add_ns, nqn,
                             self.null(), no_auto_visible=True)
            return
        nsid = self.tgt.nvmf_subsystem_add_ns(nqn, self.malloc(),
                                              no_auto_visible=True)
        self.assertTrue(self.tgt.nvmf_ns_add_host(nqn, nsid, host))
        self.assertTrue(self.tgt.nvmf_ns_remove_host(nqn, nsid, host))
        open_to_all = self.tgt.nvmf_subsystem_add_ns(nqn, self.malloc())
        self.assertFails(exceptions.InvalidParams, 'no_auto_visible',
                         self.tgt.nvmf_ns_add_host, nqn, open_to_all, host)
        self.assertFails(exceptions.NotFound, 'no namespace 9',
                         self.tgt.nvmf_ns_add_host, nqn, 9, host)
        self.tgt.nvmf_subsystem_set_ns_ana_group(nqn, nsid, 3)
        self.assertEqual(3, self.read(nqn).namespace(nsid).anagrpid)
        self.assertFails(exceptions.NotFound, 'no namespace 9',
                         self.tgt.nvmf_subsystem_set_ns_ana_group, nqn, 9, 3)

    def test_bdev_that_goes_takes_its_namespace(self):
        nqn, bdev = self.subsystem(), self.malloc()
        self.tgt.nvmf_subsystem_add_ns(nqn, bdev)
        self.assertTrue(self.tgt.bdev_delete(bdev))
        self.assertEqual((), self.read(nqn).namespaces)

    def test_stats(self):
        self.assertIn('poll_groups', self.tgt.nvmf_get_stats())


class NvmfAccess(NvmfCase):
    """Listeners, hosts, who is connected, referrals, NVMe controllers."""

    def test_listener(self):
        nqn, where = self.subsystem(), fixture.on_localhost()
        address = self.tgt.nvmf_subsystem_add_listener(nqn, where)
        self.assertEqual(addresses.parse(where), address)
        self.assertEqual([address.place], [
            one.place for one in self.read(nqn).listen_addresses])
        self.assertEqual([address.place], [
            one.address.place
            for one in self.tgt.nvmf_subsystem_get_listeners(nqn)])
        self.assertEqual(address, self.tgt.nvmf_subsystem_add_listener(
            nqn, where, exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, str(address),
                         self.tgt.nvmf_subsystem_add_listener, nqn, where)
        self.assertTrue(self.tgt.nvmf_subsystem_remove_listener(nqn, where))
        self.assertEqual((), self.read(nqn).listen_addresses)
        self.assertFalse(self.tgt.nvmf_subsystem_remove_listener(
            nqn, where, missing_ok=True))
        self.assertFails(exceptions.NotFound, [nqn, str(address)],
                         self.tgt.nvmf_subsystem_remove_listener, nqn, where)

    def test_listener_that_cannot_be(self):
        nqn, missing = self.subsystem(), fixture.nqn()
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assertFails(
                exceptions.Busy, [str(port), 'in use'],
                self.tgt.nvmf_subsystem_add_listener, nqn,
                f'tcp://127.0.0.1:{port}')
        where, foreign = fixture.on_localhost(), fixture.foreign_address()
        for args, error, words in (
                ((missing, where), exceptions.NotFound, missing),
                ((nqn, f'tcp://{foreign}:4420'), exceptions.InvalidParams,
                 [foreign, 'no address of this host']),
                ((nqn, where.replace('tcp', 'rdma')), exceptions.NotFound,
                 ['RDMA', 'nvmf_create_transport']),
                ((nqn, 'tcp://host:4420'), exceptions.InvalidValue, 'host'),
                ((nqn, 'tcp://127.0.0.1:99999'), exceptions.InvalidValue,
                 '99999')):
            with self.subTest(args=args):
                self.assertFails(
                    error, words, self.tgt.nvmf_subsystem_add_listener,
                    *args)
        for call in (self.tgt.nvmf_subsystem_remove_listener,
                     self.tgt.nvmf_subsystem_add_listener):
            self.assertFails(exceptions.NotFound, missing, call, missing,
                             where)
        for call in (self.tgt.nvmf_subsystem_get_listeners,
                     self.tgt.nvmf_subsystem_get_controllers,
                     self.tgt.nvmf_subsystem_get_qpairs):
            self.assertFails(exceptions.NotFound, missing, call, missing)

    def test_ana_state(self):
        nqn, where = self.subsystem(ana_reporting=True), \
            fixture.on_localhost()
        self.tgt.nvmf_subsystem_add_listener(nqn, where)
        self.tgt.nvmf_subsystem_listener_set_ana_state(nqn, where,
                                                       'inaccessible')
        listener = self.tgt.nvmf_subsystem_get_listeners(nqn)[0]
        self.assertEqual({'inaccessible'}, {
            one.ana_state for one in listener.ana_states})
        self.assertFails(
            exceptions.NotFound, 'does not listen',
            self.tgt.nvmf_subsystem_listener_set_ana_state, nqn,
            fixture.on_localhost(), 'optimized')
        self.assertFails(
            exceptions.InvalidValue, 'ana_state',
            self.tgt.nvmf_subsystem_listener_set_ana_state, nqn, where,
            'fast')
        plain = self.subsystem()
        self.tgt.nvmf_subsystem_add_listener(plain, where)
        self.assertFails(
            exceptions.InvalidParams, 'does not report ANA',
            self.tgt.nvmf_subsystem_listener_set_ana_state, plain, where,
            'inaccessible')

    def test_host(self):
        nqn, host = self.subsystem(), fixture.host_nqn()
        self.assertEqual(host, self.tgt.nvmf_subsystem_add_host(nqn, host))
        self.assertEqual((host,), self.read(nqn).hosts)
        self.assertEqual(host, self.tgt.nvmf_subsystem_add_host(
            nqn, host, exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, host,
                         self.tgt.nvmf_subsystem_add_host, nqn, host)
        self.assertTrue(self.tgt.nvmf_subsystem_remove_host(nqn, host))
        self.assertEqual((), self.read(nqn).hosts)
        self.assertFalse(self.tgt.nvmf_subsystem_remove_host(
            nqn, host, missing_ok=True))
        self.assertFails(exceptions.NotFound, host,
                         self.tgt.nvmf_subsystem_remove_host, nqn, host)
        missing = fixture.nqn()
        for call in (self.tgt.nvmf_subsystem_add_host,
                     self.tgt.nvmf_subsystem_remove_host):
            self.assertFails(exceptions.NotFound, missing, call, missing,
                             host)
        self.assertFails(exceptions.InvalidValue, 'host NQN',
                         self.tgt.nvmf_subsystem_add_host, nqn, 'host1')

    def test_any_host(self):
        nqn = self.subsystem()
        for wanted in (True, False):
            self.assertTrue(self.tgt.nvmf_subsystem_allow_any_host(
                nqn, wanted))
            self.assertEqual(wanted, self.read(nqn).allow_any_host)
        missing = fixture.nqn()
        self.assertFails(exceptions.NotFound, missing,
                         self.tgt.nvmf_subsystem_allow_any_host, missing)

    def test_keys(self):
        nqn, host = self.subsystem(), fixture.host_nqn()
        if not self.has('keyring_file_add_key'):
            self.assertFails(exceptions.MethodNotFound, 'keyring',
                             self.tgt.keyring_file_add_key, 'k', '/k')
            return
        path, name = self.target.path(unique('key')), unique('key')
        with open(path, 'w') as file:
            file.write('DHHC-1:00:MDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2Nk'
                       'ZGVlZmY5ZWIzNA==:\n')
        os.chmod(path, 0o600)
        self.assertEqual(name, self.tgt.keyring_file_add_key(name, path))
        self.assertEqual([path], [one.path for one in
                                  self.tgt.keyring_get_keys()
                                  if one.name == name])
        self.assertEqual(name, self.tgt.keyring_file_add_key(
            name, path, exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, name,
                         self.tgt.keyring_file_add_key, name, path)
        self.assertFails(exceptions.NotFound, "'/nosuch' does not exist",
                         self.tgt.keyring_file_add_key, unique('key'),
                         '/nosuch')
        os.chmod(path, 0o644)
        self.assertFails(exceptions.PermissionDenied, [path, '0600'],
                         self.tgt.keyring_file_add_key, unique('key'), path)
        os.chmod(path, 0o600)
        self.tgt.nvmf_subsystem_add_host(nqn, host)
        if self.has('nvmf_subsystem_set_keys'):
            self.assertTrue(self.tgt.nvmf_subsystem_set_keys(
                nqn, host, dhchap_key=name))
            self.assertFails(
                exceptions.NotFound, 'no host',
                self.tgt.nvmf_subsystem_set_keys, nqn, fixture.host_nqn(),
                dhchap_key=name)
        self.assertTrue(self.tgt.keyring_file_remove_key(name))
        self.assertFalse(self.tgt.keyring_file_remove_key(
            unique('key'), missing_ok=True))
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.keyring_file_remove_key, 'nosuch')

    def test_referral(self):
        where = fixture.on_localhost()
        if not self.has('nvmf_discovery_add_referral'):
            self.assertFails(exceptions.MethodNotFound, 'referral',
                             self.tgt.nvmf_discovery_add_referral, where)
            return
        address = self.tgt.nvmf_discovery_add_referral(where)
        self.assertIn(address.place, [
            one.address.place
            for one in self.tgt.nvmf_discovery_get_referrals()])
        self.assertEqual(address, self.tgt.nvmf_discovery_add_referral(
            where, exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, str(address),
                         self.tgt.nvmf_discovery_add_referral, where)
        self.assertTrue(self.tgt.nvmf_discovery_remove_referral(where))
        self.assertFalse(self.tgt.nvmf_discovery_remove_referral(
            where, missing_ok=True))
        self.assertFails(exceptions.NotFound, str(address),
                         self.tgt.nvmf_discovery_remove_referral, where)


target.for_releases(globals(), NvmfSubsystems)
target.for_releases(globals(), NvmfAccess)
target.for_releases(globals(), NvmfSubsystems, target.OLD_RELEASES[1:], (
    'test_transport', 'test_subsystem', 'test_the_discovery_subsystem',
    'test_namespace', 'test_namespace_that_cannot_be',
    'test_bdev_that_goes_takes_its_namespace'))
target.for_releases(globals(), NvmfAccess, target.OLD_RELEASES[1:], (
    'test_host', 'test_any_host', 'test_referral', 'test_keys'))
