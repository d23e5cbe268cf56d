# SPDX-License-Identifier: Apache-2.0

"""Pools and units as a file declares them, at a target."""

from http import server as http_server
import json
import os
import subprocess
import sys
import textwrap
import threading

import fixtures

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from cyborg_spdk.units import attach
from cyborg_spdk.units.declared import model
from cyborg_spdk.units import identity
from cyborg_spdk.units.pools import apply
from cyborg_spdk.units.pools import plan
from cyborg_spdk.units.pools import stores
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import state
from tests.functional.fixtures import clients as client_fixtures
from tests.functional.fixtures import target as target_fixture
from tests.functional.fixtures import watched
from tests.functional.units import declared

_HOST = 'nqn.2016-06.io.spdk:host'
_INSTANCE = 'a5ff2a2e-0d0c-4c3e-9c4a-6f9a6e2d5c11'


class PoolCase(declared.DeclaredCase):

    def declare(self, units='', disks=None, **pool):
        self.port = getattr(self, 'port', client_fixtures.free_port())
        with open(self.spdk.path('units.yaml'), 'w') as out:
            out.write(textwrap.dedent(f'''\
                pools:
                  - name: p
                    target: spdk_nvmf
                    cluster_size: 1MiB
                    {' '.join(f"{name}: {json.dumps(value)}"
                              for name, value in pool.items())}
                    disks: {disks or f"[{{file: {self.spdk.path('new')}, "
                                     "size: 64MiB}]"}
                units: [{units}]
                '''))

    def unit(self, name='u{n}', count=2, size='4MiB', export='nvmf', **more):
        return json.dumps({
            'pool': 'p', 'name': name, 'count': count, 'size': size,
            'export': export, **({'listeners': [
                f'tcp://127.0.0.1:{self.port}']} if export == 'nvmf'
                else {}), **more})

    def pool(self):
        found = model.load(self.conf)
        return apply.Pool(self.conf, found.pools['p'], found.of_pool('p'))

    def apply(self, **told):
        done = []
        self.pool().apply(plan.Told(**told), done.append)
        self.assertEqual([], self.pool().steps(plan.Told(**told)))
        return [step.action for step in done]

    def volumes(self):
        return {one.alias: one.size >> 20 for one in
                self.nvmf.bdev_get_bdevs() if 'lvol' in one.driver_specific}

    def setUp(self):
        super().setUp()
        self.port = client_fixtures.free_port()


