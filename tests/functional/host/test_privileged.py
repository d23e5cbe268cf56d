# SPDX-License-Identifier: Apache-2.0

"""Through the real helper, with the capabilities that it keeps.

Only root can be another user, so there are no tests for others.
"""

import json
import logging
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

import fixtures

from cyborg_spdk import exceptions
from cyborg_spdk.host import privileged
from cyborg_spdk.host import process
from cyborg_spdk.host.target import start as target_start
from tests.functional.fixtures import host

# A client of the helper: it lets nothing be called directly.
_CLIENT = '''
import os, signal, sys
from cyborg_spdk.host.machine import proc
from cyborg_spdk.host import privileged
from oslo_config import cfg
argv, log, cwd = sys.argv[2:], sys.argv[1] + '/nvmf.log', sys.argv[1]
cfg.CONF([], default_config_files=[])
privileged.priv_context.cfg.CONF.set_default(
    'helper_command', sys.executable + ' -W ignore -c ' +
    "'from oslo_privsep.daemon import helper_main; helper_main()'",
    group=privileged.GROUP)
privileged.context.set_client_mode(True)
pid = privileged.start_target(argv, log, cwd, os.getgid(), 'cyborg-spdk-x')
assert isinstance(pid, int), pid
assert privileged.poll_target(pid, 0) is None
privileged.release_target(pid)
ticks = proc.stat_of(pid).ticks
privileged.signal_target(pid, ticks, int(signal.SIGTERM))
try:
    privileged.mount_hugetlbfs('/etc', 2048)
except privileged.exceptions.HugepageError as exc:
    print(exc)
else:
    sys.exit('mounted')
print(pid)
'''

if os.geteuid() == 0:
    class HelperTest(fixtures.TestWithFixtures):

        def test_started_and_stopped_by_the_helper(self):
            one = self.useFixture(host.Host())
            one.install_program('nvmf_tgt', '''
import os, signal
signal.signal(signal.SIGTERM, lambda *_: (
    open(os.path.join(os.path.dirname(sys.argv[2]), 'ended'), 'w').close(),
    sys.exit(0)))
while True:
    signal.pause()
''')
            run = one.path('run')
            os.mkdir(run, 0o750)
            done = subprocess.run(
                [sys.executable, '-W', 'ignore', '-c', _CLIENT, run,
                 one.path('spdk', 'build', 'bin', 'nvmf_tgt'), '-r',
                 os.path.join(run, 'x.sock')],
                capture_output=True, text=True, timeout=host.PATIENCE,
                check=False)
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertIn('hugetlbfs is mounted only at', done.stdout)
            host.wait_until(lambda: not one.processes())


_HELPER = """#!/bin/sh
exec {python} -W ignore -c \
    'from oslo_privsep.daemon import helper_main; helper_main()' "$@"
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
            helper = self.host.path('helper')
            with open(helper, 'w') as stream:
                stream.write(_HELPER.format(python=sys.executable))
            os.chmod(helper, 0o755)
            self.host.set('spdk',
                          privsep_helper_command=f'sudo -n {helper}')
            # That user, that command, for the time of the test.
            self.allow(f'nobody ALL=(root) NOPASSWD: {helper} *\n')
            self.run = f'/run/cyborg-spdk-test-{os.getpid()}'
            self.addCleanup(shutil.rmtree, self.run, ignore_errors=True)
            self.addCleanup(privileged.context.set_client_mode,
                            privileged.context.client_mode)
            privileged.context.set_client_mode(True)

        def allow(self, text):
            path = f'/etc/sudoers.d/cyborg-spdk-test-{os.getpid()}'
            with open(path, 'w', opener=lambda name, flags: os.open(
                    name, flags, 0o440)) as stream:
                stream.write(text)
            self.addCleanup(os.unlink, path)

        def as_user(self, name, function):
            """What a function of an unprivileged process returns."""
            user = pwd.getpwnam(name)
            reader, writer = os.pipe()
            child = os.fork()
            if not child:
                try:
                    tempfile.tempdir = '/tmp'
                    # A log of other tests in this process is not for him.
                    logging.getLogger().handlers.clear()
                    os.setgroups([])
                    os.setgid(user.pw_gid)
                    os.setuid(user.pw_uid)
                    os.write(writer, json.dumps(
                        function(user)).encode())
                except BaseException as exc:
                    os.write(writer, json.dumps(repr(exc)).encode())
                finally:
                    os._exit(0)
            os.close(writer)
            with open(reader) as stream:
                found = json.loads(stream.read())
            os.waitpid(child, 0)
            return found

        def call(self, name, *arguments):
            return privileged.call(self.host.conf, name, *arguments)

        def start_and_stop(self, user):
            self.call('make_directory', self.run, user.pw_uid, user.pw_gid)
            path = os.path.join(self.run, 'x.sock')
            self.host.set('nvmf', rpc_address=path)
            pid = self.call(
                'start_target',
                [self.host.path('spdk', 'build', 'bin', 'nvmf_tgt'), '-r',
                 path], os.path.join(self.run, 'x.log'), self.run,
                user.pw_gid, 'cyborg-spdk-x')
            found = host.wait_until(self.listening)
            self.call('release_target', pid)
            target_start.send_signal(self.host.conf, found.pid, found.ticks,
                                     signal.SIGTERM)
            host.wait_until(lambda: not found.alive())
            return [pid == found.pid, found.uid, found.application]

        def listening(self):
            found = process.find(self.host.target())
            return found if found and found.listening else None

        def test_it_has_root_start_and_stop_a_target(self):
            self.assertEqual([True, 0, 'nvmf_tgt'],
                             self.as_user('nobody', self.start_and_stop))

        def refused(self, user):
            try:
                return self.call('make_directory', self.run, user.pw_uid,
                                 user.pw_gid)
            except exceptions.PrivilegeError as exc:
                return str(exc)

        def test_another_user_is_told_what_to_do(self):
            self.assertRegex(
                self.as_user('daemon', self.refused),
                'user 1 has no way to root for make directory: .*allow '
                'privsep-helper in sudoers')
            self.assertFalse(os.path.exists(self.run))
