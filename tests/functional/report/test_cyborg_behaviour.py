# SPDX-License-Identifier: Apache-2.0

"""What the drivers rely on in Cyborg and Placement, asked of the real ones.

A release of Cyborg that changes one of these is noticed here.
"""

import dataclasses
import json
import uuid

from cyborg.agent import manager
from oslo_config import cfg
import testtools

from cyborg_spdk import conf
from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import hostname
from cyborg_spdk.drivers.report import inventory
from cyborg_spdk.units import placement
from cyborg_spdk.units import unit
from tests.functional.fixtures import cloud
from tests.functional.fixtures import overrides

RC = 'CUSTOM_SPDK_NVMF'


def target(name='spdk_nvmf'):
    return conf.Target(
        name=name, kind='nvmf', application='nvmf_tgt', rpc_address='/s',
        start=False, core_mask=None, memory_mb=512, no_huge=False,
        interrupt_mode=False, config_file=None, save_config=False,
        extra_args=(), resource_class=RC)


class FakeDriverTest(testtools.TestCase):
    """The fixture itself, with the driver that Cyborg brings along."""

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(cloud.Host(['fake_driver']))
        self.cloud = self.host.cloud

    def test_report_profile_bind_unbind(self):
        tracker = self.cloud.tracker(self.host.name)
        self.cloud.report(tracker)
        providers = self.host.providers()
        name = f'{self.host.name.replace(".", "_")}_FakeDevice'
        self.assertEqual([name], list(providers))
        self.assertEqual({'FPGA': 16}, providers[name]['inventory'])
        self.assertEqual(['CUSTOM_FAKE_DEVICE'], providers[name]['traits'])

        arq = self.cloud.request(self.cloud.profile([
            {'resources:FPGA': '1'}]))
        bound = self.cloud.bind(arq, self.host.name, providers[name]['uuid'],
                                str(uuid.uuid4()))
        self.assertEqual('Bound', bound['state'])
        self.assertEqual('TEST_PCI', bound['attach_handle_type'])
        self.assertEqual('0c', bound['attach_handle_info']['bus'])
        self.assertEqual(
            [arq], [event['tag'] for event in self.cloud.events
                    if event['tag'] == arq])
        self.cloud.unbind(arq)
        self.assertNotEqual('Bound', self.cloud.arq(arq)['state'])

        before = json.dumps(self.host.providers(), sort_keys=True)
        self.cloud.report(tracker)
        self.assertEqual(before, json.dumps(self.host.providers(),
                                            sort_keys=True))


class ReportCase(testtools.TestCase):
    """Reports made by hand, of one target with a few namespaces."""

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(cloud.Host(['fake_driver']))
        self.cloud = self.host.cloud
        self.entries, bad = entries.of_units(
            self.host.name, target(), [
                unit.Unit(unit.canonical({'nqn': 'nqn.x', 'nsid': nsid}),
                          nsid, ('CUSTOM_SPDK', 'CUSTOM_SPDK_NVMF_TCP'))
                for nsid in '123'])
        self.assertEqual([], bad)
        self.names = list(self.entries)

    def device(self, *numbers, facts=None, **changes):
        """The device with some of the units, by number from 1."""
        planned = {
            self.names[number - 1]: dataclasses.replace(
                self.entries[self.names[number - 1]], **changes)
            for number in numbers}
        return inventory.device(self.host.name, target(), planned,
                                facts or {})

    def report(self, *devices):
        self.cloud.conductor.report_data(self.cloud.context, self.host.name,
                                         list(devices))

    def aborted(self, *devices):
        """A report that must fail; returns what it failed with."""
        try:
            self.report(*devices)
        except Exception as exc:
            return exc
        return self.fail('the report went through')

    def deployables(self):
        return [one.name for device in self.host.devices()
                for one in device.deployable_list]

    def provider(self, number):
        return self.host.providers()[self.names[number - 1]]

    def take(self, number):
        """Allocate and bind a unit; returns (consumer, ARQ)."""
        provider = self.provider(number)['uuid']
        consumer = self.cloud.allocate(provider, RC)
        arq = self.cloud.request(self.cloud.profile([
            {f'resources:{RC}': '1'}]))
        self.cloud.bind(arq, self.host.name, provider, consumer)
        return consumer, arq