class PoolsTest(PoolCase):

    def test_from_a_file_to_units_that_are_clean(self):
        self.declare(', '.join((
            self.unit(limits={'rw_mbytes_per_sec': 50}),
            self.unit('v', 1, export='vhost-blk'),
            self.unit('i', 1, export='iscsi', portals=[
                f'127.0.0.1:{client_fixtures.free_port()}']))))
        self.assertEqual(
            ['make file', 'make store',
             *['make volume', 'export', 'limit'] * 2,
             *['make volume', 'export'] * 2], self.apply())
        self.assertEqual([], self.apply())
        self.assertEqual({'p/u1': 4, 'p/u2': 4, 'p/v': 4, 'p/i': 4},
                         self.volumes())
        self.assertEqual(0o600, os.stat(self.spdk.path('new')).st_mode
                         & 0o777)
        for kind, handle in (
                ('nvmf', {'nqn': 'nqn.2016-06.io.spdk:p-u2', 'nsid': '1'}),
                ('vhost', {'socket': self.spdk.path('p-v')}),
                ('iscsi', {'iqn': 'iqn.2016-06.io.spdk:p-i', 'lun': '0'})):
            self.assertTrue(self.state(handle, kind).clean)
        self.assertEqual(50, self.nvmf.find_bdev(
            'p/u1').assigned_rate_limits['rw_mbytes_per_sec'])

    def test_growing_and_what_is_not_done_unless_told(self):
        self.declare(self.unit())
        self.apply()
        self.declare(self.unit(count=3, size='6MiB'))
        self.assertEqual(['grow', 'grow', 'make volume', 'export'],
                         self.apply())
        self.declare(self.unit(count=1, size='6MiB'))
        self.assertEqual([], self.apply())
        self.declare(self.unit(count=1, size='4MiB'))
        error = self.assertRaises(exceptions.InvalidValue, self.apply)
        self.assertIn('--shrink', str(error))
        self.assertEqual({'p/u1': 6, 'p/u2': 6, 'p/u3': 6}, self.volumes())
        # Not what somebody has, whatever is told.
        handle = {'nqn': 'nqn.2016-06.io.spdk:p-u1', 'nsid': '1'}
        attach.attach(self.conf, self.targets['nvmf'], handle, _HOST)
        error = self.assertRaises(exceptions.InvalidValue, self.apply,
                                  shrink=True)
        self.assertIn(f'{_HOST} uses it', str(error))
        self.assertEqual(6, self.volumes()['p/u1'])

    def test_what_was_made_by_hand_there(self):
        self.declare(self.unit())
        self.apply()
        self.nvmf.bdev_lvol_create('p', 'mine', '4MiB')
        self.declare(self.unit(count=1))
        error = self.assertRaises(exceptions.InvalidValue, self.apply,
                                  delete=True)
        self.assertIn('by hand', str(error))
        self.assertIn('p/mine', self.volumes())
        self.assertFalse(self.pool().seen.clean('p'))

    def test_foreign_data_is_never_overwritten_unasked(self):
        path = self.spdk.path('theirs')
        with open(path, 'wb') as out:
            out.truncate(64 << 20)
            # An ext4 file system's magic number, and the end of a GPT.
            out.seek(1080)
            out.write(b'\x53\xef')
        self.declare(self.unit(), f'[{{file: {path}}}]')
        error = self.assertRaises(exceptions.InvalidValue, self.apply)
        self.assertIn('byte 1080', str(error))
        self.assertEqual([], self.nvmf.bdev_get_bdevs())
        with open(path, 'rb') as file:
            file.seek(1080)
            self.assertEqual(b'\x53\xef', file.read(2))
        self.assertIn('make store', self.apply(overwrite=frozenset('p')))

    def test_a_pool_that_is_too_small(self):
        self.declare(self.unit(count=20))
        error = self.assertRaises(exceptions.InvalidValue, self.apply)
        self.assertIn('80 MiB are wanted', str(error))
        self.assertFalse(os.path.exists(self.spdk.path('new')))

    def test_a_store_is_known_again(self):
        if target_fixture.SPDK_DIR is None:
            # A simulated file keeps no store.
            return
        self.declare(self.unit())
        self.apply()
        noted = stores.load(self.conf, 'p')
        self.spdk.restart()
        self.connect()
        done = self.apply()
        self.assertEqual(['add disk', 'find store'], done[:2])
        self.assertNotIn('make store', done)
        self.assertEqual(noted, stores.load(self.conf, 'p'))
        self.assertEqual({'p/u1': 4, 'p/u2': 4}, self.volumes())
        self.assertTrue(self.state({'nqn': 'nqn.2016-06.io.spdk:p-u1',
                                    'nsid': '1'}).clean)


