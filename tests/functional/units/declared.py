# SPDX-License-Identifier: Apache-2.0

"""What the tests of units stand on: a target, and a configuration of it."""

import json
import os

from oslo_config import cfg
import testtools

from cyborg_spdk import clients
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.units import reading
from cyborg_spdk.units.wipe import state
from tests.functional.fixtures import target as target_fixture


class DeclaredCase(testtools.TestCase):
    """A target of all kinds of units, and a file to declare some in."""

    def setUp(self):
        super().setUp()
        self.spdk = self.useFixture(target_fixture.Target('spdk_tgt'))
        for name in ('run', 'state'):
            os.mkdir(self.spdk.path(name), 0o750)
        self.conf_file = self.spdk.path('conf')
        address = self.address()
        kinds = ''.join(
            f'[spdk_{kind}]\napplication = spdk_tgt\nstart = false\n'
            f'rpc_address = {address}\n' for kind in spdk_conf.KINDS)
        with open(self.conf_file, 'w') as out:
            out.write(f'[spdk]\nrun_path = {self.spdk.path("run")}\n'
                      f'state_path = {self.spdk.path("state")}\n'
                      f'units_file = {self.spdk.path("units.yaml")}\n{kinds}')
        with open(self.spdk.path('units.yaml'), 'w') as out:
            out.write('pools: []\n')
        self.conf = cfg.ConfigOpts()
        self.conf(['--config-file', self.conf_file],
                  default_config_files=[self.conf_file])
        self.targets = {one.kind: one for one in
                        spdk_conf.targets(self.conf)}
        self.connect()

    def address(self):
        """Where the configuration has the target."""
        return self.spdk.socket

    def connect(self):
        self.client = self.spdk.connect()
        self.nvmf = clients.NvmfTgt(self.client)
        self.vhost = clients.VhostTgt(self.client)
        self.iscsi = clients.IscsiTgt(self.client)

    def state(self, handle, kind='nvmf'):
        units = reading.read(self.client, kind, 60).units
        one = next(one for one in units
                   if json.loads(one.handle) == handle)
        return state.of(self.conf, self.targets[kind].name, one)
