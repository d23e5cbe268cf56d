# SPDX-License-Identifier: Apache-2.0

"""What got lost on disk or in Placement, with a real Cyborg and Placement."""

import json
import os
import shutil
import time
import types
from unittest import mock

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk.units import placement
from tests.functional.drivers import test_rules as rules
from tests.functional.fixtures import node as nodes
from tests.functional.report import test_cyborg_operator as operator

DISK = nodes.DISK
TRAITS = ('CUSTOM_SPDK_NVMF_RDMA', 'CUSTOM_SPDK_NVMF_TCP')


class LostCase(operator.OperatorCase):

    def state(self, name):
        return self.node.path('state', name)

    def provider(self, nsid):
        name = self.node.handles()[self.node.info('nvmf', 1, nsid)]
        return name, self.node.providers()[name]

    def remove_provider(self, nsid):
        _name, provider = self.provider(nsid)
        self.node.cloud.delete(f'/resource_providers/{provider["uuid"]}')


class DiskTest(LostCase):
    """S6: the disk is full while a unit is first reported."""

    def test_a_device_that_nothing_explains_stays_frozen(self):
        self.units(1)
        self.reports()
        shutil.copy(self.state('report-spdk_nvmf.json'),
                    self.state('kept'))
        self.units(1, 2)
        self.reports()
        consumer = self.take(2)
        # What the full disk did not take.
        os.rename(self.state('kept'), self.state('report-spdk_nvmf.json'))
        self.units(1)
        self.node.restart()
        for _ in range(4):
            self.reports()
            self.assertEqual(['1', '2'], self.nsids())
        self.assertEqual(1, self.told('allocated providers in Placement are '
                                      'unknown here'))
        self.node.cloud.free(consumer)
        self.reports(2)
        self.assertEqual((['1'], 1),
                         (self.nsids(), len(self.node.providers())))

    def test_a_unit_that_comes_back_explains_itself(self):
        self.units(1, 2)
        self.reports()
        consumer = self.take(2)
        os.unlink(self.state('report-spdk_nvmf.json'))
        self.units(1, 3)
        self.node.restart()
        self.reports(2)
        self.assertEqual(['1', '2'], self.nsids())
        self.units(1, 2, 3)
        self.reports(2)
        self.assertEqual(['1', '2', '3'], self.nsids())
        self.assertIn(consumer, self.provider(2)[1]['allocations'])

    def test_a_disk_that_is_full(self):
        """What was said is remembered, and written when it can be."""
        self.units(1)
        self.reports()
        with mock.patch(
                'cyborg_spdk.host.trusted_files.write_atomically',
                side_effect=exceptions.StateError('no space left')):
            self.units(1, 2)
            self.reports(2)
        self.assertEqual(1, self.told('no space left'))
        self.assertEqual(['1', '2'], self.nsids())
        self.reports()
        self.take(2)
        self.node.restart()
        self.units(1)
        self.reports(2)
        self.assertEqual(['1', '2'], self.nsids())
        self.assertEqual(0, self.told('unknown here'))


class RenamedTest(LostCase):
    """S7: and what is known of the old name is lost or damaged."""

    rename = operator.RenamedTest.rename
    targets = operator.RenamedTest.targets

    LOST = ('report-spdk_nvmf.json', 'reported-targets.json',
            'reported-targets-copy.json')

    def lose(self, names, content=None):
        for name in names:
            path = self.node.path('state', name)
            os.unlink(path)
            if content is not None:
                with open(path, 'wb') as out:
                    out.write(content)

    def check(self, names, content=None):
        self.units(1, 2)
        self.reports()
        consumer = self.take(2)
        held = self.allocations()
        self.rename()
        self.lose(names, content)
        for _ in range(4):
            self.reports()
            self.assertEqual(held, self.allocations())
            # Never under both names.
            self.assertEqual(['2'], [nsid for nsid in self.nsids()
                                     if nsid == '2'])
        self.node.restart()
        self.reports()
        self.assertEqual(held, self.allocations())
        self.node.cloud.free(consumer)
        self.reports(5)
        self.assertEqual((['1', '2'], ['renamed'], 2), (
            self.nsids(), self.targets(), len(self.node.providers())))

    def test_any_one_file_is_lost(self):
        for name in self.LOST:
            with self.subTest(name):
                self.check([name])
            self._again()

    def test_its_last_report_is_damaged(self):
        self.check(self.LOST[:1], b'{"version": 1')

    def test_all_files_are_lost(self):
        """The names of its providers in Placement say that it was there."""
        self.check(self.LOST)

    def test_all_files_are_lost_and_then_placement_is_away(self):
        """What it said once is remembered: the device stays."""
        self.units(1, 2)
        self.reports()
        self.take(2)
        held = self.allocations()
        self.rename()
        self.units(1)
        self.lose(self.LOST)
        self.node.restart()
        self.reports()
        self.node.restart()
        with mock.patch.object(
                placement.Placement, '_ask',
                side_effect=exceptions.PlacementError('no answer')):
            self.reports(2)
        self.assertEqual(held, self.allocations())
        self.assertIn('spdk_nvmf', self.targets())

    def _again(self):
        """As it was at the start."""
        del self.node.options['nvmf_targets']
        self.units()
        self.node.restart()
        self.reports(3)
        self.assertEqual({}, self.node.providers())


