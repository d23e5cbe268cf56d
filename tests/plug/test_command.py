# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk plug``, and the service as a process."""

import json
import subprocess
import sys

from cyborg_spdk.service.plug import rounds
from tests.functional.fixtures import host
from tests.functional.fixtures import targets
from tests.plug import case

# A service on a loaded machine may not answer in 2 s.
_PATIENT = """
import sys
from cyborg_spdk.service import ask
from cyborg_spdk.cli import main
ask._TIMEOUT = 60.0
sys.exit(main.main())
"""
_COMMAND = [sys.executable, '-W', 'ignore', '-c', _PATIENT]


class CommandTest(case.PlugCase):

    def setUp(self):
        super().setUp()
        self.config = self.config_file()
        with open(self.config, 'a') as stream:
            stream.write(f'listen_port = {targets.free_port()}\n')

    def plug(self, *words):
        """Exit status, rows and errors of a command."""
        done = subprocess.run(
            [*_COMMAND, '--config-file', self.config, 'plug', *words,
             '-f', 'json'], capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=host.PATIENCE, check=False)
        return done.returncode, json.loads(done.stdout), done.stderr

    def test_now(self):
        unit = self.unit('blk.0')
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        status, (row,), errors = self.plug('list')
        self.assertEqual((0, rounds.WAITING), (status, row['State']))
        self.assertIn('the service does not run', errors)
        self.assertEqual({}, self.disks(domain))
        status, (row,), _errors = self.plug('now')
        self.assertEqual((0, 'vdz', rounds.PLUGGED, instance, domain.name()), (
            status, row['Device'], row['State'], row['Instance'],
            row['Name']))
        self.assertEqual({unit: 'vdz'}, self.disks(domain))

    def test_the_service_says_why_not(self):
        good, bad = self.unit('blk.0'), self.unit('blk.1', served=False)
        first, domain = self.libvirtd.create()
        second, _ = self.libvirtd.create(memory='')
        self.give(first, good)
        self.give(second, bad)
        with open(self.host.path('serve.log'), 'wb') as log:
            service = subprocess.Popen(
                [*_COMMAND, '--config-file', self.config, 'serve'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(service.wait, host.PATIENCE)
        self.addCleanup(service.terminate)
        host.wait_until(lambda: self.disks(domain), 'the disk')
        self.assertEqual({good: 'vdz'}, self.disks(domain))

        def listed():
            status, rows, _errors = self.plug('list')
            found = {row['Instance']: row for row in rows}
            return found if status and found[second]['Why'] else None
        found = host.wait_until(listed, 'the reason')
        self.assertEqual((rounds.PLUGGED, 'vdz', ''), (
            found[first]['State'], found[first]['Device'],
            found[first]['Why']))
        self.assertEqual(rounds.WAITING, found[second]['State'])
        self.assertIn('hw:mem_page_size', found[second]['Why'])
        with open(self.host.path('serve.log')) as log:
            self.assertIn(f'is plugged into instance {first}', log.read())
