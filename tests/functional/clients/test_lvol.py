# SPDX-License-Identifier: Apache-2.0

"""Lvols and RAID by the clients: each operation right and wrong."""

import os

from cyborg_spdk import exceptions
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target

unique = fixture.unique
MIB = 1 << 20


class Lvols(fixture.ClientTests):
    """Stores, lvols, snapshots, clones."""

    application = 'nvmf_tgt'

    def store(self, size='32MiB', **options):
        name = unique('lvs')
        options.setdefault('cluster_size', '1MiB')
        self.tgt.bdev_lvol_create_lvstore(self.disk(size), name, **options)
        return name

    def test_store(self):
        base, name = self.disk('32MiB'), unique('lvs')
        made = self.tgt.bdev_lvol_create_lvstore(base, name,
                                                 cluster_size='1MiB')
        found = self.tgt.bdev_lvol_get_lvstores(name)[0]
        self.assertEqual((name, made, base, MIB),
                         (found.name, found.uuid, found.base_bdev,
                          found.cluster_size))
        self.assertEqual(found, self.tgt.find_lvstore(made))
        self.assertEqual(made, self.tgt.bdev_lvol_create_lvstore(
            base, name, exist_ok=True))
        other = self.disk('32MiB')
        self.assertFails(
            exceptions.AlreadyExists, [name, f'bdev {base!r}'],
            self.tgt.bdev_lvol_create_lvstore, other, name, exist_ok=True)
        self.assertFails(
            exceptions.PermissionDenied, [base, 'claimed'],
            self.tgt.bdev_lvol_create_lvstore, base, unique('lvs'))
        self.assertFails(
            exceptions.NotFound, "'nosuch'",
            self.tgt.bdev_lvol_create_lvstore, 'nosuch', unique('lvs'))
        self.assertTrue(self.tgt.bdev_lvol_delete_lvstore(name))
        self.assertFalse(self.tgt.find_bdev(base).claimed)
        self.assertFalse(self.tgt.bdev_lvol_delete_lvstore(
            name, missing_ok=True))
        for call in (self.tgt.bdev_lvol_delete_lvstore,
                     self.tgt.bdev_lvol_get_lvstores):
            self.assertFails(exceptions.NotFound, name, call, name)

    def test_rename_store(self):
        one, two, new = self.store(), self.store(), unique('lvs')
        self.tgt.bdev_lvol_rename_lvstore(one, new)
        self.assertIsNone(self.tgt.find_lvstore(one))
        self.assertEqual(new, self.tgt.find_lvstore(new).name)
        self.assertFails(exceptions.AlreadyExists, two,
                         self.tgt.bdev_lvol_rename_lvstore, new, two)
        self.assertFails(exceptions.NotFound, one,
                         self.tgt.bdev_lvol_rename_lvstore, one,
                         unique('lvs'))

    def test_grow_store(self):
        if not self.has('bdev_lvol_grow_lvstore'):
            self.assertFails(exceptions.MethodNotFound, 'grow',
                             self.tgt.bdev_lvol_grow_lvstore, self.store())
            return
        path, name = self.file(32 * MIB), unique('lvs')
        base = self.tgt.bdev_aio_create(path, unique('A'), 512)
        self.tgt.bdev_lvol_create_lvstore(base, name, cluster_size='1MiB')
        before = self.tgt.find_lvstore(name).total_data_clusters
        os.truncate(path, 64 * MIB)
        self.tgt.bdev_aio_rescan(base)
        self.tgt.bdev_lvol_grow_lvstore(name)
        self.assertGreater(self.tgt.find_lvstore(name).total_data_clusters,
                           before)
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.bdev_lvol_grow_lvstore, 'nosuch')

    def test_lvol(self):
        store = self.store()
        made = self.tgt.bdev_lvol_create(store, 'lv', '4MiB')
        alias = f'{store}/lv'
        bdev = self.tgt.find_bdev(alias)
        self.assertEqual((made, 4 * MIB, 'lvol', False),
                         (bdev.name, bdev.size, bdev.kind.name,
                          bdev.own['thin_provision']))
        self.assertEqual(made, self.tgt.bdev_lvol_create(
            store, 'lv', '4MiB', exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, [alias, 'size'],
                         self.tgt.bdev_lvol_create, store, 'lv', '8MiB',
                         exist_ok=True)
        self.assertFails(exceptions.AlreadyExists, alias,
                         self.tgt.bdev_lvol_create, store, 'lv', '4MiB')
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.bdev_lvol_create, 'nosuch', 'lv', '4MiB')
        error = self.assertFails(
            exceptions.NoSpace, [f'{store}/big', 'clusters'],
            self.tgt.bdev_lvol_create, store, 'big', '1GiB')
        self.assertIn('1024', str(error))
        self.assertTrue(self.tgt.bdev_lvol_delete(alias))
        self.assertFalse(self.tgt.bdev_lvol_delete(alias, missing_ok=True))
        self.assertFails(exceptions.NotFound, alias,
                         self.tgt.bdev_lvol_delete, alias)

    def test_thin(self):
        store = self.store()
        name = self.tgt.bdev_lvol_create(store, 'thin', '1GiB',
                                         thin_provision=True)
        bdev = self.tgt.find_bdev(name)
        self.assertEqual((1 << 30, True),
                         (bdev.size, bdev.own['thin_provision']))
        self.assertTrue(self.tgt.bdev_delete(name))

    def test_resize(self):
        store = self.store()
        name = self.tgt.bdev_lvol_create(store, 'lv', '4MiB')
        self.assertTrue(self.tgt.bdev_lvol_resize(name, '8MiB'))
        self.assertEqual(8 * MIB, self.tgt.find_bdev(name).size)
        self.assertEqual(6 * MIB, self.tgt.bdev_resize(name, '6MiB'))
        self.assertFails(exceptions.SpdkError, name,
                         self.tgt.bdev_lvol_resize, name, '1GiB')
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.bdev_lvol_resize, 'nosuch', '8MiB')

    def test_snapshot_and_clone(self):
        store = self.store()
        self.tgt.bdev_lvol_create(store, 'lv', '4MiB')
        snap = self.tgt.bdev_lvol_snapshot(f'{store}/lv', 'snap')
        self.assertTrue(self.tgt.find_bdev(snap).own['snapshot'])
        self.assertFails(exceptions.AlreadyExists, f'{store}/snap',
                         self.tgt.bdev_lvol_snapshot, f'{store}/lv', 'snap')
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.bdev_lvol_snapshot, 'nosuch', 'snap')
        clone = self.tgt.bdev_lvol_clone(f'{store}/snap', 'clone')
        self.assertTrue(self.tgt.find_bdev(clone).own['clone'])
        self.assertFails(exceptions.AlreadyExists, f'{store}/clone',
                         self.tgt.bdev_lvol_clone, f'{store}/snap', 'clone')
        self.assertFails(exceptions.InvalidParams, 'no snapshot',
                         self.tgt.bdev_lvol_clone, f'{store}/clone', 'other')
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.bdev_lvol_clone, 'nosuch', 'other')
        self.assertFails(exceptions.SpdkError, ['snap', 'clone'],
                         self.tgt.bdev_lvol_delete, f'{store}/snap')
        self.tgt.bdev_lvol_decouple_parent(f'{store}/clone')
        self.tgt.bdev_lvol_inflate(f'{store}/lv')
        self.assertFalse(self.tgt.find_bdev(clone).own['clone'])
        self.assertTrue(self.tgt.bdev_lvol_delete(f'{store}/snap'))
        for call in (self.tgt.bdev_lvol_decouple_parent,
                     self.tgt.bdev_lvol_inflate,
                     self.tgt.bdev_lvol_set_read_only):
            self.assertFails(exceptions.NotFound, 'nosuch', call, 'nosuch')

    def test_clone_of_a_bdev(self):
        store, base = self.store(), self.malloc('4MiB')
        if not self.has('bdev_lvol_clone_bdev'):
            self.assertFails(exceptions.MethodNotFound, 'clone_bdev',
                             self.tgt.bdev_lvol_clone_bdev, base, store,
                             'clone')
            return
        uuid = self.tgt.find_bdev(base).uuid
        made = self.tgt.bdev_lvol_clone_bdev(uuid, store, 'clone')
        self.assertTrue(self.tgt.find_bdev(made).own['esnap_clone'])
        self.assertFails(exceptions.AlreadyExists, f'{store}/clone',
                         self.tgt.bdev_lvol_clone_bdev, uuid, store, 'clone')
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.bdev_lvol_clone_bdev, uuid, 'nosuch',
                         'other')
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.bdev_lvol_clone_bdev, 'nosuch', store,
                         'other')

    def test_rename_and_read_only(self):
        store = self.store()
        made = self.tgt.bdev_lvol_create(store, 'one', '4MiB')
        self.tgt.bdev_lvol_create(store, 'two', '4MiB')
        self.tgt.bdev_lvol_rename(f'{store}/one', 'three')
        self.assertEqual(made, self.tgt.find_bdev(f'{store}/three').name)
        self.assertFails(exceptions.AlreadyExists, f'{store}/two',
                         self.tgt.bdev_lvol_rename, f'{store}/three', 'two')
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.bdev_lvol_rename, 'nosuch', 'four')
        self.assertTrue(self.tgt.bdev_lvol_set_read_only(made))

    def test_lvols_of_a_store(self):
        store = self.store()
        made = self.tgt.bdev_lvol_create(store, 'lv', '4MiB')
        if not self.has('bdev_lvol_get_lvols'):
            self.assertFails(exceptions.MethodNotFound, 'get_lvols',
                             self.tgt.bdev_lvol_get_lvols, store)
            return
        found = self.tgt.bdev_lvol_get_lvols(store)
        self.assertEqual([(f'{store}/lv', made, 'lv', False)],
                         [(one.alias, one.uuid, one.name, one.is_snapshot)
                          for one in found])
        self.assertIn(made, [one.uuid
                             for one in self.tgt.bdev_lvol_get_lvols()])
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.bdev_lvol_get_lvols, 'nosuch')


