# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk serve`` as a process, with targets that end and hang."""

import os
import signal
import socket
import subprocess

import requests

from cyborg_spdk.host.target import lifecycle
from cyborg_spdk import rpc
from cyborg_spdk.service import supervise
from tests.functional.fixtures import host
from tests.functional.service import serving


class ServeTest(serving.ServeCase):

    def test_starts_and_starts_again(self):
        process = self.serve()
        pid = self.pid('nvmf')
        other = self.pid('vhost')
        os.kill(pid, signal.SIGKILL)
        duties = self.wait_for(
            lambda found: found['supervise nvmf'].get('pid') not in (
                None, pid)
            and found['supervise nvmf']['state'] == supervise.ANSWERS)
        self.assertEqual(other, duties['supervise vhost']['pid'])
        self.assertEqual(0, self.end(process, signal.SIGTERM))
        # The targets outlive the service.
        self.assertIsNotNone(
            lifecycle.status(self.host.conf, self.host.target('nvmf')))

    def test_one_that_hangs_is_told_and_left_alone(self):
        self.service_options['missed_answers'] = 2
        self.serve()
        pid = self.pid('nvmf')
        os.kill(pid, signal.SIGSTOP)
        duties = self.wait_for(lambda found: found[
            'supervise nvmf'].get('state') == supervise.HANGS)
        self.assertIn(f'process {pid} has not answered',
                      duties['supervise nvmf']['problems'][0])
        self.assertEqual(503, requests.get(
            f'http://127.0.0.1:{self.port}/health', timeout=60).status_code)
        os.kill(pid, signal.SIGCONT)
        duties = self.wait_for(lambda found: found[
            'supervise nvmf'].get('state') == supervise.ANSWERS)
        self.assertEqual(pid, duties['supervise nvmf']['pid'])

    def test_one_that_hangs_is_ended_if_told_so(self):
        self.service_options |= {'missed_answers': 2, 'abort_hung': True}
        self.serve()
        pid = self.pid('nvmf')
        os.kill(pid, signal.SIGSTOP)
        self.wait_for(
            lambda found: found['supervise nvmf'].get('pid') not in (
                None, pid)
            and found['supervise nvmf']['state'] == supervise.ANSWERS)

    def test_all_connections_taken_is_not_hanging(self):
        lifecycle.ensure(self.host.conf, self.host.target('nvmf'))
        path = self.host.target('nvmf').rpc_address
        rpc.disconnect(path)
        for _ in range(supervise.MAX_CONNECTIONS):
            sock = socket.socket(socket.AF_UNIX)
            self.addCleanup(sock.close)
            sock.connect(path)
        self.service_options |= {'missed_answers': 2, 'abort_hung': True}
        done = subprocess.run(
            self.command('--once'), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=host.PATIENCE)
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertIn('all 64 connections', done.stderr)

    def test_one_service_on_a_host(self):
        self.serve()
        done = subprocess.run(
            self.command('--once'), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=host.PATIENCE)
        self.assertEqual(1, done.returncode)
        self.assertIn('another process', done.stderr)
        self.assertNotIn('Traceback', done.stderr)

    def test_once(self):
        done = subprocess.run(
            self.command('--once'), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=host.PATIENCE)
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        for name in self.host.names():
            self.assertIsNotNone(
                lifecycle.status(self.host.conf, self.host.target(name)))

    def test_reads_the_configuration_anew(self):
        process = self.serve()
        path = self.host.config_file()
        with open(path, 'a') as stream:
            stream.write('[spdk_service]\ninterval = nonsense\n')
        process.send_signal(signal.SIGHUP)
        host.wait_until(lambda: 'was not read anew' in self.log(),
                        'the refusal')
        # What it had before goes on.
        self.assertEqual({'supervise nvmf', 'supervise vhost',
                          'repair nvmf', 'repair vhost', 'wipe'},
                         set(self.duties()))
        with open(self.command()[-2], 'a') as stream:
            stream.write('[spdk]\nvhost_targets =\n')
        process.send_signal(signal.SIGHUP)
        self.wait_for(lambda found: set(found) == {
            'supervise nvmf', 'repair nvmf', 'wipe'})

    def test_what_is_lost_comes_back(self):
        path = self.host.path('disk')
        with open(path, 'wb') as stream:
            stream.truncate(1 << 20)
        lifecycle.ensure(self.host.conf, self.host.target('nvmf'))
        client = self.host.client('nvmf')
        client.call('bdev_aio_create', name='Aio0', filename=path,
                    block_size=512)
        client.call('bdev_malloc_create', name='Malloc0', block_size=512,
                    num_blocks=2048)
        self.serve()
        self.wait_for(lambda found: found['repair nvmf']['runs'] > 1)
        os.rename(path, path + '.away')
        pid = self.pid('nvmf')
        os.kill(pid, signal.SIGKILL)
        duties = self.wait_for(
            lambda found: found['repair nvmf'].get('missing') == [
                'bdev:Aio0'])
        self.assertIn('bdev:Aio0 is missing',
                      duties['repair nvmf']['problems'][0])
        self.host.client('nvmf').call('bdev_get_bdevs', name='Malloc0')
        os.rename(path + '.away', path)
        self.wait_for(
            lambda found: found['repair nvmf'].get('missing') == [])
        self.host.client('nvmf').call('bdev_get_bdevs', name='Aio0')

    def test_killed_at_any_moment(self):
        pids = set()
        for _ in range(3):
            process = self.serve()
            pids.add((self.pid('nvmf'), self.pid('vhost')))
            self.assertEqual(-signal.SIGKILL, self.end(process))
        self.assertEqual(1, len(pids))
