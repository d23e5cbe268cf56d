# SPDX-License-Identifier: Apache-2.0

"""The client of Placement, asked of a real one."""

import subprocess
import sys
import uuid

from oslo_config import cfg
import testtools

from cyborg_spdk import exceptions
from cyborg_spdk.units import placement
from tests.functional.fixtures import cloud

RC = 'CUSTOM_SPDK_TEST'
TRAIT = 'CUSTOM_SPDK_TEST_TRAIT'


def own_conf(url, **options):
    """The configuration of a process that is none of Cyborg's."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    placement.register_opts(conf)
    values = {'auth_type': 'admin_token', 'endpoint_override': url, **options}
    for name, value in values.items():
        conf.set_override(name, value, group='placement')
    # The options of the kind of credentials are known only now.
    from keystoneauth1 import loading
    plugin = loading.get_plugin_loader('admin_token')
    conf.register_opts(loading.get_auth_plugin_conf_options(plugin),
                       group='placement')
    conf.set_override('endpoint', url, group='placement')
    conf.set_override('token', 'admin', group='placement')
    return conf


class PlacementTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.cloud = cloud.get()
        self.host = f'node-{uuid.uuid4().hex[:12]}'
        self.root = self.cloud.add_host(self.host)
        self.name = f'{self.host}_unit'
        self.unit = placement.provider_uuid(self.name)
        self.cloud._request('POST', '/resource_providers', {
            'name': self.name, 'uuid': self.unit,
            'parent_provider_uuid': self.root})
        self.cloud.put(f'/resource_classes/{RC}')
        self.cloud.put(f'/resource_providers/{self.unit}/inventories', {
            'resource_provider_generation': 0,
            'inventories': {RC: {'total': 1, 'max_unit': 1}}})
        self.service = placement.Placement(
            own_conf(self.cloud.placement_url))

    def candidates(self):
        found = self.cloud.get(f'/allocation_candidates?resources={RC}:1')
        return [one for one in found['provider_summaries']
                if one == self.unit]

    def test_providers(self):
        self.assertEqual(self.root, self.service.provider(self.host).uuid)
        self.assertIsNone(self.service.provider('no-such-host'))
        self.assertIsNone(self.service.children('no-such-host'))
        found = self.service.children(self.host)
        self.assertEqual([self.name], list(found))
        self.assertEqual(
            (self.unit, self.root, self.root),
            (found[self.name].uuid, found[self.name].root,
             found[self.name].parent))
        self.assertEqual({self.host, self.name},
                         set(self.service.tree(self.unit)))
        self.assertEqual({}, self.service.tree(str(uuid.uuid4())))

    def test_allocations(self):
        self.assertEqual({}, self.service.consumers(self.unit))
        consumer = self.cloud.allocate(self.unit, RC)
        self.assertEqual({consumer: {RC: 1}},
                         self.service.consumers(self.unit))
        self.assertEqual({self.unit: {RC: 1}},
                         self.service.allocations(consumer))
        self.assertTrue(self.service.allocated(self.name))
        self.cloud.free(consumer)
        self.assertEqual({}, self.service.allocations(consumer))
        self.assertFalse(self.service.allocated(self.name))
        self.assertEqual({}, self.service.consumers(str(uuid.uuid4())))

    def test_a_reserved_unit_is_given_to_nobody(self):
        self.assertEqual([self.unit], self.candidates())
        self.assertTrue(self.service.reserve(self.unit, RC, 1))
        self.assertFalse(self.service.reserve(self.unit, RC, 1))
        self.assertEqual({RC: placement.Inventory(total=1, reserved=1)},
                         self.service.inventories(self.unit))
        self.assertEqual([], self.candidates())
        self.assertTrue(self.service.reserve(self.unit, RC, 0))
        self.assertEqual([self.unit], self.candidates())

    def test_reserved_while_allocated_it_stays_with_its_consumer(self):
        consumer = self.cloud.allocate(self.unit, RC)
        self.assertTrue(self.service.reserve(self.unit, RC, 1))
        self.assertEqual([consumer], list(self.service.consumers(self.unit)))
        self.cloud.free(consumer)
        self.assertEqual([], self.candidates())

    def test_somebody_else_changes_the_provider_meanwhile(self):
        self.service.inventories(self.unit)
        ask, changes = self.service._ask, []

        def meanwhile(verb, path, **kwargs):
            if verb == 'put' and len(changes) < self.interruptions:
                changes.append(path)
                self.cloud.put(f'/traits/{TRAIT}')
                traits = self.cloud.get(
                    f'/resource_providers/{self.unit}/traits')
                self.cloud.put(f'/resource_providers/{self.unit}/traits', {
                    **traits, 'traits': [TRAIT] * (len(changes) % 2)})
            return ask(verb, path, **kwargs)

        self.service._ask = meanwhile
        self.interruptions = placement.ATTEMPTS - 1
        self.assertTrue(self.service.reserve(self.unit, RC, 1))
        self.assertEqual(1, self.service.inventories(self.unit)[RC].reserved)
        self.interruptions = 100
        caught = self.assertRaises(exceptions.PlacementError,
                                   self.service.reserve, self.unit, RC, 0)
        self.assertEqual(409, caught.status)

    def test_no_such_inventory_or_provider(self):
        for unit, name in ((self.unit, 'CUSTOM_SPDK_OTHER'),
                           (str(uuid.uuid4()), RC)):
            caught = self.assertRaises(exceptions.PlacementError,
                                       self.service.reserve, unit, name, 1)
            self.assertEqual(404, caught.status)
        self.assertIsNone(self.service.inventories(str(uuid.uuid4())))

    def test_more_than_there_are_cannot_be_reserved(self):
        caught = self.assertRaises(exceptions.PlacementError,
                                   self.service.reserve, self.unit, RC, 2)
        self.assertEqual(400, caught.status)

    def test_traits(self):
        self.assertEqual(frozenset(), self.service.traits(self.unit))
        self.assertIsNone(self.service.traits(str(uuid.uuid4())))
        self.assertTrue(self.service.knows_trait('COMPUTE_VOLUME_ATTACH'))
        self.assertFalse(self.service.knows_trait('CUSTOM_SPDK_NEVER'))

    def test_as_in_a_process_of_cyborgs(self):
        self.assertEqual(
            self.root,
            placement.Placement(cfg.CONF).provider(self.host).uuid)

    def test_nothing_is_configured(self):
        service = placement.Placement(own_conf(self.cloud.placement_url,
                                               auth_type=None))
        self.assertRaises(exceptions.PlacementNotConfigured,
                          service.provider, self.host)

    def test_a_wrong_section(self):
        for options in ({'auth_type': 'no_such_kind'},
                        {'auth_type': 'password'}):
            service = placement.Placement(own_conf(
                self.cloud.placement_url, **options))
            caught = self.assertRaises(exceptions.PlacementError,
                                       service.provider, self.host)
            self.assertNotIn('\n', str(caught))

    def test_nobody_answers(self):
        service = placement.Placement(own_conf('http://127.0.0.1:9'))
        self.assertRaises(exceptions.PlacementError, service.tree, self.root)

    def test_it_needs_nothing_of_cyborg(self):
        subprocess.run(
            [sys.executable, '-c',
             'import sys\n'
             'from oslo_config import cfg\n'
             'from cyborg_spdk.units import placement\n'
             'placement.register_opts(cfg.CONF)\n'
             'assert "cyborg" not in sys.modules\n'
             '# and Cyborg can still register its own\n'
             'from cyborg.conf import CONF\n'
             'assert CONF.placement.service_type == "placement"\n'],
            check=True)
