# SPDX-License-Identifier: Apache-2.0

"""Through sudo and the real helper, with the capabilities that it keeps.

Only root can be another user, so there are no tests for others.
"""

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys

import fixtures

from tests.functional.deployed import processes
from tests.functional.fixtures import host

_HELPER = """#!/bin/sh
exec {python} -I -W ignore -c 'import sys
from cyborg_spdk.host import helper_daemon
sys.exit(helper_daemon.main(["{conf}"]))' "$@"
"""

_CLIENT = """
import json, os, signal, sys
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import launch
from cyborg_spdk.host.machine import log_file
from cyborg_spdk.host import privileged
from cyborg_spdk.host.target import lifecycle
from oslo_config import cfg
conf = cfg.ConfigOpts()
conf([], default_config_files=[sys.argv[1]])
spdk_conf.register(conf)
conf.set_override('nvmf_targets', ['nvmf'], group='spdk')
conf.set_override('vhost_targets', [], group='spdk')
conf.set_override('iscsi_targets', [], group='spdk')
target = spdk_conf.targets(conf)[0]
def told(function, *args):
    try:
        return function(conf, *args)
    except exceptions.HostError as exc:
        return str(exc)
"""

_START_AND_STOP = """
found = lifecycle.ensure(conf, target).process
with open(launch.log_path(conf, target)) as stream:
    said = bool(stream.read())
log_file.LIMIT = -1  # Also one that is not ours can be trimmed.
lifecycle.logs.trim(conf, target)
lifecycle.stop(conf, target)
print(json.dumps([found.uid, found.application, said, found.alive()]))
"""

_START = """
print(json.dumps(told(privileged.start_target, 'nvmf', target.rpc_address,
                      [])))
"""

_REFUSED = "print(json.dumps(told(privileged.make_directories)))"

_SIGNAL = """
print(json.dumps([told(privileged.signal_target, 'nvmf', pid, 0,
                       int(signal.SIGKILL)) for pid in (1, os.getppid())]))
"""

_SUDO = """
import subprocess
print(json.dumps([subprocess.run(
    ['sudo', '-n', *conf.spdk.privsep_helper_command.split()[2:], *more],
    stdin=subprocess.DEVNULL, capture_output=True).returncode
    for more in (['--config-file', '/tmp/x'], [''])]))
"""

