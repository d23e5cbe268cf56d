# SPDX-License-Identifier: Apache-2.0

"""Dirty units and a real Cyborg and Placement: not offered, and reserved."""

import json

import fixtures
from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.drivers.report import memory
from cyborg_spdk.service import wipe
from cyborg_spdk.units import placement
from cyborg_spdk.units import reading
from cyborg_spdk.units import reservation
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import release
from cyborg_spdk.units.wipe import state
from tests.functional.fixtures import node as nodes
from tests.functional.report import test_cyborg_operator as operator

_FILE = {**nodes.DISK, 'product': 'AIO disk'}


class CustodyTest(operator.OperatorCase):

    def setUp(self):
        super().setUp()
        self.node.options['wipe'] = 'zeroes'
        self.puppet = self.node.puppets['spdk_nvmf']
        self.puppet.units = {(1, 1): dict(_FILE)}
        self.handle = self.node.info('nvmf', 1, 1)

    def reserved(self):
        inventories = self.node.cloud.get(
            '/resource_providers/' + self.provider()['uuid']
            + '/inventories')['inventories']
        found, = inventories.values()
        return found['reserved']

    def provider(self):
        found, = (one for name, one in self.node.providers().items())
        return found

    def target(self):
        self.node.configure()
        return spdk_conf.target(cfg.CONF, 'nvmf', 'spdk_nvmf')

    def note_clean(self):
        from cyborg_spdk import rpc
        units = reading.read(rpc.connect(self.puppet.path), 'nvmf', 30).units
        one = next(one for one in units if one.handle == self.handle)
        state.note_clean(cfg.CONF, 'spdk_nvmf', one.handle, one.identity)

    def test_not_reported_before_it_is_clean_reserved_until_it_is(self):
        self.reports(2)
        self.assertEqual({}, self.node.providers())
        self.target()
        self.note_clean()
        self.reports()
        self.assertEqual(0, self.reserved())
        target = self.target()
        self.assertTrue(state.begin_use(cfg.CONF, target, self.handle, 'A'))
        self.reports()
        self.assertEqual(1, self.reserved())
        # Cyborg's own "enable" of the device, or an operator.
        provider = self.provider()
        uuid = provider['uuid']
        path = f'/resource_providers/{uuid}'
        found = self.node.cloud.get(path + '/inventories')
        (name, inventory), = found['inventories'].items()
        self.node.cloud.put(f'{path}/inventories/{name}', {
            **inventory, 'reserved': 0, 'resource_provider_generation':
            found['resource_provider_generation']})
        self.assertEqual(0, self.reserved())
        self.reports()
        self.assertEqual(1, self.reserved())
        # Given back and dirty: still nobody's, and still reported.
        state.end_use(cfg.CONF, self.target(), self.handle)
        self.reports()
        self.assertEqual((1, [self.handle]), (
            self.reserved(), list(self.node.handles())))

    def given_back(self):
        """A unit that was used, and is still reserved for that."""
        self.target()
        self.note_clean()
        self.reports()
        target = self.target()
        state.begin_use(cfg.CONF, target, self.handle, 'A')
        self.assertIsNone(reservation.reserve(cfg.CONF, target, self.handle))
        state.end_use(cfg.CONF, target, self.handle)
        self.assertEqual(1, self.reserved())
        return target

    def wiped_without_placement(self):
        target = self.given_back()
        self.note_clean()
        mark = marks.load(cfg.CONF, 'spdk_nvmf', self.handle)
        for name in ('endpoint_override', 'endpoint'):
            # Nobody listens there.
            cfg.CONF.set_override(name, 'http://127.0.0.1:9',
                                  group='placement')
        log = self.useFixture(fixtures.FakeLogger())
        release.after_a_wipe(cfg.CONF, target, mark)
        self.assertIn('still reserved', log.output)
        problem, = wipe.WipeUnits(cfg.CONF).run().problems
        self.assertIn('127.0.0.1:9', problem)
        for name in ('endpoint_override', 'endpoint'):
            cfg.CONF.clear_override(name, group='placement')
        self.assertEqual(1, self.reserved())

    def test_placement_was_away_when_a_wipe_ended(self):
        self.wiped_without_placement()
        self.reports()
        self.assertEqual(0, self.reserved())
        # What an operator has reserved since then stays so.
        provider = self.provider()['uuid']
        placement.Placement(cfg.CONF).reserve(
            provider, 'CUSTOM_SPDK_NVMF', 1)
        self.reports()
        self.target()
        self.assertEqual(0, wipe.WipeUnits(cfg.CONF).run().facts['released'])
        self.assertEqual(1, self.reserved())

    def test_the_service_mends_it_too(self):
        self.wiped_without_placement()
        self.target()
        done = wipe.WipeUnits(cfg.CONF).run()
        self.assertEqual(((), 1), (done.problems, done.facts['released']))
        self.assertEqual(0, self.reserved())

    def test_what_is_given_on_unwiped_is_not_reserved_for_ever(self):
        self.node.options['wipe'] = 'none'
        self.given_back()
        self.reports()
        self.assertEqual(0, self.reserved())

    def test_what_the_report_leaves_out_is_still_known(self):
        target = self.given_back()
        path = memory.path(cfg.CONF.spdk.state_path, 'spdk_nvmf')
        found, _problem = memory.load(path)
        found.dropped, found.reported = found.reported, {}
        memory.save(path, found)
        reservation.release(cfg.CONF, target, self.handle)
        self.assertEqual(0, self.reserved())

    def test_another_disk_behind_a_unit_is_reported_on(self):
        self.target()
        self.note_clean()
        self.reports()
        self.puppet.units[1, 1]['product'] = 'NVMe disk'
        self.reports()
        self.assertEqual([self.handle], list(self.node.handles()))
        self.assertEqual({'nqn', 'nsid'}, set(json.loads(self.handle)))