class PlacementTest(LostCase):
    """Case 08: Placement has lost providers, or something of them."""

    def test_providers_are_made_again_within_two_reports(self):
        self.units(1, 2, 3)
        self.reports(2)
        for restart in (False, True):
            for nsid in (1, 3):
                self.remove_provider(nsid)
            if restart:
                self.node.restart()
            self.reports(2)
            self.assertEqual(['1', '2', '3'], self.nsids())
            self.assertEqual(3, len(self.node.providers()))
            for nsid in (1, 2, 3):
                self.assertEqual({'CUSTOM_SPDK_NVMF': 1},
                                 self.provider(nsid)[1]['inventory'])
            self.reports()
        self.assertEqual(2, self.told('have lost their provider'))

    def test_the_whole_host_was_made_anew(self):
        self.units(1, 2)
        self.reports(2)
        for nsid in (1, 2):
            self.remove_provider(nsid)
        self.node.cloud.delete(f'/resource_providers/{self.node.root}')
        self.node.root = self.node.cloud.add_host(self.node.name)
        self.reports(2)
        self.assertEqual((['1', '2'], 2), (self.nsids(),
                                           len(self.node.providers())))

    def test_an_inventory_or_a_trait_is_lost(self):
        self.units(1, 2)
        self.reports(2)
        consumer = self.take(2)
        for nsid, what in ((1, 'inventories'), (1, 'traits'),
                           (2, 'traits')):
            name, before = self.provider(nsid)
            path = f'/resource_providers/{before["uuid"]}/{what}'
            value = self.node.cloud.get(path)
            value[what] = {} if what == 'inventories' else []
            self.node.cloud.put(path, value)
            self.reports(2)
            after = self.node.providers()[name]
            if nsid == 1:
                self.assertEqual((before['inventory'], before['traits']),
                                 (after['inventory'], after['traits']))
            self.reports(2)
        self.assertEqual((2, 1), (self.told('have lost their provider'),
                                  self.told('have lost their inventory')))
        self.node.cloud.free(consumer)
        self.reports(3)
        self.assertEqual(before['traits'], self.provider(2)[1]['traits'])

    def test_a_report_that_failed_is_no_loss(self):
        self.units(1, 2)
        with mock.patch.object(self.node.cloud.conductor, 'report_data'):
            self.reports()
        self.assertEqual([], self.nsids())
        self.reports()
        self.assertEqual((['1', '2'], 0),
                         (self.nsids(), self.told('have lost')))

    def test_an_orphan_is_told(self):
        self.units(1, 2)
        self.reports(2)
        name, _provider = self.provider(2)
        self.units(1)
        self.reports(2)
        self.node.cloud._request('POST', '/resource_providers', {
            'name': name, 'uuid': placement.provider_uuid(name),
            'parent_provider_uuid': self.node.root})
        self.node.restart()
        self.reports(4)
        self.assertEqual(1, self.told('belong to no unit'))


class TraitsTest(LostCase):

    def listeners(self, *transports):
        replies = self.puppet.replies()['nvmf_get_subsystems']
        for subsystem in replies:
            subsystem['listen_addresses'] = [
                {'trtype': name, 'traddr': '192.0.2.1', 'trsvcid': '4420'}
                for name in transports]
        self.puppet.extra = {'nvmf_get_subsystems': lambda _params: replies}

    def traits(self, nsid):
        return self.provider(nsid)[1]['traits']

    def test_a_transport_stays_while_its_listener_is_away(self):
        """Case 16."""
        self.units(1)
        for transports in (('TCP', 'RDMA'), ('TCP',), (), ('TCP', 'RDMA')):
            self.listeners(*transports)
            self.reports(2)
            self.assertEqual(TRAITS, tuple(
                name for name in self.traits(1) if 'NVMF_' in name))
            # No answer of HTTP 400.
            self.node.cloud.get('/allocation_candidates?resources='
                                f'CUSTOM_SPDK_NVMF:1&required={TRAITS[0]}')

    def test_the_owner_of_all_of_them_is_cyborg(self):
        self.units(1)
        self.reports()
        self.assertIn('OWNER_CYBORG', self.traits(1))
        found = self.node.cloud.get(
            '/allocation_candidates?resources=CUSTOM_SPDK_NVMF:1'
            f'&required=OWNER_CYBORG&in_tree={self.node.root}')
        self.assertEqual(1, len(found['allocation_requests']))

    def test_the_owner_comes_to_what_was_reported_without_it(self):
        asked = mock.patch.object(placement.Placement, 'knows_trait',
                                  return_value=False)
        with asked:
            self.units(1, 2)
            self.reports(3)
        consumer = self.take(2)
        before = self.provider(2)[1]
        self.assertNotIn('OWNER_CYBORG', before['traits'])
        self.node.restart()
        self.reports(3)
        after = self.provider(2)[1]
        self.assertEqual(sorted([*before['traits'], 'OWNER_CYBORG']),
                         after['traits'])
        self.assertEqual(before['inventory'], after['inventory'])
        self.assertEqual([consumer], list(after['allocations']))
        self.assertIn('OWNER_CYBORG', self.traits(1))

    def test_placement_cannot_be_asked_about_the_owner(self):
        self.units(1)
        self.reports(2)
        self.node.restart()
        with mock.patch.object(
                placement.Placement, 'knows_trait',
                side_effect=exceptions.PlacementError('no answer')):
            self.reports(2)
        self.assertIn('OWNER_CYBORG', self.traits(1))


