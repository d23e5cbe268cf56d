# SPDX-License-Identifier: Apache-2.0
"""From a user with a client to a server with its accelerator."""

import json
import os
import pwd
import unittest

import psutil
import testtools

from tests.deployed import cloud
from tests.deployed import compute
from tests.functional.deployed import agent
from tests.functional.deployed import processes

_RESOURCE = 'CUSTOM_SPDK_NVMF'
#: Who may do everything, and who has a project and may do a member's work.
_OPERATOR = ('admin', 'admin')
_USER = ('user', 'tenant')


@unittest.skipUnless(os.geteuid() == 0, 'services run as their own users')
class CloudTest(testtools.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cloud = cloud.Cloud()
        cls.cloud.setUp()
        cls.addClassCleanup(cls.cloud.cleanUp)
        cls.cloud.keystone.add_user(*_USER, 'member')
        cls.cloud.agent.process.start()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.tell_logs)
        # Of the device profile, the flavor and the server.
        self.name = f'disk-{processes.new_uuid()}'
        processes.wait_until(
            lambda: self.cloud.provider(_RESOURCE), 'the first report',
            pause=0.5)

    def add_profile(self):
        self.accelerator(
            _OPERATOR, 'device', 'profile', 'create', self.name, '--group',
            f'resources:{_RESOURCE}=1')

    def add_server(self, *flavor):
        """A server that is active, of a flavor of its own."""
        self.openstack(
            _OPERATOR, 'flavor', 'create', self.name, '--ram', '64',
            '--disk', '1', '--vcpus', '1', *flavor)
        server = self.openstack(
            _USER, 'server', 'create', self.name, '--flavor', self.name,
            '--image', compute.IMAGE, '--nic', 'none', '--wait')
        self.assertEqual('ACTIVE', server['status'], server)
        return server

    def tell_logs(self):
        for name, text in self.cloud.logs().items():
            self.addDetail(name, testtools.content.text_content(text))

    def openstack(self, who, *words):
        return json.loads(self.cloud.openstack(*who, *words, '-f', 'json'))

    def accelerator(self, who, *words):
        return self.openstack(who, 'accelerator', *words)

    def allocations(self, provider):
        return self.cloud.placement(
            f'/resource_providers/{provider}/allocations')['allocations']

    def test_a_request_is_bound_and_unbound(self):
        """Who may do what, by everybody's default policies."""
        refused = self.assertRaises(
            AssertionError, self.accelerator, _USER, 'device', 'profile',
            'create', 'mine', '--group', f'resources:{_RESOURCE}=1')
        self.assertIn('403', str(refused))
        self.assertEqual([self.cloud.host] * 2, [
            one['hostname'] for one in self.accelerator(
                _OPERATOR, 'device', 'list')])
        self.add_profile()
        arq = self.accelerator(_USER, 'arq', 'create', self.name)
        self.assertEqual('Initial', arq['state'])
        provider = self.cloud.provider(_RESOURCE)
        # Nova takes no event for what it does not know.
        instance = self.add_server()['id']
        path = '/accelerator_requests'
        bind = {arq['uuid']: [
            {'path': f'/{name}', 'op': 'add', 'value': value}
            for name, value in (('hostname', self.cloud.host),
                                ('device_rp_uuid', provider),
                                ('instance_uuid', instance))]}
        # A client has no token of a service, an operator's neither.
        for who in (_USER, _OPERATOR):
            self.assertEqual(403, self.cloud.request(
                'PATCH', path, *who, bind))
        refused = self.assertRaises(
            AssertionError, self.accelerator, _USER, 'arq', 'bind',
            arq['uuid'], self.cloud.host, instance, provider)
        self.assertIn('403', str(refused))
        # A user's own is no service's.
        self.assertEqual(401, self.cloud.request(
            'PATCH', path, *_USER, bind, service=_USER))
        self.assertEqual(202, self.cloud.request(
            'PATCH', path, *_USER, bind, service=cloud.NOVA))
        bound = processes.wait_until(
            lambda: [one for one in [self.accelerator(
                _USER, 'arq', 'show', arq['uuid'])]
                if one['state'] == 'Bound'], 'bound')[0]
        self.assertEqual('TEST_PCI', bound['attach_handle_type'])
        self.assertEqual(
            {'nqn': 'nqn.2016-06.io.spdk:cnode1', 'nsid': '1'},
            bound['attach_handle_info'])
        unbind = {arq['uuid']: [
            {'path': one['path'], 'op': 'remove'}
            for one in bind[arq['uuid']]]}
        self.assertEqual(403, self.cloud.request(
            'PATCH', path, *_USER, unbind))
        self.assertEqual(202, self.cloud.request(
            'PATCH', path, *_USER, unbind, service=cloud.NOVA))
        self.assertEqual('Unbound', self.accelerator(
            _USER, 'arq', 'show', arq['uuid'])['state'])
        self.cloud.openstack(*_USER, 'accelerator', 'arq', 'delete',
                             arq['uuid'])
        self.assertEqual([], self.accelerator(_USER, 'arq', 'list'))

    def test_a_server_has_its_accelerator_and_gives_it_back(self):
        self.add_profile()
        server = self.add_server(
            '--property', f'accel:device_profile={self.name}')
        arqs = self.accelerator(_USER, 'arq', 'list', '--long')
        self.assertEqual(1, len(arqs), arqs)
        self.assertEqual(
            ('Bound', server['id'], self.cloud.host), tuple(
                arqs[0][name]
                for name in ('state', 'instance_uuid', 'hostname')))
        self.assertEqual(
            {'nqn': 'nqn.2016-06.io.spdk:cnode1', 'nsid': '1'},
            arqs[0]['attach_handle_info'])
        provider = self.cloud.provider(_RESOURCE)
        self.assertEqual(provider, arqs[0]['device_rp_uuid'])
        self.assertEqual(
            {server['id']: {_RESOURCE: 1}},
            {consumer: one['resources'] for consumer, one in
             self.allocations(provider).items()})
        self.cloud.openstack(*_USER, 'server', 'delete', '--wait',
                             server['id'])
        processes.wait_until(
            lambda: self.accelerator(_USER, 'arq', 'list') == []
            and not self.allocations(provider), 'the accelerator given back',
            pause=0.5)

    def test_nothing_to_complain_of(self):
        """The agent's credentials are enough for all that it asks.

        It is no root, and its targets are root's.
        """
        self.assertEqual([pwd.getpwnam(agent.NOBODY).pw_uid, 0], [
            one.uids().real for one in (
                psutil.Process(self.cloud.agent.process.pid),
                self.cloud.agent.target('spdk_nvmf'))])
        before = self.cloud.agent.turns()
        processes.wait_until(
            lambda: self.cloud.agent.turns() > before + 2, 'two reports')
        self.assertEqual([], self.cloud.agent.complaints())