class Raids(fixture.ClientTests):
    """RAID bdevs."""

    application = 'nvmf_tgt'

    def test_raid0(self):
        members, name = [self.malloc(), self.malloc()], unique('R')
        self.assertEqual(name, self.tgt.bdev_raid_create(
            name, 'raid0', members, strip_size_kb=64))
        self.assertEqual(8 * MIB, self.tgt.find_bdev(name).size)
        self.assertEqual(tuple(members), self.tgt.find_bdev(name).bases)
        found = {one.name: one for one in self.tgt.bdev_raid_get_bdevs()}
        self.assertEqual(tuple(members), found[name].members)
        self.assertEqual((64, 'raid0'), (found[name].strip_size_kb,
                                         found[name].raid_level))
        self.assertEqual(name, self.tgt.bdev_raid_create(
            name, 'raid0', members, strip_size_kb=64, exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, [name, 'strip size'],
                         self.tgt.bdev_raid_create, name, 'raid0', members,
                         strip_size_kb=128, exist_ok=True)
        self.assertFails(exceptions.PermissionDenied, [members[0], name],
                         self.tgt.bdev_raid_create, unique('R'), 'raid0',
                         members, strip_size_kb=64)
        self.assertTrue(self.tgt.bdev_raid_delete(name))
        self.assertFalse(self.tgt.find_bdev(members[0]).claimed)
        self.assertFalse(self.tgt.bdev_raid_delete(name, missing_ok=True))
        self.assertFails(exceptions.NotFound, name,
                         self.tgt.bdev_raid_delete, name)

    def test_raid_that_cannot_be(self):
        one = self.malloc()
        for level, members, strip, error, word in (
                ('raid9', [one], 64, exceptions.InvalidValue, 'raid_level'),
                ('raid0', [], 64, exceptions.InvalidValue, 'base_bdevs'),
                ('raid0', [one, one], 64, exceptions.InvalidValue, 'twice'),
                ('raid0', [one], 63, exceptions.InvalidValue, 'strip'),
                ('raid0', [one], None, exceptions.InvalidValue, 'strip'),
                ('raid1', [one], 64, exceptions.InvalidValue, 'strip'),
                ('raid0', [one, 'nosuch'], 64, exceptions.NotFound,
                 "'nosuch'")):
            with self.subTest(level=level, members=members, strip=strip):
                self.assertFails(error, word, self.tgt.bdev_raid_create,
                                 unique('R'), level, members,
                                 strip_size_kb=strip)

    def test_members_of_raid1(self):
        members, name = [self.malloc(), self.malloc()], unique('R')
        if not self.has('bdev_raid_remove_base_bdev'):
            self.assertFails(exceptions.MethodNotFound, 'remove_base',
                             self.tgt.bdev_raid_remove_base_bdev,
                             members[0])
            return
        self.tgt.bdev_raid_create(name, 'raid1', members)
        self.tgt.bdev_raid_remove_base_bdev(members[1])
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.bdev_raid_remove_base_bdev, 'nosuch')
        if not self.has('bdev_raid_add_base_bdev'):
            return
        self.assertFails(exceptions.NotFound, 'nosuch',
                         self.tgt.bdev_raid_add_base_bdev, 'nosuch',
                         members[1])
        # v26.05 takes these, and does not end any more.
        above = self.tgt.bdev_passthru_create(unique('P'), name)
        for member in (name, above):
            self.assertFails(exceptions.InvalidParams,
                             [member, name, 'not sent'],
                             self.tgt.bdev_raid_add_base_bdev, name, member)
        self.tgt.bdev_raid_add_base_bdev(name, members[1])
        self.assertEqual(set(members), set(self.tgt.find_bdev(name).bases))


target.for_releases(globals(), Lvols)
target.for_releases(globals(), Raids)
target.for_releases(globals(), Lvols, target.OLD_RELEASES, (
    'test_store', 'test_lvol', 'test_thin', 'test_lvols_of_a_store'))
target.for_releases(globals(), Raids, target.OLD_RELEASES[1:], (
    'test_raid0', 'test_raid_that_cannot_be'))
