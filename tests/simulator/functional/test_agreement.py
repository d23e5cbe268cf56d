# SPDX-License-Identifier: Apache-2.0

"""The simulator beside a real SPDK: random calls, the same replies.

Runs only with CYBORG_SPDK_TEST_SPDK_DIR, as root. CYBORG_SPDK_TEST_SEED
repeats a run, CYBORG_SPDK_TEST_SECONDS (30 for each program) prolongs it;
with CYBORG_SPDK_TEST_COVERAGE=1 it tells what each method answered.
"""

import itertools
import os
import random
import time
import unittest

from tests.functional.fixtures import target as targets
from tests.simulator.agreement import commandlines
from tests.simulator.agreement import pair as pairs
from tests.simulator.agreement import processes
from tests.simulator.agreement import restart
from tests.simulator.agreement import sequences
from tests.simulator.agreement import startup
from tests.simulator.agreement import streams

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
        """Fresh targets for each 60 plans: some lose a connection's place."""
        source = random.Random(SEED)
        end = time.monotonic() + SECONDS
        compared = 0
        while time.monotonic() < end:
            pair = pairs.Pair('nvmf_tgt')
            try:
                compared += self._streams(pair, source, end)
            finally:
                pair.close()
        print(f'{compared} plans from seed {SEED}: no difference')
        self.assertGreater(compared, 0)

    def _streams(self, pair, source, end):
        made = streams.Streams(source, pair.release, pair.methods)
        for number in range(60):
            if time.monotonic() > end:
                return number
            plan = made.plan()
            self.assertEqual(streams.play(pair.real, plan),
                             streams.play(pair.simulated, plan),
                             f'seed {SEED}, plan {number}: {plan!r}')
        if made.alone:
            return number
        state = source.getstate()
        seen = []
        for side in (pair.real, pair.simulated):
            source.setstate(state)
            seen.append(streams.crowd(side, source))
        self.assertEqual(*seen, f'seed {SEED}')
        return number


@unittest.skipUnless(targets.SPDK_DIR, 'compares with a real SPDK')
class Processes(unittest.TestCase):
    """Starts, ends, and what they say and leave."""

    common = ['-r', 'rpc.sock', '-s', '260', '--iova-mode=va']

    def setUp(self):
        super().setUp()
        self.end = time.monotonic() + SECONDS
        self.runs = 0
        self.found = []
        self.random = random.Random(SEED)

    def compare(self, lives, label, *args, **kwargs):
        """Run both and note what differs."""
        problems = processes.differences(*lives.run(*args, **kwargs))
        self.runs += 1
        if problems:
            self.found.append('\n    '.join(
                [f'{lives.app} {label}', *problems]))

    def conclude(self):
        """Fail if something differed."""
        print(f'{self.runs} lives from seed {SEED}: '
              f'{len(self.found)} differences')
        self.assertGreater(self.runs, 0)
        self.assertEqual([], self.found, '\n'.join(self.found))

    def each(self, cases):
        """The cases in a random order, as many as there is time for."""
        cases = list(cases)
        self.random.shuffle(cases)
        for case in cases:
            if time.monotonic() > self.end:
                return
            yield case

    def test_command_lines(self):
        while time.monotonic() < self.end:
            app = self.random.choice(('nvmf_tgt', 'vhost', 'iscsi_tgt',
                                      'spdk_tgt'))
            lives = processes.Lives(app)
            arguments = commandlines.CommandLines(self.random,
                                                  app).arguments()
            self.compare(lives, arguments, arguments,
                         commandlines.configured('{}'))
        self.conclude()

    def test_configurations(self):
        lives = processes.Lives('nvmf_tgt')
        for text, option in self.each(itertools.product(
                commandlines.CONFIGURATIONS,
                ((), ('--wait-for-rpc',), ('--json-ignore-init-errors',)))):
            self.compare(lives, (text, option), [
                *self.common, '-c', 'this.json', *option],
                commandlines.configured(text))
        self.conclude()

    def test_places(self):
        lives = processes.Lives('nvmf_tgt')
        for name, option in self.each(itertools.product(
                commandlines.PLACES, ((), ('--wait-for-rpc',)))):
            self.compare(lives, (name, option), [*self.common, *option],
                         commandlines.PLACES[name])
        self.conclude()

    def test_signals(self):
        for app, numbers, option in self.each(itertools.product(
                ('nvmf_tgt', 'vhost', 'iscsi_tgt', 'spdk_tgt'),
                commandlines.SIGNALS, ((), ('--wait-for-rpc',)))):
            self.compare(processes.Lives(app), (numbers, option),
                         [*self.common, '-d', *option],
                         act=lambda life, numbers=numbers: life.end(*numbers))
        self.conclude()
