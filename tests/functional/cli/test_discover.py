# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk discover`` as the operator runs it: a process."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import fixtures
import psutil
import testtools

_PROGRAM = [sys.executable, '-m', 'cyborg_spdk.cli.main']
_DEADLINE = 120
_TOP = os.path.join(os.path.dirname(__file__), '..', '..', '..')


class DiscoverTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        # Short: sockets are made in it.
        self.directory = self.useFixture(
            fixtures.TempDir(rootdir='/tmp')).path
        self.temporary = os.path.join(self.directory, 't')
        os.mkdir(self.temporary)
        self.environ = {**os.environ, 'TMPDIR': self.temporary,
                        'PATH': '/usr/bin:/bin'}
        self.environ.pop('SPDK_DIR', None)

    def start(self, *args):
        return subprocess.Popen(
            [*_PROGRAM, *args], env=self.environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # A shell in the background starts its children so.
            preexec_fn=lambda: signal.signal(signal.SIGINT,
                                             signal.default_int_handler))

    def run_program(self, *args):
        process = self.start(*args)
        out, err = process.communicate(timeout=_DEADLINE)
        return process.returncode, out, err

    def refused(self, *args):
        """What the one line says of a run that must fail."""
        code, out, err = self.run_program(*args)
        self.assertEqual((1, ''), (code, out), err)
        self.assertEqual(1, len(err.splitlines()), err)
        return err

    def nothing_left(self):
        self.assertEqual([], os.listdir(self.temporary))
        self.assertEqual([], [
            process.pid for process in psutil.process_iter(['cmdline'])
            if any(arg.startswith(self.temporary)
                   for arg in process.info['cmdline'] or ())])


class SimulateTest(DiscoverTest):

    def test_data(self):
        code, out, err = self.run_program('discover', '--simulate', '-f',
                                          'json')
        self.assertEqual((0, ''), (code, err))
        rows = json.loads(out)
        self.assertEqual(
            [('spdk_nvmf', 'CUSTOM_SPDK_NVMF')] * 4
            + [('spdk_vhost', 'CUSTOM_SPDK_VHOST')] * 3,
            [(row['Target'], row['Resource Class']) for row in rows])
        self.assertEqual(
            {'MALLOC', 'NULL', 'AIO'},
            {trait.rpartition('_')[2] for row in rows
             for trait in row['Traits'] if '_BACKEND_' in trait})
        self.assertEqual([64 << 20, 64 << 20, 1 << 30, 32 << 20],
                         [row['Size'] for row in rows[:4]])
        self.assertEqual(['blk.0', 'scsi.0 target 0', 'scsi.0 target 1'],
                         [row['Unit'] for row in rows[4:]])
        self.assertTrue(rows[4]['Reach'].endswith('/blk.0'), rows[4])
        self.assertTrue(rows[0]['Reach'].startswith('TCP 127.0.0.1:'))
        self.nothing_left()

    def test_table(self):
        code, out, err = self.run_program('discover', '--simulate')
        self.assertEqual((0, ''), (code, err))
        self.assertIn('| nqn.2016-06.io.spdk:cnode2 namespace 1 |', out)
        self.assertIn(' 1 GiB ', out)
        self.assertLessEqual(max(map(len, out.splitlines())), 80)
        # What the first page promises.
        with open(os.path.join(_TOP, 'README.rst')) as stream:
            self.assertIn(textwrap.indent(out, '    '), stream.read())

    def test_without_cyborg(self):
        """As a plain ``pip install .`` leaves it."""
        done = subprocess.run(
            [sys.executable, '-c', 'import sys\n'
             'sys.modules["cyborg"] = None\n'
             'from cyborg_spdk.cli import main\n'
             'sys.exit(main.main())',
             '--set', 'agent.enabled_drivers=spdk_nvmf_driver', 'discover',
             '--simulate', '-f', 'json'], env=self.environ,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_DEADLINE)
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        self.assertEqual(7, len(json.loads(done.stdout)))
        self.nothing_left()

    def test_the_hosts_own_configuration_is_left_alone(self):
        path = os.path.join(self.directory, 'conf')
        with open(path, 'w') as out:
            out.write('[spdk]\nspdk_dir = /nowhere\n'
                      'run_path = /nowhere\nstate_path = /nowhere\n'
                      '[spdk_nvmf]\nrpc_address = /nowhere/sock\n'
                      'start = false\n')
        code, out, err = self.run_program(
            '--config-file', path, 'discover', '--simulate', '-f', 'json')
        self.assertEqual((0, ''), (code, err))
        self.assertEqual(7, len(json.loads(out)))

    def test_interrupted_it_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start('discover', '--simulate')
            self.addCleanup(process.kill)
            ready = threading.Event()
            # A target's socket: something has been started by now.
            while not ready.wait(0.01):
                names = [name for one in os.listdir(self.temporary)
                         for name in self._sockets(one)]
                if names or process.poll() is not None:
                    ready.set()
            process.send_signal(number)
            process.communicate(timeout=_DEADLINE)
            self.assertEqual(128 + number, process.returncode)
            self.nothing_left()

    def _sockets(self, name):
        try:
            return [one for one in os.listdir(
                os.path.join(self.temporary, name, 'run'))
                if one.endswith('.sock')]
        except FileNotFoundError:
            return []


