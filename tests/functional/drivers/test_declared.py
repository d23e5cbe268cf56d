# SPDX-License-Identifier: Apache-2.0

"""The agent's drivers make what units.yaml declares: no service runs."""

import json
import logging
import time

import fixtures
import testtools

from cyborg_spdk.drivers import nvmf
from cyborg_spdk.drivers import vhost
from tests.functional.fixtures import targets

_FILE = '''\
pools:
  - {{name: p, target: spdk_nvmf, cluster_size: 1MiB,
     disks: [{{file: {file}, size: 64MiB}}]}}
units:
  - {{pool: p, name: 'u{{n}}', count: 2, size: 4MiB, export: nvmf,
     listeners: ['tcp://127.0.0.1:{port}']}}
'''


class DeclaredTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.targets = self.useFixture(targets.Targets(
            {'nvmf': ['spdk_nvmf'], 'vhost': []}))
        self.told = self.useFixture(fixtures.FakeLogger(level=logging.INFO))
        self.declare('')
        self.targets.config.config(
            group='spdk', units_file=self.targets.path('units.yaml'))

    def declare(self, units=_FILE):
        with open(self.targets.path('units.yaml'), 'w') as out:
            out.write(units.format(file=self.targets.path('disk'),
                                   port=targets.free_port()) or 'pools: []\n')

    def reported(self, driver, number):
        """Handles of the units in a report, once there are so many."""
        deadline = time.monotonic() + 60
        while True:
            device, = driver.discover()
            found = [json.loads(one.attach_handle_list[0].attach_info)
                     for one in device.deployable_list or ()
                     if one.num_accelerators]
            if len(found) == number:
                return found
            self.assertLess(time.monotonic(), deadline,
                            f'{found}\n{self.told.output}')

    def test_made_beside_the_reports(self):
        driver = nvmf.NvmfDriver()
        self.assertEqual([], self.reported(driver, 0))
        self.declare()
        # Not by the driver of another kind.
        vhost.VhostDriver().discover()
        found = self.reported(driver, 2)
        self.assertEqual(
            ['nqn.2016-06.io.spdk:p-u1', 'nqn.2016-06.io.spdk:p-u2'],
            sorted(one['nqn'] for one in found))

    def test_what_is_wrong_is_told_once(self):
        self.declare('pools: 3\n')
        driver = nvmf.NvmfDriver()
        deadline = time.monotonic() + 60
        while 'declared units' not in self.told.output:
            self.assertEqual([], self.reported(driver, 0))
            self.assertLess(time.monotonic(), deadline, self.told.output)
        for _count in range(3):
            self.reported(driver, 0)
        self.assertEqual(1, self.told.output.count('declared units'))
