# SPDX-License-Identifier: Apache-2.0
"""Nova with its fake driver, and the images that it asks for."""

import json
import os
import shutil
import sys
from typing import Any

import fixtures

from tests.deployed import identity
from tests.functional.deployed import processes
from tests.functional.fixtures import served

_CONF = """\
[DEFAULT]
transport_url = {transport}
host = {host}
compute_driver = fake.FakeDriver
state_path = {directory}
log_dir = {directory}
use_stderr = false
[api_database]
connection = {api_database}
[database]
connection = {database}
[oslo_concurrency]
lock_path = {directory}
[oslo_messaging_notifications]
driver = noop
[wsgi]
api_paste_config = {directory}/api-paste.ini
[conductor]
workers = 1
[scheduler]
workers = 1
[keystone_authtoken]
www_authenticate_uri = {identity}
service_token_roles = service
service_token_roles_required = true
{client}
[placement]
{client}
[service_user]
send_service_user_token = true
{client}
[cyborg]
region_name = {region}
[glance]
endpoint_override = {others}
[neutron]
endpoint_override = {others}
{client}
"""

#: The one image that there is.
IMAGE = '0e1b5f0a-7d0c-4b57-9a93-1f9d0f4d3d10'
_IMAGE = {
    'id': IMAGE, 'name': 'empty', 'status': 'active', 'visibility': 'public',
    'container_format': 'bare', 'disk_format': 'raw', 'size': 1,
    'min_disk': 0, 'min_ram': 0, 'tags': [], 'protected': False,
    'checksum': None, 'owner': None, 'file': f'/v2/images/{IMAGE}/file',
    'created_at': '2024-01-01T00:00:00Z', 'updated_at': '2024-01-01T00:00:00Z'}


class Others(fixtures.Fixture):
    """The two that Nova asks and that are not here: Glance and Neutron.

    :ivar url: where both are.
    """

    def _setUp(self) -> None:
        server = served.Served(self._answer, 'others')
        self.addCleanup(server.close)
        self.url: str = server.url

    def _answer(self, environ: dict[str, Any],
                start_response: Any) -> list[bytes]:
        path = environ['PATH_INFO'].rstrip('/')
        status, body = '200 OK', {
            '': {'versions': [{
                'id': 'v2.9', 'status': 'CURRENT', 'links': [
                    {'rel': 'self', 'href': f'{self.url}/v2/'}]}]},
            # Glance's client makes its objects by it.
            '/v2/schemas/image': {
                'name': 'image', 'properties': {name: {} for name in _IMAGE}},
            '/v2/images': {'images': [_IMAGE]},
            f'/v2/images/{IMAGE}': _IMAGE,
        }.get(path)
        if path.startswith('/v2.0/'):
            # No network, port, extension or whatever.
            body = {path.rpartition('/')[2]: []}
        if body is None:
            status, body = '404 Not Found', {}
        start_response(status, [('Content-Type', 'application/json')])
        return [json.dumps(body).encode()]


class Nova(fixtures.Fixture):
    """Nova's API, conductor, scheduler, and one compute node.

    :param directory: for its configuration and logs.
    :param values: ``transport``, ``host``, ``api_database``, ``database``,
        ``cell0``: URLs, and the name of the node.
    :param keystone: which has the user ``nova``.
    :param others: URL of Glance and Neutron.
    :ivar url: where its API is.
    """

    def __init__(self, directory: str, values: dict[str, str],
                 keystone: identity.Keystone, others: str) -> None:
        self._directory = os.path.join(directory, 'nova')
        self._values = values
        self._keystone = keystone
        self._others = others
        self._port = processes.free_port()
        self.url = f'http://127.0.0.1:{self._port}/v2.1'

    def prepare(self) -> None:
        """Write its configuration, and make its databases."""
        os.mkdir(self._directory)
        shutil.copy(os.path.join(sys.prefix, 'etc', 'nova', 'api-paste.ini'),
                    self._directory)
        with open(os.path.join(self._directory, 'nova.conf'), 'w') as out:
            out.write(_CONF.format(
                directory=self._directory, identity=self._keystone.url,
                client=self._keystone.client('nova'),
                region=identity.REGION, others=self._others, **self._values))
        self.manage('api_db', 'sync')
        self.manage('cell_v2', 'map_cell0', '--database_connection',
                    self._values['cell0'])
        self.manage('db', 'sync')
        self.manage('cell_v2', 'create_cell', '--name', 'c1')

    def manage(self, *words: str) -> None:
        """Run ``nova-manage``."""
        processes.run([processes.program('nova-manage'), '--config-file',
                       os.path.join(self._directory, 'nova.conf'), *words])

    def _setUp(self) -> None:
        api = processes.Wsgi('nova-api', self._directory,
                             'nova.wsgi.osapi_compute', self._port,
                             {'OS_NOVA_CONFIG_DIR': self._directory})
        started = [api]
        for name in ('nova-conductor', 'nova-scheduler', 'nova-compute'):
            started.append(processes.Process(
                name, self._directory,
                [processes.program(name), '--config-file',
                 os.path.join(self._directory, 'nova.conf')]))
        for one in started:
            self.addCleanup(one.stop)
            one.start()
        api.wait()
