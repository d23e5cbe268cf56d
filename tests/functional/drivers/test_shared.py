# SPDX-License-Identifier: Apache-2.0

"""One spdk_tgt that serves the targets of two drivers."""

import json
import signal
import time

from oslo_config import cfg
import psutil
import testtools

from cyborg_spdk import clients
from cyborg_spdk.host.target import lifecycle
from tests.functional.drivers import test_drivers
from tests.functional.fixtures import background
from tests.functional.fixtures import cloud
from tests.functional.fixtures import targets

_MIB = 1 << 20


class SharedTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(cloud.Host(
            ['spdk_nvmf_driver', 'spdk_vhost_driver']))
        self.targets = self.useFixture(targets.Targets(
            {'nvmf': ['spdk_nvmf'], 'vhost': ['spdk_vhost']},
            self.host.config, application='spdk_tgt'))
        self.tracker = self.host.cloud.tracker(self.host.name)
        self.targets.start()
        client = self.targets.client('spdk_nvmf')
        target = clients.NvmfTgt(client)
        for name in ('Malloc0', 'Malloc1'):
            target.bdev_malloc_create(name, 16 * _MIB, 512)
        target.nvmf_create_transport('TCP')
        test_drivers.add_subsystem(target, 1, ['Malloc0'])
        clients.VhostTgt(client).vhost_create_blk_controller('b', 'Malloc1')

    def process(self):
        found = {lifecycle.status(cfg.CONF, self.targets.target(name)).pid
                 for name in ('spdk_nvmf', 'spdk_vhost')}
        self.assertEqual(1, len(found), found)
        return psutil.Process(found.pop())

    def handles(self):
        return {tuple(sorted(json.loads(
            one.attach_handle_list[0].attach_info)))
            for device in self.host.devices()
            for one in device.deployable_list}

    def test_each_driver_reports_its_own(self):
        """It is started once, and has all of it again after its end."""
        expected = {('nqn', 'nsid'), ('socket',)}
        self.host.cloud.report(self.tracker)
        self.assertEqual(expected, self.handles())
        before = self.host.providers()
        self.assertEqual(2, len(before))
        background.settle()
        process = self.process()
        process.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 60
        while process.is_running() \
                and process.status() != psutil.STATUS_ZOMBIE:
            self.assertLess(time.monotonic(), deadline)
        self.host.cloud.report(self.tracker)
        self.assertNotEqual(process.pid, self.process().pid)
        self.host.cloud.report(self.tracker)
        self.assertEqual((expected, before),
                         (self.handles(), self.host.providers()))
        self.assertEqual(
            (1, 1), tuple(len(found) for found in (
                clients.NvmfTgt(
                    self.targets.client('spdk_nvmf')).find_subsystem(
                    'nqn.2016-06.io.spdk:cnode1').namespaces,
                clients.VhostTgt(self.targets.client(
                    'spdk_vhost')).vhost_get_controllers())))
