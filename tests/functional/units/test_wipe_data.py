# SPDX-License-Identifier: Apache-2.0

"""What one consumer has written, no other reads: at a real SPDK.

Only with ``CYBORG_SPDK_TEST_SPDK_DIR``: a simulated target has no data. The
consumers are SPDK's own initiator (spdk_dd), and the truth is the number of
patterns in the file below.
"""

import json
import os
import random
import subprocess
import sys
import time

from cyborg_spdk import exceptions
from cyborg_spdk.units import attach
from cyborg_spdk.units import crypto_keys
from cyborg_spdk.units.pools import stores
from cyborg_spdk.units.wipe import run
from tests.functional.fixtures import clients as client_fixtures
from tests.functional.fixtures.nvme import server as nvme_server
from tests.functional.fixtures.nvme import subsystem
from tests.functional.fixtures import target as target_fixture
from tests.functional.units import declared

_MIB = 1 << 20
_SIZE = 32 * _MIB
_PATTERN = b'consumer-A-data!'
A, B = (f'nqn.2016-06.io.spdk:consumer-{name}' for name in 'ab')

_KILLS = 10


def count(path):
    """How often the pattern stands in a file."""
    with open(path, 'rb') as file:
        return sum(block.count(_PATTERN)
                   for block in iter(lambda: file.read(_MIB), b''))


