# SPDX-License-Identifier: Apache-2.0


"""Sequences whose outcome is saved, and loaded by both anew."""

import json
import os

from tests.simulator.agreement import pair as pairs
from tests.simulator.agreement import sequences
from tests.simulator.agreement import spoilt
from tests.simulator.agreement import unlike

FILE = 'config.json'


def of_any_build(calls):
    """Leave out what only some builds have.

    :param calls: list of a subsystem's calls, or None.
    """
    return calls and [call for call in calls if isinstance(call, list)
                      or (call.get('params') or {}).get('impl_name')
                      != 'uring']


class Restart(sequences.Sequence):
    """The configuration of the real one makes both what they were."""

    #: How the file is changed before it is loaded: a function of a random
    #: source and the file (bytes), or None.
    spoil = None

    def run(self, length, end=None):
        """Make calls, save, load, compare."""
        super().run(self.random.randrange(5, max(6, length // 2)), end)
        data = self._saved() if self.alike else None
        if data is None:
            return
        if self.spoil:
            data = self.spoil(self.random, data)
        arguments = ['-c', os.path.join(pairs.PLACE, FILE)]
        if self.random.random() < 0.5:
            arguments.append('--json-ignore-init-errors')
        release = self.pair.release
        self.pair.close()
        self.pair = pairs.Pair(self.session.app, arguments, {FILE: data},
                               release)
        try:
            self._loaded(arguments, data)
        finally:
            self.pair.close()

    def _saved(self):
        """The real one's configuration, as ``save_config`` writes it."""
        config = []
        batches = self.world.release >= 2605
        for item in self.ask('framework_get_subsystems')['result']:
            params = {'name': item['subsystem']}
            if not unlike.allowed(self.world, 'framework_get_config',
                                  params):
                return None
            if batches:
                params['with_batches'] = True
            reply = self.ask('framework_get_config', **params)
            if 'result' not in reply:
                return None
            config.append({'subsystem': item['subsystem'],
                           'config': of_any_build(reply['result'])})
        return json.dumps({'subsystems': config}, indent=2).encode()

    def _loaded(self, arguments, data):
        real, simulated = self.pair.outcome()
        self.session.calls += 1
        if real != simulated:
            self.session.note(sequences.Difference(
                self.made, spoilt.shown(arguments, data),
                {'outcome': real}, {'outcome': simulated},
                [f'outcome: {real} recorded, {simulated} now']))
        elif real is None:
            self.compare_state()


class Spoilt(Restart):
    """The file is spoilt before it is loaded."""

    spoil = staticmethod(spoilt.spoil)
