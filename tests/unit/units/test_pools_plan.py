# SPDX-License-Identifier: Apache-2.0

"""What the plan of a pool says: a table of what there is."""

import dataclasses

import testtools

from cyborg_spdk.clients import types
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.units.declared import model
from cyborg_spdk.units.pools import disks
from cyborg_spdk.units.pools import observe
from cyborg_spdk.units.pools import plan
from cyborg_spdk.units.pools import stores

_MIB = 1 << 20


def _target():
    fields = {one.name: None for one in dataclasses.fields(spdk_conf.Target)}
    return spdk_conf.Target(**{
        **fields, 'name': 't', 'kind': 'nvmf', 'rpc_address': '/run/t.sock'})


def _disk(number=0, **options):
    return model.Disk(**{
        'bdev': f'p-{number}', 'kind': 'file', 'place': f'/srv/{number}',
        'size': 1024 * _MIB, 'engine': 'aio', 'block_size': 4096, 'uuid': '',
        **options})


def _pool(**options):
    return model.Pool(**{
        'name': 'p', 'target': _target(), 'disks': (_disk(),), 'raid': None,
        'strip_size_kb': None, 'cluster_size': 4 * _MIB, 'thin': False,
        'overcommit': 1.0, 'wipe': {}, **options})


def _unit(name='u', size=100 * _MIB, **options):
    return model.Unit(**{
        'pool': 'p', 'name': name, 'target': _target(), 'size': size,
        'export': 'nvmf', 'address': f'nqn.2016-06.io.spdk:{name}',
        'places': (), 'tls': False, 'encryption': False, 'limits': (),
        **options})


def _bdev(name, size=1024 * _MIB, **more):
    return types.Bdev.parse({
        'name': name, 'block_size': 4096, 'num_blocks': size // 4096,
        **more})


def _volume(name, size=100 * _MIB):
    return _bdev(f'uuid-{name}', size, aliases=[f'p/{name}'],
                 product_name='Logical Volume', driver_specific={'lvol': {}})


def _store(total=250, free=250, **more):
    return types.LvolStore.parse({
        'name': 'p', 'uuid': 's', 'base_bdev': 'p-0',
        'cluster_size': 4 * _MIB, 'total_data_clusters': total,
        'free_clusters': free, **more})


def _seen(*volumes, store=True, user=None, noted=True, **more):
    names = [one.alias.partition('/')[2] for one in volumes]
    return observe.Observed(**{
        'bdevs': (_bdev('p-0'), *volumes),
        'lvstores': (_store(),) if store else (),
        'exports': {name: observe.Export('{}', f'p/{name}', True,
                                         lambda: user,
                                         _target()) for name in names},
        'noted': stores.Store('s', frozenset(names)) if noted else None,
        **more})


