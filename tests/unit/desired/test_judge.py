# SPDX-License-Identifier: Apache-2.0

"""Deleted, or lost: each row of the table that decides."""

import os
import unittest

import fixtures

from cyborg_spdk.desired import judge
from cyborg_spdk.desired import objects
from cyborg_spdk.desired import observe
from cyborg_spdk.desired import probes

NQN = 'nqn.2016-06.io.spdk:a'
NULL = ('bdev_null_create', {'name': 'N', 'num_blocks': 8,
                             'block_size': 512})
TRANSPORT = ('nvmf_create_transport', {'trtype': 'TCP'})
SUBSYSTEM = ('nvmf_create_subsystem', {'nqn': NQN})
NAMESPACE = ('nvmf_subsystem_add_ns', {
    'nqn': NQN, 'namespace': {'nsid': 1, 'bdev_name': 'N'}})
LISTENER = ('nvmf_subsystem_add_listener', {
    'nqn': NQN, 'listen_address': {'trtype': 'TCP', 'traddr': '127.0.0.1',
                                   'trsvcid': '4420'}})
BLOCK = ('vhost_create_blk_controller', {'ctrlr': 'c', 'dev_name': 'N'})
OF_NAMESPACE = f'namespace:{NQN}/1'


def attach(name='Nvme0', **params):
    return 'bdev_nvme_attach_controller', {
        'name': name, 'trtype': 'TCP', 'traddr': '192.0.2.1',
        'trsvcid': '4420', 'subnqn': NQN, **params}


