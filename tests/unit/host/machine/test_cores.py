# SPDX-License-Identifier: Apache-2.0

import os
import tempfile
import unittest

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import cores


def configuration(**options):
    conf = cfg.ConfigOpts()
    conf([])
    spdk_conf.targets(conf)
    for name, value in options.items():
        group, _, option = name.partition('__')
        conf.set_override(option, value, group=group)
        spdk_conf.targets(conf)
    return conf


class ParseTest(unittest.TestCase):

    def test_accepted(self):
        for text, expected in [
                ('0x1', {0}), ('0X3', {0, 1}), ('5', {0, 2}), ('a', {1, 3}),
                ('[0]', {0}), ('[0,2-4]', {0, 2, 3, 4}), (' 0x1 ', {0}),
                ('[ 1 , 3 ]', {1, 3}), ('[3-3]', {3}),
                ('0x8000000000000000', {63})]:
            with self.subTest(text):
                self.assertEqual(expected, cores.parse(text))

    def test_refused(self):
        for text in ['', '0', '0x', '0x0', 'zz', '[', '[]', '[2-1]', '[a]',
                     '[0,]', '-1', '0x1_0', '[1024]', '[99999]', '1 2']:
            with self.subTest(text), self.assertRaisesRegex(
                    exceptions.ConfigurationError, 'use a mask like 0x3'):
                cores.parse(text)

    def test_printed(self):
        self.assertEqual('0x5', cores.mask({0, 2}))
        self.assertEqual('[0,2-4,7]', cores.as_list({7, 4, 3, 2, 0}))


class AssignTest(unittest.TestCase):

    def assign(self, **options):
        return cores.assign(spdk_conf.targets(configuration(**options)))

    def test_one_core_each_in_listed_order(self):
        self.assertEqual(
            {'spdk_nvmf': {0}, 'spdk_vhost': {1}, 'spdk_iscsi': {2}},
            self.assign())

    def test_explicit_cores_are_left_out(self):
        self.assertEqual(
            {'spdk_nvmf': {1}, 'spdk_vhost': {0, 2}, 'spdk_iscsi': {3}},
            self.assign(spdk_vhost__core_mask='0x5'))

    def test_one_process_for_two_targets(self):
        self.assertEqual(
            {'spdk_nvmf': {0}, 'spdk_vhost': {0}, 'spdk_iscsi': {1}},
            self.assign(spdk_nvmf__rpc_address='/run/a.sock',
                        spdk_vhost__rpc_address='/run/a.sock'))

    def test_overlap_is_refused(self):
        with self.assertRaisesRegex(
                exceptions.ConfigurationError,
                'core 1 is also used by spdk_nvmf'):
            self.assign(spdk_nvmf__core_mask='0x3',
                        spdk_vhost__core_mask='[1]')

    def test_overlap_that_is_meant(self):
        self.assertEqual({1}, self.assign(
            spdk_nvmf__core_mask='0x3', spdk_vhost__core_mask='[1]',
            spdk_vhost__extra_args=[cores.SHARE])['spdk_vhost'])

    def test_overlap_with_a_target_that_we_do_not_start(self):
        self.assertEqual({0}, self.assign(
            spdk_nvmf__core_mask='0x1', spdk_nvmf__start=False,
            spdk_vhost__core_mask='0x1')['spdk_vhost'])

    def test_a_core_that_is_not_there(self):
        conf = configuration()
        targets = {t.name: t for t in spdk_conf.targets(conf)}
        self.assertEqual({1}, cores.of_target(
            conf, targets['spdk_vhost'], available={0, 1}))
        with self.assertRaisesRegex(
                exceptions.ConfigurationError,
                r'\[spdk_iscsi\] core_mask .*no core 2, only \[0-1\].*'
                'iscsi_targets'):
            cores.of_target(conf, targets['spdk_iscsi'], available={0, 1})

    def test_nodes(self):
        with tempfile.TemporaryDirectory() as root:
            self.assertEqual(frozenset(), cores.nodes({0}, root))
            for name, text in (('node0', '0-3,8'), ('node1', '4-7'),
                               ('node2', '')):
                path = os.path.join(root, 'sys/devices/system/node', name)
                os.makedirs(path)
                with open(os.path.join(path, 'cpulist'), 'w') as stream:
                    stream.write(text + '\n')
            os.mkdir(os.path.join(path, '..', 'power'))
            self.assertEqual({0}, cores.nodes({0, 8}, root))
            self.assertEqual({0, 1}, cores.nodes({3, 4}, root))

    def test_this_machine_has_core_0_or_more(self):
        self.assertTrue(cores.online())
