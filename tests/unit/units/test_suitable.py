# SPDX-License-Identifier: Apache-2.0

"""Which units a wipe cleans, and what a bdev is known by."""

import testtools

from cyborg_spdk.clients import types
from cyborg_spdk import exceptions
from cyborg_spdk.units import holders
from cyborg_spdk.units import identity
from cyborg_spdk.units import unit as unit_module
from cyborg_spdk.units.wipe import suitable

_FREE = holders.Holders('b', (), ())


def _raw(name, product, specific=None, **more):
    return {'name': name, 'product_name': product, 'block_size': 512,
            'num_blocks': 1000, 'uuid': f'uuid-{name}',
            'driver_specific': specific or {}, **more}


_AIO = _raw('A', 'AIO disk', {'aio': {'filename': '/a', 'fallocate': False}})
_PUNCH = _raw('A', 'AIO disk', {'aio': {'filename': '/a',
                                        'fallocate': True}})
_MALLOC = _raw('A', 'Malloc disk')


def _lvol(base='A', **own):
    return _raw('L', 'Logical Volume', {'lvol': {'base_bdev': base, **own}},
                aliases=['S/L'])


class SuitableTest(testtools.TestCase):

    def reason(self, *raw, held=_FREE):
        bdevs = [types.Bdev.parse(one) for one in raw]
        try:
            suitable.check_free('U', held)
            suitable.check('U', bdevs[0], bdevs, held)
        except exceptions.WipeError as exc:
            return str(exc)
        return None

    def test_a_table(self):
        snapshot = _raw('P', 'Logical Volume', {'lvol': {
            'base_bdev': 'A', 'snapshot': True, 'clones': ['L']}},
            aliases=['S/P'])
        image = _raw('P', 'Logical Volume', {'lvol': {
            'base_bdev': 'A', 'snapshot': True, 'clones': ['L', 'M']}},
            aliases=['S/P'])
        for raw, word in (
                ([_AIO], None), ([_MALLOC], None), ([_lvol(), _AIO], None),
                ([_lvol(thin_provision=True), _AIO], 'thin'),
                ([_lvol(thin_provision=True), _PUNCH], None),
                ([_lvol(thin_provision=True), _MALLOC], None),
                ([_lvol(thin_provision=True)], 'thin'),
                ([snapshot, _AIO], 'is a snapshot'),
                ([_lvol(clone=True, base_snapshot='P'), snapshot, _AIO],
                 'has a snapshot'),
                ([_lvol(clone=True, base_snapshot='P'), image, _PUNCH],
                 None),
                ([_lvol(clone=True, base_snapshot='P'), image, _AIO],
                 'thin'),
                ([_raw('R', 'Raid Volume', {'raid': {
                    'num_base_bdevs': 2,
                    'num_base_bdevs_operational': 1}})], '1 of 2'),
                ([_raw('X', 'crypto', {'crypto': {'base_bdev_name': 'L'}}),
                  _lvol(thin_provision=True), _AIO], 'thin'),
                ([_raw('B', 'AIO disk', supported_io_types={
                    'write': False})], 'read-only'),
                ([_raw('Z', 'zone_block', zoned=True)], 'zones')):
            found = self.reason(*raw)
            if word is None:
                self.assertIsNone(found)
            else:
                self.assertIn(word, found)
                self.assertNotIn('\n', found)

    def test_who_holds_it(self):
        for held, word in (
                (holders.Holders('A', (), ('host',)), 'in use by host'),
                (holders.Holders('A', ('host',), ()), 'may still use'),
                (holders.Holders('A', (), (), True), 'read-only')):
            self.assertIn(word, self.reason(_AIO, held=held))
        self.assertRaises(exceptions.WipeError, suitable.find, None, [], 'U')


class IdentityTest(testtools.TestCase):

    def of(self, *raw):
        return identity.of(raw[0], unit_module.index(raw).get)

    def test_the_store_that_it_is_from(self):
        crypto = _raw('X', 'crypto', {'crypto': {'base_bdev_name': 'L'}})
        for raw, store in (([_lvol(), _AIO], 'S'), ([_AIO], ''),
                           ([crypto, _lvol(), _AIO], 'S'), ([crypto], '')):
            self.assertEqual(store, identity.store(
                raw[0], unit_module.index(raw).get))

    def test_the_same_after_a_restart(self):
        again = {**_AIO, 'uuid': 'another'}
        self.assertEqual(self.of(_AIO), self.of(again))
        crypto = _raw('X', 'crypto', {'crypto': {'base_bdev_name': 'A'}})
        self.assertEqual(self.of(crypto, _AIO), self.of(
            {**crypto, 'uuid': 'another'}, again))

    def test_another_disk_is_another(self):
        other = _raw('A', 'AIO disk', {'aio': {'filename': '/b'}})
        self.assertNotEqual(self.of(_AIO), self.of(other))
        crypto = _raw('X', 'crypto', {'crypto': {'base_bdev_name': 'A'}})
        self.assertNotEqual(self.of(crypto, _AIO), self.of(crypto, other))
        split = _raw('Ap0', 'Split Disk', {'split': {'base_bdev': 'A'}})
        self.assertNotEqual(self.of(split, _AIO), self.of(
            {**split, 'name': 'Ap1'}, _AIO))
        self.assertNotEqual(self.of(_MALLOC), self.of(
            {**_MALLOC, 'uuid': 'another'}))

    def test_it_ends_where_bdevs_stand_on_themselves(self):
        one = _raw('X', 'passthru', {'passthru': {'base_bdev_name': 'X'}})
        self.assertIn('passthru', self.of(one))
