# SPDX-License-Identifier: Apache-2.0

"""Losses of every kind of object, in one spdk_tgt that has all of them."""

import os
import unittest

from cyborg_spdk.desired import keep
from tests.functional.desired import test_losses
from tests.functional.fixtures import host
from tests.functional.fixtures import targets

A, B = test_losses.A, test_losses.B
NODE = 'iqn.2016-06.io.spdk:n'
UUID = '7ac2130a-389f-42c2-a53a-e9e4c73f577{}'


class EveryKindCase(test_losses.DesiredCase):

    KINDS = {'nvmf': ['nvmf'], 'vhost': ['vhost'], 'iscsi': ['iscsi']}

    def setUp(self):
        super().setUp()
        for name in self.host.names():
            self.host.set(name, application='spdk_tgt', memory_mb=1024,
                          rpc_address=self.host.path('run', 'one.sock'))
            self.host.set(name, extra_args=[
                *self.host.conf[name].extra_args,
                '-S', self.host.path('run')])
        self.ensure()

    def aio(self, name, **options):
        path = self.disk(name + '.img')
        self.call('bdev_aio_create', name=name, filename=path,
                  block_size=512, **options)
        return path

    def pull(self, name):
        """A disk goes: what the target sees, and what the host sees."""
        path = self.host.path(name + '.img')
        os.rename(path, path + '.away')
        self.call('bdev_aio_delete', name=name)

    def put_back(self, name):
        path = self.host.path(name + '.img')
        os.rename(path + '.away', path)

    def lost(self):
        return sorted(one.key for one in self.look().missing)

    def settled(self):
        """Look until nothing is missing."""
        host.wait_until(lambda: not self.look().missing)


class VhostTest(EveryKindCase):

    def controllers(self):
        return {one['ctrlr']: one['backend_specific']
                for one in self.call('vhost_get_controllers')}

    def test_the_disk_of_a_block_controller(self):
        self.aio('D')
        self.call('vhost_create_blk_controller', ctrlr='c', dev_name='D')
        self.look()
        self.pull('D')
        self.assertEqual(['bdev:D', 'vhost:c'], self.lost())
        # It is there still, without its disk.
        self.assertIsNone(self.controllers()['c']['block']['bdev'])
        self.assertEqual(['bdev:D', 'vhost:c'], self.lost())
        self.put_back('D')
        self.assertEqual(['bdev:D', 'vhost:c'], sorted(self.look().made))
        self.assertEqual('D', self.controllers()['c']['block']['bdev'])
        self.settled()

    def test_away_at_the_start(self):
        self.aio('D')
        self.aio('E')
        self.call('vhost_create_blk_controller', ctrlr='c', dev_name='D')
        self.call('vhost_create_blk_controller', ctrlr='e', dev_name='E')
        self.call('vhost_create_scsi_controller', ctrlr='s')
        self.call('vhost_scsi_controller_add_target', ctrlr='s',
                  scsi_target_num=0, bdev_name='D')
        self.look()
        os.rename(self.host.path('D.img'), self.host.path('D.img.away'))
        self.assertEqual(
            ['bdev:D', 'vhost-target:s/0', 'vhost:c'],
            sorted(one.key for one in self.restart().missing))
        self.assertEqual(['e', 's'], sorted(self.controllers()))
        self.put_back('D')
        self.settled()
        self.assertEqual(['c', 'e', 's'], sorted(self.controllers()))
        self.assertEqual(1, len(self.controllers()['s']['scsi']))

    def test_what_is_deleted(self):
        self.aio('D')
        self.call('vhost_create_blk_controller', ctrlr='c', dev_name='D')
        self.look()
        self.call('vhost_delete_controller', ctrlr='c')
        self.assertEqual(['vhost:c'], self.look().changes.deleted)
        self.restart()
        self.assertEqual({}, self.controllers())

    def test_a_directory_of_sockets_that_is_not_there_yet(self):
        sockets = self.host.path('sockets')
        os.mkdir(sockets)
        self.kill()
        for name in self.host.names():
            self.host.set(name, extra_args=[
                *self.host.conf[name].extra_args[:-1], sockets])
        self.ensure()
        self.aio('D')
        self.aio('E')
        self.call('vhost_create_blk_controller', ctrlr='c', dev_name='D')
        self.export(A, 'E')
        self.look()
        self.kill()
        os.rename(sockets, sockets + '.away')
        self.assertEqual(['vhost:c'], [
            one.key for one in self.ensure().missing])
        self.assertEqual(['vhost:c'], self.lost())
        self.assertEqual({}, self.controllers())
        self.assertEqual(['E'], self.subsystems()[A][0])
        os.rename(sockets + '.away', sockets)
        self.settled()
        self.assertEqual(['c'], list(self.controllers()))
        self.assertTrue(os.path.exists(sockets + '/c'))


