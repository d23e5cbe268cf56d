# SPDX-License-Identifier: Apache-2.0
"""The real cyborg-agent on a simulated SPDK, as a process.

With ``CYBORG_SPDK_TEST_SPDK_DIR`` on a real one, which root alone can write.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from typing import Any

import fixtures
import psutil

from tests.functional.deployed import processes
from tests.functional.fixtures import host as host_fixture

#: A user who may do nothing, but for the helper.
NOBODY = 'nobody'

MAIN = os.path.join(os.path.dirname(__file__), 'agent_main.py')

_NOBODY_ASKS = """\
auth_type = admin_token
endpoint = {placement}
token = admin
endpoint_override = {placement}
"""

_CONF = """\
[DEFAULT]
transport_url = {transport}
host = {host}
use_stderr = false
log_file = {directory}/agent.log
default_log_levels = oslo_service.periodic_task=DEBUG,amqp=WARN,\
oslo.messaging=INFO,oslo_messaging=INFO,stevedore=WARN,\
keystoneauth=WARN,urllib3.connectionpool=WARN
[oslo_concurrency]
lock_path = {directory}/locks
[oslo_messaging_notifications]
driver = noop
[agent]
resource_provider_name = {host}
enabled_drivers = {drivers}
[placement]
{auth}
[nova]
{auth}
[spdk]
spdk_dir = {spdk_dir}
run_path = {directory}/run
state_path = {directory}/state
{spdk}
[spdk_nvmf]
config_file = {directory}/nvmf.json
extra_args = {extra_args}
[spdk_vhost]
config_file = {directory}/vhost.json
extra_args = {extra_args}
"""

_HELPER = """#!/bin/sh
{environ}
exec {python} -W ignore -c 'import sys  # {name}
from cyborg_spdk.host import helper_daemon
sys.exit(helper_daemon.main(["{conf}"]))' "$@"
"""


def _malloc(name: str) -> dict[str, Any]:
    return {'subsystem': 'bdev', 'config': [{
        'method': 'bdev_malloc_create', 'params': {
            'name': name, 'num_blocks': 8192, 'block_size': 512,
            'uuid': '6fb0b1c6-1c3c-4cf1-9b5c-0f0f6e0d1a0' + name[-1]}}]}


def _nvmf() -> dict[str, Any]:
    nqn = 'nqn.2016-06.io.spdk:cnode1'
    return {'subsystems': [_malloc('Malloc0'), {
        'subsystem': 'nvmf', 'config': [
            {'method': 'nvmf_create_transport', 'params': {'trtype': 'TCP'}},
            {'method': 'nvmf_create_subsystem', 'params': {
                'nqn': nqn, 'allow_any_host': True,
                'serial_number': 'SPDK0000000000000001'}},
            {'method': 'nvmf_subsystem_add_ns', 'params': {
                'nqn': nqn, 'namespace': {'nsid': 1,
                                          'bdev_name': 'Malloc0'}}},
            {'method': 'nvmf_subsystem_add_listener', 'params': {
                'nqn': nqn, 'listen_address': {
                    'trtype': 'TCP', 'adrfam': 'IPv4',
                    'traddr': '127.0.0.1',
                    'trsvcid': str(processes.free_port())}}}]}]}


def _vhost() -> dict[str, Any]:
    return {'subsystems': [_malloc('Malloc1'), {
        'subsystem': 'vhost_blk', 'config': [
            {'method': 'vhost_create_blk_controller', 'params': {
                'ctrlr': 'blk.0', 'dev_name': 'Malloc1'}}]}]}


class Agent(fixtures.Fixture):
    """cyborg-agent, its targets, and their private directory.

    :param placement: URL of Placement, which knows the host's provider.
    :param host: name of the host.
    :param transport: URL of the message bus; ``fake://`` has the reports
        written to a file.
    :param user: name of the user to run as; None means ours. Another one has
        root's targets started by sudo and the privileged helper.
    :param seconds: between two reports.
    :param spdk: further lines for ``[spdk]``.
    :param auth: lines of ``[placement]``; None is for a Placement that asks
        for no token.
    """

    def __init__(self, placement: str, host: str, transport: str = 'fake://',
                 user: str | None = None, seconds: float = 3.0,
                 drivers: str = 'spdk_nvmf_driver,spdk_vhost_driver',
                 spdk: str = '', auth: str | None = None) -> None:
        self._values = {
            'host': host, 'transport': transport, 'drivers': drivers,
            'spdk': spdk,
            'extra_args': '--iova-mode=va' if host_fixture.SPDK_DIR else '',
            'auth': auth or _NOBODY_ASKS.format(placement=placement)}
        self._user = user
        self._seconds = seconds

    def _setUp(self) -> None:
        self.directory = tempfile.mkdtemp(prefix='cyborg-spdk-agent-',
                                          dir='/tmp')
        os.chmod(self.directory, 0o755)
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        python, environ = processes.python()
        self.python = python
        if host_fixture.SPDK_DIR:
            self._spdk_dir = host_fixture.SPDK_DIR
            self.useFixture(host_fixture.SameHugepages())
        else:
            self._spdk_dir = self.path('spdk')
            # Root's, like the files of a package.
            subprocess.run(
                [python, '-m', 'spdk_simulator', 'install', self._spdk_dir],
                check=True, stdout=subprocess.DEVNULL,
                env={**os.environ, **environ})
        self._write('nvmf.json', json.dumps(_nvmf()))
        self._write('vhost.json', json.dumps(_vhost()))
        self.addCleanup(self.end_targets)
        for name in ('run', 'state', 'locks'):
            os.mkdir(self.path(name), 0o750)
            self._give(name)
        self.configure()
        environ['TMPDIR'] = '/tmp'
        if self._values['transport'] == 'fake://':
            environ['CYBORG_SPDK_TEST_REPORTS'] = self.path('state',
                                                            'reports')
        self._write('agent.log', '')
        self._give('agent.log')
        self.process = processes.Process(
            'agent', self.directory,
            [python, '-W', 'ignore', MAIN, str(self._seconds),
             '--config-file', self.path('cyborg.conf')],
            environ, self._user)
        self.addCleanup(self.process.stop)
        if self._user:
            self._allow_helper(environ)

    def _allow_helper(self, environ: dict[str, str]) -> None:
        """Let the user have the helper, and nothing else, as root."""
        helper = self.path('helper')
        self._write('helper', _HELPER.format(
            python=self.python, name=self._values['host'],
            conf=self.path('cyborg.conf'), environ='\n'.join(
                f'export {name}={value}' for name, value in environ.items()
                if name == 'PYTHONPATH')))
        os.chmod(helper, 0o755)
        path = f'/etc/sudoers.d/cyborg-spdk-test-{os.getpid()}-deployed'
        with open(path, 'w', opener=lambda name, flags: os.open(
                name, flags, 0o440)) as out:
            out.write(f'{self._user} ALL=(root) NOPASSWD: {helper} ""\n')
        self.addCleanup(os.unlink, path)
        self._values['spdk'] = f'privsep_helper_command = sudo -n {helper}' \
            f'\n{self._values["spdk"]}'
        self.configure()
        # Where root's targets have their sockets.
        os.chown(self.path('run'), 0, -1)

    def configure(self, **values: str) -> None:
        """Write the configuration; ``values`` replace those given first."""
        self._write('cyborg.conf', _CONF.format(
            **{**self._values, 'directory': self.directory,
               'spdk_dir': self._spdk_dir, **values}))

    def _write(self, name: str, text: str) -> None:
        with open(self.path(name), 'w') as out:
            out.write(text)

    def _give(self, name: str) -> None:
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self.path(name), entry.pw_uid, entry.pw_gid)

    def path(self, *parts: str) -> str:
        """A path in the private directory."""
        return os.path.join(self.directory, *parts)

    def log(self) -> list[str]:
        """The lines of the agent's log so far."""
        with open(self.path('agent.log'), errors='replace') as log:
            return log.read().splitlines()

    def reports(self) -> list[dict[str, Any]]:
        """What was reported so far, where there is no conductor."""
        try:
            with open(self.path('state', 'reports')) as source:
                return [json.loads(line) for line in source]
        except FileNotFoundError:
            return []

    def turns(self) -> int:
        """How many reports have been begun."""
        return sum('Running periodic task' in line for line in self.log())

    def complaints(self, since: int = 0) -> list[str]:
        """Lines at WARNING or above, without time and process.

        :param since: number of lines of the log to leave out.
        """
        return [match.group(1) for match in (
            re.search(r' ((WARNING|ERROR|CRITICAL) .*)', line)
            for line in self.log()[since:]) if match]

    def target(self, name: str) -> psutil.Process | None:
        """The process of a target, or None."""
        path = self.path('run', f'{name}.sock')
        for one in psutil.process_iter(['cmdline', 'status']):
            words = one.info['cmdline'] or []
            if path in words and '-r' in words and not any(
                    word.endswith('spawn_helper.py') for word in words) and \
                    one.info['status'] != psutil.STATUS_ZOMBIE:
                return one
        return None

    def end_targets(self) -> None:
        """Kill what is left of the targets."""
        for name in ('spdk_nvmf', 'spdk_vhost', 'spdk_iscsi'):
            found = self.target(name)
            while found is not None:
                found.kill()
                found.wait(processes.PATIENCE)
                found = self.target(name)
