# SPDX-License-Identifier: Apache-2.0
"""Keystone, and who is known there."""

import os
from typing import Any

import fixtures
import requests

from tests.functional.deployed import processes

PASSWORD = 'not-a-secret'
REGION = 'RegionOne'

_CONF = """\
[DEFAULT]
log_file = {directory}/keystone.log
use_stderr = false
[database]
connection = {database}
[fernet_tokens]
key_repository = {directory}/fernet
[credential]
key_repository = {directory}/credential
[cache]
enabled = false
[identity]
# The least there is: passwords of tests are no secrets.
password_hash_rounds = 4
"""

_CLIENT = """\
auth_type = password
auth_url = {url}
username = {user}
password = {password}
user_domain_name = Default
project_name = service
project_domain_name = Default
region_name = {region}
"""


class Keystone(fixtures.Fixture):
    """Keystone with its administrator ``admin`` of the project ``admin``.

    :param directory: for its configuration and keys.
    :param database: URL of its database.
    :ivar url: where it is, with its version.
    """

    def __init__(self, directory: str, database: str) -> None:
        self._directory = os.path.join(directory, 'keystone')
        self._database = database
        self._port = processes.free_port()
        self.url = f'http://127.0.0.1:{self._port}/v3'
        self._identifiers: dict[tuple[str, str], str] = {}
        self._headers: dict[str, str] = {}
        self._tokens: dict[tuple[str, str], str] = {}

    def _setUp(self) -> None:
        os.mkdir(self._directory)
        path = os.path.join(self._directory, 'keystone.conf')
        with open(path, 'w') as out:
            out.write(_CONF.format(directory=self._directory,
                                   database=self._database))
        self._manage('db_sync')
        for what in ('fernet_setup', 'credential_setup'):
            self._manage(what, '--keystone-user', 'root',
                         '--keystone-group', 'root')
        self._manage('bootstrap', '--bootstrap-password', PASSWORD,
                     '--bootstrap-public-url', self.url,
                     # Where those who check tokens look.
                     '--bootstrap-internal-url', self.url,
                     '--bootstrap-region-id', REGION)
        server = processes.Wsgi('keystone', self._directory,
                                'keystone.wsgi.api', self._port,
                                {'OS_KEYSTONE_CONFIG_DIR': self._directory})
        self.addCleanup(server.stop)
        server.start()
        server.wait()
        self._headers = {'X-Auth-Token': self.token('admin', 'admin')}

    def _manage(self, *words: str) -> None:
        # Without the option it writes elsewhere, and says that it is done.
        processes.run([processes.program('keystone-manage'), '--config-file',
                       os.path.join(self._directory, 'keystone.conf'),
                       *words])

    def token(self, user: str, project: str) -> str:
        """A token of a user in a project; one serves for the whole test."""
        if (user, project) not in self._tokens:
            self._tokens[user, project] = self._new_token(user, project)
        return self._tokens[user, project]

    def _new_token(self, user: str, project: str) -> str:
        reply = requests.post(f'{self.url}/auth/tokens', timeout=60, json={
            'auth': {
                'identity': {'methods': ['password'], 'password': {
                    'user': {'name': user, 'password': PASSWORD,
                             'domain': {'id': 'default'}}}},
                'scope': {'project': {'name': project,
                                      'domain': {'id': 'default'}}}}})
        assert reply.ok, reply.text
        return reply.headers['X-Subject-Token']

    def _request(self, verb: str, path: str, body: Any = None) -> Any:
        reply = requests.request(verb, self.url + path, json=body,
                                 headers=self._headers, timeout=60)
        assert reply.ok, f'{verb} {path}: {reply.status_code} {reply.text}'
        return reply.json() if reply.content else None

    def _identifier(self, kind: str, name: str, **values: Any) -> str:
        """Id of a project, user, role or service; made if need be."""
        if (kind, name) not in self._identifiers:
            found = self._request('GET', f'/{kind}s?name={name}')[f'{kind}s']
            self._identifiers[kind, name] = (
                found[0] if found else self._request(
                    'POST', f'/{kind}s', {
                        kind: {'name': name, **values}})[kind])['id']
        return self._identifiers[kind, name]

    def add_user(self, name: str, project: str, *roles: str) -> None:
        """Make a user, who has roles in one project."""
        owner = self._identifier('project', project)
        user = self._identifier('user', name, password=PASSWORD)
        for role in roles:
            self._request('PUT', f'/projects/{owner}/users/{user}/roles/'
                                 f'{self._identifier("role", role)}')

    def add_endpoint(self, kind: str, name: str, url: str) -> None:
        """Make a service, and say where it is."""
        service = self._identifier('service', name, type=kind)
        self._request('POST', '/endpoints', {'endpoint': {
            'service_id': service, 'interface': 'public', 'url': url,
            'region_id': REGION}})

    def client(self, user: str) -> str:
        """Lines of a configuration by which a service is a user."""
        return _CLIENT.format(url=self.url, user=user, password=PASSWORD,
                              region=REGION)

    def environ(self, user: str, project: str) -> dict[str, str]:
        """Variables by which ``openstack`` is a user."""
        return {'OS_AUTH_URL': self.url, 'OS_USERNAME': user,
                'OS_PASSWORD': PASSWORD, 'OS_PROJECT_NAME': project,
                'OS_USER_DOMAIN_ID': 'default',
                'OS_PROJECT_DOMAIN_ID': 'default',
                'OS_REGION_NAME': REGION, 'OS_IDENTITY_API_VERSION': '3'}
