# SPDX-License-Identifier: Apache-2.0

"""Snapshots, clones, parents and copies of lvols: right and wrong."""

from cyborg_spdk import exceptions
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target

unique = fixture.unique
MIB = 1 << 20


class Families(fixture.ClientTests):
    """What stands on what, and how that is changed."""

    application = 'nvmf_tgt'

    def store(self):
        name = unique('lvs')
        self.tgt.bdev_lvol_create_lvstore(self.disk('32MiB'), name,
                                          cluster_size='1MiB')
        return name

    def lvol(self, store, size='4MiB', **options):
        """A new lvol; returns its alias."""
        options.setdefault('thin_provision', True)
        name = unique('lv')
        self.tgt.bdev_lvol_create(store, name, size, **options)
        return f'{store}/{name}'

    def own(self, name):
        return self.tgt.find_bdev(name).own

    def lacks(self, method, *args):
        """Whether the release has no such method; says so if not."""
        if self.has(method):
            return False
        self.assertFails(exceptions.MethodNotFound, [method, 'v24.05'],
                         getattr(self.tgt, method), *args)
        return True

    def test_snapshot_that_exists(self):
        store = self.store()
        lvol, other = self.lvol(store), self.lvol(store)
        one = self.tgt.bdev_lvol_snapshot(lvol, 'one')
        self.assertEqual(one, self.tgt.bdev_lvol_snapshot(
            lvol, 'one', exist_ok=True))
        two = self.tgt.bdev_lvol_snapshot(lvol, 'two')
        # It stands on the second, and that on the first.
        for name, made in (('one', one), ('two', two)):
            self.assertEqual(made, self.tgt.bdev_lvol_snapshot(
                lvol, name, exist_ok=True))
        self.assertFails(
            exceptions.AlreadyExists, [f'{store}/one', 'not so', other],
            self.tgt.bdev_lvol_snapshot, other, 'one', exist_ok=True)
        self.assertFails(
            exceptions.NotFound, 'nosuch', self.tgt.bdev_lvol_snapshot,
            'nosuch', 'one', exist_ok=True)

    def test_clone_that_exists(self):
        store = self.store()
        lvol = self.lvol(store)
        self.tgt.bdev_lvol_snapshot(lvol, 'one')
        self.tgt.bdev_lvol_snapshot(lvol, 'two')
        clone = self.tgt.bdev_lvol_clone(f'{store}/one', 'clone')
        self.assertEqual(clone, self.tgt.bdev_lvol_clone(
            f'{store}/one', 'clone', exist_ok=True))
        self.assertFails(
            exceptions.AlreadyExists, [f'{store}/clone', f'{store}/two'],
            self.tgt.bdev_lvol_clone, f'{store}/two', 'clone',
            exist_ok=True)
        self.assertFails(
            exceptions.AlreadyExists, lvol, self.tgt.bdev_lvol_clone,
            f'{store}/one', lvol.partition('/')[2], exist_ok=True)

    def test_clone_of_a_bdev_that_exists(self):
        store, base, other = self.store(), self.malloc(), self.malloc()
        if not self.has('bdev_lvol_clone_bdev'):
            self.assertFails(exceptions.MethodNotFound, 'v23.05',
                             self.tgt.bdev_lvol_clone_bdev, base, store,
                             'clone', exist_ok=True)
            return
        clone = self.tgt.bdev_lvol_clone_bdev(base, store, 'clone')
        uuid = self.tgt.find_bdev(base).uuid
        self.assertEqual(uuid, self.own(clone)['external_snapshot_name'])
        for name in (base, uuid):
            self.assertEqual(clone, self.tgt.bdev_lvol_clone_bdev(
                name, store, 'clone', exist_ok=True))
        self.assertFails(
            exceptions.AlreadyExists, [f'{store}/clone', uuid],
            self.tgt.bdev_lvol_clone_bdev, other, store, 'clone',
            exist_ok=True)
        uneven = self.malloc(MIB + 512)
        self.assertFails(
            exceptions.InvalidParams, [uneven, 'whole number', store],
            self.tgt.bdev_lvol_clone_bdev, uneven, store, 'uneven')
        self.tgt.bdev_passthru_create(unique('P'), other)
        # SPDK makes an lvol without a bdev, and dies when that is deleted.
        self.assertFails(
            exceptions.PermissionDenied, [other, 'claimed', 'not sent'],
            self.tgt.bdev_lvol_clone_bdev, other, store, 'claimed')
        self.assertEqual(uuid, self.own(self.tgt.bdev_lvol_clone_bdev(
            base, store, 'second'))['external_snapshot_name'])

    def test_set_parent(self):
        store = self.store()
        lvol, other = self.lvol(store), self.lvol(store)
        if self.lacks('bdev_lvol_set_parent', lvol, other):
            return
        self.tgt.bdev_lvol_snapshot(lvol, 'snap')
        snap = f'{store}/snap'
        self.assertTrue(self.tgt.bdev_lvol_set_parent(other, snap))
        self.assertEqual('snap', self.own(other)['base_snapshot'])
        self.assertTrue(self.tgt.bdev_lvol_set_parent(other, snap,
                                                      exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, [other, snap],
                         self.tgt.bdev_lvol_set_parent, other, snap)
        # The other's own snapshot stands on the first one's.
        self.tgt.bdev_lvol_snapshot(other, 'above')
        elsewhere, plain = self.store(), self.malloc()
        foreign = self.lvol(elsewhere)
        self.tgt.bdev_lvol_snapshot(foreign, 'snap')
        thick = self.lvol(store, thin_provision=False)
        large = self.lvol(store, '8MiB')
        for args, error, words in (
                (('nosuch', snap), exceptions.NotFound, "'nosuch'"),
                ((lvol, 'nosuch'), exceptions.NotFound, "'nosuch'"),
                ((plain, snap), exceptions.NotFound, [plain, 'no lvol']),
                ((lvol, plain), exceptions.NotFound, [plain, 'no lvol']),
                ((lvol, other), exceptions.InvalidParams,
                 [other, 'no snapshot']),
                ((thick, snap), exceptions.InvalidParams,
                 [thick, 'not thin']),
                ((large, snap), exceptions.InvalidParams,
                 [large, '8388608', '4194304']),
                ((lvol, f'{elsewhere}/snap'), exceptions.InvalidParams,
                 ['another store', 'not sent']),
                ((snap, f'{store}/above'), exceptions.InvalidParams,
                 [snap, 'itself', 'not sent']),
                ((snap, snap), exceptions.InvalidParams, 'itself')):
            with self.subTest(args=args):
                self.assertFails(error, words, self.tgt.bdev_lvol_set_parent,
                                 *args)

    def test_set_parent_bdev(self):
        store, base = self.store(), self.malloc()
        lvol = self.lvol(store)
        if self.lacks('bdev_lvol_set_parent_bdev', lvol, base):
            return
        self.assertTrue(self.tgt.bdev_lvol_set_parent_bdev(lvol, base))
        self.assertEqual(self.tgt.find_bdev(base).uuid,
                         self.own(lvol)['external_snapshot_name'])
        self.assertTrue(self.tgt.bdev_lvol_set_parent_bdev(
            lvol, base, exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, [lvol, base],
                         self.tgt.bdev_lvol_set_parent_bdev, lvol, base)
        thick = self.lvol(store, thin_provision=False)
        uneven, claimed = self.malloc(MIB + 512), self.malloc()
        self.tgt.bdev_passthru_create(unique('P'), claimed)
        above = self.tgt.bdev_passthru_create(unique('P'), lvol)
        for args, error, words in (
                (('nosuch', base), exceptions.NotFound, "'nosuch'"),
                ((lvol, 'nosuch'), exceptions.NotFound, "'nosuch'"),
                ((base, uneven), exceptions.NotFound, [base, 'no lvol']),
                ((thick, base), exceptions.InvalidParams,
                 [thick, 'not thin']),
                ((lvol, uneven), exceptions.InvalidParams,
                 [uneven, 'whole number', '1048576']),
                ((lvol, claimed), exceptions.PermissionDenied,
                 [claimed, 'claimed']),
                ((lvol, lvol), exceptions.InvalidParams,
                 ['itself', 'not sent']),
                # v26.05 ends at this one (SIGSEGV).
                ((lvol, above), exceptions.InvalidParams,
                 [above, 'itself', 'not sent'])):
            with self.subTest(args=args):
                self.assertFails(error, words,
                                 self.tgt.bdev_lvol_set_parent_bdev, *args)

    def test_shallow_copy(self):
        store, copy = self.store(), self.malloc()
        lvol = self.lvol(store, thin_provision=False)
        if self.lacks('bdev_lvol_start_shallow_copy', lvol, copy):
            return
        snap = self.tgt.bdev_lvol_snapshot(lvol, 'snap')
        small, claimed = self.malloc('1MiB'), self.malloc()
        coarse = self.malloc('4MiB', 4096)
        self.tgt.bdev_passthru_create(unique('P'), claimed)
        for args, error, words in (
                (('nosuch', copy), exceptions.NotFound, "'nosuch'"),
                ((snap, snap), exceptions.InvalidParams, 'itself'),
                ((snap, 'nosuch'), exceptions.NotFound, "'nosuch'"),
                ((copy, small), exceptions.NotFound, [copy, 'no lvol']),
                ((lvol, copy), exceptions.InvalidParams,
                 [lvol, 'written to', 'not sent']),
                ((snap, small), exceptions.InvalidParams,
                 [small, '1048576', '4194304']),
                ((snap, coarse), exceptions.InvalidParams,
                 [coarse, '4096', '512']),
                ((snap, claimed), exceptions.PermissionDenied,
                 [claimed, 'claimed'])):
            with self.subTest(args=args):
                self.assertFails(error, words,
                                 self.tgt.bdev_lvol_start_shallow_copy,
                                 *args)
        number = self.tgt.bdev_lvol_start_shallow_copy(snap, copy)
        seen = []

        def done():
            seen.append(self.tgt.bdev_lvol_check_shallow_copy(number))
            return seen[-1].is_done

        self.until(done)
        self.assertEqual(('complete', 4, 4, None),
                         (seen[-1].state, seen[-1].copied_clusters,
                          seen[-1].total_clusters, seen[-1].error))
        # The end is told once.
        self.assertFails(exceptions.NotFound, f'shallow copy {number}',
                         self.tgt.bdev_lvol_check_shallow_copy, number)
        self.until(lambda: not self.tgt.find_bdev(copy).claimed)


target.for_releases(globals(), Families)
