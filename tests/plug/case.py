# SPDX-License-Identifier: Apache-2.0

"""What the tests of plugging share: a host, its units, who has which."""

import json
import os
import uuid

import fixtures
from keystoneauth1 import loading
import requests
import testtools

from cyborg_spdk.desired import keep
from cyborg_spdk.desired import starting
from cyborg_spdk.service import options
from cyborg_spdk.service.plug import domain_xml
from cyborg_spdk.service.plug import duty
from cyborg_spdk.units import placement
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import run
from cyborg_spdk.units.wipe import state
from tests.functional.fixtures import cloud as clouds
from tests.functional.fixtures import host
from tests.plug import disk_server
from tests.plug import libvirtd

_HEADERS = {'X-Auth-Token': 'admin',
            'OpenStack-API-Version': f'placement {clouds.MICROVERSION}'}
_CLASS = 'CUSTOM_SPDK_VHOST'


class PlugCase(testtools.TestCase):
    """A host with a target, libvirtd, and Placement."""

    #: Kind of the target, and its name.
    KIND = 'vhost'
    #: Kinds of further targets of the host, and their names.
    ALSO = ()

    def setUp(self):
        super().setUp()
        self.cloud = clouds.get()
        self.libvirtd = self.useFixture(libvirtd.Libvirtd())
        self.host = self.useFixture(host.Host(
            {kind: [kind] for kind in (self.KIND, *self.ALSO)}))
        self.conf = self.host.conf
        # QEMU's user has to come as far as the sockets.
        os.chmod(self.host.directory, 0o755)
        options.check(self.conf)
        self.configure_placement(self.cloud.placement_url)
        # Each question is asked: the domains here come and go at once.
        self.useFixture(fixtures.MonkeyPatch(
            'cyborg_spdk.service.plug.wishes.GOOD_FOR', 0.0))
        self.start_targets()
        self.client = self.host.client(self.KIND)
        self.units, self.servers = {}, {}
        self.cores = None
        self.woken = []
        self.duty = self.another_duty()

    def start_targets(self):
        """Start the targets of the host."""
        for kind in (self.KIND, *self.ALSO):
            if host.SPDK_DIR:
                # Other tests may have a target on the same core.
                self.host.set(kind, extra_args=[
                    *self.host.target(kind).extra_args,
                    '--disable-cpumask-locks'])
            starting.ensure(self.conf, self.host.target(kind))

    def another_duty(self):
        """The duty of one more service, or of one that was started anew."""
        made = duty.PlugUnits(self.conf, self.woken.append)
        self.addCleanup(made.close)
        return made

    def configure_placement(self, url):
        placement.register_opts(self.conf)
        self.conf.register_opts(
            loading.get_auth_plugin_conf_options('admin_token'),
            group=placement.GROUP)
        self.host.set(placement.GROUP, auth_type='admin_token', token='admin',
                      endpoint=url, endpoint_override=url)

    def ask(self, verb, path, body=None, also=()):
        reply = requests.request(
            verb, self.cloud.placement_url + path, json=body,
            headers=_HEADERS, timeout=60)
        self.assertTrue(reply.ok or reply.status_code in also, reply.text)
        return reply

    def unit(self, name, served=True):
        """A vhost-blk unit that was reported; the UUID of its provider.

        Its data is in the file NAME.img.

        :param name: of its controller.
        :param served: whether a simulated target has data behind it; a real
            one always has.
        """
        image = self.host.path(f'{name}.img')
        if host.SPDK_DIR:
            with open(image, 'wb') as stream:
                stream.truncate(1 << 20)
            self.client.call('bdev_aio_create', name=f'Disk{name}',
                             filename=image, block_size=512)
        else:
            self.client.call('bdev_malloc_create', name=f'Disk{name}',
                             block_size=512, num_blocks=2048)
        self.client.call('vhost_create_blk_controller', ctrlr=name,
                         dev_name=f'Disk{name}')
        socket = next(one['socket'] for one in self.client.call(
            'vhost_get_controllers') if one['ctrlr'] == name)
        if served and not host.SPDK_DIR:
            self.servers[name] = self.useFixture(disk_server.DiskServer(
                socket, image))
        provider = self.reported(name, {'socket': socket})
        if host.SPDK_DIR:
            # Nobody knows what a file had in it before.
            run.wipe(self.conf, self.host.target(self.KIND),
                     self.units[provider]['handle'])
        return provider

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
        with open(self.host.path('state', f'report-{self.KIND}.json'),
                  'w') as out:
            json.dump({'version': 1,
                       'reported': list(self.units.values())}, out)
        return provider

    def inventory(self, provider, total=1, reserved=0):
        """Change what Placement has of a unit."""
        path = f'/resource_providers/{provider}/inventories'
        found = self.ask('GET', path).json()
        self.ask('PUT', path, {
            'resource_provider_generation':
                found['resource_provider_generation'],
            'inventories': {_CLASS: {'total': total,
                                     'reserved': reserved}}})

    def give(self, instance, *providers):
        self.ask('PUT', f'/allocations/{instance}', {
            'allocations': {one: {'resources': {_CLASS: 1}}
                            for one in providers},
            'project_id': str(uuid.uuid4()), 'user_id': str(uuid.uuid4()),
            'consumer_generation': None, 'consumer_type': 'INSTANCE'})

    def take(self, instance):
        self.ask('DELETE', f'/allocations/{instance}', also=(404,))

    def give_away(self, instance, *providers):
        """Nova takes its units from an instance, but for some.

        Placement keeps its cores: of an instance that has nothing at all
        nothing is believed.
        """
        if self.cores is None:
            self.cores = str(uuid.uuid4())
            self.ask('POST', '/resource_providers',
                     {'name': f'cores-{self.cores}', 'uuid': self.cores})
            self.ask('PUT', f'/resource_providers/{self.cores}/inventories', {
                'resource_provider_generation': 0,
                'inventories': {'VCPU': {'total': 64}}})
        self.take(instance)
        # What is reserved can be kept, and not be given anew.
        before = {one: self.reserved(one) for one in providers}
        for one in providers:
            self.inventory(one)
        self.ask('PUT', f'/allocations/{instance}', {
            'allocations': {
                self.cores: {'resources': {'VCPU': 1}},
                **{one: {'resources': {_CLASS: 1}} for one in providers}},
            'project_id': str(uuid.uuid4()), 'user_id': str(uuid.uuid4()),
            'consumer_generation': None, 'consumer_type': 'INSTANCE'})
        for one in providers:
            self.inventory(one, reserved=before[one])

    def disks(self, domain):
        """Names of our disks in a domain, by provider."""
        return {provider: disk.device for provider, disk in domain_xml.parse(
            domain.XMLDesc(0)).ours().items()}

    def mark(self, provider):
        return marks.load(self.conf, self.KIND, self.units[provider]['handle'])

    def used_by(self, provider, consumer):
        state.begin_use(self.conf, self.host.target(self.KIND),
                        self.units[provider]['handle'], consumer)

    def cleaned(self, provider):
        """The unit is wiped, or as good as that."""
        handle = self.units[provider]['handle']
        with marks.locked(self.conf, self.KIND, handle, 'a test'):
            marks.save(self.conf, self.mark(provider).changed(
                state=marks.CLEAN, consumer=None))
        self.inventory(provider)

    def config_file(self):
        """Path of a configuration for another process."""
        path = self.host.config_file()
        with open(path, 'a') as stream:
            stream.write(
                '[placement]\nauth_type = admin_token\ntoken = admin\n'
                f'endpoint = {self.cloud.placement_url}\n'
                f'endpoint_override = {self.cloud.placement_url}\n'
                '[spdk_service]\nduties = plug\n')
        return path

    def reserved(self, provider):
        return self.ask(
            'GET', f'/resource_providers/{provider}/inventories').json()[
                'inventories'][_CLASS]['reserved']

    def serve_anew(self, unit):
        """Kill the target of a unit, and start it anew; its socket."""
        handle = json.loads(self.units[unit]['handle'])
        socket = handle['socket']
        if host.SPDK_DIR:
            target = self.host.target(self.KIND)
            keep.look(self.conf, target, self.client)
            for pid in self.host.processes():
                host.kill(pid)
            starting.ensure(self.conf, target)
            host.wait_until(lambda: os.path.exists(socket), 'the socket')
            return socket
        name = os.path.basename(socket)
        self.servers[name].stop()
        # A target makes it as its own.
        os.chown(socket, 0, 0)
        os.chmod(socket, 0o700)
        self.servers[name] = self.useFixture(disk_server.DiskServer(
            socket, self.host.path(f'{name}.img')))
        return socket
