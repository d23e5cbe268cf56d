# SPDX-License-Identifier: Apache-2.0
"""The privileged helper as a process: killed, hung, refused, and forked.

The helper keeps capabilities, so only root can start it. No sudo here.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from unittest import mock

import fixtures
import psutil

from cyborg_spdk import exceptions
from cyborg_spdk.host import helper
from cyborg_spdk.host import privileged
from tests import forks
from tests.functional.fixtures import host

_HELPER = """#!/bin/sh
exec {python} -W ignore -c 'import sys  # {name}
from cyborg_spdk.host import helper_daemon
sys.exit(helper_daemon.main([]))'
"""

if os.geteuid() == 0:
    class HelperTest(fixtures.TestWithFixtures):

        def setUp(self):
            super().setUp()
            self.host = self.useFixture(host.Host())
            self.addCleanup(privileged.context.set_client_mode,
                            privileged.context.client_mode)
            privileged.context.set_client_mode(True)
            # As in a process of its own, without another test's helper.
            self.useFixture(fixtures.MonkeyPatch(
                'cyborg_spdk.host.helper._HELPER', helper._Helper()))
            self.addCleanup(self.end)
            self.name = f'helper of {os.path.basename(self.host.directory)}'
            self.use(_HELPER.format(python=sys.executable, name=self.name))

        def end(self):
            channel = helper._HELPER._channel
            if channel is not None:
                channel.close()

        def use(self, text):
            """Take this script for what starts the helper."""
            descriptor, path = tempfile.mkstemp(dir=self.host.directory)
            with open(descriptor, 'w') as out:
                out.write(text)
            os.chmod(path, 0o755)
            self.host.set('spdk', privsep_helper_command=path)

        def ask(self):
            """A call that needs the helper and changes nothing."""
            return privileged.ask(self.host.conf)

        def failure(self):
            with self.assertRaises(exceptions.PrivilegeError) as caught:
                self.ask()
            return str(caught.exception)

        def daemon(self):
            """The helper's process."""
            def find():
                for one in psutil.process_iter(['cmdline']):
                    words = one.info['cmdline'] or []
                    if any(self.name in word for word in words) and \
                            one.ppid() != os.getpid():
                        return one
                return None
            return host.wait_until(find)

        def test_children_have_helpers_of_their_own(self):
            """Before, during and after the parent has one."""
            def child():
                return [self.ask() for _ in range(20)]
            expected = [[0] * 20]
            self.assertEqual(expected * 2, forks.each(2, child))
            starting = threading.Thread(target=self.ask)
            starting.start()
            self.assertEqual(expected, forks.each(1, child))
            starting.join()
            before = self.daemon().pid
            done = threading.Event()
            results = []

            def parent():
                while not done.is_set():
                    results.append(self.ask())
            busy = threading.Thread(target=parent)
            busy.start()
            self.assertEqual(expected * 3, forks.each(3, child))
            done.set()
            busy.join()
            self.assertEqual({0}, set(results))
            self.assertEqual(before, self.daemon().pid)

        def test_killed(self):
            self.ask()
            self.daemon().kill()
            self.assertEqual(0, self.ask())

        def test_killed_during_a_call(self):
            self.ask()
            daemon = self.daemon()
            daemon.suspend()
            channel = helper._HELPER._channel
            with mock.patch.object(channel, 'exchange_ping'):
                threading.Timer(0.5, daemon.kill).start()
                self.assertIn('the privileged helper ended during ask',
                              self.failure())
            self.assertEqual(0, self.ask())

        def test_it_hangs(self):
            """Another one is started; the other ends when it goes on."""
            self.ask()
            daemon = self.daemon()
            daemon.suspend()
            began = time.monotonic()
            with mock.patch.object(helper, 'PING_TIMEOUT', 1.0):
                self.assertEqual(0, self.ask())
            self.assertLess(time.monotonic() - began, 30)
            daemon.resume()
            host.wait_until(lambda: not daemon.is_running()
                            or daemon.status() == psutil.STATUS_ZOMBIE)

        def test_it_hangs_in_a_call(self):
            self.ask()
            daemon = self.daemon()
            daemon.suspend()
            self.addCleanup(daemon.resume)
            channel = helper._HELPER._channel
            with mock.patch.object(channel, 'exchange_ping'), \
                    self.assertRaisesRegex(
                        exceptions.PrivilegeError,
                        'has not done ask within 0.5 s'):
                helper.call(
                    privileged.context, None, privileged.perform.args[0],
                    0.5, 'ask', ())
            self.assertEqual(0, self.ask())

        def test_refused(self):
            self.use('#!/bin/sh\necho sudo: no way >&2; exit 1\n')
            self.assertRegex(
                self.failure(), 'no way to root for ask: sudo: no '
                'way; allow it in sudoers')

        def test_it_does_not_call_back(self):
            self.use('#!/bin/sh\nexit 0\n')
            with mock.patch.object(helper, 'START_TIMEOUT', 1.0):
                self.assertIn('no way to root for ask: ', self.failure())

        def test_what_starts_it_hangs(self):
            self.use('#!/bin/sh\necho password: >&2; exec sleep 600\n')
            with mock.patch.object(helper, 'START_TIMEOUT', 1.0):
                self.assertRegex(self.failure(),
                                 'has not started it within 1 s: password:')
            # Root can end it; of sudo there would be no second one.
            self.assertIsNotNone(helper._HELPER._late.wait(60))
            with mock.patch.object(helper._HELPER._late, 'poll',
                                   return_value=None):
                self.assertRegex(self.failure(), r'process \d+, which is to '
                                 'start it, hangs; end it')

        def test_the_helper_ends_with_the_agent(self):
            """Although a child of the agent lives on."""
            script = (
                'import os, signal, sys\n'
                'from oslo_config import cfg\n'
                'from cyborg_spdk import conf as spdk_conf\n'
                'from cyborg_spdk.host import privileged\n'
                'conf = cfg.ConfigOpts()\n'
                'conf([])\n'
                'spdk_conf.register(conf)\n'
                'conf.set_override("privsep_helper_command", sys.argv[1],\n'
                '                  group="spdk")\n'
                'privileged.context.set_client_mode(True)\n'
                'privileged.ask(conf)\n'
                'if not os.fork():\n'
                '    os.close(1); os.close(2); signal.pause()\n'
                'print("asked", flush=True)\n'
                'os.kill(os.getpid(), 9)\n')
            command = self.host.conf.spdk.privsep_helper_command
            agent = subprocess.Popen(
                [sys.executable, '-W', 'ignore', '-c', script, command],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                start_new_session=True)
            said = agent.communicate(timeout=host.PATIENCE)[0].strip()
            self.addCleanup(os.killpg, agent.pid, signal.SIGKILL)
            self.assertEqual('asked', said)
            host.wait_until(lambda: not any(
                any(self.name in word for word in one.info['cmdline'] or [])
                for one in psutil.process_iter(['cmdline'])))