if os.geteuid() == 0 and shutil.which('sudo') and \
        os.path.isdir('/etc/sudoers.d'):
    class SudoTest(fixtures.TestWithFixtures):
        """A real unprivileged user, and sudo as it is on this machine."""

        def setUp(self):
            super().setUp()
            self.host = self.useFixture(host.Host())
            if host.SPDK_DIR:
                self.host.install()
                self.host.set('spdk', spdk_dir=self.host.path('spdk'))
                self.host.set('nvmf', extra_args=[])
            os.chmod(self.host.directory, 0o755)
            self.install(host.BECOME_SIMULATOR)
            # Below root's directories, as it is on a real host.
            self.base = f'/run/cyborg-spdk-test-{os.getpid()}'
            os.mkdir(self.base, 0o755)
            self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
            self.run = os.path.join(self.base, 'run')
            self.host.set('spdk', run_path=self.run,
                          state_path=os.path.join(self.base, 'state'))
            self.helper = self.host.path('helper')
            self.host.set('spdk',
                          privsep_helper_command=f'sudo -n {self.helper}')
            self.configure()
            # That user, that command, for the time of the test.
            self.allow(f'nobody ALL=(root) NOPASSWD: {self.helper} ""\n')

        def install(self, body, says='SPDK v26.05 simulated'):
            """A program that every user can run, and its interpreter."""
            path = self.host.path('spdk', 'build', 'bin', 'nvmf_tgt')
            text = host._PROGRAM.format(python=processes.python()[0],
                                        body=body)
            with open(path, 'w') as stream:
                stream.write(text.replace('SPDK v26.05 simulated', says))

        def configure(self):
            """Write the helper, with the configuration as it is now."""
            with open(self.helper, 'w') as stream:
                stream.write(_HELPER.format(python=sys.executable,
                                            conf=self.host.config_file()))
            os.chmod(self.helper, 0o755)

        def allow(self, text):
            path = f'/etc/sudoers.d/cyborg-spdk-test-{os.getpid()}'
            with open(path, 'w', opener=lambda name, flags: os.open(
                    name, flags, 0o440)) as stream:
                stream.write(text)
            self.addCleanup(os.unlink, path)

        def as_user(self, name, code):
            """What a script of a user prints; it has conf and target."""
            user = pwd.getpwnam(name)
            python, environ = processes.python()
            done = subprocess.run(
                [python, '-W', 'ignore', '-c', _CLIENT + code,
                 self.host.path('host.conf')], env={**os.environ, **environ},
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=host.PATIENCE, check=False, user=user.pw_uid,
                group=user.pw_gid, extra_groups=[], cwd='/')
            self.assertEqual(0, done.returncode, done.stderr)
            return json.loads(done.stdout.splitlines()[-1])

        def of(self, name):
            status = os.stat(os.path.join(self.base, name))
            return [status.st_uid, status.st_gid,
                    stat.S_IMODE(status.st_mode)]

        def test_root_starts_and_stops_it_in_its_own_directory(self):
            gid = pwd.getpwnam('nobody').pw_gid
            os.mkdir(self.run)
            os.chown(self.run, 0, gid)
            os.chmod(self.run, 0o750)
            self.assertEqual([0, 'nvmf_tgt', True, False],
                             self.as_user('nobody', _START_AND_STOP))
            user = pwd.getpwnam('nobody')
            self.assertEqual([user.pw_uid, gid, 0o750], self.of('state'))
            self.assertEqual([0, gid, 0o640], self.of('run/nvmf.log'))

        def test_it_runs_as_the_user_in_his_directory(self):
            user = pwd.getpwnam('nobody')
            self.assertEqual([user.pw_uid, 'nvmf_tgt', True, False],
                             self.as_user('nobody', _START_AND_STOP))
            for name in ('run', 'state'):
                self.assertEqual([user.pw_uid, user.pw_gid, 0o750],
                                 self.of(name))

        def test_root_does_not_work_in_his_directory(self):
            """Its program is root's there, and that could be led on."""
            user = pwd.getpwnam('nobody')
            os.mkdir(self.run, 0o750)
            os.chown(self.run, user.pw_uid, user.pw_gid)
            self.install(host.BECOME_SIMULATOR, 'SPDK v26.05')

            self.assertRegex(
                self.as_user('nobody', _START), 'nvmf runs as root, and its '
                'socket is not made where others than root can put a file: '
                f'.*/run belongs to user {user.pw_uid}, not to root; chown '
                'root')
            self.assertEqual([], os.listdir(self.run))

        def test_no_log_of_roots_in_his_directory(self):
            """Its socket is in root's; its log would be in his."""
            user = pwd.getpwnam('nobody')
            os.mkdir(self.run, 0o750)
            os.chown(self.run, user.pw_uid, user.pw_gid)
            self.install(host.BECOME_SIMULATOR, 'SPDK v26.05')
            sockets = os.path.join(self.base, 'sockets')
            os.mkdir(sockets, 0o755)
            self.host.set('nvmf', rpc_address=os.path.join(
                sockets, 'nvmf.sock'))
            self.configure()

            self.assertRegex(
                self.as_user('nobody', _START), 'nvmf runs as root, and its '
                'log is not made where others than root can put a file: '
                f'.*/run belongs to user {user.pw_uid}, not to root; chown '
                'root')
            self.assertEqual([[], []],
                             [os.listdir(self.run), os.listdir(sockets)])

        def test_another_user_is_told_what_to_do(self):
            self.assertRegex(
                self.as_user('daemon', _REFUSED),
                'user 1 has no way to root for make directories: .*allow it '
                'in sudoers')
            self.assertFalse(os.path.exists(self.run))

        def test_a_configuration_of_others_is_not_used(self):
            os.chown(self.host.path('host.conf'), 1, 1)
            self.assertRegex(
                self.as_user('nobody', _REFUSED),
                'host.conf is not used as root: .* belongs to user 1, not to '
                'root; chown root')

        def test_arguments_are_refused(self):
            """By sudo; and by the helper, if sudo lets them through."""
            self.assertEqual([1, 1], self.as_user('nobody', _SUDO))
            for arguments, pattern in (
                    (['--config-file', '/tmp/x'], 'takes no arguments'),
                    ([], 'not by hand')):
                done = subprocess.run(
                    [self.helper, *arguments], stdin=subprocess.DEVNULL,
                    capture_output=True, text=True, check=False)
                self.assertEqual(1, done.returncode)
                self.assertRegex(done.stderr, pattern)

        def test_a_signal_for_a_process_that_is_no_target(self):
            self.assertEqual(
                [f'process {pid} does not serve nvmf and gets no signal'
                 for pid in (1, os.getpid())],
                self.as_user('nobody', _SIGNAL))

        def test_no_target_in_the_place_of_a_link(self):
            """What SPDK would remove, or make, is looked at first."""
            user = pwd.getpwnam('nobody')
            outside = os.path.join(self.base, 'outside')
            with open(outside, 'w') as stream:
                stream.write('as it was')
            os.mkdir(self.run, 0o750)
            for name in ('nvmf.log', 'nvmf.log.1', 'nvmf.sock'):
                os.symlink(outside, os.path.join(self.run, name))
                os.chown(os.path.join(self.run, name), user.pw_uid,
                         user.pw_gid, follow_symlinks=False)
            os.chown(self.run, user.pw_uid, user.pw_gid)

            self.as_user('nobody', _START)
            with open(outside) as stream:
                self.assertEqual('as it was', stream.read())
            self.assertEqual(0, os.stat(outside).st_uid)
            self.assertTrue(stat.S_ISLNK(os.lstat(
                os.path.join(self.run, 'nvmf.log.1')).st_mode))
