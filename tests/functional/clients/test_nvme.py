# SPDX-License-Identifier: Apache-2.0

"""NVMe controllers by the clients, attached over TCP to the same target."""

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target

unique = fixture.unique


class Nvme(fixture.ClientTests):
    """Attach, paths, detach."""

    application = 'nvmf_tgt'
    client_class = clients.NvmfTgt

    @classmethod
    def prepare(cls, tgt):
        tgt.nvmf_create_transport('TCP')

    def remote(self, listeners=1):
        """A subsystem to attach; returns its NQN and ports."""
        nqn = fixture.nqn()
        ports = [str(fixture.free_port()) for _ in range(listeners)]
        # A UUID of its own: in one process the namespace would otherwise
        # have that of the bdev behind it, and not become a bdev itself.
        self.tgt.construct_nvmf_subsystem(
            nqn, [f'tcp://127.0.0.1:{port}' for port in ports], None,
            unique('SN'), [{'bdev_name': self.malloc(), 'nguid':
                            f'{int(ports[0]):032X}'}], allow_any_host=True)
        return nqn, ports

    def attach(self, name, nqn, port, **options):
        return self.tgt.bdev_nvme_attach_controller(
            name, 'TCP', '127.0.0.1', trsvcid=port, subnqn=nqn, **options)

    def test_attach_and_detach(self):
        nqn, (port,) = self.remote()
        name = unique('Nvme')
        self.assertEqual([name + 'n1'], self.attach(name, nqn, port))
        bdev = self.tgt.find_bdev(name + 'n1')
        self.assertEqual(('nvme', 4 << 20), (bdev.kind.name, bdev.size))
        found = self.tgt.bdev_nvme_get_controllers(name)[0]
        self.assertEqual([('TCP', '127.0.0.1', port, nqn)],
                         [one.place for one in found.paths])
        self.assertEqual([name + 'n1'], self.attach(name, nqn, port,
                                                    exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, [port, name],
                         self.attach, name, nqn, port)
        self.assertEqual(1, len(
            self.tgt.nvmf_subsystem_get_controllers(nqn)))
        pairs = self.tgt.nvmf_subsystem_get_qpairs(nqn)
        self.assertEqual({port}, {one.listen_address.trsvcid
                                  for one in pairs})
        health = self.tgt.bdev_nvme_get_controller_health_info(name)
        self.assertIn('critical_warning' if self.tgt.rpc.version >= (24, 1)
                      else 'percentage_used', health)
        self.assertTrue(self.tgt.bdev_nvme_reset_controller(name))
        self.assertTrue(self.tgt.bdev_nvme_detach_controller(name))
        self.until(lambda: self.tgt.find_bdev(name + 'n1') is None)

    def test_detach_what_is_not_there(self):
        self.assertFalse(self.tgt.bdev_nvme_detach_controller(
            'nosuch', missing_ok=True))
        for call in (self.tgt.bdev_nvme_detach_controller,
                     self.tgt.bdev_nvme_get_controllers,
                     self.tgt.bdev_nvme_reset_controller,
                     self.tgt.bdev_nvme_get_controller_health_info):
            self.assertFails(exceptions.NotFound, "'nosuch'", call, 'nosuch')

    def test_delete_bdev_detaches(self):
        nqn, (port,) = self.remote()
        name = unique('Nvme')
        bdev, = self.attach(name, nqn, port)
        self.assertTrue(self.tgt.delete_bdev(bdev))
        self.until(lambda: self.tgt.find_bdev(bdev) is None)
        self.until(lambda: name not in [
            one.name for one in self.tgt.bdev_nvme_get_controllers()])

    def test_attach_where_nothing_is(self):
        nqn, (port,) = self.remote()
        closed = str(fixture.free_port())
        for where, name in ((closed, nqn), (port, fixture.nqn())):
            self.assertFails(exceptions.NotFound, [where, name],
                             self.attach, unique('Nvme'), name, where)
        self.assertFails(
            exceptions.NotFound, ['0000:81:00.0', 'vfio'],
            self.tgt.bdev_nvme_attach_controller, unique('Nvme'), 'PCIe',
            '0000:81:00.0')
        self.assertFails(
            exceptions.InvalidValue, 'subnqn',
            self.tgt.bdev_nvme_attach_controller, unique('Nvme'), 'TCP',
            '127.0.0.1')

    def test_a_path_to_another_subsystem(self):
        nqn, (port,) = self.remote()
        other, (further,) = self.remote()
        name = unique('Nvme')
        self.attach(name, nqn, port)
        self.assertFails(exceptions.InvalidParams, [name, 'same subsystem'],
                         self.attach, name, other, further)

    def test_multipath(self):
        nqn, ports = self.remote(2)
        name = unique('Nvme')
        self.attach(name, nqn, ports[0], multipath='multipath')
        self.attach(name, nqn, ports[1], multipath='multipath')
        found = self.tgt.bdev_nvme_get_controllers(name)[0]
        self.assertEqual(set(ports), {one.trid.trsvcid
                                      for one in found.paths})
        bdev = name + 'n1'
        if self.has('bdev_nvme_set_multipath_policy'):
            self.assertTrue(self.tgt.bdev_nvme_set_multipath_policy(
                bdev, 'active_active'))
            self.assertFails(
                exceptions.NotFound, 'nosuch',
                self.tgt.bdev_nvme_set_multipath_policy, 'nosuch',
                'active_active')
            self.assertIsInstance(self.tgt.bdev_nvme_get_io_paths(bdev),
                                  list)
            self.assertFails(exceptions.NotFound, 'nosuch',
                             self.tgt.bdev_nvme_get_io_paths, 'nosuch')
        else:
            self.assertFails(exceptions.MethodNotFound, 'policy',
                             self.tgt.bdev_nvme_set_multipath_policy, bdev,
                             'active_active')
        where = f'tcp://127.0.0.1:{ports[1]}'
        self.assertTrue(self.tgt.bdev_nvme_detach_controller(
            name, path=where))
        # v22.01 answers before it is gone.
        self.until(lambda: [ports[0]] == [
            one.trid.trsvcid for one in
            self.tgt.bdev_nvme_get_controllers(name)[0].paths])
        self.assertFails(exceptions.NotFound, ports[1],
                         self.tgt.bdev_nvme_detach_controller, name,
                         path=where)
        self.assertTrue(self.tgt.bdev_nvme_detach_controller(name))

    def test_disable_and_enable(self):
        if not self.has('bdev_nvme_disable_controller'):
            self.assertFails(exceptions.MethodNotFound, 'disable',
                             self.tgt.bdev_nvme_disable_controller, 'x')
            return
        nqn, (port,) = self.remote()
        name = unique('Nvme')
        self.attach(name, nqn, port)
        self.assertTrue(self.tgt.bdev_nvme_disable_controller(name))
        self.assertTrue(self.tgt.bdev_nvme_enable_controller(name))
        for call in (self.tgt.bdev_nvme_disable_controller,
                     self.tgt.bdev_nvme_enable_controller):
            self.assertFails(exceptions.NotFound, "'nosuch'", call, 'nosuch')


target.for_releases(globals(), Nvme)
