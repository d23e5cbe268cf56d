# SPDX-License-Identifier: Apache-2.0

"""What is written of a desired state, and what is not."""

import json
import unittest

from cyborg_spdk.desired import objects
from cyborg_spdk.desired import observe
from cyborg_spdk.desired import store

CALLS = [
    ('bdev_null_create', {'name': 'N', 'num_blocks': 8, 'block_size': 512}),
    ('accel_crypto_key_create', {'name': 'K', 'cipher': 'AES_XTS',
                                 'key': 'first secret',
                                 'key2': 'second secret'}),
    ('iscsi_create_auth_group', {'tag': 1, 'secrets': [
        {'user': 'u', 'secret': 'third secret'}]})]


class DumpTest(unittest.TestCase):

    def state(self):
        return store.State('/none/t.desired.json', objects.of_calls(CALLS))

    def test_secrets_lie_apart(self):
        state = self.state()
        # As it was seen in the target, too.
        state.objects['crypto-key:K'].seen = dict(CALLS[1][1], key='other '
                                                  'secret')
        data, secrets = store.dump(state)
        self.assertNotIn(b'secret"', data)
        self.assertNotIn(b' secret', data)
        self.assertEqual({
            'crypto-key:K': {'key': 'first secret',
                             'key2': 'second secret'},
            'auth-group:1': {'secrets': CALLS[2][1]['secrets']}}, secrets)
        # What was dumped is a copy.
        self.assertEqual('first secret',
                         state.objects['crypto-key:K'].params['key'])

    def test_one_object_to_a_line(self):
        data, _ = store.dump(self.state())
        lines = data.decode().splitlines()
        self.assertEqual(5, len(lines))
        self.assertEqual('bdev:N', json.loads(lines[1].rstrip(','))['key'])
        self.assertEqual(store.VERSION, json.loads(data)['version'])

    def test_what_counts_as_missing(self):
        state = self.state()
        one, two, _ = state.objects.values()
        one.missing_since = two.missing_since = 1.0
        two.deleted_since = 2.0
        self.assertEqual([one], state.missing())


class DigestTest(unittest.TestCase):
    """Of what a target says of itself."""

    def test_it_changes_with_what_there_is_and_nothing_else(self):
        def digest(config=None, bdevs=(), events=None, release='v26.05'):
            return observe.Answers(
                config or {'subsystems': []},
                {'bdev_get_bdevs': list(bdevs)}, events, release).digest()

        self.assertEqual(digest(), digest(events=[{'id': 1}]))
        others = {digest(), digest(bdevs=[{'name': 'N'}]),
                  digest(bdevs=[{'name': 'M'}]), digest(release='v25.09'),
                  digest({'subsystems': [{'subsystem': 'bdev',
                                          'config': []}]})}
        self.assertEqual(5, len(others))
