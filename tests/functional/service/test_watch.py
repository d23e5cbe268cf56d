# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk watch`` and ``status`` as processes, beside targets."""

import json
import os
import signal
import subprocess
import threading

from cyborg_spdk.host.target import lifecycle
from cyborg_spdk.service import supervise
from tests.functional.fixtures import host
from tests.functional.service import serving


class WatchTest(serving.ServeCase):

    def watch(self, *arguments):
        """Begin to watch; changes are in the list that is returned."""
        process = subprocess.Popen(
            self.cli('watch', '--json', '--interval', '0.2', *arguments),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        changes = []

        def read():
            for line in process.stdout:
                changes.append(json.loads(line))

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.end, process)
        return changes

    def seen(self, changes, **wanted):
        return host.wait_until(
            lambda: [one for one in changes if wanted.items() <= one.items()],
            f'{wanted} in {changes}')

    def test_units_and_targets(self):
        lifecycle.ensure(self.host.conf, self.host.target('nvmf'))
        changes = self.watch('nvmf', '--initial')
        self.seen(changes, what='target', target='nvmf', after='answers')
        client = self.host.client('nvmf')
        client.call('bdev_malloc_create', name='Malloc0', block_size=512,
                    num_blocks=2048)
        client.call('nvmf_create_subsystem', nqn='nqn.2016-06.io.spdk:c1')
        client.call('nvmf_subsystem_add_ns', nqn='nqn.2016-06.io.spdk:c1',
                    namespace={'bdev_name': 'Malloc0'})
        name = 'nqn.2016-06.io.spdk:c1 namespace 1'
        self.seen(changes, what='unit', name=name, before='none',
                  after='clean')
        client.call('nvmf_subsystem_remove_ns', nsid=1,
                    nqn='nqn.2016-06.io.spdk:c1')
        self.seen(changes, what='unit', name=name, after='none')
        lifecycle.stop(self.host.conf, self.host.target('nvmf'))
        self.seen(changes, what='target', before='answers')

    def test_status_says_what_the_service_has_found(self):
        self.service_options['missed_answers'] = 2
        self.serve()
        done = self.status()
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        pid = self.pid('nvmf')
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        self.wait_for(lambda found: found['supervise nvmf'].get('state')
                      == supervise.HANGS)
        done = self.status()
        self.assertEqual(1, done.returncode)
        self.assertIn('supervise nvmf: ', done.stderr)
        self.assertIn('it hangs', done.stderr)

    def status(self):
        return subprocess.run(
            self.cli('status'), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=host.PATIENCE)
