# SPDX-License-Identifier: Apache-2.0

"""The drivers in the agent, from targets to Placement and back."""

import json
import os
import signal
import threading
import time
import uuid

from oslo_config import cfg
import psutil
import testtools

from cyborg_spdk import clients
from cyborg_spdk.host.target import lifecycle
from cyborg_spdk.units import report_account
from tests.functional.fixtures import background
from tests.functional.fixtures import cloud
from tests.functional.fixtures import targets

_MIB = 1 << 20


def add_subsystem(client, number, bdevs):
    """A subsystem with a namespace for each bdev."""
    client.construct_nvmf_subsystem(
        f'nqn.2016-06.io.spdk:cnode{number}',
        [{'trtype': 'TCP', 'adrfam': 'IPv4', 'traddr': '127.0.0.1',
          'trsvcid': str(targets.free_port())}],
        [], f'SPDK{number:016d}', bdevs)


class AgentCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(cloud.Host(
            ['spdk_nvmf_driver', 'spdk_vhost_driver']))
        self.cloud = self.host.cloud
        self.targets = self.useFixture(targets.Targets(
            {'nvmf': ['spdk_nvmf'], 'vhost': ['spdk_vhost']},
            self.host.config))
        # By the installed entry points, as the agent does.
        self.tracker = self.cloud.tracker(self.host.name)
        self.targets.start()
        self.populate()

    def populate(self):
        client = clients.NvmfTgt(self.targets.client('spdk_nvmf'))
        client.bdev_null_create('Null0', 64 * _MIB, 512)
        client.bdev_malloc_create('Malloc0', 16 * _MIB, 4096)
        client.nvmf_create_transport('TCP')
        add_subsystem(client, 1, ['Null0', 'Malloc0'])
        client = clients.VhostTgt(self.targets.client('spdk_vhost'))
        for name in ('Malloc0', 'Malloc1', 'Malloc2'):
            client.bdev_malloc_create(name, 16 * _MIB, 512)
        client.vhost_create_blk_controller('blk.0', 'Malloc0')
        client.vhost_create_scsi_controller('scsi.0')
        for number in (0, 1):
            client.vhost_scsi_controller_add_target(
                'scsi.0', number, f'Malloc{number + 1}')

    def by_handle(self):
        """Deployable name by decoded handle, from Cyborg's database."""
        return {
            json.dumps(json.loads(one.attach_handle_list[0].attach_info)):
            one.name for device in self.host.devices()
            for one in device.deployable_list}

    def picture(self):
        """All that Placement and Cyborg have of this host."""
        root = self.cloud.get(f'/resource_providers?in_tree={self.host.root}')
        devices = [device.obj_to_primitive()
                   for device in self.host.devices()]
        return json.dumps([sorted(root['resource_providers'],
                                  key=lambda one: one['uuid']),
                           self.host.providers(), devices], sort_keys=True,
                          default=str)


