# SPDX-License-Identifier: Apache-2.0

"""Every command of ours in the documentation is run, or said where else.

tests/unit/test_documents.py reads the rest: options, files, messages.
"""

import os
import subprocess
import sys
import textwrap

from tests import documents
from tests.functional.cli import test_discover
from tests.functional.fixtures import targets as ports

_CONFIG = '''
[agent]
enabled_drivers = spdk_nvmf_driver,spdk_vhost_driver
[spdk]
spdk_dir = {0}/spdk
run_path = {0}/run
state_path = {0}/state
units_file = {0}/units.yaml
[spdk_vhost]
extra_args = -S,{0}/run
'''
_UNITS = '''
pools:
  - name: fast
    target: spdk_nvmf
    disks:
      - file: {0}/disk
        size: 64MiB
    cluster_size: 1MiB
units:
  - pool: fast
    name: vol{{n}}
    count: 2
    size: 2MiB
    export: nvmf
    listeners: ["tcp://127.0.0.1:{1}"]
'''

#: Where a command is run that needs what is not here.
_ELSEWHERE = {
    'plug list': 'tests/plug/test_plug.py',
    'rpc -s ssh://root@storage1/var/tmp/spdk.sock bdev_get_bdevs':
        'tests/functional/rpc/test_ssh.py',
    'simulate vhost -r /tmp/vhost.sock -S /tmp':
        'tests/simulator/functional/test_process.py',
    'stats spdk_nvmf --watch': 'tests/functional/cli/test_drivers.py',
    # A server of disks is behind the target there.
    'units wipe {"nqn": "nqn.2016-06.io.spdk:fast-vol1", "nsid": "1"}':
        'tests/functional/units/test_pools.py',
    'units wipe --all-free': 'tests/functional/units/test_pools.py'}


