# SPDX-License-Identifier: Apache-2.0

"""What operators do to a cloud that has our drivers, seen in the real one."""

import json
import os
import uuid

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.drivers.report import cyborg_limits
from tests.functional.drivers import test_rules as rules
from tests.functional.fixtures import node as nodes

DISK = nodes.DISK


class OperatorCase(rules.NodeCase):

    def set(self, name, value, group='spdk_nvmf'):
        """Override an option for the time of the test."""
        self.node.configure()
        cfg.CONF.set_override(name, value, group=group)
        self.addCleanup(cfg.CONF.clear_override, name, group=group)

    def allocations(self):
        """Name of the provider by NSID of what is allocated."""
        infos = {name: json.loads(info)['nsid']
                 for info, name in self.node.handles().items()}
        return {infos.get(name): name
                for name, one in self.node.providers().items()
                if one['allocations']}

    def reports(self, number=1):
        for _ in range(number):
            self.node.report()


class RenamedTest(OperatorCase):
    """A target gets another name in the configuration."""

    def rename(self):
        self.node.configure()
        spdk_conf.target(cfg.CONF, 'nvmf', 'renamed')
        self.set('rpc_address', 'unix:' + self.puppet.path, 'renamed')
        self.set('start', False, 'renamed')
        self.node.options['nvmf_targets'] = ['renamed']
        self.node.restart()

    def targets(self):
        return sorted(json.loads(row)['target'] for row in self.node.rows())

    def test_free_units_come_under_the_new_name(self):
        self.units(1, 2)
        self.reports()
        self.rename()
        self.reports(4)
        self.assertEqual(['1', '2'], self.nsids())
        self.assertEqual(['renamed'], self.targets())
        self.assertEqual(2, len(self.node.providers()))

    def test_what_is_allocated_is_never_offered_under_both(self):
        self.units(1, 2)
        self.reports()
        consumer = self.take(2)
        held = self.allocations()
        self.rename()
        for _ in range(4):
            self.reports()
            # Else somebody could get what somebody has.
            self.assertEqual(['2'], [nsid for nsid in self.nsids()
                                     if nsid == '2'])
            self.assertEqual(held, self.allocations())
        self.assertEqual(['1', '2'], self.nsids())
        self.assertEqual(['renamed', 'spdk_nvmf'], self.targets())
        self.assertEqual(1, self.told('renamed: 1 units are still reported'))
        self.node.restart()
        self.reports()
        self.assertEqual(held, self.allocations())
        self.node.cloud.free(consumer)
        self.reports(4)
        self.assertEqual(['1', '2'], self.nsids())
        self.assertEqual(['renamed'], self.targets())
        self.assertEqual(2, len(self.node.providers()))

    def test_there_and_back(self):
        self.units(1, 2)
        self.reports()
        self.take(1)
        self.rename()
        self.reports(2)
        taken = self.take(2)
        held = self.allocations()
        del self.node.options['nvmf_targets']
        self.node.restart()
        for _ in range(3):
            self.reports()
            self.assertEqual((['1', '2'], held),
                             (self.nsids(), self.allocations()))
        self.node.cloud.free(taken)
        self.reports(3)
        self.assertEqual(['spdk_nvmf'], self.targets())
        self.assertEqual(['1', '2'], self.nsids())

    def test_one_address_in_two_spellings_is_one_target(self):
        self.units(1)
        self.rename()
        self.node.options['nvmf_targets'] = ['spdk_nvmf', 'renamed']
        self.reports(2)
        self.assertEqual(['1'], self.nsids())
        self.assertEqual(1, self.told('given away twice'))


class DisabledTest(OperatorCase):
    """A driver is taken out of [agent] enabled_drivers, and put back."""

    KINDS = {'nvmf': ['spdk_nvmf'], 'vhost': ['spdk_vhost']}

    def setUp(self):
        super().setUp()
        self.units(1, 2)
        self.disks = self.node.puppets['spdk_vhost']
        self.disks.units = {(number, -1): DISK for number in range(1, 6)}
        self.reports()
        self.assertEqual(7, len(self.node.providers()))

    def enable(self, *kinds):
        self.node.enabled = kinds
        self.node.restart()

    def take_disk(self, number):
        name = self.node.handles()[self.node.info('vhost', number, -1)]
        provider = self.node.providers()[name]
        return self.node.cloud.allocate(provider['uuid'],
                                        'CUSTOM_SPDK_VHOST')

    def sockets(self):
        return sorted(json.loads(info)['socket'].rpartition('.')[2]
                      for info in self.node.handles() if 'socket' in info)

    def test_what_is_free_goes_and_comes_back_a_few_at_a_time(self):
        self.enable('nvmf')
        self.reports(2)
        self.assertEqual(2, len(self.node.providers()))
        self.node.options['max_new_units'] = 2
        self.enable('nvmf', 'vhost')
        for expected in ('12', '1234', '12345'):
            self.reports()
            self.assertEqual(list(expected), self.sockets())

    def test_what_is_allocated_stays_and_the_others_are_reported(self):
        consumer = self.take_disk(3)
        self.enable('nvmf')
        self.units(1, 2, 3)
        self.reports(2)
        self.assertEqual((['3'], 4), (
            self.sockets(), len(self.node.providers())))
        self.enable('nvmf', 'vhost')
        self.reports(2)
        self.assertEqual(list('12345'), self.sockets())
        self.enable('nvmf')
        self.reports(2)
        self.node.cloud.free(consumer)
        self.reports(3)
        self.assertEqual(([], 3, 1), (
            self.sockets(), len(self.node.providers()),
            len(self.node.rows())))

    def test_what_was_reported_of_it_is_lost(self):
        """What Placement has allocated says that it is to stay."""
        consumer = self.take_disk(3)
        self.enable('nvmf')
        os.unlink(self.node.path('state', 'report-spdk_vhost.json'))
        self.units(1)
        self.reports(2)
        self.assertEqual((list('12345'), ['1']), (self.sockets(), sorted(
            json.loads(info)['nsid'] for info in self.node.handles()
            if 'nsid' in info)))
        self.node.cloud.free(consumer)
        self.reports(2)
        self.assertEqual(([], 1), (self.sockets(),
                                   len(self.node.providers())))

    def test_all_of_ours(self):
        """Nobody is there to keep anything; afterwards it is as before."""
        self.node.options['max_new_units'] = 3
        self.node.configure()
        self.set('enabled_drivers', ['fake_driver'], 'agent')
        tracker = self.node.cloud.tracker(self.node.name)
        self.node.cloud.report(tracker)
        self.assertEqual([1], [  # The fake driver's own.
            len(self.node.providers())])
        self.node.restart()
        for expected in (3, 5):
            self.reports()
            self.assertEqual(expected, len(self.sockets()))
        self.assertEqual((['1', '2'], 7), (
            sorted(json.loads(info)['nsid'] for info in self.node.handles()
                   if 'nsid' in info), len(self.node.providers())))


