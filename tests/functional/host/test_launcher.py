# SPDX-License-Identifier: Apache-2.0

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading

import fixtures

from cyborg_spdk import exceptions
from cyborg_spdk.host import process
from cyborg_spdk.host.target import lifecycle
from cyborg_spdk.host.target import logs
from cyborg_spdk import rpc
from cyborg_spdk.rpc.transport import sockets
from tests.functional.fixtures import host

# A process that makes sure, at each line that it reads, that a target runs.
_AGENT = '''
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.host.target import lifecycle as launcher
from oslo_config import cfg
import sys
conf = cfg.ConfigOpts()
conf([], default_config_files=[sys.argv[1]])
spdk_conf.register(conf)
target, = [t for t in spdk_conf.targets(conf) if t.name == sys.argv[2]]
print('ready', flush=True)
for line in sys.stdin:
    running = launcher.ensure(conf, target, force=True)
    print(running.process.pid, running.started, flush=True)
'''

# It waits until the directory of its socket has a file "go".
_GATE = '''
import threading, os
here = os.path.dirname(sys.argv[sys.argv.index('-r') + 1])
while not os.path.exists(os.path.join(here, 'go')):
    threading.Event().wait(0.01)
'''


def open_files(pid):
    """What a process has open, as the kernel names it."""
    found = []
    for name in os.listdir(f'/proc/{pid}/fd'):
        # A connection may be closed just now.
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f'/proc/{pid}/fd/{name}'))
    return found


