# SPDX-License-Identifier: Apache-2.0

"""Sequences of random calls, and what differed in them."""

import collections
import json
import os
import random
import re
import time

from tests.simulator.agreement import calls
from tests.simulator.agreement import pair as pairs
from tests.simulator.agreement import unlike

#: Methods that are called more often than others, by their beginning.
_THEMES = {
    'nvmf_tgt': (
        ('bdev_malloc', 'bdev_null', 'bdev_passthru', 'bdev_error',
         'bdev_delay', 'bdev_split', 'bdev_raid', 'bdev_aio'),
        ('bdev_malloc_create', 'bdev_lvol'),
        ('bdev_malloc_create', 'bdev_raid'),
        ('bdev_malloc', 'bdev_null_create', 'nvmf_'),
        ('nvmf_create_transport', 'nvmf_create_subsystem',
         'nvmf_subsystem_add_listener', 'bdev_malloc_create',
         'nvmf_subsystem_add_ns', 'bdev_nvme_attach', 'bdev_nvme_detach',
         'bdev_nvme_get', 'nvmf_subsystem', 'bdev_nvme'),
        ('bdev_',), ('',)),
    'vhost': (('bdev_malloc', 'bdev_split', 'vhost_'), ('vhost_',
              'bdev_malloc', 'scsi_'), ('',)),
    'iscsi_tgt': (('bdev_malloc', 'iscsi_'), ('iscsi_', 'scsi_'), ('',)),
}
_THEMES['spdk_tgt'] = sum(_THEMES.values(), ())

_CHANGES = re.compile('create|delete|attach|detach|resize|rename|snapshot|'
                      'clone|inflate|decouple|parent|grow|rescan|remove|add_')

#: What is compared after each sequence.
STATE = (
    'bdev_get_bdevs', 'bdev_raid_get_bdevs', 'bdev_lvol_get_lvstores',
    'bdev_lvol_get_lvols', 'bdev_nvme_get_controllers',
    'nvmf_get_subsystems', 'nvmf_get_transports', 'nvmf_get_targets',
    'nvmf_discovery_get_referrals', 'vhost_get_controllers',
    'scsi_get_devices', 'iscsi_get_target_nodes', 'iscsi_get_portal_groups',
    'iscsi_get_initiator_groups', 'iscsi_get_auth_groups',
    'iscsi_get_options', 'notify_get_notifications', 'keyring_get_keys',
    'accel_crypto_keys_get', 'bdev_get_iostat')
SUBSYSTEMS = ('bdev', 'nvmf', 'vhost_blk', 'vhost_scsi', 'iscsi', 'iobuf',
              'accel', 'keyring', 'scheduler', 'vmd')


with open(os.path.join(os.path.dirname(__file__),
                       'beginnings.json')) as _file:
    #: Good calls that make something for others to refer to: [method,
    #: parameters], or [method, parameters, first release, last release].
    BEGINNINGS = json.load(_file)


class Difference:
    """Where replies to one call differ, in which sequence."""

    def __init__(self, made, text, real, simulated, problems):
        self.made = list(made)
        self.text = text
        self.real, self.simulated = real, simulated
        self.problems = problems
        self.number = 1

    @property
    def grave(self):
        """Whether one of the two made the call and the other did not."""
        return self.kind(self.real) != self.kind(self.simulated)

    @staticmethod
    def kind(reply):
        """The kind of a reply."""
        if reply is None:
            return 'closed'
        return next(iter(set(reply) & {'result', 'error', 'silence'}), 'odd')

    def signature(self):
        """What is the same in differences that are the same."""
        method = re.search('"method": "([^"]*)"', self.text)
        text = ' '.join(re.sub(r'\[\d+\]', '[]', problem)
                        for problem in self.problems[:2])
        return (method and method.group(1),
                re.sub(r'[0-9a-f]{8}-[-0-9a-f]{27}|\d+', '#', text)[:160])

    def written(self):
        """As text for a person."""
        lines = [f'{self.number} x after {len(self.made)} calls: {self.text}']
        if self.grave or 'error' in (self.real or {}):
            lines.append(f'    real      {pairs.replay.short(self.real)}')
            lines.append(
                f'    simulated {pairs.replay.short(self.simulated)}')
        if self.grave:
            lines += [f'    made {text[:300]}' for text in self.made
                      if '_set_' in text or 'assign' in text]
        lines += [f'    {problem}' for problem in self.problems[:4]]
        return '\n'.join(lines)