class ResourceClassTest(OperatorCase):

    def classes(self):
        infos = {name: json.loads(info)['nsid']
                 for info, name in self.node.handles().items()}
        return {infos[name]: next(iter(one['inventory']))
                for name, one in self.node.providers().items()}

    def test_changed_while_units_are_allocated(self):
        self.units(1, 2)
        self.reports()
        consumer = self.take(2)
        mine = f'CUSTOM_{uuid.uuid4().hex.upper()}'
        self.set('resource_class', mine)
        self.reports(3)
        self.assertEqual({'1': mine, '2': 'CUSTOM_SPDK_NVMF'},
                         self.classes())
        self.node.restart()
        self.reports()
        self.assertEqual('CUSTOM_SPDK_NVMF', self.classes()['2'])
        self.node.cloud.free(consumer)
        self.reports(3)
        self.assertEqual({'1': mine, '2': mine}, self.classes())

    def test_a_class_that_placement_would_not_take(self):
        self.units(1)
        self.reports()
        before = self.node.providers()
        self.set('resource_class', 'CUSTOM_é')
        self.reports(2)
        self.assertEqual(before, self.node.providers())
        self.assertEqual(1, self.told("[spdk_nvmf] resource_class"))


class _Named(nodes.Node):
    """A node whose provider has a name that the option host does not take.
    """

    def _agent(self):
        return [one for one in super()._agent() if one[1] != 'host']


class HostNameTest(rules.NodeCase):

    def host(self, name):
        made = (_Named if name else nodes.Node)(
            {'nvmf': ['spdk_nvmf']}, name)
        self.addCleanup(made.close)
        made.puppets['spdk_nvmf'].units = {(1, 1): DISK, (1, 2): DISK}
        return made

    def test_the_same_targets_on_two_hosts(self):
        one, other = (self.host(None) for _ in range(2))
        for host in (one, other, one):
            host.report()
        self.assertEqual(set(one.handles()), set(other.handles()))
        self.assertEqual(set(), set(one.providers())
                         & set(other.providers()))
        self.assertEqual((2, 2), (len(one.providers()),
                                  len(other.providers())))
        # What one loses is none of the other's.
        one.puppets['spdk_nvmf'].units = {}
        for host in (one, other):
            host.report()
        self.assertEqual(({}, 2), (one.providers(), len(other.providers())))

    def test_names_that_begin_alike(self):
        """Cut to length they are the same; the digits keep them apart."""
        common = 'n' * 190 + uuid.uuid4().hex[:8]
        hosts = [self.host(common + end) for end in ('a1', 'b1')]
        for host in hosts:
            self.assertEqual(cyborg_limits.PROVIDER_NAME, len(host.name))
            host.report()
            host.report()
        self.assertEqual((2, 2), tuple(len(host.providers())
                                       for host in hosts))
        for name in hosts[0].providers():
            self.assertEqual(cyborg_limits.PROVIDER_NAME, len(name))

    def test_a_name_that_is_not_ascii(self):
        host = self.host(f'nœud-{uuid.uuid4().hex[:8]}.exämple.org')
        for _ in range(2):
            host.report()
        self.assertEqual(2, len(host.providers()))
        for name in host.providers():
            cyborg_limits.provider_name(name)
        provider = next(iter(host.providers().values()))
        consumer = host.cloud.allocate(provider['uuid'], 'CUSTOM_SPDK_NVMF')
        host.puppets['spdk_nvmf'].units = {}
        host.restart()
        host.report()
        self.assertEqual(1, len(host.providers()))
        host.cloud.free(consumer)
        host.report()
        self.assertEqual({}, host.providers())


class BoardInfoTest(OperatorCase):

    def test_more_than_a_column_holds(self):
        self.node.options['max_new_units'] = 2
        self.units(*range(1, 801))
        replies = self.puppet.replies()['bdev_get_bdevs']
        self.puppet.extra = {'bdev_get_bdevs': lambda _params: [
            {**bdev, 'uuid': str(uuid.uuid4())} for bdev in replies]}
        self.reports(2)
        device, = self.node.cloud.devices(self.node.name)
        self.assertEqual(4, len(device.deployable_list))
        info = device.vendor_board_info
        self.assertLess(len(info.encode()), 60000)
        self.assertEqual((['uuids'], 800, 800 << 20), tuple(
            json.loads(info)[name] for name in ('left_out', 'units',
                                                'capacity')))
