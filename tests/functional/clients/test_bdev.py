# SPDX-License-Identifier: Apache-2.0

"""Block devices by the clients: each operation right and wrong."""

import os
import uuid

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target

unique = fixture.unique


class Bdevs(fixture.ClientTests):
    """Create, read, delete."""

    application = 'nvmf_tgt'
    client_class = clients.NvmfTgt

    def test_malloc(self):
        name = unique('M')
        made = self.tgt.bdev_malloc_create(name, '4MiB', 4096)
        self.assertEqual(name, made)
        bdev = self.tgt.bdev_get_bdevs(name)[0]
        self.assertEqual((name, 'Malloc disk', 4096, 1024, 4 << 20, False),
                         (bdev.name, bdev.product_name, bdev.block_size,
                          bdev.num_blocks, bdev.size, bdev.claimed))
        self.assertEqual('malloc', bdev.kind.name)

    def test_malloc_that_the_target_names(self):
        name = self.tgt.bdev_malloc_create(None, 1 << 20, 512)
        self.assertTrue(name.startswith('Malloc'), name)
        self.assertEqual(2048, self.tgt.find_bdev(name).num_blocks)

    def test_malloc_exists(self):
        name = self.malloc('4MiB')
        self.assertEqual(name, self.tgt.bdev_malloc_create(
            name, 4 << 20, 512, exist_ok=True))
        self.assertFails(
            exceptions.AlreadyExists, [f"'{name}'", 'exists already'],
            self.tgt.bdev_malloc_create, name, '4MiB', 512)
        for size, block_size, word in (('8MiB', 512, 'blocks 8192'),
                                       ('4MiB', 4096, 'block size 512')):
            self.assertFails(
                exceptions.AlreadyExists, [f"'{name}'", word],
                self.tgt.bdev_malloc_create, name, size, block_size,
                exist_ok=True)
        null = self.null('4MiB')
        self.assertFails(
            exceptions.AlreadyExists, 'Null disk',
            self.tgt.bdev_malloc_create, null, '4MiB', 512, exist_ok=True)

    def test_malloc_without_room(self):
        # Until v19.04 SPDK has one code for all errors of bdevs.
        old = self.tgt.rpc.version < (19, 7)
        self.assertFails(
            exceptions.InvalidParams if old else exceptions.NoSpace,
            'memory', self.malloc, '64TiB')

    def test_uuid(self):
        wanted = str(uuid.uuid4())
        name = self.malloc(uuid=wanted)
        self.assertEqual(wanted, self.tgt.find_bdev(name).uuid)
        self.assertEqual(name, self.tgt.find_bdev(wanted).name)
        if self.tgt.rpc.version >= (24, 1):
            self.assertFails(exceptions.AlreadyExists, [wanted, name],
                             self.malloc, uuid=wanted)

    def test_null(self):
        name = unique('N')
        self.assertEqual(name, self.tgt.bdev_null_create(name, '1GiB', 512))
        self.assertEqual(1 << 30, self.tgt.bdev_get_bdevs(name)[0].size)
        self.assertFails(exceptions.AlreadyExists, name,
                         self.tgt.bdev_null_create, name, '1GiB', 512)
        self.assertEqual(name, self.tgt.bdev_null_create(
            name, '1GiB', 512, exist_ok=True))

    def test_aio(self):
        path, name = self.file(1 << 20), unique('A')
        self.assertEqual(name, self.tgt.bdev_aio_create(path, name, 512))
        bdev = self.tgt.bdev_get_bdevs(name)[0]
        self.assertEqual((1 << 20, 'AIO disk', path),
                         (bdev.size, bdev.product_name,
                          bdev.own['filename']))
        self.assertEqual(name, self.tgt.bdev_aio_create(
            path, name, 512, exist_ok=True))
        self.assertFails(
            exceptions.AlreadyExists, 'filename', self.tgt.bdev_aio_create,
            self.file(), name, 512, exist_ok=True)

    def test_aio_on_what_does_not_suit(self):
        missing = self.target.path('missing')
        odd = self.file(1000)
        old = self.tgt.rpc.version < (19, 7)
        self.assertFails(
            exceptions.InvalidParams if old else exceptions.NotFound,
            [missing] if old else [missing, 'does not exist'],
            self.tgt.bdev_aio_create, missing, unique('A'), 512)
        self.assertFails(exceptions.InvalidParams, [odd, 'multiple'],
                         self.tgt.bdev_aio_create, odd, unique('A'), 512)
        self.assertFails(exceptions.SpdkError, 'block size',
                         self.tgt.bdev_aio_create, self.file(), unique('A'))

    def test_error(self):
        base = self.null()
        name = self.tgt.bdev_error_create(base)
        self.assertEqual('EE_' + base, name)
        self.assertEqual((base,), self.tgt.find_bdev(name).bases)
        self.assertEqual(name, self.tgt.bdev_error_create(
            base, exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, name,
                         self.tgt.bdev_error_create, base)
        self.assertFails(exceptions.NotFound, "'nosuch'",
                         self.tgt.bdev_error_create, 'nosuch')
        claimed = self.null()
        above = self.tgt.bdev_passthru_create(unique('P'), claimed)
        self.assertFails(exceptions.PermissionDenied, [claimed, above],
                         self.tgt.bdev_error_create, claimed)

    def test_inject_error(self):
        name = self.tgt.bdev_error_create(self.null())
        for io_type in ('read', 'clear'):
            self.assertTrue(self.tgt.bdev_error_inject_error(
                name, io_type, 'failure', num=3))
        for wrong, words in (('nosuch', "'nosuch' does not exist"),
                             (self.null(), 'no error bdev')):
            self.assertFails(exceptions.NotFound, words,
                             self.tgt.bdev_error_inject_error, wrong, 'read',
                             'failure')
        self.assertFails(exceptions.InvalidValue, 'io_type',
                         self.tgt.bdev_error_inject_error, name, 'copy',
                         'failure')

    def test_passthru(self):
        base, name = self.null(), unique('P')
        self.assertEqual(name, self.tgt.bdev_passthru_create(name, base))
        self.assertTrue(self.tgt.find_bdev(base).claimed)
        self.assertEqual(name, self.tgt.bdev_passthru_create(
            name, base, exist_ok=True))
        self.assertFails(exceptions.PermissionDenied, [base, name],
                         self.tgt.bdev_passthru_create, unique('P'), base)
        self.assertFails(exceptions.NotFound, "'nosuch'",
                         self.tgt.bdev_passthru_create, unique('P'),
                         'nosuch')

    def test_passthru_that_would_abort_the_target(self):
        base, taken = self.null(), self.null()
        above = self.tgt.bdev_passthru_create(unique('P'), base)
        for name, under, error, word in (
                (taken, self.null(), exceptions.AlreadyExists, 'Null disk'),
                (above, self.null(), exceptions.AlreadyExists, 'passthru'),
                ('', base, exceptions.InvalidValue, 'not empty'),
                (taken, taken, exceptions.InvalidValue, 'itself'),
                (base, above, exceptions.AlreadyExists, 'Null disk'),
                (unique('P'), 'later', exceptions.NotFound, "'later'")):
            self.assertFails(error, word, self.tgt.bdev_passthru_create,
                             name, under)
        # The target is alive, and nothing of that was made.
        self.assertEqual('Null disk',
                         self.tgt.find_bdev(taken).product_name)
        later = self.tgt.bdev_null_create('later', '4MiB', 512)
        self.assertFalse(self.tgt.find_bdev(later).claimed)

    def test_split(self):
        base = self.null('16MiB')
        parts = self.tgt.bdev_split_create(base, 2, split_size='4MiB')
        self.assertEqual([base + 'p0', base + 'p1'], parts)
        self.assertEqual(4 << 20, self.tgt.find_bdev(parts[1]).size)
        self.assertFails(exceptions.NotFound, "'nosuch'",
                         self.tgt.bdev_split_create, 'nosuch', 2)
        self.assertFails(exceptions.NotSupported, parts[1],
                         self.tgt.bdev_delete, parts[0])
        self.assertEqual(parts, self.tgt.bdev_split_create(
            base, 2, split_size='4MiB', exist_ok=True))
        for count in (2, 3):
            self.assertFails(
                exceptions.AlreadyExists, [base, '2 parts of 4194304'],
                self.tgt.bdev_split_create, base, count, split_size='4MiB',
                exist_ok=count == 3)
        self.assertTrue(self.tgt.bdev_split_delete(base))
        self.assertFalse(self.tgt.find_bdev(base).claimed)
        self.assertFalse(self.tgt.bdev_split_delete(base, missing_ok=True))
        self.assertFails(exceptions.NotFound, base,
                         self.tgt.bdev_split_delete, base)

    def test_split_that_would_end_the_target(self):
        base, claimed = self.null('4MiB'), self.null()
        part = self.tgt.bdev_null_create(base + 'p1', '4MiB', 512)
        odd = self.tgt.bdev_null_create(unique('N'), 3072 * 1024, 1536)
        above = self.tgt.bdev_passthru_create(unique('P'), claimed)
        for args, error, words in (
                ((base, 2, None), exceptions.AlreadyExists,
                 [part, 'not sent']),
                ((base, 2 ** 32 - 1, None), exceptions.InvalidValue,
                 '8192 blocks'),
                ((base, 1, '8MiB'), exceptions.InvalidValue,
                 ['8388608', '4194304']),
                ((odd, 1, '1MiB'), exceptions.InvalidValue,
                 ['block size 1536']),
                ((claimed, 2, None), exceptions.PermissionDenied,
                 [claimed, above])):
            with self.subTest(args=args):
                self.assertFails(error, words, self.tgt.bdev_split_create,
                                 *args[:2], split_size=args[2])
        waiting = unique('later')
        self.tgt.bdev_null_create(waiting + 'p0', '4MiB', 512)
        self.assertFails(exceptions.AlreadyExists, waiting + 'p0',
                         self.tgt.bdev_split_create, waiting, 1,
                         deferred=True)
        # The target is alive, and nothing of that was made.
        self.assertFalse(self.tgt.find_bdev(base).claimed)

    def test_base_by_another_name(self):
        base = self.malloc()
        if not self.tgt.find_bdev(base).aliases:      # until v22.05
            return
        uuid = self.tgt.find_bdev(base).uuid
        # v26.05 ends at a split of a bdev that is called by an alias.
        parts = self.tgt.bdev_split_create(uuid, 2)
        self.assertEqual([base + 'p0', base + 'p1'], parts)
        self.assertTrue(self.tgt.bdev_split_delete(uuid))
        name = self.tgt.bdev_passthru_create(unique('P'), uuid)
        self.assertEqual(name, self.tgt.bdev_passthru_create(
            name, base, exist_ok=True))

    def test_delay(self):
        base, name = self.null(), unique('D')
        latencies = dict(avg_read_latency=10, p99_read_latency=20,
                         avg_write_latency=30, p99_write_latency=40)
        self.assertEqual(name, self.tgt.bdev_delay_create(
            name, base, **latencies))
        self.assertEqual(30,
                         self.tgt.find_bdev(name).own['avg_write_latency'])
        self.assertEqual(name, self.tgt.bdev_delay_create(
            name, base, exist_ok=True, **latencies))
        self.assertFails(
            exceptions.AlreadyExists, 'p99_read_latency 20',
            self.tgt.bdev_delay_create, name, base, exist_ok=True,
            **dict(latencies, p99_read_latency=99))
        self.tgt.bdev_delay_update_latency(name, 'avg_read', 15)
        self.assertEqual(15,
                         self.tgt.find_bdev(name).own['avg_read_latency'])
        self.assertFails(exceptions.NotFound, "'nosuch'",
                         self.tgt.bdev_delay_update_latency, 'nosuch',
                         'avg_read', 15)
        self.assertFails(exceptions.InvalidValue, 'p99_read_latency',
                         self.tgt.bdev_delay_create, unique('D'), base,
                         **dict(latencies, p99_read_latency=1))

    def test_read_what_is_not_there(self):
        self.assertFails(exceptions.NotFound, ["'nosuch'", 'does not exist'],
                         self.tgt.bdev_get_bdevs, 'nosuch')
        self.assertIsNone(self.tgt.find_bdev('nosuch'))

    def test_delete_each_kind(self):
        base = self.null()
        kinds = [
            self.malloc(), self.null(),
            self.tgt.bdev_aio_create(self.file(), unique('A'), 512),
            self.tgt.bdev_error_create(self.null()),
            self.tgt.bdev_passthru_create(unique('P'), base),
            self.tgt.bdev_split_create(self.null(), 1)[0],
            self.tgt.bdev_delay_create(
                unique('D'), self.null(), avg_read_latency=1,
                p99_read_latency=1, avg_write_latency=1,
                p99_write_latency=1)]
        for name in kinds:
            with self.subTest(product=self.tgt.find_bdev(name).product_name):
                self.assertTrue(self.tgt.bdev_delete(name))
                self.assertIsNone(self.tgt.find_bdev(name))
                self.assertFalse(self.tgt.bdev_delete(name, missing_ok=True))
                self.assertFails(exceptions.NotFound, f'{name!r}',
                                 self.tgt.bdev_delete, name)
        self.assertFalse(self.tgt.find_bdev(base).claimed)

    def test_resize(self):
        null = self.null('4MiB')
        self.assertEqual(8 << 20, self.tgt.bdev_resize(null, '8MiB'))
        self.assertFails(exceptions.InvalidParams, 'smaller',
                         self.tgt.bdev_null_resize, null, '1MiB')
        path = self.file(1 << 20)
        aio = self.tgt.bdev_aio_create(path, unique('A'), 512)
        os.truncate(path, 2 << 20)
        self.assertEqual(2 << 20, self.tgt.bdev_resize(aio, None))
        self.assertFails(exceptions.NotFound, 'no aio bdev',
                         self.tgt.bdev_aio_rescan, null)
        self.assertFails(exceptions.NotFound, 'does not exist',
                         self.tgt.bdev_null_resize, 'nosuch', '8MiB')
        self.assertFails(exceptions.NotSupported, 'Malloc disk',
                         self.tgt.bdev_resize, self.malloc(), '8MiB')

    def test_iostat(self):
        one, two = self.malloc(), self.null()
        found = self.tgt.bdev_get_iostat([one, two])
        self.assertEqual([one, two], [bdev['name']
                                      for bdev in found['bdevs']])
        self.assertGreater(found['tick_rate'], 0)
        self.assertIn('bytes_read', found['bdevs'][0])
        everything = [bdev['name']
                      for bdev in self.tgt.bdev_get_iostat()['bdevs']]
        self.assertLessEqual({one, two}, set(everything))
        self.assertFails(exceptions.NotFound, "'nosuch'",
                         self.tgt.bdev_get_iostat, [one, 'nosuch'])

    def test_qos(self):
        name = self.malloc()
        # v26.05 can change limits only of a bdev that is in use.
        self.tgt.construct_nvmf_subsystem(fixture.nqn(), [], None, None,
                                          [name])
        self.tgt.bdev_set_qos_limit(name, rw_ios_per_sec=20000,
                                    r_mbytes_per_sec=3)
        limits = self.tgt.find_bdev(name).assigned_rate_limits
        self.assertEqual((20000, 3, 0),
                         (limits['rw_ios_per_sec'],
                          limits['r_mbytes_per_sec'],
                          limits['w_mbytes_per_sec']))
        self.tgt.bdev_set_qos_limit(name, rw_ios_per_sec=0)
        limits = self.tgt.find_bdev(name).assigned_rate_limits
        self.assertEqual((0, 3), (limits['rw_ios_per_sec'],
                                  limits['r_mbytes_per_sec']))
        self.assertFails(exceptions.NotFound, "'nosuch'",
                         self.tgt.bdev_set_qos_limit, 'nosuch',
                         rw_ios_per_sec=1000)
        self.assertFails(exceptions.InvalidValue, 'one limit',
                         self.tgt.bdev_set_qos_limit, name)

    def test_what_a_release_lacks(self):
        self.assertFails(exceptions.MethodNotFound, 'v21.01',
                         self.tgt.bdev_null_resize, self.null(), '32MiB')
        self.assertFails(exceptions.InvalidParams, ['readonly', 'v23.01'],
                         self.tgt.bdev_aio_create, self.file(), unique('A'),
                         512, readonly=True)

    def test_what_the_target_is(self):
        self.assertIn('bdev_get_bdevs', self.tgt.rpc_get_methods())
        version = self.tgt.spdk_get_version()
        self.assertIn('SPDK', version.version)
        self.assertEqual(self.tgt.rpc.version.major,
                         version.fields['major'])


target.for_releases(globals(), Bdevs, only=[
    name for name in dir(Bdevs) if name != 'test_what_a_release_lacks'])
target.for_releases(globals(), Bdevs, target.OLD_RELEASES, (
    'test_malloc', 'test_malloc_that_the_target_names', 'test_malloc_exists',
    'test_malloc_without_room', 'test_null', 'test_aio',
    'test_aio_on_what_does_not_suit', 'test_read_what_is_not_there',
    'test_what_a_release_lacks'))
