# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk serve`` as a process, for tests of what it does."""

import signal
import subprocess
import sys

import requests
import testtools

from cyborg_spdk.service import supervise
from tests.functional.fixtures import host
from tests.functional.fixtures import targets

_COMMAND = [sys.executable, '-m', 'cyborg_spdk.cli.main']


class ServeCase(testtools.TestCase):
    """A host with two targets, and the service on it when it is started."""

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(host.Host(
            {'nvmf': ['nvmf'], 'vhost': ['vhost']}))
        self.port = targets.free_port()
        self.service_options = {'listen_port': self.port, 'interval': 0.5}

    def command(self, *arguments):
        return self.cli('serve', *arguments)

    def cli(self, *arguments):
        """Command line of any command with this configuration."""
        path = self.host.config_file()
        with open(path, 'a') as stream:
            stream.write('[spdk_service]\n')
            for name, value in self.service_options.items():
                stream.write(f'{name} = {value}\n')
        return [*_COMMAND, '--config-file', path, *arguments]

    def serve(self):
        log = open(self.host.path('serve.log'), 'wb')  # noqa: SIM115
        self.addCleanup(log.close)
        process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(self.end, process)
        self.wait_for(lambda duties: all(
            duty.get('state') == supervise.ANSWERS
            for name, duty in duties.items()
            if name.startswith('supervise ')))
        return process

    @staticmethod
    def end(process, number=signal.SIGKILL):
        process.send_signal(number)
        return process.wait(host.PATIENCE)

    def log(self):
        with open(self.host.path('serve.log')) as stream:
            return stream.read()

    def duties(self):
        try:
            return requests.get(f'http://127.0.0.1:{self.port}/health',
                                timeout=60).json()['duties']
        except requests.ConnectionError:
            return None

    def wait_for(self, condition):
        def look():
            duties = self.duties()
            return duties if duties and condition(duties) else None
        return host.wait_until(look, 'the state on /health')

    def pid(self, name):
        return self.duties()[f'supervise {name}']['pid']