class JudgeTest(unittest.TestCase):

    def reasons(self, wanted, there, healthy=None, same=True, devices=None,
                by_itself=(), **found):
        """Why each of what is away is missing; None: it was deleted."""
        desired = objects.of_calls(wanted)
        for one in by_itself:
            desired[one.key] = one
        now = observe.Observation(
            objects.of_calls(there), {}, {}, {}, found.pop('raids', {}),
            found.pop('no_bdev', {}), **found)
        now.names.update({one.name: key for key, one in now.objects.items()
                          if one.kind == 'bdev'})
        decisions = judge.Judge(desired, judge.Facts(
            now, same, healthy or {}, devices=devices or {}))
        return {key: decisions.reason(key) for key in desired
                if key not in now.objects}

    def test_what_is_away_alone_was_deleted(self):
        self.assertEqual(
            {OF_NAMESPACE: None},
            self.reasons([NULL, SUBSYSTEM, NAMESPACE], [NULL, SUBSYSTEM]))
        self.assertEqual(
            {f'listener:{NQN}/TCP:127.0.0.1:4420': None},
            self.reasons([TRANSPORT, SUBSYSTEM, LISTENER],
                         [TRANSPORT, SUBSYSTEM]))
        self.assertEqual({'bdev:N': None}, self.reasons([NULL], []))
        self.assertEqual({'vhost:c': None},
                         self.reasons([NULL, BLOCK], [NULL]))

    def test_in_another_process_nothing_was_deleted(self):
        found = self.reasons([NULL, SUBSYSTEM, NAMESPACE], [SUBSYSTEM],
                             same=False)
        self.assertEqual(dict.fromkeys(
            ['bdev:N', OF_NAMESPACE], 'the target was started without it'),
            found)

    def test_parts_go_with_what_they_are_part_of(self):
        """Also if what they stand on went, too."""
        self.assertEqual(
            dict.fromkeys([f'subsystem:{NQN}', OF_NAMESPACE,
                           f'listener:{NQN}/TCP:127.0.0.1:4420']),
            self.reasons([NULL, SUBSYSTEM, NAMESPACE, LISTENER], [NULL],
                         unregistered={'N'}))

    def test_what_stands_on_a_bdev_that_is_away(self):
        self.assertEqual(
            {'bdev:N': None, OF_NAMESPACE: 'bdev N is missing'},
            self.reasons([NULL, SUBSYSTEM, NAMESPACE], [SUBSYSTEM]))

    def test_what_stands_on_a_bdev_that_went_and_came(self):
        for found in ({'unregistered': {'N'}}, {'overran': True}):
            self.assertEqual(
                {OF_NAMESPACE: 'bdev N was away'},
                self.reasons([NULL, SUBSYSTEM, NAMESPACE],
                             [NULL, SUBSYSTEM], **found))
        # Another one went.
        self.assertEqual(
            {OF_NAMESPACE: None},
            self.reasons([NULL, SUBSYSTEM, NAMESPACE], [NULL, SUBSYSTEM],
                         unregistered={'M'}))

    def test_a_file_that_is_there_and_one_that_is_not(self):
        directory = fixtures.TempDir()
        self.addCleanup(directory.cleanUp)
        directory.setUp()
        path = os.path.join(directory.path, 'disk')
        call = ('bdev_aio_create', {'name': 'A', 'filename': path,
                                    'block_size': 512})
        self.assertEqual({'bdev:A': f'{path} is not there'},
                         self.reasons([call], []))
        with open(path, 'wb'):
            pass
        self.assertEqual({'bdev:A': None}, self.reasons([call], []))

    def test_a_controller_that_is_never_given_up_was_detached(self):
        for limit in (0, -1):
            call = attach(ctrlr_loss_timeout_sec=limit)
            self.assertEqual([None], list(self.reasons([call], []).values()))

    def test_a_controller_that_may_have_been_lost(self):
        call = attach(ctrlr_loss_timeout_sec=30)
        for healthy, reason in (
                ({}, 'it could not be reached for 30 s'),
                ({'Nvme0': 31.0}, 'it could not be reached for 30 s'),
                # It served too short a time ago to be given up.
                ({'Nvme0': 29.0}, None),
                ({'Nvme1': 29.0}, 'it could not be reached for 30 s')):
            self.assertEqual([reason], list(self.reasons(
                [call], [], healthy).values()), healthy)

    def test_a_release_that_gives_up_at_once(self):
        call = attach(ctrlr_loss_timeout_sec=30)
        for release, reason in (
                ('v22.01', 'it could not be reached for 30 s'),
                ('v22.05', None), ('v26.05', None)):
            self.assertEqual([reason], list(self.reasons(
                [call], [], {'Nvme0': 1.0}, release=release).values()))

    def test_one_path_of_two(self):
        """The bdevs stand on any of the paths."""
        one = attach(ctrlr_loss_timeout_sec=30)
        two = attach(ctrlr_loss_timeout_sec=30, traddr='192.0.2.2')
        bdev = objects.Object('bdev:Nvme0n1', None, {}, 3,
                              part_of='nvme:Nvme0')
        found = self.reasons([one, two], [two], by_itself=[bdev])
        self.assertEqual('nvme:Nvme0 has it no more'.replace(':', ' ', 1),
                         found['bdev:Nvme0n1'])
        # Both were detached: their bdev went with them.
        found = self.reasons([one, two], [], {'Nvme0': 1.0},
                             by_itself=[bdev])
        self.assertEqual({None}, set(found.values()))
        # One was lost: so was the bdev.
        found = self.reasons([one, two], [], by_itself=[bdev])
        self.assertNotIn(None, found.values())

    def test_a_device_that_is_pulled_out(self):
        """The devices of this machine's own bus will do."""
        bus = '/sys/bus/pci/devices'
        known = sorted(os.listdir(bus)) if os.path.isdir(bus) else []
        if not known:
            self.skipTest('this machine has no PCI')
        here = {known[0]: probes.device(known[0])}
        for address, devices, reason in (
                # There all the time: somebody detached it.
                (known[0], here, None),
                (known[0], {}, None),
                (known[0], {known[0]: here[known[0]] + 1},
                 'the device was pulled out and plugged in again'),
                ('ffff:ff:1f.7', {}, 'the device is not there')):
            call = attach(trtype='PCIe', traddr=address)
            self.assertEqual([reason], list(self.reasons(
                [call], [], devices=devices).values()), (address, devices))

    def test_a_controller_that_has_lost_its_bdev(self):
        """It is listed, and its configuration does not show it."""
        self.assertEqual({'vhost:c': 'its bdev was away'}, self.reasons(
            [NULL, BLOCK], [NULL], no_bdev={'c': 0}))

    def test_a_raid_that_is_not_online(self):
        raid = ('bdev_raid_create', {
            'name': 'R', 'raid_level': '0', 'base_bdevs': ['N'],
            'strip_size_kb': 4})
        for state, reason in (('offline', 'the RAID is offline'),
                              ('online', None)):
            self.assertEqual({'bdev:R': reason}, self.reasons(
                [NULL, raid], [NULL],
                raids={'R': observe.Raid(state, ('N',))}))
        self.assertEqual({'bdev:R': None},
                         self.reasons([NULL, raid], [NULL]))

    def test_a_lun_is_never_deleted_alone(self):
        node = ('iscsi_create_target_node', {
            'name': 'n', 'luns': [{'bdev_name': 'N', 'lun_id': 0}]})
        bare = ('iscsi_create_target_node', {'name': 'n', 'luns': []})
        self.assertEqual({'lun:n/0': 'its bdev was away'},
                         self.reasons([NULL, node], [NULL, bare]))
        self.assertEqual({'node:n': None, 'lun:n/0': None},
                         self.reasons([NULL, node], [NULL]))