class IscsiTest(EveryKindCase):

    def node(self, port, *bdevs):
        self.call('iscsi_create_portal_group', tag=1, portals=[
            {'host': '127.0.0.1', 'port': str(port)}])
        self.call('iscsi_create_initiator_group', tag=1,
                  initiators=['ANY'], netmasks=['ANY'])
        self.call('iscsi_create_target_node', name=NODE, alias_name='n',
                  pg_ig_maps=[{'pg_tag': 1, 'ig_tag': 1}], queue_depth=8,
                  disable_chap=True, luns=[
                      {'bdev_name': name, 'lun_id': number}
                      for number, name in enumerate(bdevs)])

    def luns(self):
        return {lun['lun_id']: lun['bdev_name']
                for node in self.call('iscsi_get_target_nodes')
                for lun in node['luns']}

    def test_the_disk_of_a_lun(self):
        for name in 'DE':
            self.aio(name)
        self.node(targets.free_port(), 'D', 'E')
        self.look()
        self.pull('E')
        self.assertEqual(['bdev:E', f'lun:{NODE}/1'], self.lost())
        self.assertEqual({0: 'D'}, self.luns())
        self.put_back('E')
        self.settled()
        self.assertEqual({0: 'D', 1: 'E'}, self.luns())
        # Twice: the target lives.
        for _ in range(2):
            self.look()
        pid, = self.host.processes()
        self.assertTrue(os.path.exists(f'/proc/{pid}'))

    def test_away_at_the_start(self):
        for name in 'DE':
            self.aio(name)
        self.node(targets.free_port(), 'D', 'E')
        self.look()
        for name, left in (('E', {0: 'D'}), ('D', {1: 'E'})):
            path = self.host.path(name + '.img')
            os.rename(path, path + '.away')
            missing = self.restart().missing
            self.assertEqual(['bdev', 'lun'],
                             [one.kind for one in missing])
            # A node cannot be made without LUN 0, and is all the same.
            host.wait_until(lambda left=left: self.luns() == left)
            self.look()
            self.assertNotIn(
                'cyborg', ' '.join(self.state().objects))
            self.put_back(name)
            self.settled()
            self.assertEqual({0: 'D', 1: 'E'}, self.luns())

    def test_a_node_that_is_deleted(self):
        for name in 'DE':
            self.aio(name)
        self.node(targets.free_port(), 'D', 'E')
        self.look()
        self.call('iscsi_delete_target_node', name=NODE)
        self.assertEqual(
            [f'lun:{NODE}/0', f'lun:{NODE}/1', f'node:{NODE}'],
            sorted(self.look().changes.deleted))
        self.assertEqual((), self.restart().missing)
        self.assertEqual({}, self.luns())
        self.assertEqual(['D', 'E'], self.bdevs())

    def test_a_restart_by_somebody_else(self):
        self.aio('D')
        self.node(targets.free_port(), 'D')
        self.look()
        self.kill()
        self.start_bare()
        self.settled()
        self.settled()
        self.assertEqual({0: 'D'}, self.luns())


