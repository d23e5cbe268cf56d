# SPDX-License-Identifier: Apache-2.0

"""What is made now, in which order, and what is never sent."""

import time
import unittest

from cyborg_spdk.desired import objects
from cyborg_spdk.desired import observe
from cyborg_spdk.desired import plan

NQN = 'nqn.2016-06.io.spdk:a'


def bdev(name, **params):
    return 'bdev_null_create', {'name': name, 'num_blocks': 8,
                                'block_size': 512, **params}


class PlanTest(unittest.TestCase):

    def test_pauses_grow_from_5_s_to_5_min(self):
        self.assertEqual([5, 10, 20, 40, 80, 160, 300, 300],
                         [plan.pause(tries) for tries in range(1, 9)])
        self.assertEqual(300, plan.pause(10 ** 6))

    def test_who_is_due(self):
        now = time.time()
        one, = objects.of_calls([bdev('N')]).values()
        for next_try, blocked, still, at_once, due in (
                (now - 1, False, False, False, True),
                (now + 100, False, False, False, False),
                (now + 100, False, False, True, True),
                # What stood in its way has gone.
                (now + 100, True, False, False, True),
                (now + 100, True, True, False, False),
                # It may have gone without being seen to.
                (now - 1, True, True, False, True),
                # The clock was set back: no pause is so long.
                (now + 10 ** 6, False, False, False, True)):
            one.next_try, one.blocked = next_try, blocked
            found = plan.due([one], {one.key} if still else set(),
                             at_once=at_once)
            self.assertEqual([one] if due else [], found,
                             (next_try - now, blocked, still, at_once))

    def test_what_comes_by_itself_is_never_made(self):
        one = objects.Object('bdev:lvs/v', None, {}, 3, missing_since=1.0)
        self.assertEqual([], plan.due([one], set(), at_once=True))

    def test_rounds(self):
        """Whatever the order of a file is."""
        wanted = objects.of_calls([
            ('bdev_set_qos_limit', {'name': 'N', 'rw_ios_per_sec': 1000}),
            ('nvmf_subsystem_add_listener', {
                'nqn': NQN, 'listen_address': {
                    'trtype': 'TCP', 'traddr': '127.0.0.1',
                    'trsvcid': '4420'}}),
            ('nvmf_subsystem_add_ns', {
                'nqn': NQN, 'namespace': {'nsid': 1, 'bdev_name': 'Y'}}),
            ('nvmf_create_subsystem', {'nqn': NQN}),
            ('bdev_delay_create', {'name': 'Y', 'base_bdev_name': 'P'}),
            ('bdev_passthru_create', {'name': 'P', 'base_bdev_name': 'N'}),
            bdev('N'),
            ('keyring_file_add_key', {'name': 'K', 'path': '/k'}),
            ('bdev_set_options', {'bdev_io_pool_size': 1024})])
        self.assertEqual(
            [['option:bdev_set_options'], ['key:K'], ['bdev:N'], ['bdev:P'],
             ['bdev:Y'], [f'subsystem:{NQN}', f'namespace:{NQN}/1',
                          f'listener:{NQN}/TCP:127.0.0.1:4420'], ['qos:N']],
            [[one.key for one in some]
             for some in plan.rounds(list(wanted.values()))])

    def test_a_call_that_leaves_the_number_to_spdk(self):
        """It waits for its subsystem all the same, and goes with it."""
        one, = objects.of_calls([('nvmf_subsystem_add_ns', {
            'nqn': NQN, 'namespace': {'bdev_name': 'N'}})]).values()
        self.assertEqual(('call', f'subsystem:{NQN}'),
                         (one.kind, one.part_of))

    def test_a_circle_ends(self):
        wanted = objects.of_calls([
            ('bdev_passthru_create', {'name': 'P', 'base_bdev_name': 'Q'}),
            ('bdev_passthru_create', {'name': 'Q', 'base_bdev_name': 'P'})])
        self.assertEqual(
            [2], [len(some) for some in plan.rounds(list(wanted.values()))])

    def refusal(self, call, *there):
        one, = objects.of_calls([call]).values()
        now = observe.Observation(objects.of_calls(there), {}, {}, {}, {},
                                  {})
        now.names.update({other.name: key
                          for key, other in now.objects.items()})
        return plan.refusal(one, now)

    def test_calls_that_end_a_target_are_not_sent(self):
        def group(tag, port):
            return 'iscsi_create_portal_group', {'tag': tag, 'portals': [
                {'host': '127.0.0.1', 'port': port}]}

        self.assertIsNone(self.refusal(group(2, '3261'), group(1, '3260')))
        self.assertIn('127.0.0.1:3260 is in portal group 1',
                      self.refusal(group(2, '3260'), group(1, '3260')))
        # 3260 is what SPDK takes where nothing is said.
        self.assertIsNotNone(self.refusal(
            ('iscsi_create_portal_group', {
                'tag': 2, 'portals': [{'host': '127.0.0.1'}]}),
            group(1, '3260')))
        passthru = ('bdev_passthru_create', {'name': 'P',
                                             'base_bdev_name': 'N'})
        self.assertIsNone(self.refusal(passthru, bdev('N')))
        self.assertIn('another bdev',
                      self.refusal(passthru, bdev('N'), bdev('P')))
        self.assertIn('its base', self.refusal(
            ('bdev_passthru_create', {'name': 'N', 'base_bdev_name': 'N'}),
            bdev('N')))