class StubTest(ReportCase):

    def test_a_stub_leaves_a_device_as_it_is(self):
        self.report(self.device(1, 2))
        _consumer, arq = self.take(1)
        before = self.host.providers()
        self.report(inventory.stub(self.host.name, target()))
        self.assertEqual(before, self.host.providers())
        self.assertEqual(sorted(self.names[:2]), sorted(self.deployables()))
        self.assertEqual('Bound', self.cloud.arq(arq)['state'])

    def test_a_stub_that_was_never_seen_is_ignored(self):
        self.report(inventory.stub(self.host.name, target()))
        self.assertEqual([], self.host.devices())

    def test_a_device_left_out_is_destroyed(self):
        self.report(self.device(1))
        self.report()
        self.assertEqual(([], {}), (self.host.devices(),
                                    self.host.providers()))


class UnitTest(ReportCase):

    def test_the_uuid_of_a_provider_comes_from_its_name(self):
        self.report(self.device(1))
        self.assertEqual(
            str(uuid.uuid3(uuid.NAMESPACE_DNS, self.names[0])),
            self.provider(1)['uuid'])
        service = placement.Placement()
        self.assertFalse(service.allocated(self.names[0]))
        self.take(1)
        self.assertTrue(service.allocated(self.names[0]))
        self.assertFalse(service.allocated('no-such-provider'))
        self.assertEqual({self.names[0]},
                         set(service.children(self.host.name)))
        self.assertIsNone(service.children('no-such-host'))

    def test_a_free_unit_left_out_is_deleted(self):
        self.report(self.device(1, 2))
        self.report(self.device(2))
        self.assertEqual(self.names[1:2], self.deployables())
        self.assertEqual(self.names[1:2], list(self.host.providers()))

    def test_a_bound_unit_left_out_aborts_every_report(self):
        self.report(self.device(1, 2))
        _consumer, arq = self.take(1)
        for _ in range(2):
            self.aborted(self.device(2, 3))
            self.assertNotIn(self.names[2], self.deployables())
        self.report(self.device(1, 2, 3))
        self.assertEqual(sorted(self.names), sorted(self.deployables()))
        self.assertEqual('Bound', self.cloud.arq(arq)['state'])

    def test_an_allocated_unit_left_out_is_orphaned_and_can_be_healed(self):
        self.report(self.device(1, 2))
        provider = self.provider(1)['uuid']
        consumer = self.cloud.allocate(provider, RC)
        self.aborted(self.device(2))
        self.assertEqual(self.names[1:2], self.deployables())
        self.report(self.device(2))
        self.cloud.free(consumer)
        self.report(self.device(2))
        # Nobody holds it, Cyborg has no row, and it is there for good ...
        self.assertIn(self.names[0], self.host.providers())
        # ... until it is reported once more, and then left out.
        self.report(self.device(1, 2))
        self.assertEqual(provider, self.provider(1)['uuid'])
        self.report(self.device(2))
        self.assertEqual(self.names[1:2], list(self.host.providers()))

    def test_resource_class_changed_while_allocated(self):
        self.report(self.device(1))
        self.take(1)
        self.report(self.device(1, resource_class='CUSTOM_OTHER'))
        device, = self.host.devices()
        attributes = {one.key: one.value for one
                      in device.deployable_list[0].attribute_list}
        self.assertEqual('CUSTOM_OTHER', attributes['rc'])
        self.assertEqual({RC: 1}, self.provider(1)['inventory'])

    def test_resource_class_changed_by_way_of_absence(self):
        self.report(self.device(1))
        self.report(self.device())
        self.assertEqual({}, self.host.providers())
        self.report(self.device(1, resource_class='CUSTOM_OTHER'))
        self.assertEqual({'CUSTOM_OTHER': 1}, self.provider(1)['inventory'])

    def test_traits_come_and_go(self):
        mine = f'CUSTOM_SPDK_{uuid.uuid4().hex.upper()}'
        self.report(self.device(1))
        self.report(self.device(1, traits=('CUSTOM_SPDK', mine)))
        self.assertEqual(['CUSTOM_SPDK', mine], self.provider(1)['traits'])
        self.report(self.device(1))
        self.assertEqual(['CUSTOM_SPDK', 'CUSTOM_SPDK_NVMF_TCP'],
                         self.provider(1)['traits'])
        # The last provider has lost it: Cyborg deletes the trait itself,
        # and asking for it is an error from then on.
        self.assertEqual(400, self.cloud.status(
            f'/allocation_candidates?resources={RC}:1&required={mine}'))

    def test_board_info_may_change(self):
        self.report(self.device(1, facts={'version': 'v24.01'}))
        self.report(self.device(1, facts={'version': 'v26.05'}))
        device, = self.host.devices()
        self.assertEqual('v26.05',
                         json.loads(device.std_board_info)['version'])
        self.assertEqual({'version': 'v26.05'},
                         json.loads(device.vendor_board_info))

    def test_nested_handle_breaks_the_bind(self):
        self.report(self.device(1, handle='{"nqn":{"a":"b"}}'))
        self.assertRaises(AssertionError, self.take, 1)
        # From now on listing any request fails: clean up behind us.
        self.remove_requests()

    def remove_requests(self):
        from cyborg.objects import ext_arq
        for row in ext_arq.ExtARQ.dbapi.extarq_list(self.cloud.context):
            if row['hostname'] == self.host.name:
                ext_arq.ExtARQ.dbapi.extarq_delete(self.cloud.context,
                                                   row['uuid'])


