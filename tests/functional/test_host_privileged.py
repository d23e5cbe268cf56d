# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Through the real helper, with the capabilities that it keeps.

Only root can start it here (elsewhere sudo does), so there are no tests for
others.
"""

import os
import subprocess
import sys

import fixtures

from tests.functional.fixtures import host

# A client of the helper: it lets nothing be called directly.
_CLIENT = '''
import os, signal, sys
from oslo_config import cfg
from cyborg_spdk.host import privileged, process
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
ticks = process.stat_of(pid).ticks
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
