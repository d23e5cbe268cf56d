# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk stats``, ``attach`` and ``detach`` as processes."""

import json
import os
import pwd
import signal
import subprocess
import sys
import threading

from tests.functional.units import test_attach as attach_tests


class CommandCase:
    """Runs the command with the test's own targets."""

    def command(self, *args):
        return [sys.executable, '-m', 'cyborg_spdk.cli.main',
                '--set', f'spdk.run_path={self.targets.path("run")}',
                '--set', f'spdk.state_path={self.targets.path("state")}',
                *args]

    def run_program(self, *args):
        done = subprocess.run(
            self.command(*args), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def succeed(self, *args):
        code, out, err = self.run_program(*args)
        self.assertEqual(0, code, err)
        return out, err

    def refused(self, *args):
        code, out, err = self.run_program(*args)
        self.assertEqual((1, ''), (code, out), err)
        self.assertEqual(1, len(err.splitlines()), err)
        return err


class NvmfCommandTest(CommandCase, attach_tests.NvmfCase):

    def hosts(self):
        return list(
            self.target.nvmf_get_subsystems(attach_tests.NQN)[0].hosts)

    def test_attach_and_detach(self):
        handle = json.dumps(self.handle)
        out, err = self.succeed('attach', handle, attach_tests.HOST, '-f',
                                'json')
        self.assertEqual('', err)
        made = json.loads(out)
        self.assertEqual((True, attach_tests.HOST),
                         (made['Changed'], made['Consumer']))
        self.assertIn(str(self.port), made['Reach'])
        self.assertEqual([attach_tests.HOST], self.hosts())
        self.succeed('attach', handle, attach_tests.HOST)
        for _ in range(2):
            self.succeed('detach', handle, attach_tests.HOST)
            self.assertEqual([], self.hosts())

    def test_discover_says_what_is_left_out(self):
        handle = json.dumps(self.handle)

        def left_out():
            out, err = self.succeed('discover', '--driver',
                                    'spdk_nvmf_driver', '-f', 'json')
            row, = json.loads(out)
            self.assertEqual(bool(row['Left Out']),
                             'namespace 1 is not reported: ' in err, err)
            return row['Left Out']

        self.assertEqual('', left_out())
        self.succeed('attach', handle, attach_tests.HOST)
        self.succeed('detach', handle, attach_tests.HOST)
        self.assertIn('wipe it: cyborg-spdk units wipe', left_out())

    def test_attach_with_a_warning(self):
        self.target.nvmf_subsystem_allow_any_host(attach_tests.NQN, True)
        _out, err = self.succeed('attach', json.dumps(self.handle),
                                 attach_tests.HOST)
        self.assertIn('WARNING', err)
        self.assertIn('lets in any host', err)

    def test_bad_input(self):
        handle = json.dumps(self.handle)
        for args, part in (
                (['attach', 'x', attach_tests.HOST], "'x'"),
                (['attach', '{}', attach_tests.HOST], 'nqn and nsid'),
                (['attach', handle, 'nobody'], "'nobody'"),
                (['attach', handle, attach_tests.HOST, '--target', 'other'],
                 "'other'"),
                (['attach', handle, attach_tests.HOST, '--bdev', 'b'],
                 "'bdev'"),
                (['stats', 'other'], "'other'"),
                (['stats', '--interval', '0'], '--interval')):
            self.assertIn(part, self.refused(*args), args)

    def test_stats(self):
        out, _err = self.succeed('stats', 'spdk_nvmf', '--interval', '0.2',
                                 '-f', 'json')
        row, = json.loads(out)
        self.assertEqual('spdk_nvmf', row['Target'])
        self.assertEqual(f'{attach_tests.NQN} namespace 1', row['Unit'])
        for name in ('Read IOPS', 'Write/s', 'Queue'):
            self.assertGreaterEqual(row[name], 0)
        self.assertIn('Read us', row)
        self.assertEqual(0, row['Hosts'])
        for more in ([], ['--whole']):
            out, _err = self.succeed('stats', 'spdk_nvmf', '--interval',
                                     '0.2', *more)
            self.assertLessEqual(max(map(len, out.splitlines())), 80)
        out, _err = self.succeed('stats', 'spdk_nvmf', '--whole',
                                 '--interval', '0.2', '-f', 'json')
        row, = json.loads(out)
        self.assertTrue(0 <= row['Load']['0'] <= 1, row)
        self.assertGreater(row['Memory'], 0)
        self.assertEqual(0, row['Queue pairs'])

    def test_stats_of_what_does_not_run(self):
        message = self.refused('stats', 'spdk_vhost', '--interval', '0.1')
        self.assertIn('spdk_vhost.sock', message)
        code, out, err = self.run_program(
            'stats', 'spdk_nvmf', 'spdk_vhost', '--interval', '0.1', '--wide')
        self.assertEqual(1, code)
        self.assertIn('spdk_nvmf', out)
        self.assertIn('spdk_vhost.sock', err)

    def test_watch_until_interrupted(self):
        process = subprocess.Popen(
            self.command('stats', 'spdk_nvmf', '--watch', '--interval',
                         '0.1', '-f', 'csv'),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT,
                                             signal.default_int_handler))
        self.addCleanup(process.kill)
        ended = threading.Timer(120, process.kill)
        ended.start()
        self.addCleanup(ended.cancel)
        seen = 0
        for line in process.stdout:
            seen += line.startswith('"spdk_nvmf"')
            if seen == 3:
                break
        self.assertEqual(3, seen)
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=120)
        self.assertEqual((130, ''), (process.returncode, err))


class VhostCommandTest(CommandCase, attach_tests.VhostCase):

    def test_attach_and_detach(self):
        handle = json.dumps(self.handle)
        name = pwd.getpwuid(os.geteuid()).pw_name
        self.assertIn('name a bdev', self.refused('attach', handle, name))
        self.succeed('attach', handle, name, '--bdev', 'Malloc0', '--mode',
                     '640')
        self.assertEqual(0o640, os.lstat(self.socket).st_mode & 0o777)
        self.succeed('detach', handle, name, '--delete')
        self.assertEqual([], self.target.vhost_get_controllers())