class ReportTest(AgentCase):

    def test_placement_has_one_provider_for_each_unit(self):
        self.cloud.report(self.tracker)
        providers = self.host.providers()
        self.assertEqual(5, len(providers))
        counted = sorted(list(one['inventory'].items())[0]
                         for one in providers.values())
        self.assertEqual([('CUSTOM_SPDK_NVMF', 1)] * 2
                         + [('CUSTOM_SPDK_VHOST', 1)] * 3, counted)
        names = self.by_handle()
        name = names['{"nqn": "nqn.2016-06.io.spdk:cnode1", "nsid": "2"}']
        self.assertEqual(
            ['CUSTOM_SPDK', 'CUSTOM_SPDK_BACKEND_MALLOC',
             'CUSTOM_SPDK_BLOCK_SIZE_4096', 'CUSTOM_SPDK_NVMF_TCP'],
            # Placement before 9.0 (os-traits 2.9) does not know the other.
            [one for one in providers[name]['traits']
             if one != 'OWNER_CYBORG'])
        socket = self.targets.path('vhost', 'blk.0')
        name = names[json.dumps({'socket': socket})]
        self.assertIn('CUSTOM_SPDK_VHOST_BLK', providers[name]['traits'])
        devices = self.host.devices()
        self.assertEqual(
            [('SSD', 'SPDK', 'nvmf_tgt'), ('SSD', 'SPDK', 'vhost')],
            sorted((one.type, one.vendor, one.model) for one in devices))

    def test_an_account_is_left(self):
        self.cloud.report(self.tracker)
        found = report_account.load_all(self.targets.conf)
        self.assertEqual(report_account.Device(units=2, new=2),
                         found['nvmf'].devices['spdk_nvmf'])
        self.assertEqual(3, found['vhost'].devices['spdk_vhost'].units)
        self.assertGreater(found['nvmf'].seconds, 0)

    def test_a_second_report_changes_nothing(self):
        self.cloud.report(self.tracker)
        before = self.picture()
        self.cloud.report(self.tracker)
        self.assertEqual(before, self.picture())

    def test_profile_request_bind_unbind(self):
        self.cloud.report(self.tracker)
        providers = self.host.providers()
        name = self.by_handle()[
            '{"nqn": "nqn.2016-06.io.spdk:cnode1", "nsid": "1"}']
        profile = self.cloud.profile([{
            'resources:CUSTOM_SPDK_NVMF': '1',
            'trait:CUSTOM_SPDK_BACKEND_NULL': 'required'}])
        candidates = self.cloud.get(
            '/allocation_candidates?resources=CUSTOM_SPDK_NVMF:1'
            '&required=CUSTOM_SPDK_BACKEND_NULL'
            f'&in_tree={self.host.root}')['provider_summaries']
        self.assertIn(providers[name]['uuid'], candidates)
        arq = self.cloud.request(profile)
        bound = self.cloud.bind(arq, self.host.name, providers[name]['uuid'],
                                str(uuid.uuid4()))
        self.assertEqual('Bound', bound['state'])
        self.assertEqual({'nqn': 'nqn.2016-06.io.spdk:cnode1', 'nsid': '1'},
                         bound['attach_handle_info'])
        self.cloud.report(self.tracker)
        self.cloud.unbind(arq)
        self.assertEqual('Unbound', self.cloud.arq(arq)['state'])
        again = self.cloud.bind(
            self.cloud.request(profile), self.host.name,
            providers[name]['uuid'], str(uuid.uuid4()))
        self.assertEqual('Bound', again['state'])

    def test_a_stopped_target_keeps_providers_and_bound_requests(self):
        self.cloud.report(self.tracker)
        before = self.picture()
        providers = self.host.providers()
        name = self.by_handle()[
            '{"nqn": "nqn.2016-06.io.spdk:cnode1", "nsid": "1"}']
        arq = self.cloud.request(self.cloud.profile([
            {'resources:CUSTOM_SPDK_NVMF': '1'}]))
        self.cloud.bind(arq, self.host.name, providers[name]['uuid'],
                        str(uuid.uuid4()))
        self.host.config.config(group='spdk_nvmf', start=False)
        self.targets.stop('spdk_nvmf')
        for _ in range(2):
            self.cloud.report(self.tracker)
            self.assertEqual(list(providers), list(self.host.providers()))
            self.assertEqual('Bound', self.cloud.arq(arq)['state'])
        self.cloud.unbind(arq)
        self.assertEqual(json.loads(before)[1],
                         json.loads(self.picture())[1])


class RestartTest(AgentCase):
    """What the agent does for a target beside reading it."""

    def test_a_target_that_ends_comes_back_with_what_it_had(self):
        self.cloud.report(self.tracker)
        # The configuration is saved in the background.
        background.settle()
        before = self.picture()
        process = lifecycle.status(cfg.CONF, self.targets.target('spdk_nvmf'))
        running = psutil.Process(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while running.is_running():
            self.assertLess(time.monotonic(), deadline)
            threading.Event().wait(0.02)
        self.cloud.report(self.tracker)
        again = lifecycle.status(cfg.CONF, self.targets.target('spdk_nvmf'))
        self.assertNotEqual(process.pid, again.pid)
        client = clients.NvmfTgt(self.targets.client('spdk_nvmf'))
        subsystem = client.find_subsystem('nqn.2016-06.io.spdk:cnode1')
        self.assertEqual(2, len(subsystem.namespaces))
        self.assertEqual(json.loads(before)[1], self.host.providers())


class IscsiTest(testtools.TestCase):

    def test_a_provider_for_each_lun(self):
        host = self.useFixture(cloud.Host(['spdk_iscsi_driver']))
        self.targets = self.useFixture(targets.Targets(
            {'iscsi': ['spdk_iscsi']}, host.config))
        tracker = host.cloud.tracker(host.name)
        self.targets.start()
        client = clients.IscsiTgt(self.targets.client('spdk_iscsi'))
        for name in ('Malloc0', 'Malloc1'):
            client.bdev_malloc_create(name, 16 * _MIB, 512)
        port = targets.free_port()
        client.iscsi_create_portal_group(1, [f'127.0.0.1:{port}'])
        client.iscsi_create_initiator_group(1, ['ANY'], ['ANY'])
        client.iscsi_create_target_node(
            'disk1', [(0, 'Malloc0'), (5, 'Malloc1')], [(1, 1)])
        host.cloud.report(tracker)
        providers = host.providers()
        self.assertEqual([{'CUSTOM_SPDK_ISCSI': 1}] * 2, [
            one['inventory'] for one in providers.values()])
        self.assertEqual(
            ['{"iqn":"iqn.2016-06.io.spdk:disk1","lun":"0"}',
             '{"iqn":"iqn.2016-06.io.spdk:disk1","lun":"5"}'],
            sorted(one.attach_handle_list[0].attach_info
                   for device in host.devices()
                   for one in device.deployable_list))
        for one in providers.values():
            self.assertIn('CUSTOM_SPDK_ISCSI', one['traits'])
