# SPDX-License-Identifier: Apache-2.0

"""What a user who has been taken over can have the privileged helper do.

``CYBORG_SPDK_TEST_HOSTILE_CALLS`` says how many calls are made.
"""

import contextlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys

import fixtures

from cyborg_spdk.host.machine import hugepage_pools
from cyborg_spdk.host.machine import hugetlbfs
from tests.functional.deployed import processes

CALLS = int(os.environ.get('CYBORG_SPDK_TEST_HOSTILE_CALLS', 400))

# Run by root, it says with which arguments.
_PROGRAM = """#!/bin/sh
[ "$1" = --version ] && echo SPDK v26.05 && exit
[ "$(id -u)" = 0 ] && echo "$@" >> {base}/{file}
exit 0
"""

_HELPER = """#!/bin/sh
exec {python} -I -W ignore -c 'import sys
from cyborg_spdk.host import helper_daemon
sys.exit(helper_daemon.main(["{conf}"]))' "$@"
"""

_CONF = """[spdk]
spdk_dir = {base}/spdk
run_path = {base}/run
state_path = {base}/theirs/state
nvmf_targets = nvmf,own
vhost_targets = vhost
iscsi_targets =
privsep_helper_command = sudo -n {base}/helper
[nvmf]
core_mask = 0x1
extra_args = --disable-cpumask-locks
[own]
core_mask = 0x1
no_huge = true
rpc_address = {base}/theirs/own.sock
extra_args = --disable-cpumask-locks
[vhost]
core_mask = 0x1
extra_args = --disable-cpumask-locks
"""

_TREES = ('/etc', os.path.expanduser('~root/.ssh'), '/usr/local/bin',
          '/var/spool')


def _snapshot(*trees):
    """Every file below some directories, with all that a change changes."""
    found = {}
    for tree in trees:
        for where, directories, names in os.walk(tree):
            for name in directories + names:
                path = os.path.join(where, name)
                # Other tests let users of theirs call sudo.
                if path.startswith('/etc/sudoers.d'):
                    continue
                with contextlib.suppress(OSError):
                    status = os.lstat(path)
                    found[path] = (
                        status.st_mode, status.st_uid, status.st_gid,
                        status.st_size, status.st_ino, status.st_mtime_ns)
    return found


if os.geteuid() == 0 and shutil.which('sudo') and \
        os.path.isdir('/etc/sudoers.d'):
    class HostileCallsTest(fixtures.TestWithFixtures):

        def setUp(self):
            super().setUp()
            self.user = pwd.getpwnam('nobody')
            self.base = f'/run/cyborg-spdk-hostile-{os.getpid()}'
            os.mkdir(self.base, 0o755)
            self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
            for name in ('run', 'theirs', 'outside', 'spdk'):
                os.mkdir(self.path(name), 0o755)
            os.chown(self.path('run'), 0, self.user.pw_gid)
            os.chmod(self.path('run'), 0o750)
            self.write('outside/file', 'as it was', 0o600)
            for name in ('nvmf_tgt', 'vhost'):
                self.write(f'spdk/{name}', _PROGRAM.format(
                    base=self.base, file='ran'), 0o755)
            self.write('theirs/nvmf_tgt', _PROGRAM.format(
                base=self.base, file='outside/evil'), 0o755)
            os.chown(self.path('theirs'), self.user.pw_uid, -1)
            os.chown(self.path('theirs/nvmf_tgt'), self.user.pw_uid, -1)
            self.write('conf', _CONF.format(base=self.base), 0o644)
            self.write('helper', _HELPER.format(
                python=sys.executable, conf=self.path('conf')), 0o755)
            self.allow(f'nobody ALL=(root) NOPASSWD: {self.path("helper")} '
                       '""\n')
            self.keep_memory()

        def path(self, name):
            return os.path.join(self.base, name)

        def write(self, name, text, mode):
            with open(self.path(name), 'w') as stream:
                stream.write(text)
            os.chmod(self.path(name), mode)

        def allow(self, text):
            path = f'/etc/sudoers.d/cyborg-spdk-hostile-{os.getpid()}'
            with open(path, 'w', opener=lambda name, flags: os.open(
                    name, flags, 0o440)) as stream:
                stream.write(text)
            self.addCleanup(os.unlink, path)

        def keep_memory(self):
            """Pages and mounts of this machine, as they were before."""
            if not hugepage_pools.sizes_kb():
                return
            before = {mount.path for mount in hugetlbfs.mounts()}
            pages = hugepage_pools.pool(2048)

            def restore():
                with open(hugepage_pools.pool_path(2048) + '/nr_hugepages',
                          'w') as stream:
                    stream.write(str(pages.total))
                for mount in hugetlbfs.mounts():
                    if mount.path not in before:
                        subprocess.run(['umount', mount.path], check=False)

            self.addCleanup(restore)

        def hostile(self, seed):
            python, environ = processes.python()
            done = subprocess.run(
                [python, '-W', 'ignore', '-m', 'tests.soak.hostile_calls',
                 self.path('conf'), self.path('theirs'), str(CALLS),
                 str(seed)],
                env={**os.environ, **environ}, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, check=False,
                cwd=os.path.dirname(os.path.dirname(os.path.dirname(
                    os.path.dirname(os.path.abspath(__file__))))),
                user=self.user.pw_uid, group=self.user.pw_gid,
                extra_groups=[])
            self.assertEqual(0, done.returncode, done.stderr[-3000:])
            return json.loads(done.stdout.splitlines()[-1])

        def test_nothing_outside_is_changed_or_run(self):
            trees = (*_TREES, self.path('outside'), self.path('spdk'))
            before = _snapshot(*trees)
            counts = self.hostile(os.getpid())
            self.assertEqual(CALLS, sum(counts.values()), counts)
            self.assertGreater(counts['answered'], CALLS // 20, counts)
            self.assertGreater(counts['refused'], CALLS // 20, counts)
            self.assertLess(counts['lost'], CALLS // 20, counts)
            after = _snapshot(*trees)
            self.assertEqual([], sorted(
                path for path in before.keys() | after.keys()
                if before.get(path) != after.get(path)))
            self.assertEqual(
                {'run', 'theirs', 'outside', 'spdk', 'conf', 'helper'},
                set(os.listdir(self.base)) - {'ran'})
            self.check_started()
            self.check_run_path()
            roots = [path for path, status in _snapshot(
                self.path('theirs')).items() if status[1] == 0]
            self.assertEqual([], roots)

        def check_started(self):
            """What ran as root, with which arguments."""
            run = re.escape(self.path('run'))
            name = '(?:nvmf|vhost)'
            known = re.compile(
                rf'-r {run}/{name}\.sock -m 0x1 -s 512( -S {run}/vhost)? '
                r'--disable-cpumask-locks( --wait-for-rpc)?')
            if not os.path.exists(self.path('ran')):
                self.assertLess(CALLS, 200, 'no target was ever started')
                return
            with open(self.path('ran')) as stream:
                lines = stream.read().splitlines()
            self.assertTrue(lines)
            self.assertEqual([], [line for line in lines
                                  if not known.fullmatch(line)])

        def check_run_path(self):
            self.assertEqual(set(), set(os.listdir(self.path('run'))) - {
                f'{name}.{end}' for name in ('nvmf', 'vhost')
                for end in ('log', 'log.1')} - {'vhost'})
