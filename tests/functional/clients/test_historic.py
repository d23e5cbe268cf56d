# SPDX-License-Identifier: Apache-2.0

"""The operations of py-spdk by their own names, on any release."""

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target

unique = fixture.unique
ALL_RELEASES = target.RELEASES + target.OLD_RELEASES


class HistoricBdevCase(fixture.ClientTests):
    """What NvmfTgt and VhostTgt of py-spdk had in common."""

    def test_get_rpc_methods(self):
        methods = self.tgt.get_rpc_methods()
        self.assertTrue({'bdev_get_bdevs', 'get_bdevs'} & set(methods))

    def test_construct_and_delete(self):
        null, aio = unique('N'), unique('A')
        made = {
            'Malloc disk': self.tgt.construct_malloc_bdev(2, 512),
            'Null disk': self.tgt.construct_null_bdev(null, '4', '512'),
            'AIO disk': self.tgt.construct_aio_bdev(self.file(), aio, '512'),
        }
        self.assertEqual((null, aio), (made['Null disk'], made['AIO disk']))
        made['Error Injection Disk'] = self.tgt.construct_error_bdev(null)
        found = {one['name']: one for one in self.tgt.get_bdevs()}
        self.assertEqual({name: product for product, name in made.items()},
                         {name: found[name]['product_name']
                          for name in made.values()})
        self.assertEqual([2 << 20, 4 << 20], [
            found[name]['block_size'] * found[name]['num_blocks']
            for name in (made['Malloc disk'], null)])
        for name in reversed(made.values()):
            self.assertTrue(self.tgt.delete_bdev(name))
        self.assertFalse({one['name'] for one in self.tgt.get_bdevs()}
                         & set(made.values()))

    def test_construct_what_cannot_be(self):
        null = unique('N')
        self.tgt.construct_null_bdev(null, 4, 512)
        self.assertFails(exceptions.AlreadyExists, null,
                         self.tgt.construct_null_bdev, null, 4, 512)
        self.assertFails(exceptions.NotFound, "'nosuch'",
                         self.tgt.construct_error_bdev, 'nosuch')
        missing = self.target.path('missing')
        self.assertFails(exceptions.SpdkError, missing,
                         self.tgt.construct_aio_bdev, missing, unique('A'),
                         512)
        self.assertFails(exceptions.InvalidValue, '513',
                         self.tgt.construct_malloc_bdev, 1, 513)
        self.assertFails(exceptions.NotFound, "'nosuch'",
                         self.tgt.delete_bdev, 'nosuch')
        self.assertFails(exceptions.SpdkError, '127.0.0.1',
                         self.tgt.construct_nvme_bdev, unique('Nvme'), 'TCP',
                         '127.0.0.1', 'IPv4', str(fixture.free_port()),
                         fixture.nqn())


class HistoricNvmf(HistoricBdevCase):
    """NvmfTgt of py-spdk."""

    application = 'nvmf_tgt'
    client_class = clients.NvmfTgt

    @classmethod
    def prepare(cls, tgt):
        if tgt.rpc.has('nvmf_create_transport'):
            tgt.nvmf_create_transport('TCP')

    def test_subsystem(self):
        nqn, bdev = fixture.nqn(), self.malloc()
        ports = [one.rpartition(':')[2] for one in self.somewhere()]
        self.tgt.construct_nvmf_subsystem(
            nqn, ','.join(f'trtype:TCP traddr:127.0.0.1 trsvcid:{port}'
                          for port in ports),
            fixture.host_nqn(), 'SPDK00000000000001', bdev)
        found = {one['nqn']: one for one in self.tgt.get_nvmf_subsystems()}
        self.assertEqual([bdev], [one['bdev_name'] for one in
                                  found[nqn]['namespaces']])
        self.assertEqual('SPDK00000000000001', found[nqn]['serial_number'])
        self.assertTrue(self.tgt.delete_nvmf_subsystem(nqn))
        self.assertNotIn(nqn, [one['nqn'] for one in
                               self.tgt.get_nvmf_subsystems()])
        self.assertFails(exceptions.NotFound, nqn,
                         self.tgt.delete_nvmf_subsystem, nqn)


class HistoricVhost(HistoricBdevCase):
    """VhostTgt of py-spdk."""

    application = 'vhost'
    client_class = clients.VhostTgt

    def test_controllers(self):
        bdev, other = self.malloc(), self.malloc()
        blk, scsi = unique('blk.'), unique('scsi.')
        self.tgt.vhost_create_blk_controller(blk, bdev)
        self.tgt.vhost_create_scsi_controller(scsi)
        self.assertEqual(0, self.tgt.vhost_scsi_controller_add_target(
            scsi, None, other))
        self.assertEqual([(bdev, False)], [
            (one['dev_name'], one['readonly'])
            for one in self.tgt.get_vhost_blk_controllers()
            if one['ctrlr'] == blk])
        dev, = [one['scsi_devs'] for one in
                self.tgt.get_vhost_scsi_controllers()
                if one['ctrlr'] == scsi][0]
        self.assertEqual([0, other], [dev['scsi_dev_num'],
                                      dev['luns'][0]['lun_name']])
        self.assertIn({'claimed': True, 'name': other}, self.tgt.get_luns())
        self.assertTrue(self.tgt.get_scsi_devices())

    def test_interfaces(self):
        if self.has('net_get_interfaces'):
            self.assertIsInstance(self.tgt.get_interfaces(), list)
            return
        for call, args in ((self.tgt.get_interfaces, ()),
                           (self.tgt.add_ip_address, (1, '10.0.2.15')),
                           (self.tgt.delete_ip_address, (1, '10.0.2.15'))):
            self.assertFails(exceptions.MethodNotFound, 'v21.04', call,
                             *args)


class Killed(fixture.ClientTests):
    """``kill_instance``, with a target of its own."""

    application = 'nvmf_tgt'
    client_class = clients.NvmfTgt

    def test_kill_instance(self):
        self.assertFails(exceptions.InvalidValue, 'SIGBOGUS',
                         self.tgt.kill_instance, 'SIGBOGUS')
        self.assertIsNone(self.target.process.poll())
        self.assertTrue(self.tgt.kill_instance('SIGTERM'))
        self.assertEqual(0, self.target.process.wait(target.PATIENCE))
        self.assertFails(exceptions.ConnectError, self.target.socket,
                         self.tgt.get_bdevs)


target.for_releases(globals(), HistoricNvmf, ALL_RELEASES)
target.for_releases(globals(), HistoricVhost, ALL_RELEASES)
target.for_releases(globals(), Killed, ALL_RELEASES)
