# SPDX-License-Identifier: Apache-2.0
"""Everything that a small cloud has, and one compute node."""

from concurrent import futures
import os
import shutil
import sys
import tempfile
from typing import Any

import fixtures
import requests

from tests.deployed import compute
from tests.deployed import identity
from tests.functional.deployed import agent
from tests.functional.deployed import processes
from tests.functional.deployed import services
from tests.functional.fixtures import mariadb

#: Roles of the users of services, in the project ``service``. Nova takes an
#: event from the role ``service``, but finds the instances of other projects
#: for an ``admin`` alone.
SERVICES = {'placement': ('service',), 'cyborg': ('service', 'admin'),
            'nova': ('service',)}

#: Who speaks for Nova.
NOVA = ('nova', 'service')

_AUTHTOKEN = """\
[keystone_authtoken]
www_authenticate_uri = {url}
service_token_roles = service
service_token_roles_required = true
{client}
"""

_CYBORG = """\
[DEFAULT]
transport_url = {transport}
host = controller
use_stderr = false
log_dir = {directory}
[api]
api_paste_config = {directory}/api-paste.ini
[database]
connection = {database}
[oslo_concurrency]
lock_path = {directory}/locks
[oslo_messaging_notifications]
driver = noop
[service_user]
send_service_user_token = true
{client}
[placement]
{client}
[nova]
{client}
"""


