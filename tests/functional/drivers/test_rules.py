# SPDX-License-Identifier: Apache-2.0

"""The drivers with puppets as targets: what happens when something is off."""

import json
import os

from oslo_config import cfg
import testtools

from cyborg_spdk.drivers import nvmf
from tests.functional.fixtures import logs
from tests.functional.fixtures import node as nodes

DISK = nodes.DISK


class NodeCase(testtools.TestCase):

    KINDS = {'nvmf': ['spdk_nvmf']}

    def setUp(self):
        super().setUp()
        self.told = self.useFixture(logs.Log()).count
        self.node = nodes.Node(self.KINDS)
        self.addCleanup(self.node.close)
        self.puppet = self.node.puppets['spdk_nvmf']

    def units(self, *numbers):
        self.puppet.units = {(1, number): DISK for number in numbers}

    def nsids(self):
        """NSIDs of the deployables that Cyborg has, sorted."""
        return sorted(json.loads(info)['nsid']
                      for info in self.node.handles())

    def take(self, nsid):
        name = self.node.handles()[self.node.info('nvmf', 1, nsid)]
        provider = self.node.providers()[name]
        return self.node.cloud.allocate(provider['uuid'], 'CUSTOM_SPDK_NVMF')


class ReportTest(NodeCase):

    def test_new_units_come_in_a_few_at_a_time(self):
        self.node.options['max_new_units'] = 2
        self.units(1, 2, 3, 4, 5)
        for expected in (['1', '2'], ['1', '2', '3', '4'],
                         ['1', '2', '3', '4', '5']):
            self.node.report()
            self.assertEqual(expected, self.nsids())
        self.assertEqual(1, self.told('3 new units wait'))
        self.assertEqual(1, self.told('1 new units wait'))

    def test_gone_and_allocated_stays_until_it_is_free(self):
        self.units(1, 2)
        self.node.report()
        consumer = self.take(2)
        self.units(1)
        for _ in range(3):
            self.node.report()
            self.assertEqual(['1', '2'], self.nsids())
        self.assertEqual(1, self.told('still allocated'))
        self.node.restart()
        self.node.report()
        self.assertEqual(['1', '2'], self.nsids())
        self.node.cloud.free(consumer)
        self.node.report()
        self.assertEqual(['1'], self.nsids())
        self.assertEqual(1, len(self.node.providers()))
        self.assertEqual(1, self.told('held: well again'))

    def test_what_goes_wrong_is_told_once_and_when_it_ends(self):
        self.units(1)
        self.node.report()
        self.puppet.stop()
        for _ in range(3):
            self.node.report()
        self.assertEqual(1, self.told('spdk_nvmf: not readable'))
        self.assertEqual(['1'], self.nsids())
        self.puppet.start()
        self.node.report()
        self.assertEqual(1, self.told('not readable: well again'))

    def test_replies_that_make_no_sense_are_a_stub(self):
        self.units(1)
        self.node.report()
        for junk in (None, 7, 'x', {'a': 1}, [7], [{}], [{'nqn': 1}],
                     [{'nqn': 'nqn.x', 'subtype': 'NVMe',
                       'namespaces': [{}]}]):
            self.puppet.extra = {'nvmf_get_subsystems': lambda _p, j=junk: j}
            self.node.report()
            self.assertEqual(['1'], self.nsids(), junk)
        self.puppet.extra = {}
        self.units(2)
        self.node.report()
        self.assertEqual(['2'], self.nsids())

    def test_more_bdevs_than_fit_into_one_reply(self):
        self.units(1, 2)
        bdevs = self.puppet.replies()['bdev_get_bdevs']
        # What is not asked by name, nobody needs.
        self.puppet.extra = {'bdev_get_bdevs': lambda params: [
            bdev for bdev in bdevs if params and bdev['name'] in
            params['name']]}
        self.puppet.cut = {'bdev_get_bdevs'}
        self.node.report()
        self.assertEqual(['1', '2'], self.nsids())
        self.assertEqual(3, self.puppet.asked.count('bdev_get_bdevs'))

    def test_one_bad_unit_does_not_block_the_others(self):
        self.units(1, 2)
        replies = self.puppet.replies()
        bad = replies['nvmf_get_subsystems'] + [{
            'nqn': 'nqn.' + 'x' * 250, 'subtype': 'NVMe',
            'listen_addresses': [], 'namespaces': [
                {'nsid': 1, 'bdev_name': 'bdev-1-1'}]}]
        self.puppet.extra = {'nvmf_get_subsystems': lambda _params: bad}
        for _ in range(2):
            self.node.report()
        self.assertEqual(['1', '2'], self.nsids())
        self.assertEqual(1, self.told('is not reported'))

    def test_a_damaged_file_is_set_aside_and_told(self):
        self.units(1, 2)
        self.node.report()
        consumer = self.take(2)
        path = self.node.path('state', 'report-spdk_nvmf.json')
        with open(path, 'w') as out:
            out.write('{')
        self.units(1, 3)
        self.node.restart()
        # Who has the second one, nobody here knows any more: it all stays.
        for _ in range(2):
            self.node.report()
            self.assertEqual(['1', '2'], self.nsids())
        self.assertEqual(1, self.told('was damaged'))
        self.assertEqual(1, self.told('Cyborg keeps what it has'))
        self.assertEqual(1, len([
            name for name in os.listdir(self.node.path('state'))
            if 'damaged' in name]))
        self.node.cloud.free(consumer)
        # Cyborg might have the new one already, other than it is.
        self.node.report()
        self.assertEqual(['1'], self.nsids())
        self.node.report()
        self.assertEqual(['1', '3'], self.nsids())

    def test_a_state_path_that_cannot_be_written(self):
        os.chmod(self.node.path('state'), 0o777)
        self.units(1)
        self.node.report()
        self.node.report()
        self.assertEqual(['1'], self.nsids())
        self.assertEqual(1, self.told('state: '))

    def test_a_name_or_an_address_that_cannot_be_used_is_a_stub(self):
        self.units(1)
        self.node.report()
        self.node.options['nvmf_targets'] = ['spdk_nvmf', 'No Name']
        for _ in range(2):
            self.node.report()
        self.assertEqual(['1'], self.nsids())
        self.assertEqual(1, self.told('No Name: not readable'))
        for value in ('http://x', 'tcp://[::1', '/nowhere/sock'):
            cfg.CONF.set_override('rpc_address', value, group='spdk_nvmf')
            self.addCleanup(cfg.CONF.clear_override, 'rpc_address',
                            group='spdk_nvmf')
            for _ in range(2):
                self.node.report()
            self.assertEqual(['1'], self.nsids())
            self.assertEqual(1, self.told(value))


