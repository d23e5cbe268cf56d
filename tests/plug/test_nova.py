# SPDX-License-Identifier: Apache-2.0

"""Nova's own code reads the domains that have our disks."""

import importlib.util
import json
import os
import subprocess
import sys

import testtools

from tests.functional.fixtures import host
from tests.plug import case
from tests.plug import guest

_READER = os.path.join(os.path.dirname(__file__), 'nova_reader.py')


@testtools.skipIf(importlib.util.find_spec('nova') is None,
                  'Nova is not installed')
class NovaTest(case.PlugCase):

    def test_ours_is_none_of_its_own_disks(self):
        small = self.useFixture(guest.Guest(self.host.directory))
        instance, domain = self.libvirtd.create(devices=small.devices)
        self.give(instance, self.unit('blk.0'))
        self.assertEqual((), self.duty.run().problems)
        done = subprocess.run(
            [sys.executable, '-W', 'ignore', _READER],
            input=domain.XMLDesc(0), capture_output=True, text=True,
            timeout=host.PATIENCE, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        own = self.host.path('guest.img')
        self.assertEqual(
            {'devices': {'hda': own, 'vdz': None}, 'counted': [own]},
            json.loads(done.stdout))