class QuietTest(LostCase):
    """What has not changed is reported as a stub."""

    def setUp(self):
        super().setUp()
        self.sent = []
        conductor = self.node.cloud.conductor
        whole = conductor.report_data

        def report_data(context, host, devices):
            self.sent.append(['stub' if device.stub else len(
                device.deployable_list) for device in devices if json.loads(
                    device.controlpath_id.cpid_info)['target']
                == 'spdk_nvmf'])
            return whole(context, host, devices)

        patch = mock.patch.object(conductor, 'report_data', report_data)
        patch.start()
        self.addCleanup(patch.stop)
        self.now = 1.7e9
        patch = mock.patch(
            'cyborg_spdk.drivers.report.reporter.time', types.SimpleNamespace(
                time=lambda: self.now, monotonic=time.monotonic))
        patch.start()
        self.addCleanup(patch.stop)

    def said(self, number=1):
        del self.sent[:]
        self.reports(number)
        return [one for devices in self.sent for one in devices]

    def test_two_in_full_and_then_stubs(self):
        self.units(1, 2)
        self.assertEqual([2, 2, 'stub', 'stub'], self.said(4))

    def test_right_after_a_restart_of_the_agent(self):
        self.units(1, 2)
        self.reports(3)
        self.node.restart()
        self.assertEqual(['stub', 'stub'], self.said(2))

    def test_any_change(self):
        self.units(1, 2)
        self.reports(3)
        self.units(1, 2, 3)
        self.assertEqual([3, 3, 'stub'], self.said(3))
        self.units(1, 3)
        self.assertEqual([2, 2, 2, 'stub'], self.said(4))
        self.puppet.version = 'SPDK v25.01'
        self.puppet.units[1, 1] = {**DISK, 'blocks': 4096}
        self.assertEqual([2, 2, 'stub'], self.said(3))

    def test_an_allocation_is_no_change(self):
        self.units(1, 2)
        self.reports(3)
        consumer = self.take(2)
        self.assertEqual(['stub'], self.said())
        self.node.restart()
        self.assertEqual(['stub'], self.said())
        self.node.cloud.free(consumer)
        self.assertEqual(['stub'], self.said())

    def test_after_the_interval(self):
        self.units(1)
        self.reports(3)
        for seconds, expected in ((2000, 'stub'), (2000, 1), (60, 'stub'),
                                  (-7200, 1)):
            self.now += seconds
            self.assertEqual([expected], self.said())
        self.node.options['full_report_interval'] = 0
        self.assertEqual([1, 1], self.said(2))

    def test_placement_differs_or_cannot_be_asked(self):
        self.units(1, 2)
        self.reports(3)
        self.remove_provider(2)
        self.assertEqual([1, 2, 2, 'stub'], self.said(4))
        with mock.patch.object(
                placement.Placement, '_ask',
                side_effect=exceptions.PlacementError('no answer')):
            self.assertEqual([2], self.said())

    def test_a_device_that_cyborg_lost_is_back_after_the_interval(self):
        self.units(1)
        self.reports(3)
        device, = self.node.cloud.devices(self.node.name)
        device.destroy(self.node.cloud.context, self.node.name)
        self.assertEqual({}, self.node.handles())
        self.now += 3600
        self.reports()
        self.assertEqual(['1'], self.nsids())


class WhoMattersTest(rules.NodeCase):

    KINDS = {'nvmf': ['spdk_nvmf'], 'vhost': ['spdk_vhost']}

    def test_nothing_is_told_of_a_driver_that_is_not_enabled(self):
        self.node.enabled = ['nvmf']
        self.units(1)
        self.node.report()
        self.node.configure()
        cfg.CONF.set_override('endpoint_override', 'http://127.0.0.1:9',
                              group='placement')
        self.addCleanup(cfg.CONF.set_override, 'endpoint_override',
                        self.node.cloud.placement_url, group='placement')
        driver = self.node.tracker.acc_drivers[0]
        driver._placement._adapter = None
        driver.discover()
        self.assertEqual(1, self.told('Placement: cannot be asked'))
        self.assertEqual(0, self.told('spdk_vhost'))
