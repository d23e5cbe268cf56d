# SPDX-License-Identifier: Apache-2.0

"""One remote target in the configuration of two hosts."""

import dataclasses
import socket

from oslo_config import cfg
import psutil
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.drivers.report import remote_claims
from tests.functional.fixtures import forwarder
from tests.functional.fixtures import logs
from tests.functional.fixtures import node as nodes
from tests.unit.drivers.report import test_entries


def own_address():
    """An IPv4 address of this machine that others might reach."""
    return next(one.address for found in psutil.net_if_addrs().values()
                for one in found if one.family == socket.AF_INET
                and not one.address.startswith('127.'))


class TwoHostsTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.told = self.useFixture(logs.Log()).count
        self.nodes = [nodes.Node({'nvmf': ['spdk_nvmf']}) for _ in range(2)]
        for node in self.nodes:
            self.addCleanup(node.close)
        self.puppet = self.nodes[0].puppets['spdk_nvmf']
        self.puppet.units = {(1, 1): nodes.DISK, (1, 2): nodes.DISK}
        host = own_address()
        port = self.useFixture(forwarder.Forwarder(
            self.puppet.path, host)).port
        self.nodes[0].configure()
        spdk_conf.target(cfg.CONF, 'nvmf', 'spdk_nvmf')
        cfg.CONF.set_override('rpc_address', f'tcp://{host}:{port}',
                              group='spdk_nvmf')
        self.addCleanup(cfg.CONF.clear_override, 'rpc_address',
                        group='spdk_nvmf')

    def units(self):
        return [sorted(node.deployables()) for node in self.nodes]

    def test_one_reports_it_and_the_other_says_so(self):
        for _ in range(2):
            for node in self.nodes:
                node.report()
            first, second = self.units()
            self.assertEqual((2, []), (len(first), second))
        self.assertEqual(1, self.told(
            f'spdk_nvmf: other host: {self.nodes[0].name} reports'))
        for node in self.nodes:
            node.restart()
            node.report()
        self.assertEqual((first, []), tuple(self.units()))

    def test_taken_out_of_the_first_the_second_has_it(self):
        for node in self.nodes:
            node.report()
        name = self.units()[0][0]
        provider = self.nodes[0].providers()[name]['uuid']
        consumer = self.nodes[0].cloud.allocate(provider, 'CUSTOM_SPDK_NVMF')
        self.nodes[0].options['nvmf_targets'] = []
        for _ in range(3):
            for node in self.nodes:
                node.report()
            # Not before all of it is free.
            self.assertEqual([[name], []], self.units())
        self.nodes[0].cloud.free(consumer)
        for _ in range(3):
            for node in self.nodes:
                node.report()
        first, second = self.units()
        self.assertEqual(([], 2), (first, len(second)))


class NameTest(testtools.TestCase):

    def name(self, address):
        return remote_claims.name(dataclasses.replace(
            test_entries.target(), rpc_address=address))

    def test_what_only_this_host_reaches(self):
        for address in ('/run/x.sock', 'tcp://127.0.0.1:5260',
                        'tcp://[::1]:5260', 'ssh://localhost/x.sock'):
            self.assertIsNone(self.name(address))

    def test_one_target_in_two_spellings(self):
        self.assertEqual(self.name('ssh://a@Host.example.com/x.sock'),
                         self.name('ssh://b@host.example.com/x.sock'))
        self.assertNotEqual(self.name('tcp://192.0.2.1:1'),
                            self.name('tcp://192.0.2.1:2'))