class BadInputTest(DiscoverTest):
    """One line that names the value and the remedy, and exit status 1."""

    def setUp(self):
        super().setUp()
        for name in ('run', 'state'):
            os.mkdir(os.path.join(self.directory, name), 0o750)
        self.options = [
            '--set', f'spdk.run_path={self.directory}/run',
            '--set', f'spdk.state_path={self.directory}/state',
            '--set', 'spdk.vhost_targets=']

    def discover(self, *settings):
        args = [arg for setting in settings for arg in ('--set', setting)]
        return self.refused(*self.options, *args, 'discover', '--driver',
                            'spdk_nvmf_driver')

    def test_no_spdk(self):
        for place in ('$SPDK_DIR', 'PATH', '/usr/local/bin', '/opt/spdk',
                      'set [spdk] spdk_dir', '--simulate'):
            self.assertIn(place, self.discover())

    def test_spdk_dir(self):
        plain = os.path.join(self.directory, 'file')
        open(plain, 'w').close()
        for value, reason in ((os.path.join(self.directory, 'nowhere'),
                               'does not exist'),
                              (plain, 'not a directory'),
                              (self.temporary, 'SPDK')):
            message = self.discover(f'spdk.spdk_dir={value}')
            self.assertIn(value, message)
            self.assertIn(reason, message)

    def test_socket_with_nobody_behind_it(self):
        path = os.path.join(self.directory, 'sock')
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        message = self.discover(f'spdk_nvmf.rpc_address={path}',
                                'spdk_nvmf.start=false')
        self.assertIn(path, message)

    def test_no_socket(self):
        path = os.path.join(self.directory, 'sock')
        self.assertIn(path, self.discover(f'spdk_nvmf.rpc_address={path}',
                                          'spdk_nvmf.start=false'))

    def test_not_a_socket(self):
        path = os.path.join(self.directory, 'sock')
        open(path, 'w').close()
        for start in ('true', 'false'):
            self.assertIn(path, self.discover(
                f'spdk_nvmf.rpc_address={path}', f'spdk_nvmf.start={start}'))

    def test_address_that_cannot_be_parsed(self):
        for value in ('tcp://[::1', 'http://x', ':', 'ssh://'):
            self.assertIn(value, self.discover(
                f'spdk_nvmf.rpc_address={value}'))

    def test_misspelt_value(self):
        self.assertIn('nvmf_tgd', self.discover(
            'spdk_nvmf.application=nvmf_tgd'))

    def test_values_that_are_out_of_range(self):
        message = self.discover('spdk.max_new_units=0')
        self.assertIn('spdk.max_new_units=0', message)
        self.assertIn('greater than or equal to 1', message)
        self.assertIn('[spdk_nvmf] resource_class', self.discover(
            'spdk_nvmf.resource_class=SSD'))

    def test_driver_that_is_not_installed(self):
        message = self.refused('discover', '--driver', 'spdk_nvme_driver')
        self.assertIn("'spdk_nvme_driver'", message)
        self.assertIn('spdk_nvmf_driver', message)