class HostTest(fixtures.TestWithFixtures):

    def host(self, **names):
        return self.useFixture(host.Host(names or None))

    def agent(self, one, name='nvmf'):
        """Start an agent; it is killed at the end."""
        agent = subprocess.Popen(
            [sys.executable, '-c', _AGENT, one.config_file(), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            bufsize=1)
        self.addCleanup(agent.wait)
        self.addCleanup(agent.stdin.close)
        self.addCleanup(agent.stdout.close)
        self.addCleanup(agent.kill)
        self.assertEqual('ready\n', agent.stdout.readline())
        return agent


class StartTest(HostTest):

    def test_started_once_and_answering(self):
        one = self.host()
        first = lifecycle.ensure(one.conf, one.target())
        self.assertTrue(first.started)
        self.assertTrue(one.client().call('spdk_get_version')['version'])
        again = lifecycle.ensure(one.conf, one.target())
        self.assertEqual((first.process.pid, False),
                         (again.process.pid, again.started))
        self.assertEqual([first.process.pid], one.processes())

    def test_socket_for_its_user_and_group_only(self):
        one = self.host()
        lifecycle.ensure(one.conf, one.target())
        status = os.stat(one.target().rpc_address)
        self.assertEqual(0o660, stat.S_IMODE(status.st_mode))
        self.assertEqual(os.getegid(), status.st_gid)

    def test_it_belongs_to_nobody_of_ours(self):
        one = self.host()
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        self.addCleanup(os.close, write_end)
        os.set_inheritable(write_end, True)
        pid = lifecycle.ensure(one.conf, one.target()).process.pid
        self.assertNotEqual(os.getsid(0), os.getsid(pid))
        ours = os.readlink(f'/proc/self/fd/{write_end}')
        self.assertIn(ours, open_files(os.getpid()))
        self.assertNotIn(ours, open_files(pid))
        with open(f'/proc/{pid}/stat') as stream:
            parent = int(stream.read().rpartition(')')[2].split()[1])
        self.assertNotEqual(os.getpid(), parent)

    def test_it_outlives_who_started_it(self):
        one = self.host()
        agent = self.agent(one)
        agent.stdin.write('\n')
        pid, started = agent.stdout.readline().split()
        self.assertEqual('True', started)
        agent.kill()
        agent.wait()
        again = lifecycle.ensure(one.conf, one.target())
        self.assertEqual((int(pid), False),
                         (again.process.pid, again.started))

    def test_two_agents_at_once_start_one_process(self):
        one = self.host()
        agents = [self.agent(one), self.agent(one)]
        for attempt in range(50):
            for agent in agents:
                agent.stdin.write('\n')
            answers = [agent.stdout.readline().split() for agent in agents]
            self.assertEqual(1, len({pid for pid, _ in answers}), answers)
            self.assertEqual(['False', 'True'],
                             sorted(started for _, started in answers))
            self.assertEqual([int(answers[0][0])], one.processes(), attempt)
            host.kill(int(answers[0][0]))

    def test_killed_at_any_moment_it_comes_back(self):
        one = self.host()
        for moment in range(3):
            pid = lifecycle.ensure(one.conf, one.target()).process.pid
            for _ in range(moment):
                one.client().call('bdev_get_bdevs')
            host.kill(pid)
            self.assertTrue(os.path.exists(one.target().rpc_address))
        again = lifecycle.ensure(one.conf, one.target(), force=True)
        self.assertTrue(again.started)
        self.assertNotEqual(pid, again.process.pid)
        # The cached connection notices.
        self.assertEqual([], one.client().call('bdev_get_bdevs'))

    def test_several_targets_of_one_kind(self):
        one = self.host(nvmf=['first', 'second'])
        if host.SPDK_DIR:
            one.set('second', interrupt_mode=True)
        pids = [lifecycle.ensure(one.conf, one.target(name)).process.pid
                for name in ('first', 'second')]
        self.assertEqual(sorted(pids), sorted(one.processes()))
        self.assertEqual(
            pids, [process.find(one.target(name)).pid
                   for name in ('first', 'second')])

    def test_one_process_for_two_targets(self):
        one = self.host(nvmf=['nvmf'], vhost=['vhost'])
        path = one.path('run', 'both.sock')
        for name in ('nvmf', 'vhost'):
            one.set(name, application='spdk_tgt', rpc_address=path)
        targets = [one.target('nvmf'), one.target('vhost')]
        found = {}

        def ensure(target):
            found[target.name] = lifecycle.ensure(one.conf, target)

        threads = [threading.Thread(target=ensure, args=(target,))
                   for target in targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found['nvmf'].process.pid,
                         found['vhost'].process.pid)
        self.assertEqual([False, True],
                         sorted(r.started for r in found.values()))
        self.assertEqual([found['nvmf'].process.pid], one.processes())

    def test_not_started_if_it_must_not_be(self):
        one = self.host()
        one.set('nvmf', start=False)
        with self.assertRaisesRegex(exceptions.NotRunning,
                                    'nvmf: it does not run, and .nvmf. '
                                    'start is false'):
            lifecycle.ensure(one.conf, one.target())
        self.assertEqual([], one.processes())
        self.assertTrue(lifecycle.ensure(one.conf, one.target(),
                                         force=True).started)

    def test_a_target_elsewhere_is_left_alone(self):
        one = self.host()
        one.set('nvmf', rpc_address='tcp://192.0.2.1:5260')
        self.assertEqual(lifecycle.Running(None, False),
                         lifecycle.ensure(one.conf, one.target()))
        with self.assertRaisesRegex(exceptions.ForeignProcess,
                                    'stop it where it runs'):
            lifecycle.stop(one.conf, one.target())

    def test_waiting_for_rpc(self):
        one = self.host()
        one.set('nvmf', extra_args=one.conf.nvmf.extra_args
                + ['--wait-for-rpc'])
        self.assertTrue(lifecycle.ensure(one.conf, one.target()).started)
        with self.assertRaises(exceptions.NotReady):
            one.client().call('bdev_get_bdevs')
        one.set('nvmf', extra_args=one.conf.nvmf.extra_args[:-1])
        one.set('spdk', start_timeout=0.5)
        with self.assertRaisesRegex(exceptions.StartError,
                                    'is not initialised .--wait-for-rpc'):
            lifecycle.ensure(one.conf, one.target())


class FailureTest(HostTest):

    def failing(self, body, **options):
        one = self.host()
        one.install_program('nvmf_tgt', body)
        one.set('spdk', **options)
        return one

    def refused(self, one, pattern, error=exceptions.StartError, **kwargs):
        with self.assertRaisesRegex(error, pattern) as caught:
            lifecycle.ensure(one.conf, one.target(), **kwargs)
        return caught.exception

    def test_the_exit_code_and_the_last_words_are_told(self):
        one = self.failing('print("EAL: no luck today"); sys.exit(244)')
        error = self.refused(one, 'nvmf: could not be started: it ended '
                             'before it was ready .exit code 244.; it last '
                             'said: EAL: no luck today')
        self.assertEqual(244, error.exit_code)
        self.assertEqual(['EAL: no luck today'], error.log_tail)

    def test_a_signal_is_told_by_its_name(self):
        one = self.failing(
            'import os, signal; os.kill(os.getpid(), signal.SIGABRT)')
        self.refused(one, 'killed by SIGABRT')

    def test_a_known_cause_has_a_remedy(self):
        one = self.failing(
            'print("app.c: 855:claim_cpu_cores: *ERROR*: Cannot create lock'
            ' on core 3, probably process 7 has claimed it.");sys.exit(1)')
        self.refused(one, 'core 3 belongs to another SPDK process: set '
                     'core_mask')

    def test_a_hanging_start_is_stopped_again(self):
        one = self.failing('import threading; threading.Event().wait()',
                           start_timeout=1.0)
        self.refused(one, 'it does not answer at .* within .spdk. '
                     'start_timeout .1 s., and was stopped again')
        self.assertEqual([], one.processes())

    def test_one_that_ignores_sigterm_is_stopped_too(self):
        one = self.failing(
            'import signal, threading\n'
            'signal.signal(signal.SIGTERM, signal.SIG_IGN)\n'
            'threading.Event().wait()', start_timeout=1.0, stop_timeout=0.5)
        self.refused(one, 'does not answer')
        self.assertEqual([], one.processes())

    def test_while_another_start_hangs(self):
        one = self.failing(_GATE + host.BECOME_SIMULATOR)
        agent = self.agent(one)
        agent.stdin.write('\n')
        host.wait_until(one.processes)
        one.set('spdk', start_timeout=0.5)
        error = self.refused(one, 'runs, but does not answer')
        self.assertIsNone(error.exit_code)
        with open(one.path('run', 'go'), 'w'):
            pass
        pid, started = agent.stdout.readline().split()
        self.assertEqual(('True', [int(pid)]), (started, one.processes()))

    def test_the_starter_is_killed_in_the_middle(self):
        one = self.failing(_GATE + host.BECOME_SIMULATOR)
        agent = self.agent(one)
        agent.stdin.write('\n')
        pid, = host.wait_until(one.processes)
        agent.kill()
        agent.wait()
        with open(one.path('run', 'go'), 'w'):
            pass
        running = lifecycle.ensure(one.conf, one.target())
        self.assertEqual((pid, False),
                         (running.process.pid, running.started))

    def test_growing_pauses_for_what_keeps_dying(self):
        one = self.failing('sys.exit(1)')
        for _ in range(3):
            self.refused(one, 'exit code 1')
        error = self.refused(one, 'it has died 3 times soon after it was '
                             'started; the next start is due in',
                             exceptions.NotRunning)
        self.assertIn('cyborg-spdk target start nvmf', str(error))
        self.refused(one, 'exit code 1', force=True)

    def test_no_spdk_there(self):
        one = self.host()
        one.set('spdk', spdk_dir=one.path('none'))
        self.refused(one, 'spdk_dir = .*/none; it does not exist; correct',
                     exceptions.NotInstalled)

    def test_without_spdk_nothing_is_made(self):
        one = self.host()
        one.set('spdk', spdk_dir=one.path('none'),
                run_path=one.path('no', 'run'))
        self.refused(one, 'does not exist', exceptions.NotInstalled)
        self.assertFalse(os.path.exists(one.path('no')))

    def test_the_program_is_missing(self):
        one = self.failing('')
        os.unlink(one.path('spdk', 'build', 'bin', 'nvmf_tgt'))
        self.refused(one, "SPDK's nvmf_tgt not found",
                     exceptions.NotInstalled)

    def test_a_directory_that_others_can_write(self):
        for option in ('run_path', 'state_path'):
            one = self.host()
            path = getattr(one.conf.spdk, option)
            os.mkdir(path)
            os.chmod(path, 0o777)
            self.refused(one, f'{option}: .* can be written by others .*'
                         'chmod go-w', exceptions.StateError)
            self.assertEqual([], one.processes())

    def test_a_directory_that_is_none(self):
        one = self.host()
        with open(one.conf.spdk.state_path, 'w'):
            pass
        self.refused(one, 'state_path .*: not a directory',
                     exceptions.StateError)

    def test_no_such_group(self):
        one = self.host()
        one.set('spdk', socket_group='no-such-group-here')
        self.refused(one, 'socket_group .*there is no such group',
                     exceptions.ConfigurationError)

    def test_arguments_that_contradict_the_options(self):
        one = self.host()
        one.set('nvmf', extra_args=['--rpc-socket=/tmp/x'])
        self.refused(one, 'set the option rpc_address instead',
                     exceptions.ConfigurationError)


class FullTest(HostTest):

    def test_all_connections_of_a_healthy_target_are_taken(self):
        one = self.host()
        found = lifecycle.ensure(one.conf, one.target()).process
        path = one.target().rpc_address
        rpc.disconnect_all()
        host.wait_until(lambda: not sockets.connections(path))
        for _ in range(sockets.MOST_CONNECTIONS):
            sock = socket.socket(socket.AF_UNIX)
            self.addCleanup(sock.close)
            sock.connect(path)
        host.wait_until(lambda: sockets.connections(path)
                        == sockets.MOST_CONNECTIONS)
        one.set('spdk', start_timeout=1, connect_timeout=1)
        with self.assertRaises(exceptions.StartError) as caught:
            lifecycle.ensure(one.conf, one.target())
        self.assertIn('has 64 connections', str(caught.exception))
        self.assertNotIn('stop it', str(caught.exception))
        self.assertTrue(found.alive())


class ForeignTest(HostTest):

    def listener(self, path):
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(path)
        server.listen()

    def test_a_living_process_at_the_socket_is_respected(self):
        one = self.host()
        path = one.path('other.sock')
        self.listener(path)
        one.set('nvmf', rpc_address=path)
        before = os.stat(path)
        for act in (lifecycle.ensure, lifecycle.stop):
            with self.assertRaisesRegex(
                    exceptions.ForeignProcess,
                    f'served by process {os.getpid()} .* which is no '
                    'nvmf_tgt'):
                act(one.conf, one.target())
        self.assertEqual(before.st_ino, os.stat(path).st_ino)

    def test_what_is_only_read_may_be_any_program_but_is_not_stopped(self):
        one = self.host()
        path = one.path('other.sock')
        self.listener(path)
        one.set('nvmf', rpc_address=path, start=False)
        self.assertEqual(os.getpid(), process.find(one.target()).pid)
        with self.assertRaisesRegex(exceptions.ForeignProcess,
                                    'stop it yourself'):
            lifecycle.stop(one.conf, one.target())

    def test_a_target_of_another_kind(self):
        one = self.host(nvmf=['nvmf'], vhost=['vhost'])
        lifecycle.ensure(one.conf, one.target('nvmf'))
        one.set('vhost', rpc_address=one.target('nvmf').rpc_address)
        with self.assertRaisesRegex(exceptions.ForeignProcess,
                                    'nvmf_tgt.*, which is no vhost'):
            lifecycle.ensure(one.conf, one.target('vhost'))
        self.assertIsNotNone(process.find(one.target('nvmf')))

    def test_a_file_at_the_socket_is_left_alone(self):
        one = self.host()
        path = one.path('precious')
        with open(path, 'w') as stream:
            stream.write('data')
        one.set('nvmf', rpc_address=path)
        with self.assertRaisesRegex(exceptions.ConnectError,
                                    'it is not a socket'):
            lifecycle.ensure(one.conf, one.target())
        with open(path) as stream:
            self.assertEqual('data', stream.read())

    def test_a_directory_at_the_socket(self):
        one = self.host()
        one.set('nvmf', rpc_address=one.directory)
        with self.assertRaisesRegex(exceptions.ConnectError,
                                    'it is not a socket'):
            lifecycle.ensure(one.conf, one.target())

    def test_no_directory_for_the_socket(self):
        one = self.host()
        one.set('nvmf', rpc_address=one.path('none', 'x.sock'))
        with self.assertRaisesRegex(exceptions.StateError,
                                    'none, the directory of rpc_address, '
                                    'does not exist'):
            lifecycle.ensure(one.conf, one.target())

    def test_a_deleted_socket_does_not_start_a_second_process(self):
        one = self.host()
        pid = lifecycle.ensure(one.conf, one.target()).process.pid
        rpc.disconnect(one.target().rpc_address)
        os.unlink(one.target().rpc_address)
        one.set('spdk', start_timeout=0.5)
        with self.assertRaisesRegex(
                exceptions.StartError,
                f'process {pid} runs, but does not answer'):
            lifecycle.ensure(one.conf, one.target())
        self.assertEqual([pid], one.processes())
        self.assertTrue(lifecycle.stop(one.conf, one.target()))


class LogTest(HostTest):

    def test_it_does_not_grow_for_ever(self):
        one = self.host()
        lifecycle.ensure(one.conf, one.target())
        path = logs.path(one.conf, one.target())
        with open(path, 'ab') as stream:
            stream.write(b'x' * logs.LIMIT)
            stream.write(b'the end\n')
        lifecycle.ensure(one.conf, one.target())
        self.assertEqual(0, os.stat(path).st_size)
        with open(path + '.1', 'rb') as stream:
            self.assertTrue(stream.read().endswith(b'xxx' + b'the end\n'))
        self.assertEqual(logs.KEPT, os.stat(path + '.1').st_size)
        lifecycle.stop(one.conf, one.target())
        self.assertLess(os.stat(path).st_size, 100000)


class StopTest(HostTest):

    def test_stopped_and_cleaned_up(self):
        one = self.host()
        lifecycle.ensure(one.conf, one.target())
        self.assertTrue(lifecycle.stop(one.conf, one.target()))
        self.assertEqual([], one.processes())
        self.assertFalse(os.path.exists(one.target().rpc_address))
        self.assertFalse(lifecycle.stop(one.conf, one.target()))

    def test_one_that_does_not_end(self):
        one = self.host()
        found = lifecycle.ensure(one.conf, one.target()).process
        os.kill(found.pid, signal.SIGSTOP)
        one.set('spdk', stop_timeout=0.2, connect_timeout=0.2,
                rpc_timeout=0.2)
        one.set('nvmf', save_config=False)
        with self.assertRaisesRegex(exceptions.StopError, 'with --kill'):
            lifecycle.stop(one.conf, one.target())
        self.assertTrue(found.alive())
        one.set('spdk', stop_timeout=host.PATIENCE)
        os.kill(found.pid, signal.SIGCONT)
        host.wait_until(lambda: not found.alive())

    def test_killed_if_told_so(self):
        one = self.host()
        found = lifecycle.ensure(one.conf, one.target()).process
        os.kill(found.pid, signal.SIGSTOP)
        one.set('spdk', stop_timeout=1.0)
        one.set('nvmf', save_config=False)
        self.assertTrue(lifecycle.stop(one.conf, one.target(), kill=True))
        self.assertFalse(found.alive())

    def test_kept_down(self):
        one = self.host()
        lifecycle.ensure(one.conf, one.target())
        lifecycle.stop(one.conf, one.target(), hold=True)
        with self.assertRaisesRegex(exceptions.NotRunning,
                                    'nvmf: it was stopped and is kept down'):
            lifecycle.ensure(one.conf, one.target())
        self.assertTrue(lifecycle.ensure(one.conf, one.target(),
                                         force=True).started)
        lifecycle.stop(one.conf, one.target())
        self.assertTrue(lifecycle.ensure(one.conf, one.target()).started)