class TakenTest(PoolCase):
    """Block devices of this machine that somebody else has."""

    def setUp(self):
        super().setUp()
        path = self.spdk.path('image')
        with open(path, 'wb') as out:
            out.truncate(64 << 20)
        try:
            self.device = subprocess.run(
                ['losetup', '--find', '--show', path], check=True,
                capture_output=True, text=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError) as exc:
            self.skipTest(f'no loop device: {exc}')
        self.addCleanup(subprocess.run, ['losetup', '-d', self.device],
                        check=True)
        self.image = path
        self.declare(self.unit(), f'[{{device: {self.device}}}]')

    def refused(self, reason):
        error = self.assertRaises(exceptions.InvalidValue, self.apply,
                                  overwrite=frozenset('p'))
        self.assertIn('not taken', str(error))
        self.assertIn(reason, str(error))
        self.assertEqual([], self.nvmf.bdev_get_bdevs())

    def test_a_device_that_somebody_has_for_himself(self):
        fd = os.open(self.device, os.O_RDONLY | os.O_EXCL)
        try:
            self.refused('is held by')
        finally:
            os.close(fd)
        self.assertIn('make store', self.apply())

    def test_a_device_that_is_taken_after_the_plan(self):
        fds = []

        def take(step):
            if step.action == 'make store':
                fds.append(os.open(self.device, os.O_RDONLY | os.O_EXCL))
        error = self.assertRaises(exceptions.InvalidValue, self.pool().apply,
                                  plan.Told(), take)
        self.assertIn('is held by', str(error))
        self.assertEqual([], self.nvmf.bdev_lvol_get_lvstores())
        os.close(fds[0])

    def test_a_device_that_is_mounted(self):
        subprocess.run(['mkfs.ext4', '-q', self.device], check=True)
        where = self.spdk.path('mounted')
        os.mkdir(where)
        try:
            subprocess.run(['mount', self.device, where], check=True)
        except subprocess.CalledProcessError as exc:
            self.skipTest(f'it cannot be mounted: {exc}')
        try:
            self.refused(f'is mounted at {where}')
        finally:
            subprocess.run(['umount', where], check=True)
        # Its file system is in the way, but for whoever says so.
        error = self.assertRaises(exceptions.InvalidValue, self.apply)
        self.assertIn('--overwrite p', str(error))

    def test_a_file_that_is_a_device(self):
        self.declare(self.unit(), f'[{{file: {self.image}}}]')
        self.refused(f'is used by {os.path.basename(self.device)}')


