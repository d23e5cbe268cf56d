# SPDX-License-Identifier: Apache-2.0

"""Units into domains: real libvirtd and QEMU, real Placement.

The targets are simulated, and QEMU's storage daemon has the data of the
vhost-user sockets; what needs a guest that answers is in tests/guest.
"""

import json
import os
import uuid

import fixtures
from keystoneauth1 import loading
import requests
import testtools

from cyborg_spdk.desired import starting
from cyborg_spdk import exceptions
from cyborg_spdk.service import options
from cyborg_spdk.service.plug import domain_xml
from cyborg_spdk.service.plug import duty
from cyborg_spdk.service.plug import rounds
from cyborg_spdk.service.plug import wishes
from cyborg_spdk.units import placement
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import state
from tests.functional.fixtures import cloud as clouds
from tests.functional.fixtures import host
from tests.plug import disk_server
from tests.plug import libvirtd

_HEADERS = {'X-Auth-Token': 'admin',
            'OpenStack-API-Version': f'placement {clouds.MICROVERSION}'}
_CLASS = 'CUSTOM_SPDK_VHOST'


class PlugTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.cloud = clouds.get()
        self.libvirtd = self.useFixture(libvirtd.Libvirtd())
        self.host = self.useFixture(host.Host({'vhost': ['vhost']}))
        self.conf = self.host.conf
        # QEMU's user has to come as far as the sockets.
        os.chmod(self.host.directory, 0o755)
        options.check(self.conf)
        self.configure_placement(self.cloud.placement_url)
        # Each question is asked: the domains here come and go at once.
        self.useFixture(fixtures.MonkeyPatch(
            'cyborg_spdk.service.plug.wishes.GOOD_FOR', 0.0))
        starting.ensure(self.conf, self.host.target('vhost'))
        self.client = self.host.client('vhost')
        self.units = {}
        self.woken = []
        self.duty = duty.PlugUnits(self.conf, self.woken.append)
        self.addCleanup(self.duty.close)

    def configure_placement(self, url):
        placement.register_opts(self.conf)
        self.conf.register_opts(
            loading.get_auth_plugin_conf_options('admin_token'),
            group=placement.GROUP)
        self.host.set(placement.GROUP, auth_type='admin_token', token='admin',
                      endpoint=url, endpoint_override=url)

    def ask(self, verb, path, body=None):
        reply = requests.request(
            verb, self.cloud.placement_url + path, json=body,
            headers=_HEADERS, timeout=60)
        self.assertLess(reply.status_code, 300, reply.text)
        return reply

    def unit(self, name, served=True):
        """A vhost-blk unit that was reported; the UUID of its provider."""
        self.client.call('bdev_malloc_create', name=f'Malloc{name}',
                         block_size=512, num_blocks=2048)
        self.client.call('vhost_create_blk_controller', ctrlr=name,
                         dev_name=f'Malloc{name}')
        socket = next(one['socket'] for one in self.client.call(
            'vhost_get_controllers') if one['ctrlr'] == name)
        if served:
            self.useFixture(disk_server.DiskServer(
                socket, self.host.path(f'{name}.img')))
        return self.reported(name, {'socket': socket})

    def reported(self, name, handle):
        unit = f'{name}-{uuid.uuid4()}'
        provider = placement.provider_uuid(unit)
        self.ask('POST', '/resource_providers',
                 {'name': unit, 'uuid': provider})
        self.ask('PUT', f'/resource_classes/{_CLASS}')
        self.ask('PUT', f'/resource_providers/{provider}/inventories', {
            'resource_provider_generation': 0,
            'inventories': {_CLASS: {'total': 1}}})
        self.units[provider] = {
            'name': unit, 'resource_class': _CLASS, 'traits': [],
            'handle': json.dumps(handle, sort_keys=True,
                                 separators=(',', ':'))}
        with open(self.host.path('state', 'report-vhost.json'), 'w') as out:
            json.dump({'version': 1,
                       'reported': list(self.units.values())}, out)
        return provider

    def give(self, instance, *providers):
        self.ask('PUT', f'/allocations/{instance}', {
            'allocations': {one: {'resources': {_CLASS: 1}}
                            for one in providers},
            'project_id': str(uuid.uuid4()), 'user_id': str(uuid.uuid4()),
            'consumer_generation': None, 'consumer_type': 'INSTANCE'})

    def take(self, instance):
        self.ask('DELETE', f'/allocations/{instance}')

    def disks(self, domain):
        """Names of our disks in a domain, by provider."""
        return {provider: disk.device for provider, disk in domain_xml.parse(
            domain.XMLDesc(0)).ours().items()}

    def mark(self, provider):
        return marks.load(self.conf, 'vhost', self.units[provider]['handle'])

    def used_by(self, provider, consumer):
        state.begin_use(self.conf, self.host.target('vhost'),
                        self.units[provider]['handle'], consumer)

    def reserved(self, provider):
        return placement.Placement(self.conf).inventories(provider)[
            _CLASS].reserved

    def test_there_and_back(self):
        unit = self.unit('blk.0')
        instance, domain = self.libvirtd.create()
        self.assertEqual({}, self.disks(domain))
        self.give(instance, unit)
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual({unit: 'vdz'}, self.disks(domain))
        mark = self.mark(unit)
        self.assertEqual((marks.DIRTY, instance, True),
                         (mark.state, mark.consumer, mark.in_use))
        self.assertEqual(1, self.reserved(unit))
        # Nova stops it: it is still the instance's.
        domain.destroy()
        self.assertEqual([], self.duty.run().facts['plugs'])
        self.assertTrue(self.mark(unit).in_use)
        self.take(instance)
        plugs = self.duty.run().facts['plugs']
        self.assertEqual([rounds.LEFT], [one['state'] for one in plugs])
        mark = self.mark(unit)
        self.assertEqual((marks.DIRTY, False), (mark.state, mark.in_use))
        self.assertEqual(1, self.reserved(unit))

    def test_two_units_and_a_name_that_is_taken(self):
        first, second = self.unit('blk.0'), self.unit('blk.1')
        other = self.host.path('other.img')
        with open(other, 'wb') as stream:
            stream.truncate(1 << 20)
        os.chmod(other, 0o666)
        instance, domain = self.libvirtd.create(
            disk=f"<disk type='file' device='disk'><source file='{other}'/>"
                 "<target dev='vdz' bus='virtio'/></disk>")
        self.give(instance, first, second)
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual(['vdx', 'vdy'], sorted(
            self.disks(domain).values()))
        # Again: nothing is plugged a second time.
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual(3, len(domain_xml.parse(domain.XMLDesc(0)).disks))

    def test_never_two_writers(self):
        unit = self.unit('blk.0')
        _, foreign = self.libvirtd.create()
        socket = json.loads(self.units[unit]['handle'])['socket']
        os.chmod(os.path.dirname(socket), 0o755)
        os.chmod(os.path.dirname(os.path.dirname(socket)), 0o755)
        os.chmod(socket, 0o666)
        foreign.attachDeviceFlags(
            domain_xml.vhost_user(socket, 'vdb', str(uuid.uuid4())), 1)
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        problem, = self.duty.run().problems
        self.assertIn('is a disk of domain', problem)
        self.assertEqual({}, self.disks(domain))

    def test_without_shared_memory_the_flavor_is_named(self):
        unit = self.unit('blk.0', served=False)
        instance, domain = self.libvirtd.create(memory='')
        self.give(instance, unit)
        problem, = self.duty.run().problems
        self.assertIn('hw:mem_page_size', problem)
        self.assertEqual({}, self.disks(domain))
        self.assertIsNone(self.mark(unit))

    def test_a_scsi_unit_is_told(self):
        unit = self.reported('scsi', {'socket': '/x/scsi.0', 'target': '0'})
        instance, _ = self.libvirtd.create()
        self.give(instance, unit)
        problem, = self.duty.run().problems
        self.assertIn('vhost-scsi', problem)

    def test_placement_away_unplugs_nothing(self):
        unit = self.unit('blk.0')
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        self.duty.run()
        self.host.set(placement.GROUP,
                      endpoint_override='http://127.0.0.1:9/')
        away = duty.PlugUnits(self.conf, self.woken.append)
        self.addCleanup(away.close)
        problem, = away.run().problems
        self.assertIn('Placement cannot be asked', problem)
        self.assertEqual({unit: 'vdz'}, self.disks(domain))
        domain.destroy()
        away.run()
        self.assertTrue(self.mark(unit).in_use)

    def test_another_instances_data_is_not_given_away(self):
        unit = self.unit('blk.0', served=False)
        owner = str(uuid.uuid4())
        self.used_by(unit, owner)
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        self.assertIn(owner, ' '.join(self.duty.run().problems))
        self.assertEqual({}, self.disks(domain))

    def test_a_placement_that_has_forgotten_takes_nothing(self):
        unit = self.unit('blk.0')
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        self.duty.run()
        self.take(instance)
        problem, = self.duty.run().problems
        self.assertIn('no allocation at all', problem)
        self.assertEqual({unit: 'vdz'}, self.disks(domain))
        self.assertTrue(self.mark(unit).in_use)

    def test_data_of_nobody_known_is_not_wiped(self):
        unit = self.unit('blk.0', served=False)
        self.used_by(unit, 'libvirt-qemu')
        state.end_use(self.conf, self.host.target('vhost'),
                      self.units[unit]['handle'])
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        self.assertNotEqual((), self.duty.run().problems)
        mark = self.mark(unit)
        self.assertEqual((marks.DIRTY, 'libvirt-qemu'),
                         (mark.state, mark.consumer))

    def test_foreign_disks_are_left_alone(self):
        other = self.host.path('other.img')
        with open(other, 'wb') as stream:
            stream.truncate(1 << 20)
        os.chmod(other, 0o666)
        _, domain = self.libvirtd.create(
            disk=f"<disk type='file' device='disk'><source file='{other}'/>"
                 "<target dev='vda' bus='virtio'/>"
                 "<alias name='ua-somebody'/></disk>")
        before = domain.XMLDesc(0)
        self.assertEqual([], self.duty.run().facts['plugs'])
        self.assertEqual(before, domain.XMLDesc(0))

    def test_events_wake_it(self):
        self.duty.run()
        self.libvirtd.create()
        host.wait_until(lambda: duty.NAME in self.woken, 'an event')

    def test_libvirt_away(self):
        self.host.set(options.GROUP,
                      libvirt_uri='qemu+unix:///system?socket=/nowhere')
        away = duty.PlugUnits(self.conf, self.woken.append)
        error = self.assertRaises(exceptions.HypervisorError, away.run)
        self.assertIn('/nowhere', str(error))

    def test_answers_are_kept_until_something_happens(self):
        self.useFixture(fixtures.MonkeyPatch(
            'cyborg_spdk.service.plug.wishes.GOOD_FOR', 3600.0))
        unit = self.unit('blk.0', served=False)
        asked = wishes.Wishes(placement.Placement(self.conf))
        instance = str(uuid.uuid4())
        self.assertEqual(frozenset(), asked.of(instance))
        self.give(instance, unit)
        self.assertEqual(frozenset(), asked.of(instance))
        asked.forget(instance)
        self.assertEqual({unit}, asked.of(instance))
        self.take(instance)
        asked.keep([])
        self.assertEqual(frozenset(), asked.of(instance))
