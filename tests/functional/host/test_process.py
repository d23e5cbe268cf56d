# SPDX-License-Identifier: Apache-2.0

import os
import signal
import socket
import subprocess
import sys

import fixtures
import psutil

from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import proc
from cyborg_spdk.host import process
from cyborg_spdk.host.target import lifecycle
from tests.functional.fixtures import host

_SLEEP = 'import signal; signal.pause()'


class FindTest(fixtures.TestWithFixtures):

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(host.Host())
        os.mkdir(self.host.path('run'), 0o750)

    def run_program(self, *argv, **kwargs):
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, **kwargs)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        # Until exec() its command line is ours, and during it empty. An
        # interpreter is put before a script.
        host.wait_until(lambda: psutil.Process(child.pid).cmdline()[
            -len(argv):] == list(argv))
        return child

    def find(self, name='nvmf'):
        return process.find(self.host.target(name))

    def silent(self, *arguments, **kwargs):
        """A target that runs and does not listen yet."""
        self.host.install_program('nvmf_tgt', _SLEEP)
        return self.run_program(
            self.host.path('spdk', 'build', 'bin', 'nvmf_tgt'),
            *arguments, **kwargs)

    def test_by_its_socket(self):
        started = lifecycle.ensure(self.host.conf, self.host.target())
        found = self.find()
        self.assertEqual(started.process, found)
        self.assertEqual(
            ('nvmf_tgt', os.geteuid(), True, True),
            (found.application, found.uid, found.listening, found.alive()))
        # SPDK renames its main thread.
        self.assertEqual('reactor_0', psutil.Process(found.pid).name())
        host.kill(found.pid)
        self.assertFalse(found.alive())
        self.assertIsNone(self.find())

    def test_by_another_name_of_its_program(self):
        found = lifecycle.ensure(self.host.conf, self.host.target()).process
        link = self.host.path('my-target')
        os.symlink(found.exe, link)
        host.kill(found.pid)
        path = self.host.target().rpc_address
        child = self.run_program(link, '-r', path, '-s', '512',
                                 *self.host.target().extra_args)
        again = host.wait_until(self.find)
        self.assertEqual((child.pid, 'nvmf_tgt'),
                         (again.pid, again.application))

    def test_one_that_does_not_listen_yet(self):
        child = self.silent('-s', '64', '-r',
                            self.host.target().rpc_address)
        found = self.find()
        self.assertEqual((child.pid, False), (found.pid, found.listening))

    def test_a_relative_socket(self):
        child = self.silent('--rpc-socket=run/nvmf.sock',
                            cwd=self.host.directory)
        self.assertEqual(child.pid, self.find().pid)

    def test_one_with_another_socket_is_another(self):
        self.silent('-r', self.host.path('run', 'other.sock'))
        self.silent()
        self.assertIsNone(self.find())

    def test_another_kind_is_another(self):
        self.host.install_program('vhost', _SLEEP)
        self.run_program(self.host.path('spdk', 'build', 'bin', 'vhost'),
                         '-r', self.host.target().rpc_address)
        self.assertIsNone(self.find())

    def test_a_name_that_merely_occurs(self):
        path = self.host.target().rpc_address
        for arguments in (
                # An editor on the source, and what looks for a target.
                ['-c', _SLEEP, 'app/nvmf_tgt/nvmf_tgt.c'],
                ['-c', _SLEEP, 'nvmf_tgt', '-r', path],
                ['-m', 'nvmf_tgt', '-r', path],
                ['-c', _SLEEP, '/opt/spdk/build/bin/nvmf_tgt', '-r', path]):
            self.run_program(sys.executable, *arguments)
        self.assertIsNone(self.find())

    def test_a_zombie(self):
        child = self.silent('-r', self.host.target().rpc_address)
        self.assertIsNotNone(self.find())
        os.kill(child.pid, signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self.assertTrue(proc.stat_of(child.pid).dead)
        self.assertIsNone(self.find())

    def test_nobody_is_sent_the_signal_of_another(self):
        child = self.silent()
        ticks = proc.stat_of(child.pid).ticks
        proc.send_signal(child.pid, ticks - 1, signal.SIGKILL)
        self.assertIsNone(child.poll())
        proc.send_signal(child.pid, ticks, signal.SIGKILL)
        self.assertEqual(-signal.SIGKILL, child.wait())
        proc.send_signal(child.pid, ticks, signal.SIGKILL)

    def test_what_is_no_socket_of_a_target(self):
        for path, pattern in [
                (__file__, 'it is not a socket; correct rpc_address'),
                (self.host.directory, 'it is not a socket')]:
            self.host.set('nvmf', rpc_address=path)
            with self.subTest(path), self.assertRaisesRegex(
                    exceptions.ConnectError, pattern):
                self.find()
        self.host.set('nvmf', rpc_address=self.host.path('none', 'x'))
        self.assertIsNone(self.find())
        self.host.set('nvmf', rpc_address='nonsense')
        with self.assertRaises(exceptions.InvalidAddress):
            self.find()

    def test_a_socket_with_a_full_backlog(self):
        path = self.host.path('full.sock')
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(path)
        server.listen(0)
        for _ in range(2):
            client = socket.socket(socket.AF_UNIX)
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex(path)
        self.host.set('nvmf', rpc_address=path)
        with self.assertRaisesRegex(exceptions.ConnectError,
                                    'too many are waiting'):
            self.find()


if os.geteuid() == 0:
    # Only root can be several users.
    class UsersTest(fixtures.TestWithFixtures):

        def setUp(self):
            super().setUp()
            self.host = self.useFixture(host.Host())

        def as_nobody(self, function):
            """What a function of an unprivileged process returns.

            :param function: returns a number below 256.
            """
            child = os.fork()
            if not child:
                try:
                    os.setgroups([])
                    os.setgid(65534)
                    os.setuid(65534)
                    os._exit(function())
                finally:
                    os._exit(255)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        def connect(self):
            with socket.socket(socket.AF_UNIX) as client:
                return client.connect_ex(self.host.target().rpc_address)

        def test_the_socket_is_for_its_group_only(self):
            lifecycle.ensure(self.host.conf, self.host.target())
            os.chmod(self.host.directory, 0o755)
            os.chmod(self.host.path('run'), 0o755)
            self.assertEqual(13, self.as_nobody(self.connect))
            self.assertEqual(0, self.connect())

        def test_the_group_of_the_agent(self):
            self.host.set('spdk', socket_group='nogroup')
            lifecycle.ensure(self.host.conf, self.host.target())
            os.chmod(self.host.directory, 0o755)
            os.chmod(self.host.path('run'), 0o755)
            self.assertEqual(0, self.as_nobody(self.connect))

        def test_somebody_else_at_the_socket(self):
            directory = self.host.path('open')
            os.mkdir(directory)
            os.chmod(directory, 0o777)
            os.chmod(self.host.directory, 0o755)
            path = os.path.join(directory, 'x.sock')
            self.host.install_program('nvmf_tgt', '''
import os, signal, socket
os.setgid(65534)
os.setuid(65534)
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[2])
server.listen()
signal.pause()
''')
            child = subprocess.Popen(
                [self.host.path('spdk', 'build', 'bin', 'nvmf_tgt'), '-r',
                 path])
            self.addCleanup(child.wait)
            self.addCleanup(child.kill)
            self.host.set('nvmf', rpc_address=path)

            def refused():
                try:
                    return process.find(self.host.target()) and None
                except exceptions.ForeignProcess as exc:
                    return str(exc)

            self.assertIn('of user 65534, neither root nor ours',
                          host.wait_until(refused))
            with self.assertRaises(exceptions.ForeignProcess):
                lifecycle.stop(self.host.conf, self.host.target())
            self.assertIsNone(child.poll())

    class ContainerTest(fixtures.TestWithFixtures):
        """A target with processes and mounts of its own, socket shared."""

        def test_found_and_stopped_from_the_host(self):
            one = self.useFixture(host.Host())
            if host.SPDK_DIR:
                one.install()
                one.set('spdk', spdk_dir=one.path('spdk'))
            os.mkdir(one.path('run'), 0o750)
            child = subprocess.Popen(
                ['unshare', '--pid', '--fork', '--kill-child',
                 '--mount-proc',
                 one.path('spdk', 'build', 'bin', 'nvmf_tgt'), '-r',
                 one.target().rpc_address],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            self.addCleanup(child.wait)
            self.addCleanup(child.kill)

            def listening():
                found = process.find(one.target())
                return found if found and found.listening else None

            found = host.wait_until(listening)
            with open(f'/proc/{found.pid}/status') as stream:
                pids = next(line.split()[1:] for line in stream
                            if line.startswith('NSpid:'))
            # Its first process in there, and ours to find by the other.
            self.assertEqual([str(found.pid), '1'], pids)
            self.assertEqual('nvmf_tgt', found.application)
            self.assertFalse(
                lifecycle.ensure(one.conf, one.target()).started)
            self.assertTrue(lifecycle.stop(one.conf, one.target()))
            self.assertEqual(0, child.wait(host.PATIENCE))