class HeldTest(PoolCase):
    """A unit that is made smaller or deleted is nobody's meanwhile."""

    def setUp(self):
        super().setUp()
        self.tried = []
        # A simulated target has no data that could be wiped.
        self.wipe = 'none' if self.spdk.simulated else 'zeroes'

    def address(self):
        self.watched = self.useFixture(watched.Watched(self.spdk.socket))
        return self.watched.path

    def handle(self, name='u1'):
        return {'nqn': f'nqn.2016-06.io.spdk:p-{name}', 'nsid': '1'}

    def use(self):
        try:
            self.tried.append(state.begin_use(
                self.conf, self.targets['nvmf'], self.handle(), _HOST,
                timeout=0.05))
        except exceptions.SpdkError as exc:
            self.tried.append(exc)

    def refused(self):
        self.assertNotEqual([], self.tried)
        for one in self.tried:
            self.assertIsInstance(one, exceptions.StateError)
            self.assertIn('has been at it', str(one))

    def watch(self, *methods):
        self.watched.calls.update(dict.fromkeys(methods, self.use))

    def test_deleted(self):
        self.declare(self.unit(), wipe=self.wipe)
        self.apply()
        self.watch('nvmf_delete_subsystem', 'bdev_lvol_delete')
        self.declare(self.unit('u2', 1), wipe=self.wipe)
        self.assertEqual(['delete'], self.apply(delete=True))
        self.assertEqual(2, len(self.tried))
        self.refused()
        self.assertEqual({'p/u2': 4}, self.volumes())
        self.assertIsNone(marks.load(self.conf, 'spdk_nvmf', self.handle()))
        self.assertEqual(self.wipe != 'none', self.pool().seen.clean('p'))

    def test_made_smaller(self):
        self.declare(self.unit(count=1), wipe=self.wipe)
        self.apply()
        self.watch('nvmf_delete_subsystem', 'bdev_lvol_resize')
        self.declare(self.unit(count=1, size='2MiB'), wipe=self.wipe)
        self.assertEqual(['shrink'], self.apply(shrink=True))
        self.assertEqual({'p/u1': 2}, self.volumes())
        self.assertEqual(2, len(self.tried))
        self.refused()
        self.assertTrue(self.state(self.handle()).clean)

    def test_a_deletion_that_was_interrupted_goes_on(self):
        self.declare(self.unit(), wipe=self.wipe)
        self.apply()
        self.declare(self.unit('u2', 1), wipe=self.wipe)

        def die():
            raise OSError('the connection is cut')
        self.watched.calls['bdev_lvol_delete'] = die
        self.assertRaises(exceptions.SpdkError, self.apply, delete=True)
        self.assertEqual({'p/u1': 4, 'p/u2': 4}, self.volumes())
        self.watched.calls.clear()
        self.assertEqual(['delete'], self.apply(delete=True))
        self.assertEqual({'p/u2': 4}, self.volumes())
        self.assertIsNone(marks.load(self.conf, 'spdk_nvmf', self.handle()))

    def test_what_an_apply_has_left_is_taken_up_by_the_next(self):
        methods = ['bdev_lvol_create', 'bdev_lvol_rename',
                   'nvmf_create_subsystem', 'nvmf_subsystem_add_ns']
        if not self.spdk.simulated:
            # It may have been reached by then, and is wiped.
            methods.append('nvmf_subsystem_add_listener')
        for count, method in enumerate(methods, 1):
            self.declare(self.unit(count=count), wipe='zeroes')
            self.interrupted(method)
            self.assertIn(f'u{count}', stores.load(self.conf, 'p').coming)
            self.assertNotEqual([], self.apply())
            self.assertEqual({}, stores.load(self.conf, 'p').coming)
            self.assertTrue(self.state(self.handle(f'u{count}')).clean,
                            method)
            self.assertTrue(self.pool().seen.clean('p'))
        self.assertEqual({f'p/u{number}': 4 for number in range(
            1, len(methods) + 1)}, self.volumes())

    def test_a_volume_that_others_have_made_is_not_taken_up(self):
        self.declare(self.unit(count=1), wipe=self.wipe)
        self.interrupted('bdev_lvol_create')
        self.nvmf.bdev_lvol_create('p', 'u1', '4MiB')
        self.assertNotIn('take up', self.apply())
        self.assertIsNone(marks.load(self.conf, 'spdk_nvmf', self.handle()))
        self.assertFalse(self.pool().seen.clean('p'))

    def interrupted(self, method):
        """Apply, and be cut off at a call."""
        def die():
            raise OSError('the connection is cut')
        self.watched.calls = {method: die}
        self.assertRaises(exceptions.SpdkError, self.apply)
        self.watched.calls = {}

    def used(self):
        """A unit as a wipe by command leaves it, and then a consumer."""
        bdev = self.nvmf.find_bdev('p/u1')
        state.note_clean(self.conf, 'spdk_nvmf', self.handle(),
                         identity.of(bdev.raw, lambda name: None))
        target = self.targets['nvmf']
        state.begin_use(self.conf, target, self.handle(), _HOST)
        state.end_use(self.conf, target, self.handle(), _HOST)

    def test_one_that_was_used_since_is_not_wiped(self):
        self.declare(self.unit(count=1, limits={'rw_mbytes_per_sec': 50}))
        self.interrupted('nvmf_subsystem_add_listener')
        self.used()
        self.assertIn('take up', self.apply())
        self.assertEqual('dirty', self.state(self.handle()).word)
        self.assertEqual({}, stores.load(self.conf, 'p').coming)

    def test_one_whose_export_is_lost_after_its_use_is_not_clean(self):
        self.declare(self.unit(count=1))
        self.interrupted('nvmf_subsystem_add_listener')
        self.used()
        self.nvmf.nvmf_delete_subsystem(self.handle()['nqn'])
        self.assertEqual(['take up', 'export'], self.apply())
        self.assertEqual('dirty', self.state(self.handle()).word)
        self.assertEqual({}, stores.load(self.conf, 'p').coming)

    def grown_after_a_crash(self, method):
        """Declared larger, of space that is not clean, after a crash."""
        self.declare(self.unit(count=1), wipe=self.wipe)
        self.interrupted(method)
        self.nvmf.bdev_lvol_create('p', 'others', '4MiB')
        self.declare(self.unit(count=1, size='8MiB'), wipe=self.wipe)
        self.apply()
        self.assertEqual(8, self.volumes()['p/u1'])
        mark = marks.load(self.conf, 'spdk_nvmf', self.handle())
        # Clean only if it was wiped.
        self.assertEqual(self.wipe != 'none',
                         mark is not None and mark.state == marks.CLEAN)

    def test_one_that_is_no_longer_declared_is_deleted(self):
        self.declare(self.unit(count=1), wipe=self.wipe)
        self.interrupted('bdev_lvol_rename')
        self.assertEqual(1, len(self.volumes()))
        self.declare(self.unit('u2', 1), wipe=self.wipe)
        self.assertIn('delete', self.apply(delete=True))
        self.assertEqual({'p/u2': 4}, self.volumes())
        self.assertEqual({}, stores.load(self.conf, 'p').coming)

    def test_tls_is_not_there_by_being_declared(self):
        self.declare(self.unit(count=1), wipe=self.wipe)
        self.apply()
        self.declare(self.unit(count=1, tls=True), wipe=self.wipe)
        error = self.assertRaises(exceptions.InvalidValue, self.apply)
        self.assertIn('lets in without TLS', str(error))

    def test_one_without_its_name_grows_into_what_is_not_clean(self):
        self.grown_after_a_crash('bdev_lvol_rename')

    def test_one_that_is_not_exported_grows_into_what_is_not_clean(self):
        self.grown_after_a_crash('nvmf_create_subsystem')

    def test_who_uses_a_unit_is_asked_where_that_decides(self):
        limits = {'rw_mbytes_per_sec': 50}
        self.declare(self.unit(limits=limits))
        self.apply()
        asked = []
        self.watched.calls['nvmf_subsystem_get_controllers'] = \
            lambda: asked.append(1)
        self.assertEqual([], self.apply())
        self.assertEqual([], asked)
        self.declare(self.unit(size='2MiB', limits=limits))
        self.assertRaises(exceptions.InvalidValue, self.apply)
        self.assertNotEqual([], asked)

    def test_the_pools_method_is_that_of_all_its_units(self):
        if self.spdk.simulated:
            # Wiped in earnest: see test_wipe_data.
            return
        self.conf.set_override('wipe', 'none', group='spdk')
        self.declare(self.unit())
        self.apply()
        self.declare(self.unit('u2', 1))
        # Declared no more, and of the pool all the same: not unwiped.
        target = self.targets['nvmf']
        attach.attach(self.conf, target, self.handle(), _HOST)
        attach.detach(self.conf, target, self.handle(), _HOST)
        self.assertEqual('dirty', self.state(self.handle()).word)
        self.assertEqual(['delete'], self.apply(delete=True))
        self.assertTrue(self.pool().seen.clean('p'))

    def test_one_at_a_time_makes_a_pool(self):
        self.declare(self.unit(), wipe=self.wipe)
        other = self.pool()

        def again():
            try:
                self.tried.append(other.apply(plan.Told(), print))
            except exceptions.StateError as exc:
                self.tried.append(exc)
        self.watched.calls['bdev_lvol_create'] = again
        self.useFixture(fixtures.MonkeyPatch(
            'cyborg_spdk.units.wipe.marks.PATIENCE', 0.05))
        self.apply()
        self.assertEqual(2, len(self.tried))
        self.refused()


