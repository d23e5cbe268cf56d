# SPDX-License-Identifier: Apache-2.0
"""The services beside the agent, each as a process of its own.

RabbitMQ and MariaDB are the distribution's (packages ``rabbitmq-server`` and
``mariadb-server``); none of them may be running as a service of the machine.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from typing import Any

import fixtures
import psutil
import requests

from tests.functional.deployed import processes
from tests.functional.fixtures import mariadb

_RABBITMQ = '/usr/lib/rabbitmq/bin/rabbitmq-server'

#: placement.conf.
PLACEMENT = """\
[api]
auth_strategy = {auth}
[placement_database]
sync_on_startup = true
connection = {database}
{further}
"""

_CONDUCTOR = """\
[DEFAULT]
transport_url = {transport}
host = conductor
use_stderr = false
log_file = {directory}/conductor.log
[database]
connection = {database}
[oslo_concurrency]
lock_path = {directory}/locks
[oslo_messaging_notifications]
driver = noop
[placement]
auth_type = admin_token
endpoint = {placement}
token = admin
endpoint_override = {placement}
[nova]
auth_type = admin_token
endpoint = {placement}
token = admin
endpoint_override = {placement}
"""

_HEADERS = {'X-Auth-Token': 'admin',
            'OpenStack-API-Version': 'placement 1.39'}


class RabbitMQ(fixtures.Fixture):
    """A broker on free ports of 127.0.0.1, with its own Erlang port mapper.

    :ivar url: for ``transport_url``.
    """

    def _setUp(self) -> None:
        if not os.path.exists(_RABBITMQ):
            raise RuntimeError(f'{_RABBITMQ} is missing: install the '
                               'package rabbitmq-server')
        self.directory = tempfile.mkdtemp(prefix='cyborg-spdk-rabbitmq-',
                                          dir='/tmp')
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        user = pwd.getpwnam('rabbitmq')
        os.chown(self.directory, user.pw_uid, user.pw_gid)
        self._port, self._mapper, distribution = (
            processes.free_port() for _ in range(3))
        path = os.path.join(self.directory, 'rabbitmq.conf')
        with open(path, 'w') as out:
            out.write(f'listeners.tcp.1 = 127.0.0.1:{self._port}\n')
        self.process = processes.Process(
            'rabbitmq', self.directory, [_RABBITMQ], {
                'HOME': self.directory,
                'RABBITMQ_NODENAME': f'spdk{self._port}@localhost',
                'RABBITMQ_MNESIA_BASE': self.directory,
                'RABBITMQ_LOG_BASE': self.directory,
                'RABBITMQ_CONFIG_FILE': path,
                'RABBITMQ_ENABLED_PLUGINS_FILE':
                    os.path.join(self.directory, 'plugins'),
                'RABBITMQ_DIST_PORT': str(distribution),
                'ERL_EPMD_PORT': str(self._mapper),
                'ERL_EPMD_ADDRESS': '127.0.0.1',
                'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS':
                    '+sbwt none -kernel inet_dist_use_interface {127,0,0,1}',
            }, user='rabbitmq')
        self.url = f'rabbit://guest:guest@127.0.0.1:{self._port}/'
        self.addCleanup(self._stop)
        self.process.start()

    def wait(self) -> None:
        """Wait until it serves."""
        self.process.wait_for_port(self._port)

    def start(self) -> None:
        """Start it again, and wait until it serves."""
        self.process.start()
        self.wait()

    def _stop(self) -> None:
        self.process.stop()
        # The port mapper is a daemon; it stays behind.
        for one in psutil.net_connections('tcp'):
            if one.status == psutil.CONN_LISTEN and one.pid and \
                    one.laddr.port == self._mapper:
                psutil.Process(one.pid).terminate()


class Services(fixtures.Fixture):
    """MariaDB, RabbitMQ, Placement, and Cyborg's conductor.

    :ivar transport: URL of the broker.
    :ivar placement: URL of Placement, which asks for no token.
    """

    def _setUp(self) -> None:
        self.directory = tempfile.mkdtemp(prefix='cyborg-spdk-services-',
                                          dir='/tmp')
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.python, self._environ = processes.python()
        self.database = mariadb.Server(['placement', 'cyborg'])
        self.addCleanup(self.database.stop)
        self.rabbitmq = self.useFixture(RabbitMQ())
        self.transport = self.rabbitmq.url
        self._port = processes.free_port()
        self.placement = f'http://127.0.0.1:{self._port}'
        self._configure()
        self.placement_process = processes.Wsgi(
            'placement', self.directory, 'placement.wsgi.api', self._port,
            {'OS_PLACEMENT_CONFIG_DIR': self.directory})
        self.addCleanup(self.placement_process.stop)
        # All at once: each takes its seconds.
        self.placement_process.start()
        subprocess.run(
            self._cyborg('dbsync', 'upgrade'), check=True,
            env={**os.environ, **self._environ}, cwd='/',
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.rabbitmq.wait()
        self.placement_process.wait()
        self.conductor = processes.Process(
            'conductor', self.directory, self._cyborg('conductor'),
            self._environ)
        self.addCleanup(self.conductor.stop)
        self.conductor.start()

    def _configure(self) -> None:
        with open(os.path.join(self.directory, 'placement.conf'),
                  'w') as out:
            out.write(PLACEMENT.format(
                auth='noauth2', further='',
                database=self.database.url('placement')))
        with open(os.path.join(self.directory, 'cyborg.conf'), 'w') as out:
            out.write(_CONDUCTOR.format(
                transport=self.transport, directory=self.directory,
                database=self.database.url('cyborg'),
                placement=self.placement))

    def _cyborg(self, program: str, *arguments: str) -> list[str]:
        return [self.python, '-W', 'ignore', '-c',
                f'from cyborg.cmd import {program}; {program}.main()',
                '--config-file', os.path.join(self.directory, 'cyborg.conf'),
                *arguments]

    def start_again(self) -> None:
        """Start what a test has stopped and not started again."""
        if self.rabbitmq.process.process is None:
            self.rabbitmq.start()
        if self.placement_process.process is None:
            self.start_placement()

    def start_placement(self) -> None:
        """Start Placement, and wait until it answers."""
        self.placement_process.start()
        self.placement_process.wait()

    # Placement

    def _request(self, verb: str, path: str, body: Any = None) -> Any:
        reply = requests.request(verb, self.placement + path, json=body,
                                 headers=_HEADERS, timeout=60)
        assert reply.ok, f'{verb} {path}: {reply.status_code} {reply.text}'
        return reply.json() if reply.content else None

    def add_host(self, name: str) -> str:
        """Make the provider that Nova makes for a compute node.

        :returns: its UUID.
        """
        found = self._request('POST', '/resource_providers', {'name': name})
        identifier: str = found['uuid']
        return identifier

    def units(self, root: str) -> list[dict[str, int]]:
        """What the accelerators of a host have: totals by resource class."""
        tree = self._request('GET', f'/resource_providers?in_tree={root}')
        return sorted((
            {resource: one['total'] for resource, one in self._request(
                'GET', f'/resource_providers/{provider["uuid"]}/inventories')
                ['inventories'].items()}
            for provider in tree['resource_providers']
            if provider['uuid'] != root), key=str)

    def allocate(self, root: str, resource: str) -> tuple[str, str]:
        """Take one unit of a host, as Nova does.

        :returns: UUIDs of the consumer and of the provider.
        """
        candidates = self._request(
            'GET', f'/allocation_candidates?resources={resource}:1')
        consumer = processes.new_uuid()
        provider = next(
            one for request in candidates['allocation_requests']
            for one in request['allocations']
            if candidates['provider_summaries'][one][
                'root_provider_uuid'] == root)
        self._request('PUT', f'/allocations/{consumer}', {
            'allocations': {provider: {'resources': {resource: 1}}},
            'project_id': 'p', 'user_id': 'u', 'consumer_generation': None,
            'consumer_type': 'INSTANCE'})
        return consumer, provider
