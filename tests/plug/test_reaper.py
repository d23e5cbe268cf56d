# SPDX-License-Identifier: Apache-2.0

import signal
import subprocess
import sys

import testtools

from tests.functional.fixtures import host
from tests.plug import reaper

# A daemon with a child that is left alone, and says when it has ended.
_DAEMON = '''
import os, sys
if os.fork() == 0:
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        sys.stdin.read()
        os._exit(0)
    os._exit(0)
'''


class ReaperTest(testtools.TestCase):

    def start(self, *command):
        process = subprocess.Popen(
            [sys.executable, reaper.__file__, *command], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, host.PATIENCE)
        self.addCleanup(process.stdin.close)
        return process

    def test_it_stays_for_what_a_daemon_leaves(self):
        process = self.start(sys.executable, '-c', _DAEMON)
        left = int(process.stdout.readline())
        host.wait_until(lambda: self.parent(left) == process.pid,
                        'its new parent')
        self.assertIsNone(process.poll())
        process.stdin.close()
        self.assertEqual(0, process.wait(host.PATIENCE))

    @staticmethod
    def parent(pid):
        with open(f'/proc/{pid}/stat') as stream:
            return int(stream.read().rpartition(')')[2].split()[1])

    def test_a_signal_ends_the_daemon(self):
        process = self.start(
            sys.executable, '-c',
            'import sys; print("up", flush=True); sys.stdin.read()')
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(host.PATIENCE))