class DocumentsTest(test_discover.DiscoverTest):

    def setUp(self):
        super().setUp()
        self.config = os.path.join(self.directory, 'c.conf')
        for name in ('run', 'state'):
            os.mkdir(os.path.join(self.directory, name), 0o750)
        subprocess.run([sys.executable, '-m', 'spdk_simulator', 'install',
                        os.path.join(self.directory, 'spdk')], check=True,
                       stdout=subprocess.DEVNULL)
        with open(self.config, 'w') as out:
            out.write(_CONFIG.format(self.directory))
        with open(os.path.join(self.directory, 'units.yaml'), 'w') as out:
            out.write(_UNITS.format(self.directory, ports.free_port()))
        self.left = {' '.join(words) for _place, words
                     in documents.commands('cyborg-spdk')}
        self.addCleanup(self.ours, 'target', 'stop')

    def ours(self, *args):
        return self.run_program('--config-file', self.config, *args)

    def does(self, text, status=0, **more):
        """Run a command as it is written, with some words made others.

        :param text: its words, joined by a blank.
        :param status: expected.
        :param more: ``words``: what to run instead, where the text has a
            place to fill in.
        :returns: what it wrote.
        """
        self.assertIn(text, self.left, 'no page has that any more')
        words, = {words for _place, words in documents.commands('cyborg-spdk')
                  if ' '.join(words) == text}
        words = list(more.get('words') or words)
        if words[0] == 'rpc':
            words[1:1] = ['-s', self.socket('spdk_nvmf')]
            code, out, err = self.run_program(*words)
        else:
            code, out, err = self.ours(*words)
        self.assertEqual(status, code, f'{text}\n{out}\n{err}')
        self.left.discard(text)
        return out, err

    def made(self, *words, status=0):
        """Run a command that no page has."""
        code, out, err = self.ours(*words)
        self.assertEqual(status, code, f'{words}\n{out}\n{err}')

    def socket(self, name):
        return os.path.join(self.directory, 'run', name + '.sock')

    def test_all(self):
        self._host()
        self._calls()
        # Of this user, and of a target that has one.
        self.made('bdev', 'create', 'malloc', '-t', 'spdk_vhost', 'B0',
                  '8MiB')
        self.made('vhost', 'controller', 'create', 'blk', 'blk.0', 'B0')
        self._desired()
        self._topology()
        self._units()
        self.assertEqual(set(_ELSEWHERE), self.left)
        for path in _ELSEWHERE.values():
            self.assertTrue((documents.TOP / path).exists(), path)

    def _host(self):
        # The whole machine may have what stands in the way: not here.
        code, _out, err = self.ours('doctor')
        self.assertIn(code, (0, 1), err)
        self.left.discard('doctor')
        self.does('target start')
        _out, err = self.does(
            '--set spdk.spdk_dir=/opt/spdk discover',
            words=['--set', f'spdk.spdk_dir={self.directory}/spdk',
                   'discover'])
        readme = (documents.TOP / 'README.rst').read_text()
        self.assertIn(textwrap.indent(err, '    '), readme)
        self.does('discover')
        self.does('status')
        self.does('target restart spdk_nvmf')

    def _calls(self):
        out, _err = self.does('rpc bdev_malloc_create name=M0 '
                              'num_blocks=2048 block_size=512')
        self.assertEqual('M0\n', out)
        self.made('nvmf', 'subsystem', 'create', '-t', 'spdk_nvmf',
                  'nqn.2016-06.io.spdk:c1')
        self.assertEqual(0, self.run_program(
            'rpc', '-s', self.socket('spdk_nvmf'), 'nvmf_create_transport',
            'trtype=TCP')[0])
        text = 'rpc nvmf_subsystem_add_listener nqn=nqn.2016-06.io.spdk:c1 ' \
            'listen_address.trtype=TCP listen_address.traddr=192.0.2.1 ' \
            'listen_address.trsvcid=4420'
        self.does(text, words=text.replace('192.0.2.1', '127.0.0.1').replace(
            '4420', str(ports.free_port())).split())
        calls = os.path.join(self.directory, 'calls.txt')
        with open(calls, 'w') as out:
            out.write('bdev_get_bdevs name=M0\n')
        self.does('rpc --batch calls.txt', words=['rpc', '--batch', calls])

    def _units(self):
        with open(os.path.join(self.directory, 'disk'), 'wb') as out:
            out.truncate(64 << 20)
        self.does('units plan')
        self.does('units apply')
        self.does('units list')
        self.does('units list --pools')
        handle = '{"nqn": "nqn.2016-06.io.spdk:fast-vol1", "nsid": "1"}'
        host = 'nqn.2014-08.org.nvmexpress:uuid:' \
            '0c6ff3a4-8c6a-4c2e-9f3c-2c6a8c5d0c11'
        self.does('attach {"nqn": "nqn.2016-06.io.spdk:cnode1", '
                  f'"nsid": "1"}} {host}', words=['attach', handle, host])
        socket = f'{{"socket": "{self.directory}/run/blk.0"}}'
        self.does('attach {"socket": "/run/vhost/blk.0"} libvirt-qemu',
                  words=['attach', socket, 'root'])
        self._lun()
        self.does('stats --interval 5',
                  words=['stats', '--interval', '0.1'])
        self.does('stats --whole -f json')

    def _lun(self):
        wanted = 'attach {"iqn": "iqn.2016-06.io.spdk:disk1", "lun": "0"} ' \
            'iqn.1993-08.org.debian:01:5c1f7bd1a2c'
        iscsi = ('--set', 'agent.enabled_drivers=spdk_iscsi_driver')
        for words in (
                ['target', 'start', 'spdk_iscsi'],
                ['bdev', 'create', 'malloc', '-t', 'spdk_iscsi', 'I0', '8MiB'],
                ['iscsi', 'portal-group', 'create', '1',
                 f'127.0.0.1:{ports.free_port()}'],
                ['iscsi', 'initiator-group', 'create', '1',
                 'iqn.2016-06.io.example:nobody'],
                ['iscsi', 'node', 'create', '--map', '1:1', 'disk1', 'I0']):
            self.made(*iscsi, *words)
        self.does(wanted, words=[
            *iscsi, 'attach',
            '{"iqn": "iqn.2016-06.io.spdk:disk1", "lun": "0"}',
            wanted.split()[-1]])
        self.addCleanup(self.ours, 'target', 'stop', 'spdk_iscsi')

    def _desired(self):
        saved = os.path.join(self.directory, 'saved.json')
        with open(saved + '.disk', 'wb') as stream:
            stream.truncate(1 << 20)
        self.made('target', 'save-config', 'spdk_vhost', saved)
        self.does('target save-config spdk_nvmf')
        # A disk that is away: a unit is missing, and then not wanted.
        self.made('bdev', 'create', 'aio', '-t', 'spdk_nvmf', 'Old',
                  saved + '.disk', '--block-size', '512')
        os.remove(saved + '.disk')
        self.made('target', 'restart', 'spdk_nvmf', status=3)
        self.does('target diff spdk_nvmf', 3)
        self.does('target forget spdk_nvmf bdev:Old')
        self.does('target load-config spdk_nvmf FILE --restart',
                  words=['target', 'load-config', 'spdk_vhost', saved,
                         '--restart'])
        self.does('target stop spdk_nvmf --hold')

    def _topology(self):
        text = 'topology --address /var/tmp/spdk.sock'
        self.made('target', 'start', 'spdk_nvmf')
        out, _err = self.does(text, words=[
            'topology', '--address', self.socket('spdk_nvmf')])
        self.assertTrue(out.startswith(
            f'target {self.socket("spdk_nvmf")} (v'), out)
        self.assertIn('-- subsystem nqn.2016-06.io.spdk:c1 (TCP:127.0.0.1:',
                      out)