class BdevTest(EveryKindCase):

    def mirrors(self):
        """Only with a release that has RAIDs of level 1."""
        if self.client.version < (23, 1):
            self.skipTest('this SPDK has no raid1')

    def raid(self, level):
        for number, name in enumerate('DE'):
            self.call('bdev_malloc_create', name=name, num_blocks=32768,
                      block_size=512, uuid=UUID.format(number))
        self.call('bdev_raid_create', name='R', raid_level=level,
                  base_bdevs=['D', 'E'],
                  **({'strip_size_kb': 64} if level == 'raid0' else {}))
        self.export(A, 'R')
        self.look()

    def bases(self):
        raid, = self.call('bdev_raid_get_bdevs', category='all')
        return [base['name'] for base in raid['base_bdevs_list']]

    def base_back(self, name, number):
        self.call('bdev_malloc_create', name=name, num_blocks=32768,
                  block_size=512, uuid=UUID.format(number))

    def test_a_mirror_that_lost_a_base_keeps_both_names(self):
        self.mirrors()
        self.raid('raid1')
        self.call('bdev_malloc_delete', name='E')
        self.assertEqual(['raid-base:R/E'], self.lost())
        self.look()
        self.assertEqual(['D', 'E'], self.state().objects[
            'bdev:R'].params['base_bdevs'])
        self.base_back('E', 1)
        self.settled()
        self.assertEqual(['D', 'E'], self.bases())
        self.assertEqual(['R'], self.subsystems()[A][0])

    def test_a_mirror_without_a_base_at_the_start(self):
        self.mirrors()
        self.aio('E')
        self.call('bdev_malloc_create', name='D', num_blocks=32768,
                  block_size=512)
        self.call('bdev_raid_create', name='R', raid_level='raid1',
                  base_bdevs=['D', 'E'])
        self.export(A, 'R')
        self.look()
        os.rename(self.host.path('E.img'), self.host.path('E.img.away'))
        self.assertIn('bdev:R', [
            one.key for one in self.restart().missing])
        self.assertEqual([], self.subsystems()[A][0])
        self.put_back('E')
        self.settled()
        self.assertEqual(['D', 'E'], self.bases())
        self.assertEqual(['R'], self.subsystems()[A][0])

    def test_stripes_that_lost_a_base(self):
        self.raid('raid0')
        self.call('bdev_malloc_delete', name='E')
        # The RAID goes a moment after its base.
        host.wait_until(lambda: self.lost() == ['bdev:R',
                                                f'namespace:{A}/1'])
        self.base_back('E', 1)
        self.settled()
        self.assertEqual(['R'], self.subsystems()[A][0])

    def test_bdevs_on_a_bdev(self):
        self.aio('D')
        self.call('bdev_passthru_create', base_bdev_name='D', name='P')
        self.call('bdev_delay_create', base_bdev_name='P', name='Y',
                  avg_read_latency=1, p99_read_latency=2,
                  avg_write_latency=3, p99_write_latency=4)
        self.export(A, 'Y')
        self.look()
        self.pull('D')
        self.assertEqual(['bdev:D', 'bdev:P', 'bdev:Y', f'namespace:{A}/1'],
                         self.lost())
        self.put_back('D')
        self.settled()
        self.assertEqual(['D', 'P', 'Y'], self.bdevs())
        self.assertEqual(['Y'], self.subsystems()[A][0])
        os.rename(self.host.path('D.img'), self.host.path('D.img.away'))
        self.restart()
        self.assertEqual([], self.bdevs())
        self.put_back('D')
        self.settled()
        self.assertEqual(['Y'], self.subsystems()[A][0])

    @unittest.skipUnless(host.SPDK_DIR, 'a simulated disk keeps no store')
    def test_a_store_whose_disk_comes_late(self):
        self.aio('D')
        with open(self.host.path('D.img'), 'r+b') as file:
            file.truncate(64 << 20)
        self.call('bdev_aio_rescan', name='D')
        self.call('bdev_lvol_create_lvstore', bdev_name='D', lvs_name='lvs')
        size = {'size_in_mib': 8} if self.client.supports(
            'bdev_lvol_create', 'size_in_mib') else {'size': 8 << 20}
        name = self.call('bdev_lvol_create', lvs_name='lvs',
                         lvol_name='v', **size)
        self.export(A, 'lvs/v')
        self.look()
        os.rename(self.host.path('D.img'), self.host.path('D.img.away'))
        self.assertEqual({'bdev:' + name, 'bdev:D', f'namespace:{A}/1'},
                         {one.key for one in self.restart().missing})
        self.assertEqual(3, len(self.look().missing))
        self.put_back('D')
        self.settled()
        self.assertEqual([name], self.subsystems()[A][0])
        # Deleted on its store is deleted.
        self.call('nvmf_delete_subsystem', nqn=A)
        self.call('bdev_lvol_delete', name='lvs/v')
        self.assertIn('bdev:' + name, self.look().changes.deleted)

    @unittest.skipUnless(host.SPDK_DIR, 'no release is simulated with it')
    def test_a_file_by_uring(self):
        if not self.client.has('bdev_uring_create'):
            self.skipTest('this SPDK was built without uring')
        path = self.disk('U.img')
        # Older releases take no blocks smaller than the file system's.
        self.call('bdev_uring_create', name='U', filename=path,
                  block_size=4096)
        self.export(A, 'U')
        self.look()
        before = self.call('bdev_get_bdevs'), self.subsystems()
        os.rename(path, path + '.away')
        self.call('bdev_uring_delete', name='U')
        self.assertEqual(['bdev:U', f'namespace:{A}/1'], self.lost())
        self.assertEqual(2, len(self.restart().missing))
        os.rename(path + '.away', path)
        self.settled()
        self.assertEqual(before, (self.call('bdev_get_bdevs'),
                                  self.subsystems()))
        # The file is there: somebody wanted it to go.
        self.call('nvmf_delete_subsystem', nqn=A)
        self.call('bdev_uring_delete', name='U')
        self.assertIn('bdev:U', self.look().changes.deleted)
        self.assertEqual((), self.restart().missing)
        self.assertEqual([], self.bdevs())

    def test_a_key_file(self):
        if not self.client.has('keyring_file_add_key'):
            self.skipTest('this SPDK has no keyring')
        path = self.host.path('key')
        with open(path, 'w') as file:
            # The example key of the NVMe base specification, 8.3.4.5.
            file.write('DHHC-1:00:ia6zGodOr4SEG0Zzaw398rpY0wqipUWj4jWjUh4'
                       'HWUz6aQ2n:')
        os.chmod(path, 0o600)
        self.call('keyring_file_add_key', name='K', path=path)
        self.call('bdev_null_create', name='N', num_blocks=2048,
                  block_size=512)
        self.call('nvmf_create_transport', trtype='TCP')
        self.call('nvmf_create_subsystem', nqn=A)
        self.call('nvmf_subsystem_add_host', nqn=A,
                  host='nqn.2014-08.org.nvmexpress:h', dhchap_key='K')
        self.look()
        os.rename(path, path + '.away')
        self.assertEqual(['host:' + A + '/nqn.2014-08.org.nvmexpress:h',
                          'key:K'],
                         sorted(one.key for one in self.restart().missing))
        os.rename(path + '.away', path)
        # Whatever the pause is.
        host.wait_until(lambda: not keep.look(
            self.host.conf, self.target, self.client).missing)
        self.assertEqual(1, len(
            next(one for one in self.call('nvmf_get_subsystems')
                 if one['nqn'] == A)['hosts']))