class CommandTest(declared.DeclaredCase):

    def run_command(self, *words):
        # A process of its own: the options of this one are cfg.CONF's.
        done = subprocess.run(
            [sys.executable, '-m', 'cyborg_spdk.cli.main', '--config-file',
             self.conf_file, *words], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def test_wipe_names_what_it_wants(self):
        for words in (('units', 'wipe'),
                      ('units', 'wipe', '--all-free', '{}'),
                      ('units', 'wipe', '{"nqn": "nqn.x", "nsid": "1"}')):
            status, _out, err = self.run_command(*words)
            self.assertEqual(1, status)
            self.assertNotIn('Traceback', err)

    def test_list(self):
        self.nvmf.bdev_malloc_create('M', '4MiB', 512)
        clients.NvmfTgt(self.client).nvmf_create_subsystem(
            'nqn.2016-06.io.spdk:unit')
        self.nvmf.nvmf_subsystem_add_ns('nqn.2016-06.io.spdk:unit', 'M')
        status, out, _err = self.run_command('units', 'list', '-f', 'json')
        self.assertEqual(0, status)
        row, = json.loads(out)
        self.assertEqual(
            ('nqn.2016-06.io.spdk:unit', 4 << 20, 'clean', '', ''),
            (row['Unit'], row['Size'], row['State'], row['Why'],
             row['Plugged into']))
        # The service has let an instance in, and does not run now.
        state.begin_use(self.conf, self.targets['nvmf'], {
            'nqn': row['Unit'], 'nsid': '1'}, _INSTANCE, maker=marks.PLUG)
        _status, out, _err = self.run_command('units', 'list', '-f', 'json')
        row, = json.loads(out)
        self.assertEqual(('in use', _INSTANCE, marks.PLUG, _INSTANCE), (
            row['State'], row['Consumer'], row['Made by'],
            row['Plugged into']))
        # It runs, and knows the disk.
        self.serve_health({'duties': {'plug': {'plugs': [{
            'instance': _INSTANCE, 'name': 'instance-00000007',
            'target': 'spdk_nvmf', 'device': 'vdb', 'unit': json.dumps(
                {'nqn': row['Unit'], 'nsid': '1'}, sort_keys=True,
                separators=(',', ':'))}]}}})
        status, out, _err = self.run_command('units', 'list')
        self.assertIn('instance-00000007: vdb', out)

    def serve_health(self, answer):
        class Handler(http_server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_arguments):
                pass
        server = http_server.HTTPServer(('127.0.0.1', 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        with open(self.conf_file, 'a') as out:
            out.write(f'[spdk_service]\nlisten_port = {server.server_port}\n')

    def test_what_is_not_there_has_a_row_with_the_reason(self):
        with open(self.spdk.path('units.yaml'), 'w') as out:
            out.write(f'''\
pools:
  - {{name: p, target: spdk_nvmf, cluster_size: 1MiB,
     disks: [{{file: {self.spdk.path('new')}, size: 64MiB}}]}}
units:
  - {{pool: p, name: u, size: 4MiB, export: vhost-blk}}
''')
        status, out, err = self.run_command('units', 'list', '-f', 'json')
        row, = json.loads(out)
        self.assertEqual((1, '', 'p-u', 'missing'), (
            status, err, row['Unit'], row['State']))
        self.assertIn('units apply', row['Why'])
        self.assertEqual(0, self.run_command('units', 'apply')[0])
        status, out, _err = self.run_command('units', 'list', '-f', 'json')
        self.assertEqual((0, ['clean']), (status, [
            row['State'] for row in json.loads(out)]))
        # The disk goes, the controller stays.
        self.client.call('bdev_aio_delete', name='p-0')
        status, out, _err = self.run_command('units', 'list', '-f', 'json')
        row, = json.loads(out)
        self.assertEqual(1, status)
        self.assertIn('missing', row['State'])
        self.assertIn('no disk', row['Why'])
        self.spdk.stop()
        status, out, err = self.run_command('units', 'list', '-f', 'json')
        row, = json.loads(out)
        self.assertEqual((1, 'unknown'), (status, row['State']))
        self.assertIn('no answer', row['Why'])
        # Three names of one process, and one reason.
        line, = err.strip().splitlines()
        self.assertIn('spdk_nvmf, spdk_vhost, spdk_iscsi: ', line)
        status, out, err = self.run_command('units', 'wipe', '--all-free')
        self.assertEqual(1, status)
        self.assertIn('no such socket', err)
        status, out, err = self.run_command('units', 'apply')
        line, = err.strip().splitlines()
        self.assertEqual(1, line.count('start'))
