# SPDX-License-Identifier: Apache-2.0

"""Sockets on other machines: a real sshd with a target behind it."""

import os
import subprocess
import sys
import threading
import time

import fixtures

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from tests.functional.fixtures import sshd
from tests.functional.fixtures import target

_PREFIX = 'cyborg-spdk-ssh-'

_CRASH = """
import os, signal, sys
from cyborg_spdk import rpc
client = rpc.connect(sys.argv[1])
client.call('spdk_get_version')
if sys.argv[2] == 'crash':
    os.kill(os.getpid(), signal.SIGKILL)
"""


class SshTest(fixtures.TestWithFixtures):

    def setUp(self):
        super().setUp()
        self.addCleanup(rpc.disconnect_all)
        self.sshd = self.useFixture(sshd.Sshd())
        # Sockets have short paths: not the tests' own temporary directory.
        self.runtime = os.path.join(self.sshd.directory, 'run')
        os.mkdir(self.runtime, 0o700)
        self.useFixture(fixtures.EnvironmentVariable('XDG_RUNTIME_DIR',
                                                     self.runtime))
        self.target = self.useFixture(target.Target())
        self.address = self.sshd.address(self.target.socket)

    def left(self):
        """What there is of ours in the runtime directory."""
        return [name for name in os.listdir(self.runtime)
                if name.startswith(_PREFIX)]

    def masters(self):
        """PIDs of the control masters in the runtime directory."""
        pids = []
        for name in self.left():
            with open(os.path.join(self.runtime, name, 'process')) as file:
                pids.append(int(file.read().split()[0]))
        return pids

    def await_end(self, pid):
        """Wait until a process has ended."""
        deadline = time.monotonic() + sshd.PATIENCE
        while os.path.exists(f'/proc/{pid}'):
            with open(f'/proc/{pid}/stat') as file:
                if ') Z' in file.read():
                    return
            self.assertLess(time.monotonic(), deadline)
            threading.Event().wait(0.02)

    def test_a_target_behind_ssh_is_called(self):
        client = rpc.connect(self.address, timeout=sshd.PATIENCE)
        self.assertEqual(self.address, client.address)
        self.assertIsNone(client.peer())
        self.assertTrue(client.call('bdev_null_create', name='Far',
                                    num_blocks=2048, block_size=512))
        bdev, = client.call('bdev_get_bdevs', name='Far')
        self.assertEqual(2048, bdev['num_blocks'])
        many = client.call_many([rpc.Request('spdk_get_version')] * 500)
        self.assertEqual([many[0]] * 500, many)

    def test_what_the_user_configured_does_not_change_how_ssh_lives(self):
        with open(self.sshd.path('ssh_config')) as file:
            before = file.read()
        with open(self.sshd.path('ssh_config'), 'w') as file:
            file.write('ForkAfterAuthentication yes\nControlPersist yes\n'
                       'ClearAllForwardings yes\nRemoteCommand sleep 60\n'
                       + before)
        client = rpc.connect(self.address, timeout=sshd.PATIENCE)
        self.assertTrue(client.call('spdk_get_version'))
        pid, = self.masters()
        self.assertTrue(os.path.exists(f'/proc/{pid}'))
        rpc.disconnect_all()
        self.await_end(pid)
        self.assertEqual([], self.left())

    def test_what_the_user_forwards_is_left_to_him(self):
        """His port is taken while he is connected himself."""
        taken = self.useFixture(sshd.TakenPort()).port
        with open(self.sshd.path('ssh_config')) as file:
            before = file.read()
        ran = self.sshd.path('ran')
        with open(self.sshd.path('ssh_config'), 'w') as file:
            file.write('ExitOnForwardFailure yes\nLogLevel QUIET\n'
                       'RequestTTY force\nSessionType none\n'
                       f'PermitLocalCommand yes\nLocalCommand touch {ran}\n'
                       f'LocalForward 127.0.0.1:{taken} 127.0.0.1:1\n'
                       f'DynamicForward 127.0.0.1:{taken}\n'
                       f'RemoteForward 127.0.0.1:{taken} 127.0.0.1:1\n'
                       + before)
        client = rpc.connect(self.address, timeout=sshd.PATIENCE)
        self.assertTrue(client.call('spdk_get_version'))
        self.assertFalse(os.path.exists(ran))
        rpc.disconnect_all()
        self.assertEqual([], self.left())

    def test_a_temporary_directory_with_a_long_path(self):
        deep = os.path.join(self.runtime, 'x' * (107 - len(self.runtime)))
        os.mkdir(deep)
        self.useFixture(fixtures.EnvironmentVariable('XDG_RUNTIME_DIR'))
        self.useFixture(fixtures.MonkeyPatch('tempfile.tempdir', deep))
        client = rpc.connect(self.address, timeout=sshd.PATIENCE)
        self.assertTrue(client.call('spdk_get_version'))
        self.assertEqual([], os.listdir(deep))

    def test_one_master_serves_all_sockets_of_a_host(self):
        other = self.useFixture(target.Target('vhost', None, '-m', '0x2')
                                if not target.SPDK_DIR
                                else target.Target())
        first = rpc.connect(self.address, timeout=sshd.PATIENCE)
        second = rpc.connect(self.sshd.address(other.socket),
                             timeout=sshd.PATIENCE)
        first.call('spdk_get_version')
        second.call('spdk_get_version')
        self.assertEqual(1, len(self.left()))
        directory = os.path.join(self.runtime, self.left()[0])
        self.assertEqual(0o700, os.stat(directory).st_mode & 0o777)
        rpc.disconnect(self.address)
        self.assertEqual(1, len(self.left()))
        second.call('spdk_get_version')
        rpc.disconnect_host('127.0.0.1')
        self.assertEqual([], self.left())

    def test_a_client_connects_again_after_disconnect(self):
        client = rpc.connect(self.address, timeout=sshd.PATIENCE)
        client.call('spdk_get_version')
        pid, = self.masters()
        rpc.disconnect_all()
        self.await_end(pid)
        self.assertEqual([], self.left())
        self.assertTrue(client.call('spdk_get_version'))

    def test_a_restarted_target_is_not_noticed(self):
        client = rpc.connect(self.address, timeout=sshd.PATIENCE)
        client.call('spdk_get_version')
        self.target.restart()
        self.assertTrue(client.call('spdk_get_version'))
        self.assertTrue(client.call('bdev_null_create', name='New',
                                    num_blocks=2048, block_size=512))

    def test_a_stopped_target_is_told(self):
        self.target.stop()
        with self.assertRaises(exceptions.ConnectError) as caught:
            rpc.connect(self.address, timeout=sshd.PATIENCE)
        self.assertIn(self.target.socket, str(caught.exception))
        self.assertIn('start the target', str(caught.exception))
        self.assertNotIn('\n', str(caught.exception))

    def test_what_ssh_says_is_told(self):
        with open(self.sshd.path('known'), 'w'):
            pass
        with self.assertRaises(exceptions.ConnectError) as caught:
            rpc.connect(self.address, timeout=sshd.PATIENCE)
        self.assertIn('Host key verification failed', str(caught.exception))
        self.assertIn('accept the host', str(caught.exception))
        self.sshd.trust()
        with open(self.sshd.path('authorized'), 'w'):
            pass
        with self.assertRaises(exceptions.ConnectError) as caught:
            rpc.connect(self.address, timeout=sshd.PATIENCE)
        self.assertIn('Permission denied', str(caught.exception))
        self.assertIn('ssh-agent', str(caught.exception))
        self.assertEqual([], self.left())

    def test_a_host_without_sshd_is_told(self):
        self.sshd.stop()
        with self.assertRaises(exceptions.ConnectError) as caught:
            rpc.connect(self.address, timeout=sshd.PATIENCE)
        self.assertIn('see whether sshd runs there', str(caught.exception))

    def test_a_missing_ssh_is_told(self):
        self.useFixture(fixtures.EnvironmentVariable(
            'CYBORG_SPDK_SSH', '/nowhere/ssh'))
        with self.assertRaises(exceptions.ConnectError) as caught:
            rpc.connect(self.address)
        self.assertIn("install OpenSSH's client", str(caught.exception))

    def test_nothing_is_left_at_exit(self):
        subprocess.run([sys.executable, '-c', _CRASH, self.address, 'exit'],
                       check=True)
        self.assertEqual([], self.left())

    def test_the_next_start_removes_what_a_crash_left(self):
        crashed = subprocess.run(
            [sys.executable, '-c', _CRASH, self.address, 'crash'])
        self.assertEqual(-9, crashed.returncode)
        pid, = self.masters()
        subprocess.run([sys.executable, '-c', _CRASH, self.address, 'exit'],
                       check=True)
        self.await_end(pid)
        self.assertEqual([], self.left())

    def test_a_master_that_died_is_replaced(self):
        client = rpc.connect(self.address, timeout=sshd.PATIENCE)
        client.call('spdk_get_version')
        pid, = self.masters()
        os.kill(pid, 9)
        self.await_end(pid)
        self.assertTrue(client.call('spdk_get_version',
                                    _timeout=sshd.PATIENCE))