class Session:
    """Many sequences.

    :param app: the program.
    :param seed: of the random numbers; each sequence has one of its own,
        ``seed`` + its number.
    :param kind: the class of a sequence.
    """

    def __init__(self, app, seed, length=80, themes=None, kind=None):
        self.app = app
        self.seed = seed
        self.length = length
        self.kind = kind or Sequence
        self.themes = themes or _THEMES[app]
        self.calls = 0
        self.sequences = 0
        self.found = collections.OrderedDict()
        self.outcomes = collections.defaultdict(collections.Counter)

    def run(self, seconds):
        """Run sequences for a time."""
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            self.sequence(self.seed + number, end)
            number += 1

    def sequence(self, seed, end=None):
        """Run one sequence on fresh targets."""
        self.sequences += 1
        pair = pairs.Pair(self.app, self.kind.ARGUMENTS)
        try:
            sequence = self.kind(self, pair, random.Random(seed))
            sequence.run(self.length, end)
        finally:
            pair.close()

    def note(self, difference):
        """Take a difference down, once."""
        known = self.found.setdefault(difference.signature(), difference)
        if known is not difference:
            known.number += 1
            if len(difference.made) < len(known.made):
                difference.number = known.number
                self.found[difference.signature()] = difference

    def count(self, text, reply):
        """Count what the real one answered to a method."""
        method = json.loads(text).get('method')
        kind = Difference.kind(reply)
        if kind == 'error':
            kind = (reply['error']['code'],
                    re.sub(r'\d+', '#', reply['error']['message'])[:40])
        self.outcomes[method][kind] += 1

    def coverage(self):
        """Which method had how many results and which errors, as text."""
        lines = []
        for method, kinds in sorted(self.outcomes.items()):
            good = kinds['result']
            errors = len(kinds) - bool(good)
            often = '' if good else ', '.join(
                str(kind) for kind, _ in kinds.most_common(3))
            lines.append(f'{good:6} results, {errors:2} errors: {method} '
                         + often)
        return '\n'.join(lines)

    def report(self):
        """What was found, as text."""
        head = (f'{self.calls} calls in {self.sequences} sequences of '
                f'{self.app} from seed {self.seed}: '
                f'{len(self.found)} differences')
        return '\n'.join([head, *(item.written() for item
                                  in self.found.values())])


class Sequence:
    """One sequence of calls to one pair.

    :cvar ARGUMENTS: what both programs are started with.
    """

    ARGUMENTS = ()

    def __init__(self, session, pair, source):
        self.session = session
        self.pair = pair
        self.random = source
        self.made = []
        self.alike = True
        methods = [name for name in self.ask(pair.listing)['result']
                   if name in pair.methods]
        self.world = calls.World(pair.release, source, methods)
        theme = source.choice(session.themes)
        self.themed = [name for name in self.world.methods
                       if self.world.today[name].startswith(theme)]

    def ask(self, method, **params):
        """Call a method of the real target alone."""
        body = {'jsonrpc': '2.0', 'id': 1, 'method': method}
        if params:
            body['params'] = params
        return self.pair.real.call(json.dumps(body)) or {}

    def begin(self):
        """Make what the calls to come may refer to.

        :returns: whether both are still alike.
        """
        known = set(self.world.methods)
        for calls_ in BEGINNINGS.values():
            # Some of the calls are of some releases.
            good = [(method, params) for method, params, *ends in calls_
                    if not ends
                    or ends[0] <= self.world.release <= ends[1]]
            wanted = self.random.random() < 0.5 and any(
                method in self.themed for method, _ in good)
            if wanted and known.issuperset(method for method, _ in good) \
                    and not self.compare(good):
                return False
        return self._learn()

    def run(self, length, end=None):
        """Make calls until one tells the two apart for good."""
        if not self.begin():
            return
        for _ in range(length):
            if end and time.monotonic() > end:
                return
            pool = self.themed if self.random.random() < 0.85 \
                else self.world.methods
            method = self.random.choice(pool)
            today = self.world.today[method]
            if today == 'iscsi_create_portal_group':
                self.world.learn_portals(self.ask(self.world.called[
                    'iscsi_get_portal_groups'])['result'])
            text = self.world.request(method)
            if text is None:
                continue
            if not self.make(text):
                return
            if today == 'bdev_raid_add_base_bdev':
                self._settle()
            if _CHANGES.search(today) and not self._learn():
                return
        self.compare_state()

    def _settle(self):
        """Let both end the rebuild of a RAID bdev."""
        body = json.dumps({'jsonrpc': '2.0', 'id': 1,
                           'method': 'bdev_raid_get_bdevs',
                           'params': {'category': 'all'}})
        for side in (self.pair.real, self.pair.simulated):
            for _ in range(1000):
                if '"process"' not in json.dumps(side.call(body)):
                    break

    def _learn(self):
        """Look at the bdevs, which calls refer to."""
        body = {'jsonrpc': '2.0', 'id': 1,
                'method': self.world.called['bdev_get_bdevs']}
        good = self.make(json.dumps(body))
        if good:
            self.world.learn(self.last['result'])
        return good

    def compare_state(self):
        """Compare what both tell about themselves."""
        self.compare([(method, None) for method in STATE] + [
            ('framework_get_config', {'name': name}) for name in SUBSYSTEMS])

    def compare(self, requests):
        """Make calls to both, as long as both are alike.

        :param requests: list of (method, parameters).
        :returns: whether both are still alike.
        """
        for method, params in requests:
            called = self.world.called.get(method)
            if called in self.world.methods \
                    and unlike.allowed(self.world, method, params):
                body = {'jsonrpc': '2.0', 'id': 1, 'method': called}
                if params:
                    body['params'] = params
                if not self.make(json.dumps(body)):
                    return False
        return True

    def make(self, text):
        """Make one call to both.

        :returns: whether both are still alike.
        """
        real, simulated, problems = self.pair.call(text)
        self.session.calls += 1
        self.session.count(text, real)
        if real is None and 'framework_initialization failed' in json.dumps(
                simulated):
            # It ends with or without the answer.
            simulated, problems = None, []
        if real is None and simulated is None:
            ends = [side.status() for side in (self.pair.real,
                                               self.pair.simulated)]
            if ends[0] != ends[1]:
                problems = [f'ended with {ends[0]} recorded, {ends[1]} now']
        self.last = real
        difference = Difference(self.made, text, real, simulated, problems)
        self.made.append(text)
        if problems:
            self.session.note(difference)
        self.alike = not difference.grave and real is not None \
            and 'silence' not in real
        return self.alike
