# SPDX-License-Identifier: Apache-2.0

"""NVMe-oF targets by their names, labels, mDNS: right and wrong."""

from cyborg_spdk import clients
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target

unique = fixture.unique


class NvmfTargets(fixture.ClientTests):
    """Several NVMe-oF targets in one application, each with its own."""

    application = 'nvmf_tgt'
    client_class = clients.NvmfTgt

    def setUp(self):
        super().setUp()
        self.missing = not self.has('nvmf_create_target')
        if not self.missing:
            self.addCleanup(self.remove_targets)

    def remove_targets(self):
        for name in self.tgt.nvmf_get_targets():
            if name != 'nvmf_tgt':
                self.tgt.nvmf_delete_target(name)

    def test_target(self):
        name = unique('tgt')
        if self.missing:
            self.assertFails(exceptions.MethodNotFound, 'nvmf_create_target',
                             self.tgt.nvmf_create_target, name)
            return
        self.assertEqual(['nvmf_tgt'], self.tgt.nvmf_get_targets())
        self.assertEqual(name, self.tgt.nvmf_create_target(
            name, max_subsystems=7))
        self.assertEqual({'nvmf_tgt', name},
                         set(self.tgt.nvmf_get_targets()))
        self.assertEqual(name, self.tgt.nvmf_create_target(
            name, exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, name,
                         self.tgt.nvmf_create_target, name)
        self.assertTrue(self.tgt.nvmf_delete_target(name))
        self.assertEqual(['nvmf_tgt'], self.tgt.nvmf_get_targets())
        self.assertFalse(self.tgt.nvmf_delete_target(name, missing_ok=True))
        self.assertFails(exceptions.NotFound, name,
                         self.tgt.nvmf_delete_target, name)

    def test_target_that_cannot_be(self):
        for name in ('', 'x' * 256):
            self.assertFails(exceptions.InvalidValue, 'target',
                             self.tgt.nvmf_create_target, name)
        self.assertFails(exceptions.InvalidValue, 'max_subsystems',
                         self.tgt.nvmf_create_target, unique('tgt'),
                         max_subsystems=0)
        # A real one never answers that, and cannot be used any more.
        self.assertFails(exceptions.InvalidValue, 'the application',
                         self.tgt.nvmf_delete_target, 'nvmf_tgt')
        self.tgt.nvmf_get_subsystems()

    def test_what_belongs_to_which(self):
        if self.missing:
            return
        own = self.tgt.for_target('nvmf_tgt')
        other = clients.NvmfTgt(self.target.connect(),
                                tgt_name=self.tgt.nvmf_create_target(
                                    unique('tgt')))
        own.nvmf_create_transport('TCP', exist_ok=True)
        self.assertEqual([], other.nvmf_get_transports())
        listen = []
        if self.tgt.rpc.version >= (24, 1):
            other.nvmf_create_transport('TCP')
            listen = [fixture.on_localhost()]
        else:
            # Its buffers are the transport's own then: too much memory.
            self.assertFails(exceptions.NotFound, 'transport TCP',
                             other.construct_nvmf_subsystem, fixture.nqn(),
                             [fixture.on_localhost()], None, None, None)
        nqn, bdev = fixture.nqn(), self.malloc()
        other.construct_nvmf_subsystem(nqn, listen, [fixture.host_nqn()],
                                       None, [bdev])
        self.assertEqual(
            bdev, other.find_subsystem(nqn).namespaces[0].bdev_name)
        self.assertIsNone(own.find_subsystem(nqn))
        self.assertFails(exceptions.NotFound, nqn,
                         own.nvmf_subsystem_add_ns, nqn, self.malloc())
        # What is not about one target is asked without a name.
        self.assertIn(bdev, [one.name for one in other.bdev_get_bdevs()])
        self.assertTrue(other.nvmf_delete_subsystem(nqn))

    def test_which_target_is_meant(self):
        nqn = fixture.nqn()
        nobody = self.tgt.for_target('nosuch')
        if not self.has('nvmf_get_targets'):
            return
        for call, args in ((nobody.nvmf_get_subsystems, ()),
                           (nobody.nvmf_get_transports, ()),
                           (nobody.nvmf_create_subsystem, (nqn,)),
                           (nobody.nvmf_delete_subsystem, (nqn,)),
                           (nobody.nvmf_subsystem_allow_any_host, (nqn,))):
            self.assertFails(exceptions.InvalidParams,
                             ["'nosuch' does not exist", 'nvmf_tgt'], call,
                             *args)
        self.assertFails(exceptions.InvalidParams, "'nosuch'",
                         nobody.nvmf_delete_subsystem, nqn, missing_ok=True)
        if self.missing:
            return
        name = self.tgt.nvmf_create_target(unique('tgt'))
        for call, args in ((self.tgt.nvmf_get_subsystems, ()),
                           (self.tgt.nvmf_create_subsystem, (nqn,)),
                           (self.tgt.nvmf_create_transport, ('TCP',))):
            self.assertFails(exceptions.InvalidParams,
                             [name, 'nvmf_tgt', 'for_target'], call, *args)

    def test_label(self):
        nqn = fixture.nqn()
        for label, words in (('abc', '4 characters'), ('x' * 257, '256'),
                             ('caf\xe9s', 'printable')):
            self.assertFails(exceptions.InvalidValue, ['admin_label', words],
                             self.tgt.nvmf_create_subsystem, nqn,
                             admin_label=label)
        if not self.tgt.rpc.supports('nvmf_create_subsystem', 'admin_label'):
            self.assertFails(exceptions.InvalidParams,
                             ['admin_label', 'v26.09'],
                             self.tgt.nvmf_create_subsystem, nqn,
                             admin_label='rack 7')
            return
        self.tgt.nvmf_create_subsystem(nqn, admin_label='rack 7')
        self.assertEqual('rack 7', self.tgt.find_subsystem(nqn).admin_label)
        self.assertEqual(nqn, self.tgt.nvmf_create_subsystem(
            nqn, admin_label='rack 7', exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, [nqn, 'rack 7', 'rack 8'],
                         self.tgt.nvmf_create_subsystem, nqn,
                         admin_label='rack 8', exist_ok=True)

    def test_controller_ids(self):
        nqn = fixture.nqn()
        for low, high in ((0, None), (9, 3), (None, 65535), (1, '2')):
            with self.subTest(low=low, high=high):
                self.assertFails(exceptions.InvalidValue, '_cntlid',
                                 self.tgt.nvmf_create_subsystem, nqn,
                                 min_cntlid=low, max_cntlid=high)
        self.tgt.nvmf_create_subsystem(nqn, min_cntlid=3, max_cntlid=9)
        found = self.tgt.find_subsystem(nqn)
        self.assertEqual((3, 9), (found.min_cntlid, found.max_cntlid))

    def test_mdns(self):
        if not self.has('nvmf_publish_mdns_prr'):
            self.assertFails(exceptions.MethodNotFound, ['mdns', 'v24.05'],
                             self.tgt.nvmf_stop_mdns_prr)
            return
        # v26.05 follows a NULL pointer where there is no such subsystem.
        self.assertFails(exceptions.NotFound, ['listen', 'not sent'],
                         self.tgt.nvmf_publish_mdns_prr)
        self.tgt.nvmf_create_transport('TCP', exist_ok=True)
        self.tgt.nvmf_subsystem_add_listener(validate.DISCOVERY_NQN,
                                             fixture.on_localhost())
        # No test has an Avahi daemon, and mostly no build has Avahi.
        self.assertFails((exceptions.NotSupported, exceptions.NoSpace),
                         'Avahi', self.tgt.nvmf_publish_mdns_prr)
        self.assertTrue(self.tgt.nvmf_stop_mdns_prr())


class OneTarget(fixture.ClientTests):
    """Releases that have one NVMe-oF target without a name."""

    application = 'nvmf_tgt'
    client_class = clients.NvmfTgt

    def test_no_names(self):
        named = self.tgt.for_target('nvmf_tgt')
        for call, args in ((named.nvmf_get_subsystems, ()),
                           (named.nvmf_create_subsystem, (fixture.nqn(),))):
            self.assertFails(exceptions.NotSupported,
                             ['tgt_name', 'v19.10'], call, *args)
        self.assertEqual([], named.bdev_get_bdevs())
        self.assertTrue(named.for_target(None).nvmf_get_subsystems())

    def test_serial_number(self):
        # v18.01 wants one; v18.04 and v18.07 follow a NULL pointer.
        nqn = fixture.nqn()
        self.tgt.nvmf_create_subsystem(nqn)
        self.assertEqual('0' * 20,
                         self.tgt.find_subsystem(nqn).serial_number)


target.for_releases(globals(), NvmfTargets, target.RELEASES if
                    target.SPDK_DIR else (*target.RELEASES, 'v26.09'))
target.for_releases(globals(), OneTarget, target.OLD_RELEASES)
