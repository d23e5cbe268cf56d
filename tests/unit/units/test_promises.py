# SPDX-License-Identifier: Apache-2.0

import json
import os

import fixtures
from oslo_config import cfg
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.units.declared import promises
from cyborg_spdk.units import traits
from cyborg_spdk.units import unit

TLS, GOLD, SILVER = (f'CUSTOM_SPDK_{name}' for name in (
    'TLS', 'QOS_GOLD', 'QOS_SILVER'))


def _unit(**handle):
    return unit.Unit(unit.canonical(handle), '', ('CUSTOM_SPDK',))


class PromisesTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.path = os.path.join(
            os.path.realpath(self.useFixture(fixtures.TempDir()).path), 'u')
        self.conf = cfg.ConfigOpts()
        self.conf([], default_config_files=[])
        spdk_conf.register(self.conf)
        self.conf.set_override('units_file', self.path, group='spdk')
        self.secure = frozenset({'nqn.2016-06.io:a'})

    def declare(self, *units):
        with open(self.path + '.new', 'w') as out:
            json.dump({'pools': [
                {'name': name, 'target': f'spdk_{name}', 'disks': [
                    {'file': f'/nowhere/{name}', 'size': '1GiB'}]}
                for name in ('nvmf', 'vhost')], 'units': [
                    {'name': 'a', 'size': '1MiB', **one} for one in units]},
                out)
        os.rename(self.path + '.new', self.path)

    def traits(self, target, /, **handle):
        found, = promises.add(self.conf, target, [_unit(**handle)],
                              lambda: self.secure)
        return set(found.traits) - {'CUSTOM_SPDK'}

    def test_by_address(self):
        self.declare(
            {'pool': 'nvmf', 'export': 'nvmf', 'nqn': 'nqn.2016-06.io:a',
             'listeners': ['tcp://127.0.0.1:1'], 'tls': True},
            {'pool': 'vhost', 'export': 'vhost-blk', 'qos_class': 'gold'})
        self.assertEqual({TLS}, self.traits(
            'spdk_nvmf', nqn='nqn.2016-06.io:a', nsid='1'))
        self.assertEqual({GOLD}, self.traits(
            'spdk_vhost', socket='/run/x/vhost-a'))
        # Not before the target keeps it.
        self.secure = frozenset()
        self.assertEqual(set(), self.traits(
            'spdk_nvmf', nqn='nqn.2016-06.io:a', nsid='1'))
        for target, handle in (
                ('spdk_nvmf', {'nqn': 'nqn.2016-06.io:a', 'nsid': '2'}),
                ('spdk_nvmf', {'nqn': 'nqn.2016-06.io:b', 'nsid': '1'}),
                ('other', {'nqn': 'nqn.2016-06.io:a', 'nsid': '1'}),
                ('spdk_vhost', {'socket': '/x/vhost-a', 'target': '0'})):
            self.assertEqual(set(), self.traits(target, **handle), handle)

    def test_a_file_that_changes_and_one_that_cannot_be_used(self):
        handle = {'socket': '/run/vhost-a'}
        self.assertEqual(set(), self.traits('spdk_vhost', **handle))
        for name in ('gold', 'silver'):
            self.declare({'pool': 'vhost', 'export': 'vhost-blk',
                          'qos_class': name})
            self.assertEqual({f'CUSTOM_SPDK_QOS_{name.upper()}'},
                             self.traits('spdk_vhost', **handle))
        for text in ('pools: [', '{"pools": [], "units": [{}]}'):
            with open(self.path, 'w') as out:
                out.write(text)
            self.assertEqual(set(), self.traits('spdk_vhost', **handle))
        self.conf.set_override('units_file', None, group='spdk')
        self.assertEqual(set(), self.traits('spdk_vhost', **handle))

    def test_a_promise_stays_until_there_is_another(self):
        self.assertEqual((GOLD, TLS), traits.lasting((GOLD, TLS), ()))
        self.assertEqual((SILVER, TLS),
                         traits.lasting((GOLD, TLS), (SILVER,)))

    def test_a_crypto_bdev(self):
        for product, expected in (('crypto', True), ('Malloc disk', False)):
            self.assertEqual(expected, 'CUSTOM_SPDK_ENCRYPTED' in
                             traits.of_bdev({'product_name': product,
                                             'block_size': 512}))