class LimitsTest(ReportCase):
    """What goes beyond a limit; MariaDB's are tried where it is used."""

    def test_longest_names_and_handles(self):
        handle = unit.canonical({'nqn': 'n' * 223, 'nsid': '4294967294'})
        name = entries.name('h' * 200 + self.host.name, 't' * 63, handle)
        self.assertEqual(200, len(name))
        entry = entries.Entry(name, handle, RC, ('CUSTOM_' + 'X' * 248,))
        self.report(inventory.device(
            self.host.name, target(), {name: entry}, {}))
        self.assertEqual([name], list(self.host.providers()))
        self.assertEqual(list(entry.traits),
                         self.host.providers()[name]['traits'])

    def test_a_longer_name_is_not_taken(self):
        name = 'x' * 201
        self.report(inventory.device(
            self.host.name, target(),
            {name: entries.Entry(name, '{"a":"b"}', RC, ())}, {}))
        self.assertEqual({}, self.host.providers())

    def test_a_longer_handle_fails_where_the_database_has_limits(self):
        handle = unit.canonical({'nqn': 'n' * 250, 'nsid': '1'})
        report = self.aborted if self.cloud.database == 'mariadb' \
            else self.report
        for _ in range(2):
            report(self.device(1, handle=handle))

    def test_large_board_info(self):
        facts = {'uuids': {str(number): str(uuid.uuid4())
                           for number in range(5000)}, 'version': 'v26.05'}
        self.report(self.device(1, facts=facts))
        device, = self.host.devices()
        info = json.loads(device.vendor_board_info)
        self.assertEqual({'left_out': ['uuids'], 'version': 'v26.05'}, info)


class AgentsNameTest(testtools.TestCase):
    """We name the host as the agent does."""

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(cloud.Host(['fake_driver']))
        self.config = self.useFixture(overrides.Overrides())

    def agents(self):
        """The name that the agent of this release finds."""
        if not hasattr(manager.AgentManager, '_get_resource_provider_name'):
            return cfg.CONF.host
        agent = manager.AgentManager.__new__(manager.AgentManager)
        agent.placement_client = manager.placement.PlacementClient()
        return agent._get_resource_provider_name()

    def test_first_name(self):
        self.config.config(host='other')
        self.assertEqual(
            self.agents(),
            hostname.HostName(placement.Placement()).get())

    def test_second_name(self):
        if 'resource_provider_name' in cfg.CONF.agent:
            self.config.config(group='agent',
                               resource_provider_name='localhost')
        self.assertEqual(self.host.name, self.agents())
        self.assertEqual(
            self.host.name, hostname.HostName(placement.Placement()).get())
