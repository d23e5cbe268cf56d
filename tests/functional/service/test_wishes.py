# SPDX-License-Identifier: Apache-2.0

"""What a real Placement has to say before a unit is taken from a guest."""

import uuid

import testtools

from cyborg_spdk import exceptions
from cyborg_spdk.service.plug import wishes
from cyborg_spdk.units import placement
from tests.functional.fixtures import cloud
from tests.functional.units import test_placement


class GaveBackTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.cloud = cloud.get()
        self.wishes = wishes.Wishes(placement.Placement(
            test_placement.own_conf(self.cloud.placement_url)))

    def unit(self):
        """A unit that an instance has: (UUID of its provider, instance)."""
        host = f'node-{uuid.uuid4().hex[:12]}'
        name = f'{host}_unit'
        provider = placement.provider_uuid(name)
        self.cloud.put(f'/resource_classes/{test_placement.RC}')
        self.cloud._request('POST', '/resource_providers', {
            'name': name, 'uuid': provider,
            'parent_provider_uuid': self.cloud.add_host(host)})
        self.cloud.put(f'/resource_providers/{provider}/inventories', {
            'resource_provider_generation': 0, 'inventories': {
                test_placement.RC: {'total': 1, 'max_unit': 1}}})
        return provider, self.cloud.allocate(provider, test_placement.RC)

    def test_it_has_the_unit(self):
        provider, instance = self.unit()
        self.assertFalse(self.wishes.gave_back(instance, provider))

    def test_it_has_others_and_not_this_one(self):
        provider, _ = self.unit()
        _, instance = self.unit()
        self.assertTrue(self.wishes.gave_back(instance, provider))

    def test_what_placement_has_forgotten_was_not_given_back(self):
        provider, instance = self.unit()
        self.cloud._request('DELETE', f'/allocations/{instance}')
        error = self.assertRaises(
            exceptions.PlacementError, self.wishes.gave_back, instance,
            provider)
        self.assertIn(instance, str(error))