class PlanTest(testtools.TestCase):

    def steps(self, seen, *units, pool=None, **told):
        return plan.make(pool or _pool(), list(units), seen,
                         plan.Told(**told))

    def actions(self, *args, **kwargs):
        found = self.steps(*args, **kwargs)
        self.assertEqual([], [one.blocked for one in found if one.blocked])
        return [one.action for one in found]

    def blocked(self, *args, **kwargs):
        found = [one.blocked for one in self.steps(*args, **kwargs)
                 if one.blocked]
        self.assertNotEqual([], found)
        return found[0]

    def test_all_there(self):
        self.assertEqual([], self.actions(_seen(_volume('u')), _unit()))

    def test_from_nothing(self):
        seen = observe.Observed(contents={'p-0': disks.Content(False)})
        self.assertEqual(
            ['make file', 'make store', 'make volume', 'encrypt', 'export',
             'limit'],
            self.actions(seen, _unit(encryption=True, limits=(
                ('rw_mbytes_per_sec', 5),))))

    def test_foreign_data_is_lost_only_by_name(self):
        seen = observe.Observed(contents={
            'p-0': disks.Content(True, 1024 * _MIB, 'data at byte 1080')})
        told = self.blocked(seen, _unit())
        self.assertIn('--overwrite p', told)
        self.assertIn('byte 1080', told)
        self.assertIn('--overwrite p', self.blocked(
            seen, _unit(), overwrite=frozenset('q')))
        steps = self.steps(seen, _unit(), overwrite=frozenset('p'))
        self.assertEqual(['/srv/0: data at byte 1080'],
                         [one.lost for one in steps if one.lost])

    def test_a_store_of_somebody_else(self):
        seen = _seen(store=False, noted=False, lvstores=(
            _store(name='theirs'),))
        self.assertIn('theirs', self.blocked(seen, _unit()))
        elsewhere = _seen(lvstores=(_store(base_bdev='Other'),))
        self.assertIn('Other', self.blocked(elsewhere, _unit()))

    def test_a_pool_that_was_made_is_found_on_its_disks(self):
        seen = observe.Observed(
            contents={'p-0': disks.Content(True, 1024 * _MIB, 'data')},
            noted=stores.Store('s', frozenset('u')))
        self.assertEqual(['add disk', 'find store'],
                         self.actions(seen, _unit()))
        # It was not there: nothing is overwritten for that.
        there = dataclasses.replace(seen, bdevs=(_bdev('p-0'),))
        self.assertIn('--overwrite', self.blocked(there, _unit()))
        gone = observe.Observed(contents={'p-0': disks.Content(False)},
                                noted=stores.Store('s'))
        self.assertIn('bring it back', self.blocked(gone, _unit()))

    def test_too_small_is_told_with_numbers_before_anything(self):
        units = [_unit(f'u{n}', 300 * _MIB) for n in range(4)]
        for seen in (_seen(), observe.Observed(
                contents={'p-0': disks.Content(False)})):
            told = self.blocked(seen, *units)
            self.assertIn('1200 MiB are wanted', told)
            self.assertRegex(told, r'(1000|101[0-9]|102[0-4]) MiB there')
        # What is not declared takes its room, too.
        self.assertIn('1100 MiB are wanted', self.blocked(
            _seen(_volume('other', 800 * _MIB)), _unit(size=300 * _MIB)))

    def test_overcommit_only_if_asked_for(self):
        units = [_unit(f'u{n}', 300 * _MIB) for n in range(4)]
        thin = _pool(thin=True)
        self.assertIn('overcommit is 1', self.blocked(_seen(), *units,
                                                      pool=thin))
        self.assertNotIn('fit', self.actions(
            _seen(), *units, pool=_pool(thin=True, overcommit=1.5)))

    def test_thin_only_where_it_does_not_leak(self):
        seen = observe.Observed(contents={'p-0': disks.Content(False)})
        pool = _pool(thin=True, disks=(_disk(engine='uring'),))
        self.assertIn('thin', self.blocked(seen, _unit(), pool=pool))
        self.actions(seen, _unit(), pool=dataclasses.replace(
            pool, wipe={'method': 'none'}))

    def test_growing(self):
        seen = _seen(_volume('u'))
        bigger = _unit(size=200 * _MIB)
        self.assertEqual(['grow'], self.actions(seen, bigger))
        used = _seen(_volume('u'), user='A')
        self.assertEqual(['grow'], self.actions(used, bigger))
        # Somebody made or deleted volumes there by hand.
        foreign = dataclasses.replace(used, noted=stores.Store(
            's', frozenset(('u', 'gone'))))
        self.assertIn('A uses it', self.blocked(foreign, bigger))

    def test_shrinking_and_deleting_only_what_is_free_and_if_told(self):
        smaller = _unit(size=40 * _MIB)
        seen, used = _seen(_volume('u')), _seen(_volume('u'), user='A')
        self.assertIn('--shrink', self.blocked(seen, smaller))
        self.assertEqual(['shrink'], self.actions(seen, smaller,
                                                  shrink=True))
        self.assertIn('A uses it', self.blocked(used, smaller, shrink=True))
        others = {'u': observe.Export('{}', 'p/u', True,
                                       target=_target())}
        seen = _seen(_volume('u'), others=others)
        self.assertEqual([], self.actions(seen))
        self.assertEqual(['delete'], self.actions(seen, delete=True))
        used = {'u': dataclasses.replace(others['u'],
                                         holder=lambda: 'A')}
        self.assertIn('A uses it', self.blocked(
            _seen(_volume('u'), others=used), delete=True))
        self.assertIn('not made here', self.blocked(
            _seen(_volume('u'), others=others, noted=False), delete=True))

    def test_capacity(self):
        seen = observe.Observed(contents={
            f'p-{n}': disks.Content(False) for n in range(3)})
        three = tuple(_disk(number) for number in range(3))
        for raid, times in ((None, 1), ('raid1', 1), ('raid0', 3),
                            ('concat', 3), ('raid5f', 2)):
            pool = _pool(raid=raid, disks=three if raid else three[:1])
            found = plan.capacity(pool, seen)
            self.assertTrue(256 * times - 4 <= found < 256 * times,
                            (raid, found))