class FormerTest(NodeCase):
    """Targets that the configuration has no more."""

    KINDS = {'nvmf': ['spdk_nvmf', 'second']}

    def drop(self):
        self.node.options['nvmf_targets'] = ['second']

    def test_what_is_allocated_stays_until_it_is_free(self):
        self.units(1, 2)
        self.node.report()
        consumer = self.take(2)
        self.drop()
        for _ in range(2):
            self.node.report()
            self.assertEqual(['2'], self.nsids())
        self.node.restart()
        self.node.report()
        self.assertEqual(2, len(self.node.rows()))
        self.node.cloud.free(consumer)
        for _ in range(3):
            self.node.report()
        self.assertEqual(([], {}, 1), (self.nsids(), self.node.providers(),
                                       len(self.node.rows())))
        self.assertEqual(
            ['report-second.json', 'reported-targets-copy.json',
             'reported-targets.json'],
            sorted(name for name in os.listdir(self.node.path('state'))
                   if name.startswith('report')))

    def test_it_comes_back(self):
        self.units(1, 2)
        self.node.report()
        self.drop()
        self.node.report()
        del self.node.options['nvmf_targets']
        for _ in range(3):
            self.node.report()
        self.assertEqual(['1', '2'], self.nsids())


class SeveralTest(NodeCase):
    """Several targets of a kind, and one program for several kinds."""

    KINDS = {'nvmf': ['spdk_nvmf', 'second'], 'vhost': ['spdk_vhost'],
             'iscsi': ['spdk_iscsi']}

    def test_each_is_a_device(self):
        for number, name in enumerate(sorted(self.node.puppets)):
            self.node.puppets[name].units = {(1, number + 1): DISK}
        self.node.report()
        self.assertEqual(sorted(self.node.puppets), sorted(
            json.loads(row)['target'] for row in self.node.rows()))
        self.assertEqual(self.node.expected(), set(self.node.handles()))
        self.assertEqual(4, len(self.node.providers()))

    def test_the_same_units_on_two_targets_are_two(self):
        self.units(1)
        self.node.puppets['second'].units = {(1, 1): DISK}
        self.node.report()
        self.assertEqual(2, len(self.node.providers()))

    def test_one_name_for_two_kinds(self):
        self.units(1)
        self.node.puppets['spdk_vhost'].units = {(2, -1): DISK}
        self.node.report()
        self.node.options['vhost_targets'] = ['spdk_nvmf', 'spdk_vhost']
        for _ in range(2):
            self.node.report()
        self.assertEqual(self.node.expected(), set(self.node.handles()))
        self.assertEqual(1, self.told('a name of its own'))
        self.node.restart()
        self.node.report()
        self.assertEqual(self.node.expected(), set(self.node.handles()))

    def test_one_address_for_two_targets_of_a_kind(self):
        self.units(1)
        self.node.configure()
        cfg.CONF.set_override('rpc_address', self.puppet.path,
                              group='second')
        self.addCleanup(cfg.CONF.clear_override, 'rpc_address',
                        group='second')
        for _ in range(2):
            self.node.report()
        self.assertEqual(['1'], self.nsids())
        self.assertEqual(1, self.told('given away twice'))

    def test_one_program_that_serves_two_drivers(self):
        shared = self.puppet.path
        vhost = self.node.puppets['spdk_vhost']
        vhost.units = {(2, -1): DISK}
        self.units(1)
        bdevs = self.puppet.replies()['bdev_get_bdevs'] \
            + vhost.replies()['bdev_get_bdevs']
        self.puppet.extra = {
            'vhost_get_controllers':
                lambda _params: vhost.replies()['vhost_get_controllers'],
            'bdev_get_bdevs': lambda _params: bdevs}
        self.node.configure()
        for name, value in (('rpc_address', shared),
                            ('application', 'spdk_tgt')):
            for group in ('spdk_nvmf', 'spdk_vhost'):
                cfg.CONF.set_override(name, value, group=group)
                self.addCleanup(cfg.CONF.clear_override, name, group=group)
        vhost.stop()
        self.node.report()
        self.assertEqual(
            {self.node.info('nvmf', 1, 1), self.node.info('vhost', 2, -1)},
            set(self.node.handles()))
        self.assertEqual({'spdk_tgt'}, {
            device.model for device in self.node.cloud.devices(
                self.node.name) if device.deployable_list})


class StatsTest(NodeCase):

    def test_get_stats(self):
        self.units(1)
        self.puppet.extra = {'bdev_get_iostat': lambda _params: {
            'tick_rate': 1000, 'ticks': 5000, 'bdevs': [
                {'name': 'bdev-1-1', 'num_read_ops': 7, 'bytes_read': 4096,
                 'read_latency_ticks': 70}]}}
        self.node.configure()
        driver = nvmf.NvmfDriver()
        found = driver.get_stats()
        json.dumps(found)
        path = json.dumps({'host': self.node.name, 'target': 'spdk_nvmf'},
                          sort_keys=True, separators=(',', ':'))
        unit = found[path]['accelerators'][self.node.info('nvmf', 1, 1)]
        self.assertEqual((7, 4096, 1 << 20), (
            unit['num_read_ops'], unit['bytes_read'], unit['size']))
        self.puppet.stop()
        self.assertIn('spdk_nvmf.sock', driver.get_stats()[path]['error'])