class DataCase(declared.DeclaredCase):
    """Files with old data, and consumers that write and read."""

    def setUp(self):
        super().setUp()
        self.pattern = self.spdk.path('pattern')
        with open(self.pattern, 'wb') as out:
            out.write(_PATTERN * (_SIZE // len(_PATTERN)))

    def aio(self, name='disk', size=_SIZE, method='bdev_aio_create'):
        """A bdev on a file that is full of old data."""
        path = self.spdk.path(name)
        if not os.path.exists(path):
            with open(path, 'wb') as out:
                for _count in range(size // _MIB):
                    out.write(_PATTERN * (_MIB // len(_PATTERN)))
        self.client.call(method, filename=path, name=name, block_size=4096)
        return path

    def export(self, bdev, nqn='nqn.2016-06.io.spdk:unit'):
        """A subsystem of its own; returns the handle."""
        self.nvmf.nvmf_create_transport('TCP', exist_ok=True)
        self.nvmf.nvmf_create_subsystem(nqn)
        self.nvmf.nvmf_subsystem_add_ns(nqn, bdev)
        self.port = client_fixtures.free_port()
        self.nvmf.nvmf_subsystem_add_listener(
            nqn, f'tcp://127.0.0.1:{self.port}')
        return {'nqn': nqn, 'nsid': '1'}

    def dd(self, host, handle, *arguments):
        """Run SPDK's initiator as a host."""
        config = self.spdk.path(f'dd-{len(os.listdir(self.spdk.directory))}')
        with open(config, 'w') as out:
            json.dump({'subsystems': [{'subsystem': 'bdev', 'config': [{
                'method': 'bdev_nvme_attach_controller', 'params': {
                    'name': 'X', 'trtype': 'TCP', 'adrfam': 'IPv4',
                    'traddr': '127.0.0.1', 'trsvcid': str(self.port),
                    'subnqn': handle['nqn'], 'hostnqn': host}}]}]}, out)
        return subprocess.run(
            [os.path.join(target_fixture.SPDK_DIR, 'build/bin/spdk_dd'),
             '--json', config, '-m', '0x2', '--no-huge', '-s', '512',
             *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=300)

    def write(self, host, handle):
        done = self.dd(host, handle, f'--if={self.pattern}', '--ob=Xn1',
                       '--bs=1048576')
        self.assertEqual(0, done.returncode, done.stdout)

    def patterns_read(self, host, handle):
        out = self.spdk.path('read')
        done = self.dd(host, handle, '--ib=Xn1', f'--of={out}',
                       '--bs=1048576')
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertGreaterEqual(os.path.getsize(out), _SIZE // 2)
        return count(out)


class NvmfData(DataCase):

    def between_two(self, handle):
        """A writes, B reads: nothing of A."""
        target = self.targets['nvmf']
        # What lay there before anybody had it is not readable either.
        if not self.state(handle).clean:
            self.assertRaises(exceptions.DirtyUnit, attach.attach, self.conf,
                              target, handle, A)
        attach.attach(self.conf, target, handle, A, wipe_first=True)
        self.assertEqual(0, self.patterns_read(A, handle))
        self.write(A, handle)
        self.assertGreater(self.patterns_read(A, handle), 0)
        attach.detach(self.conf, target, handle, A)
        self.assertRaises(exceptions.DirtyUnit, attach.attach, self.conf,
                          target, handle, B)
        self.assertNotEqual(0, self.dd(
            B, handle, '--ib=Xn1', f'--of={self.spdk.path("no")}',
            '--bs=1048576').returncode)
        attach.attach(self.conf, target, handle, B, wipe_first=True)
        self.assertEqual(0, self.patterns_read(B, handle))
        attach.detach(self.conf, target, handle, B)
        self.assertEqual((), self.nvmf.nvmf_get_subsystems(
            handle['nqn'])[0].hosts)

    def test_malloc(self):
        self.nvmf.bdev_malloc_create('M', _SIZE, 512)
        self.between_two(self.export('M'))

    def test_aio(self):
        path = self.aio()
        self.between_two(self.export('disk'))
        self.assertEqual(0, count(path))

    def test_uring(self):
        path = self.aio(method='bdev_uring_create')
        self.between_two(self.export('disk'))
        self.assertEqual(0, count(path))

    def test_lvol_on_a_store_over_old_data(self):
        path = self.aio(size=2 * _SIZE)
        self.nvmf.bdev_lvol_create_lvstore('disk', 'S', clear_method='none')
        self.nvmf.bdev_lvol_create('S', 'L', _SIZE)
        before = count(path)
        self.between_two(self.export('S/L'))
        # All of the volume, and nothing of what is beside it.
        self.assertEqual(before - _SIZE // len(_PATTERN), count(path))

    def test_raid1(self):
        paths = [self.aio(name) for name in ('one', 'two')]
        self.nvmf.bdev_raid_create('R', 'raid1', ['one', 'two'])
        self.between_two(self.export('R'))
        self.assertEqual([0, 0], [count(path) for path in paths])

    def test_passthru(self):
        path = self.aio()
        self.nvmf.bdev_passthru_create('P', 'disk')
        self.between_two(self.export('P'))
        self.assertEqual(0, count(path))

    def test_split_leaves_its_neighbour_alone(self):
        path = self.aio(size=2 * _SIZE)
        self.nvmf.bdev_split_create('disk', 2)
        self.between_two(self.export('diskp0'))
        self.assertEqual(_SIZE // len(_PATTERN), count(path))

    def test_crypto_gets_a_new_key(self):
        path = self.aio()
        directory = self.conf.spdk.state_path
        crypto_keys.make(directory, 'K')
        crypto_keys.give(directory, 'K', self.client)
        self.nvmf.bdev_crypto_create('C', 'disk', 'K')
        before = crypto_keys.load(directory, 'K')
        handle = self.export('C')
        space = self.nvmf.nvmf_get_subsystems(
            handle['nqn'])[0].namespace(1)
        self.between_two(handle)
        after = crypto_keys.load(directory, 'K')
        self.assertNotEqual(before['key'], after['key'])
        shown, = self.client.call('accel_crypto_keys_get')
        self.assertEqual(after['key'], shown['key'])
        found = subprocess.run(
            ['grep', '-rl', before['key'], directory,
             self.conf.spdk.run_path], stdout=subprocess.PIPE, text=True)
        self.assertEqual('', found.stdout)
        self.assertEqual(0, count(path))
        # The initiator sees the same disk.
        self.assertEqual(space.uuid, self.nvmf.nvmf_get_subsystems(
            handle['nqn'])[0].namespace(1).uuid)

    def test_limits_are_lifted_and_put_back(self):
        path = self.aio()
        handle = self.export('disk')
        self.nvmf.bdev_set_qos_limit('disk', rw_mbytes_per_sec=1)
        begin = time.monotonic()
        run.wipe(self.conf, self.targets['nvmf'], handle)
        self.assertLess(time.monotonic() - begin, _SIZE / _MIB)
        self.assertEqual(1, self.nvmf.find_bdev(
            'disk').assigned_rate_limits['rw_mbytes_per_sec'])
        self.assertEqual(0, count(path))

    def test_what_a_wipe_would_not_clean_is_refused(self):
        self.aio(size=2 * _SIZE)
        self.nvmf.bdev_lvol_create_lvstore('disk', 'S', clear_method='none')
        self.nvmf.bdev_lvol_create('S', 'T', _SIZE, thin_provision=True)
        self.nvmf.bdev_lvol_create('S', 'L', 8 * _MIB)
        self.nvmf.bdev_lvol_snapshot('S/L', 'P')
        for bdev, word in (('S/T', 'thin'), ('S/L', 'snapshot'),
                           ('S/P', 'snapshot')):
            handle = self.export(bdev, f'nqn.2016-06.io.spdk:{bdev[2:]}')
            error = self.assertRaises(
                exceptions.WipeError, run.wipe, self.conf,
                self.targets['nvmf'], handle)
            self.assertIn(word, str(error))
            self.assertFalse(self.state(handle).clean)


class OtherData(DataCase):
    """Units that SPDK's initiator of this build does not reach."""

    def wiped(self, kind, handle, path):
        target = self.targets[kind]
        self.assertGreater(count(path), 0)
        self.assertFalse(self.state(handle, kind).clean)
        run.wipe(self.conf, target, handle)
        self.assertTrue(self.state(handle, kind).clean)
        self.assertEqual(0, count(path))

    def test_vhost_blk(self):
        path = self.aio()
        self.vhost.vhost_create_blk_controller('blk', 'disk')
        self.wiped('vhost', {'socket': self.spdk.path('blk')}, path)

    def test_vhost_scsi(self):
        path = self.aio()
        self.vhost.vhost_create_scsi_controller('scsi')
        self.vhost.vhost_scsi_controller_add_target('scsi', 2, 'disk')
        self.wiped('vhost', {'socket': self.spdk.path('scsi'),
                             'target': '2'}, path)
        self.assertEqual(['scsi'], [
            one.ctrlr for one in self.vhost.vhost_get_controllers()])

    def test_iscsi_without_any_portal(self):
        path = self.aio()
        self.iscsi.iscsi_create_portal_group(
            7, [f'127.0.0.1:{client_fixtures.free_port()}'])
        self.iscsi.iscsi_create_initiator_group(7, ['iqn.2016-06.io.spdk:a'],
                                                ['ANY'])
        self.iscsi.iscsi_create_target_node('disk', [(0, 'disk')], [(7, 7)])
        handle = {'iqn': 'iqn.2016-06.io.spdk:disk', 'lun': '0'}
        error = self.assertRaises(exceptions.WipeError, run.wipe, self.conf,
                                  self.targets['iscsi'], handle)
        self.assertIn('may still use', str(error))
        self.iscsi.iscsi_target_node_remove_pg_ig_maps(handle['iqn'],
                                                       [(7, 7)])
        self.wiped('iscsi', handle, path)
        self.assertEqual([handle['iqn']], [
            one.name for one in self.iscsi.iscsi_get_target_nodes()])


class NamespaceData(DataCase):
    """A whole NVMe namespace, wiped by commands of the target itself."""

    def attached(self, **options):
        self.disks = subsystem.Subsystem('nqn.2016-06.io.spdk:disk', (8192,),
                                         **options)
        self.disks.disks[1][:] = _PATTERN * (8192 * 512 // len(_PATTERN))
        server = self.useFixture(nvme_server.Server(self.disks))
        self.client.call(
            'bdev_nvme_attach_controller', name='D', trtype='TCP',
            adrfam='IPv4', traddr='127.0.0.1', trsvcid=str(server.port),
            subnqn=self.disks.nqn)
        return self.export('Dn1')

    def wiped(self, method, handle):
        self.conf.set_override('wipe', method, 'spdk')
        run.wipe(self.conf, self.targets['nvmf'], handle)
        self.assertEqual(bytes(8192 * 512), bytes(self.disks.disks[1]))
        self.assertTrue(self.state(handle).clean)

    def test_each_method(self):
        handle = self.attached(erases=True)
        for method, erased in (('nvme', []), ('format', ['format']),
                               ('sanitize', ['format', 'sanitize'])):
            self.disks.disks[1][:4096] = b'x' * 4096
            self.wiped(method, handle)
            self.assertEqual(erased, self.disks.erased)

    def test_a_controller_that_cannot(self):
        handle = self.attached()
        for method in ('format', 'sanitize'):
            error = self.assertRaises(exceptions.WipeError, self.wiped,
                                      method, handle)
            self.assertIn('use wipe: zeroes', str(error))
            self.assertFalse(self.state(handle).clean)

    def test_zeroes_that_are_none_are_found(self):
        handle = self.attached()
        self.disks.forgets_zeroes = True
        error = self.assertRaises(exceptions.WipeError, self.wiped, 'nvme',
                                  handle)
        self.assertIn('old data', str(error))
        self.assertFalse(self.state(handle).clean)


class KilledData(DataCase):
    """kill -9 of the wiper and of the target, at random moments."""

    def again(self):
        """The target after its end, with what it had."""
        self.spdk.stop()
        self.spdk.start()
        self.connect()
        self.client.call('bdev_aio_create', filename=self.path, name='disk',
                         block_size=4096)
        self.client.call('bdev_wait_for_examine')
        return self.export('S/L')

    def wiper(self, handle):
        return subprocess.Popen(
            [sys.executable, '-m', 'cyborg_spdk.cli.main', '--config-file',
             self.conf_file, '--set', 'spdk.wipe_rate_mb=60', 'units',
             'wipe', json.dumps(handle)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def test_ten_kills(self):
        self.path = self.aio(size=512 * _MIB)
        self.nvmf.bdev_lvol_create_lvstore('disk', 'S', clear_method='none')
        self.nvmf.bdev_lvol_create('S', 'L', 480 * _MIB)
        handle = self.export('S/L')
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        partly = 0
        for number in range(_KILLS):
            process = self.wiper(handle)
            began = time.monotonic()
            # From before it has begun to shortly before its end.
            try:
                process.wait(chance.uniform(0.5, 6.0))
            except subprocess.TimeoutExpired:
                pass
            # At that rate it cannot have come to the end.
            self.assertIsNone(process.poll())
            if number % 2:
                self.spdk.process.kill()
                process.wait(120)
                handle = self.again()
            else:
                process.kill()
                process.wait()
            found = self.state(handle)
            left = count(self.path)
            partly += 0 < left < 480 * _MIB // len(_PATTERN)
            told = f'seed {seed}, kill {number} after ' \
                f'{time.monotonic() - began:.1f} s: {left} left'
            self.assertFalse(found.clean, told)
            self.assertRaises(
                exceptions.DirtyUnit, attach.attach, self.conf,
                self.targets['nvmf'], handle, B)
        self.assertGreater(partly, 0, f'seed {seed}: none in the middle')
        run.wipe(self.conf, self.targets['nvmf'], handle)
        self.assertTrue(self.state(handle).clean)
        # What is left is beside the volume.
        self.assertLess(count(self.path), 32 * _MIB // len(_PATTERN) + 1)
        attach.attach(self.conf, self.targets['nvmf'], handle, B)
        self.assertEqual(0, self.patterns_read(B, handle))
        self.assertEqual((B,), self.nvmf.nvmf_get_subsystems(
            handle['nqn'])[0].hosts)


class KilledApply(DataCase):
    """kill -9 of ``units apply``, at random steps, over a disk of old data."""

    UNITS = 3

    def setUp(self):
        super().setUp()
        self.path = self.spdk.path('disk')
        with open(self.path, 'wb') as out:
            for _count in range(256):
                out.write(_PATTERN * (_MIB // len(_PATTERN)))
        self.port = client_fixtures.free_port()
        with open(self.spdk.path('units.yaml'), 'w') as out:
            json.dump({
                'pools': [{'name': 'p', 'target': 'spdk_nvmf',
                           'cluster_size': '1MiB',
                           'disks': [{'file': self.path}]}],
                'units': [{'pool': 'p', 'name': 'u{n}', 'count': self.UNITS,
                           'size': f'{_SIZE}', 'export': 'nvmf',
                           'limits': {'rw_mbytes_per_sec': 500},
                           'listeners': [f'tcp://127.0.0.1:{self.port}']}]},
                out)

    def apply(self, lines=None, seconds=0.0):
        """Run it; kill it so long after so many lines of what it does."""
        with subprocess.Popen(
                [sys.executable, '-m', 'cyborg_spdk.cli.main',
                 '--config-file', self.conf_file, 'units', 'apply',
                 '--overwrite', 'p'], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True) as process:
            said = []
            for line in process.stdout:
                said.append(line)
                if len(said) == lines:
                    time.sleep(seconds)
                    process.kill()
        return process.returncode, ''.join(said)

    def test_ten_kills(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        killed, left = 0, set()
        for _number in range(_KILLS):
            status, said = self.apply(chance.randint(1, 5),
                                      chance.uniform(0, 0.05))
            killed += status == -9
            noted = stores.load(self.conf, 'p')
            left |= set(noted.coming) if noted else set()
        self.assertGreater(killed, 2, f'seed {seed}: {said}')
        deadline = time.monotonic() + 120
        while True:
            # The target may still be at what the last one has begun.
            status, said = self.apply()
            if not status:
                break
            self.assertLess(time.monotonic(), deadline, f'seed {seed} {said}')
        self.assertEqual({}, stores.load(self.conf, 'p').coming)
        told = f'seed {seed}, {killed} kills, left between: {sorted(left)}'
        for number in range(1, self.UNITS + 1):
            handle = {'nqn': f'nqn.2016-06.io.spdk:p-u{number}', 'nsid': '1'}
            self.assertTrue(self.state(handle).clean, told)
            attach.attach(self.conf, self.targets['nvmf'], handle, A)
            self.assertEqual(0, self.patterns_read(A, handle), told)
        self.assertEqual(
            {f'p/u{number}' for number in range(1, self.UNITS + 1)},
            {one.alias for one in self.nvmf.bdev_get_bdevs()
             if 'lvol' in one.driver_specific}, told)


def load_tests(loader, _tests, _pattern):
    """Only where there is a real target."""
    cases = [NvmfData, OtherData, NamespaceData, KilledData, KilledApply] \
        if target_fixture.SPDK_DIR else []
    suite = loader.suiteClass()
    for case in cases:
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite
