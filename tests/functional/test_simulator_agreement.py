# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""The simulator beside a real SPDK: random calls, the same replies.

Runs only with CYBORG_SPDK_TEST_SPDK_DIR, as root. CYBORG_SPDK_TEST_SEED
repeats a run, CYBORG_SPDK_TEST_SECONDS (30 for each program) prolongs it;
with CYBORG_SPDK_TEST_COVERAGE=1 it tells what each method answered.
"""

import os
import random
import time
import unittest

from tests.functional.agreement import pair as pairs
from tests.functional.agreement import restart
from tests.functional.agreement import sequences
from tests.functional.agreement import startup
from tests.functional.agreement import streams
from tests.functional.fixtures import target as targets

SEED = int(os.environ.get('CYBORG_SPDK_TEST_SEED') or time.time())
SECONDS = float(os.environ.get('CYBORG_SPDK_TEST_SECONDS') or 30)


@unittest.skipUnless(targets.SPDK_DIR, 'compares with a real SPDK')
class Agreement(unittest.TestCase):

    def compare(self, app, kind=None):
        session = sequences.Session(app, SEED, kind=kind)
        session.run(SECONDS)
        print(session.report())
        if os.environ.get('CYBORG_SPDK_TEST_COVERAGE'):
            print(session.coverage())
        self.assertGreater(session.calls, 0)
        self.assertEqual({}, session.found, session.report())

    def test_nvmf(self):
        self.compare('nvmf_tgt')

    def test_vhost(self):
        self.compare('vhost')

    def test_iscsi(self):
        self.compare('iscsi_tgt')

    def test_startup_state(self):
        self.compare('spdk_tgt', startup.Startup)

    def test_saved_configuration(self):
        self.compare('spdk_tgt', restart.Restart)

    def test_spoilt_configuration(self):
        self.compare('spdk_tgt', restart.Spoilt)

    def test_all_in_one(self):
        self.compare('spdk_tgt')

    def test_streams(self):
        source = random.Random(SEED)
        made = streams.Streams(source)
        pair = pairs.Pair('nvmf_tgt')
        self.addCleanup(pair.close)
        end = time.monotonic() + SECONDS
        compared = 0
        while time.monotonic() < end:
            data = made.stream()
            self.assertEqual(streams.answer(pair.real, data),
                             streams.answer(pair.simulated, data),
                             f'seed {SEED}, stream {compared}: {data!r}')
            compared += 1
        print(f'{compared} streams from seed {SEED}: no difference')
        self.assertGreater(compared, 0)