class Cloud(fixtures.Fixture):
    """All services.

    :ivar keystone: :class:`~tests.deployed.identity.Keystone`.
    :ivar nova: :class:`~tests.deployed.compute.Nova`.
    :ivar agent: :class:`~tests.functional.deployed.agent.Agent`.
    :ivar host: name of the compute node.
    """

    def _setUp(self) -> None:
        self.directory = tempfile.mkdtemp(prefix='cyborg-spdk-cloud-',
                                          dir='/tmp')
        os.chmod(self.directory, 0o755)
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.host = 'compute-1.example.com'
        database = mariadb.Server(['keystone', 'placement', 'cyborg', 'nova',
                                   'nova_api', 'nova_cell0'])
        self.addCleanup(database.stop)
        rabbitmq = self.useFixture(services.RabbitMQ())
        self.transport = rabbitmq.url
        self.keystone = identity.Keystone(self.directory,
                                          database.url('keystone'))
        others = self.useFixture(compute.Others())
        self.nova = compute.Nova(self.directory, {
            'transport': self.transport, 'host': self.host,
            'api_database': database.url('nova_api'),
            'database': database.url('nova'),
            'cell0': database.url('nova_cell0')}, self.keystone, others.url)
        # Schemas take the longest; each has one process.
        with futures.ThreadPoolExecutor() as pool:
            waiting = [pool.submit(self.nova.prepare),
                       pool.submit(self._prepare_cyborg,
                                   database.url('cyborg'))]
            self.useFixture(self.keystone)
            for name, roles in SERVICES.items():
                self.keystone.add_user(name, 'service', *roles)
            self._placement(database.url('placement'))
            for one in waiting:
                one.result()
        rabbitmq.wait()
        self._cyborg()
        for kind, name, url in (
                ('placement', 'placement', self.placement_url),
                ('accelerator', 'cyborg', self.accelerator_url),
                ('compute', 'nova', self.nova.url),
                ('image', 'glance', others.url),
                ('network', 'neutron', others.url)):
            self.keystone.add_endpoint(kind, name, url)
        self._add_compute_node()
        self.agent = self.useFixture(agent.Agent(
            self.placement_url, self.host, transport=self.transport,
            user=agent.NOBODY, auth=self.keystone.client('cyborg')))

    def _add_compute_node(self) -> None:
        self.useFixture(self.nova)
        # Its provider; the agent does not start before that is there.
        processes.wait_until(
            lambda: self.placement(f'/resource_providers?name={self.host}')[
                'resource_providers'], "the compute node's provider",
            pause=0.5)
        self.nova.manage('cell_v2', 'discover_hosts')

    def _placement(self, database: str) -> None:
        directory = os.path.join(self.directory, 'placement')
        os.mkdir(directory)
        with open(os.path.join(directory, 'placement.conf'), 'w') as out:
            out.write(services.PLACEMENT.format(
                auth='keystone', database=database,
                further=_AUTHTOKEN.format(
                    url=self.keystone.url,
                    client=self.keystone.client('placement'))))
        self.placement_url = self._serve(
            'placement', 'placement.wsgi.api',
            {'OS_PLACEMENT_CONFIG_DIR': directory})

    def _serve(self, name: str, module: str, environ: dict[str, str],
               *arguments: str) -> str:
        port = processes.free_port()
        server = processes.Wsgi(name, self.directory, module, port, environ,
                                *arguments)
        self.addCleanup(server.stop)
        server.start()
        server.wait()
        return f'http://127.0.0.1:{port}'

    def _prepare_cyborg(self, database: str) -> None:
        directory = os.path.join(self.directory, 'cyborg')
        os.mkdir(directory)
        shutil.copy(os.path.join(sys.prefix, 'etc', 'cyborg',
                                 'api-paste.ini'), directory)
        self._conf = os.path.join(directory, 'cyborg.conf')
        client = self.keystone.client('cyborg')
        with open(self._conf, 'w') as out:
            out.write(_CYBORG.format(
                transport=self.transport, directory=directory,
                database=database, client=client))
            out.write(_AUTHTOKEN.format(url=self.keystone.url,
                                        client=client))
        processes.run([processes.program('cyborg-dbsync'), '--config-file',
                       self._conf, 'upgrade'])

    def _cyborg(self) -> None:
        # Not cyborg-api: that of 17.0.0 ends at once.
        self.accelerator_url = self._serve(
            'cyborg-api', 'cyborg.wsgi.api', {}, '--config-file',
            self._conf) + '/v2'
        conductor = processes.Process(
            'cyborg-conductor', self.directory,
            [processes.program('cyborg-conductor'), '--config-file',
             self._conf])
        self.addCleanup(conductor.stop)
        conductor.start()

    def openstack(self, user: str, project: str, *words: str) -> str:
        """Run ``openstack`` as a user.

        :returns: what it says.
        :raises AssertionError: with its complaint, if it fails.
        """
        return processes.run([processes.program('openstack'), *words],
                             self.keystone.environ(user, project))

    def request(self, verb: str, path: str, user: str, project: str,
                body: Any = None,
                service: tuple[str, str] | None = None) -> int:
        """A request to Cyborg's API.

        :param service: user and project whose token goes with it as that of
            a service.
        :returns: HTTP status.
        """
        headers = {'X-Auth-Token': self.keystone.token(user, project)}
        if service:
            headers['X-Service-Token'] = self.keystone.token(*service)
        return requests.request(verb, self.accelerator_url + path, json=body,
                                headers=headers, timeout=120).status_code

    def placement(self, path: str) -> Any:
        """The decoded answer of Placement to an administrator's GET."""
        reply = requests.get(
            self.placement_url + path, timeout=60, headers={
                'X-Auth-Token': self.keystone.token('admin', 'admin'),
                'OpenStack-API-Version': 'placement 1.39'})
        assert reply.ok, f'{path}: {reply.status_code} {reply.text}'
        return reply.json()

    def provider(self, resource: str) -> str | None:
        """UUID of the provider below the node's that has a resource class.

        :returns: None if there is none yet.
        """
        for one in self.placement('/resource_providers')[
                'resource_providers']:
            found = self.placement(
                f'/resource_providers/{one["uuid"]}/inventories')
            if resource in found['inventories']:
                identifier: str = one['uuid']
                return identifier
        return None

    def logs(self) -> dict[str, str]:
        """What the processes have written, by the path of the file."""
        found = {}
        for top in (self.directory, self.agent.directory):
            for directory, _, names in os.walk(top):
                for name in names:
                    if name.endswith(('.log', '.out')):
                        path = os.path.join(directory, name)
                        with open(path, errors='replace') as log:
                            found[os.path.relpath(path, top)] = log.read()
        return found
