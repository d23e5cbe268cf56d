# SPDX-License-Identifier: Apache-2.0

"""An agent whose configuration file has a value that cannot be used.

The other drivers of the host must go on: nothing is raised.
"""

import json
import os
import subprocess
import sys

import fixtures
import testtools

_AGENT = '''
import json, logging, sys
import cyborg.cmd
from cyborg.conf import CONF
from cyborg_spdk import conf
CONF([], project='cyborg', default_config_files=[sys.argv[1]])
logging.basicConfig(level=logging.ERROR, format='%(message)s')
from cyborg_spdk.drivers import nvmf
driver = nvmf.NvmfDriver()
path = {'host': 'h', 'target': 'spdk_nvmf'}
print(json.dumps([[one.stub for one in driver.discover()],
                  list(driver.get_stats().values()),
                  driver.update(path, sys.argv[2])]))
'''


class OptionsTest(testtools.TestCase):

    def run_agent(self, line):
        directory = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(directory, 'cyborg.conf')
        with open(path, 'w') as out:
            out.write('[DEFAULT]\nhost = h\n[spdk]\n'
                      f'run_path = {directory}\nstate_path = {directory}\n'
                      f'{line}\n[spdk_nvmf]\nstart = false\n')
        image = os.path.join(directory, 'image')
        with open(image, 'wb') as out:
            out.write(b'1234')
        done = subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', _AGENT, path, image],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=120)
        self.assertEqual(0, done.returncode, done.stderr)
        return json.loads(done.stdout), done.stderr

    def test_a_value_that_cannot_be_used(self):
        for line in ('parallel = maybe', 'max_new_units = 0',
                     'connect_timeout = soon'):
            (stubs, stats, updated), log = self.run_agent(line)
            self.assertEqual(([True], False), (stubs, updated), line)
            option, _equals, value = line.split()
            self.assertIn(f"[spdk] {option} '{value}'", stats[0]['error'])
            # Told by the report and by the update, each in a line.
            self.assertEqual(2, log.count(f"[spdk] {option} '{value}'"), log)
            self.assertNotIn('Traceback', log)
