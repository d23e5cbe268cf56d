# SPDX-License-Identifier: Apache-2.0

"""What the commands that list things show on a terminal, and in a pipe."""

import os
import re
import subprocess
import sys
import textwrap

from cyborg_spdk import clients
from cyborg_spdk import rpc
from tests.functional.cli import test_discover
from tests.functional.fixtures import clients as client_fixtures
from tests.functional.fixtures import target as target_fixture
from tests.functional.fixtures import terminal

_PROGRAM = [sys.executable, '-W', 'ignore', '-m', 'cyborg_spdk.cli.main']

#: Each command that lists something, in order, and a word of its table.
_LISTS = (
    ('units plan', 'make volume'),
    ('units apply', 'make volume'),
    ('status', 'ready'),
    ('doctor', 'python'),
    ('discover', 'CUSTOM_SPDK_NVMF'),
    ('units list', 'clean'),
    ('units list --pools', 'MiB'),
    ('stats --interval 0.1', 'Read/s'),
    ('stats --whole --interval 0.1', 'Load'),
    ('target diff spdk_nvmf', 'Null0'),
    ('bdev list', 'malloc'),
    ('nvmf subsystem list', 'nqn.2016-06.io.spdk:cnode1'),
    ('vhost controller list', 'blk.0'),
    ('iscsi node list', 'iqn.2016-06.io.spdk:disk1'),
    ('iscsi group list', 'portal'),
)

#: Of those, what is looked at in a pipe, too.
_PIPED = ('status', 'doctor', 'stats --interval 0.1', 'bdev list')


class TablesTest(test_discover.DiscoverTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.target = target_fixture.Target('spdk_tgt')
        cls.target.setUp()
        cls.addClassCleanup(cls.target.cleanUp)

    def setUp(self):
        super().setUp()
        self.config = os.path.join(self.directory, 'c.conf')
        for name in ('run', 'state'):
            os.mkdir(os.path.join(self.directory, name), 0o750)
        with open(os.path.join(self.directory, 'units.yaml'), 'w') as out:
            out.write(textwrap.dedent(f'''\
                pools:
                  - name: fast
                    target: spdk_nvmf
                    disks: [{{file: {self.directory}/disk, size: 64MiB}}]
                units:
                  - {{pool: fast, name: "disk{{n}}", count: 2, size: 8MiB,
                      export: nvmf,
                      listeners: ['{client_fixtures.on_localhost()}']}}
                '''))
        with open(self.config, 'w') as out:
            out.write(textwrap.dedent(f'''\
                [agent]
                enabled_drivers = spdk_nvmf_driver, spdk_vhost_driver
                [spdk]
                run_path = {self.directory}/run
                state_path = {self.directory}/state
                units_file = {self.directory}/units.yaml
                '''))
            for kind in ('nvmf', 'vhost', 'iscsi'):
                out.write(f'[spdk_{kind}]\nstart = false\n'
                          f'rpc_address = {self.target.socket}\n')

    def ours(self, line):
        return [*_PROGRAM, '--config-file', self.config, *line.split()]

    def fill(self):
        """Give the target one of each kind."""
        client = rpc.connect(self.target.socket)
        nvmf, vhost, iscsi = (each(client) for each in (
            clients.NvmfTgt, clients.VhostTgt, clients.IscsiTgt))
        for number in range(3):
            nvmf.bdev_malloc_create(f'Malloc{number}', '64MiB', 512)
        where = client_fixtures.on_localhost()
        nvmf.create_missing_transports([where])
        nvmf.construct_nvmf_subsystem(
            'nqn.2016-06.io.spdk:cnode1', [where], [], None, ['Malloc0'],
            allow_any_host=True)
        vhost.vhost_create_blk_controller('blk.0', 'Malloc1')
        iscsi.iscsi_create_portal_group(
            1, [f'127.0.0.1:{client_fixtures.free_port()}'])
        iscsi.iscsi_create_initiator_group(1, ['ANY'], ['ANY'])
        iscsi.iscsi_create_target_node('disk1', ['Malloc2'], [(1, 1)],
                                       disable_chap=True)

    def test_each_fits_and_says_the_same_in_a_pipe(self):
        self.fill()
        for line, word in _LISTS:
            if line.startswith('target diff'):
                # What it has, and was not seen to have yet.
                clients.NvmfTgt(rpc.connect(
                    self.target.socket)).bdev_null_create('Null0', '4MiB',
                                                          512)
            _code, shown = terminal.run(self.ours(line), 80, self.environ)
            self.assertIn(word, shown, line)
            self.assertEqual([], [one for one in shown.splitlines()
                                  if one[:1] in '+|' and len(one) > 80], line)
            # Never a colour.
            self.assertNotIn('\x1b[', shown.replace('\x1b[K', ''), line)
            if line not in _PIPED:
                continue
            piped = subprocess.run(
                self.ours(line), env=self.environ, capture_output=True,
                text=True, timeout=120)
            self.assertIn(word, piped.stdout, line)
            self.assertEqual([], re.findall(r'[^ -~\n]', piped.stdout), line)

    def test_a_wider_terminal_has_more(self):
        clients.NvmfTgt(rpc.connect(self.target.socket)).bdev_malloc_create(
            'Malloc7', '64MiB', 512)
        shown = {columns: terminal.run(self.ours('bdev list Malloc7'),
                                       columns, self.environ)[1]
                 for columns in (40, 200)}
        self.assertNotIn('Block size', shown[40])
        self.assertIn('Block size', shown[200])
        self.assertIn('Malloc7', shown[40])
