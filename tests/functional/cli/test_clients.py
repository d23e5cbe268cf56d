# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk bdev|nvmf|vhost|iscsi|topology`` as processes."""

import json
import subprocess
import sys
import xml.etree.ElementTree

from cyborg_spdk import clients
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target

unique = fixture.unique


class Commands(fixture.ClientTests):
    """Each group of commands once right and once wrong."""

    application = 'spdk_tgt'
    client_class = clients.NvmfTgt

    def command(self, line, *more, status=0):
        """Run a command on the target; returns what it wrote.

        :param line: the command's words.
        :param more: further arguments, as they are.
        :param status: the exit status that is expected.
        """
        done = subprocess.run(
            [sys.executable, '-m', 'cyborg_spdk.cli.main', *line.split(),
             '-a', self.target.socket, *more], capture_output=True,
            text=True, timeout=target.PATIENCE, cwd=self.target.directory)
        self.assertEqual(status, done.returncode, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        return done.stdout if status == 0 else done.stderr

    def table(self, line, *more):
        """Rows of a command that lists, as dicts."""
        return json.loads(self.command(line, '-f', 'json', *more))

    def test_bdev(self):
        name, null = unique('M'), unique('N')
        self.command('bdev create malloc', name, '8MiB', '--block-size',
                     '4096')
        self.command('bdev create null', null, '4MiB')
        row, = self.table('bdev list', name)
        self.assertEqual(('malloc', 8 << 20, 4096, False),
                         (row['Kind'], row['Size'], row['Block size'],
                          row['Claimed']))
        self.assertIn('8 MiB', self.command('bdev list', name))
        if self.has('bdev_null_resize'):
            self.assertIn(null, self.command('bdev resize', null, '8MiB'))
        self.command('bdev create passthru', unique('P'), null)
        self.command('bdev create aio', unique('A'), self.file(),
                     '--block-size', '512')
        self.command('bdev create lvol', unique('lvs'), 'lv', '1MiB',
                     '--on', self.disk('32MiB'), '--thin')
        self.assertIn('exists', self.command(
            'bdev create malloc', name, '8MiB', status=1))
        self.assertIn("size '7X'", self.command(
            'bdev create malloc', unique('M'), '7X', status=1))
        self.assertIn('deleted', self.command('bdev delete', name))
        self.assertIn('not there', self.command('bdev delete', name,
                                                '--missing-ok'))
        self.assertIn(f"bdev '{name}' does not exist", self.command(
            'bdev delete', name, status=1))

    def test_nvmf(self):
        nqn, bdev, host = fixture.nqn(), self.malloc(), fixture.host_nqn()
        where = fixture.on_localhost()
        self.command('nvmf subsystem create', nqn, '--namespace', bdev,
                     '--listen', where, '--host', host,
                     '--serial-number', 'S1', '--max-namespaces', '4')
        row, = self.table('nvmf subsystem list', nqn)
        self.assertEqual(
            ([f'1:{bdev}'], [where.replace('tcp://', 'TCP:')], [host], 'S1'),
            (row['Namespaces'], row['Listeners'], row['Hosts'],
             row['Serial']))
        self.command('nvmf namespace add', nqn, self.malloc(), '--nsid', '3')
        self.command('nvmf namespace remove', nqn, '3')
        self.command('nvmf listener remove', nqn, where)
        self.command('nvmf listener add', nqn, where)
        self.command('nvmf host remove', nqn, host)
        self.command('nvmf host add', nqn, host)
        self.assertIn('exists already', self.command(
            'nvmf subsystem create', nqn, status=1))
        self.assertIn('was not there', self.command(
            'nvmf namespace remove', nqn, '3', '--missing-ok'))
        self.assertIn('does not exist', self.command(
            'nvmf namespace remove', nqn, '3', status=1))
        self.command('nvmf subsystem delete', nqn)
        self.assertIn('does not exist', self.command(
            'nvmf subsystem delete', nqn, status=1))

    def test_vhost(self):
        blk, scsi, bdev = unique('blk.'), unique('scsi.'), self.malloc()
        self.command('vhost controller create blk', blk, bdev, '--readonly')
        self.command('vhost controller create scsi', scsi, self.malloc())
        self.command('vhost target add', scsi, self.malloc(), '--number',
                     '5')
        row, = self.table('vhost controller list', blk)
        self.assertEqual(('blk', [f'{bdev} (read only)']),
                         (row['Kind'], row['Bdevs']))
        self.command('vhost target remove', scsi, '5')
        self.command('vhost target remove', scsi, '0')
        self.command('vhost controller delete', scsi)
        self.command('vhost controller delete', blk)
        self.assertIn("bdev 'nosuch' does not exist", self.command(
            'vhost controller create blk', blk, 'nosuch', status=1))

    def test_iscsi(self):
        name, port = unique('disk'), fixture.free_port()
        self.command('iscsi portal-group create', '1', f'127.0.0.1:{port}')
        self.command('iscsi initiator-group create', '2', 'ANY')
        self.command('iscsi node create', name, self.malloc(), '--map',
                     '1:2')
        row, = self.table('iscsi node list', name)
        self.assertEqual((['1:2'], 'off'), (row['Groups'], row['CHAP']))
        self.assertEqual({('portal', 1), ('initiator', 2)}, {
            (one['Kind'], one['Tag'])
            for one in self.table('iscsi group list')})
        self.assertEqual([], self.table('iscsi connection list'))
        self.assertIn('portal group 9', self.command(
            'iscsi node create', unique('disk'), self.malloc(), '--map',
            '9:2', status=1))
        self.command('iscsi node delete', name)
        self.command('iscsi portal-group delete', '1')
        self.command('iscsi initiator-group delete', '2')
        self.assertIn('does not exist', self.command(
            'iscsi node delete', name, status=1))

    def test_topology(self):
        nqn, bdev, alone = fixture.nqn(), self.malloc(), self.null()
        above = self.tgt.bdev_passthru_create(unique('P'), bdev)
        self.tgt.construct_nvmf_subsystem(nqn, None, None, None, [above])
        lines = self.command('topology').splitlines()
        at = next(number for number, line in enumerate(lines)
                  if nqn in line)
        self.assertEqual(
            ['namespace 1', f'bdev {above} ', f'bdev {bdev} '],
            [line.partition('`-- ')[2].partition('(')[0]
             for line in lines[at + 1:at + 4]])
        self.assertTrue([line for line in lines if f'bdev {alone} ' in line])
        drawn = xml.etree.ElementTree.fromstring(
            self.command('topology', '-f', 'svg'))
        self.assertIn(f'bdev {bdev} (malloc, 4 MiB)',
                      [one.text for one in drawn.iter()])
        self.assertIn(' -> ', self.command('topology', '-f', 'dot'))
        nested, = json.loads(self.command('topology', '-f', 'json'))
        self.assertIn(nqn, [one['name'] for one in nested['on']])
        path = self.target.path('drawing.svg')
        self.command('topology', '-f', 'svg', '-o', path)
        self.assertEqual('{http://www.w3.org/2000/svg}svg',
                         xml.etree.ElementTree.parse(path).getroot().tag)

    def test_a_file_that_cannot_be_written(self):
        self.assertIn('/nosuch/drawing: No such file or directory; correct',
                      self.command('topology', '-o', '/nosuch/drawing',
                                   status=1))

    def test_nobody_there(self):
        done = subprocess.run(
            [sys.executable, '-m', 'cyborg_spdk.cli.main', 'bdev', 'list',
             '-a', self.target.path('nobody.sock')], capture_output=True,
            text=True, timeout=target.PATIENCE)
        self.assertEqual(1, done.returncode)
        self.assertIn('nobody.sock', done.stderr)
        self.assertEqual(1, len(done.stderr.strip().splitlines()),
                         done.stderr)


target.for_releases(globals(), Commands,
                    (None,) if target.SPDK_DIR else ('v26.05',))
