# SPDX-License-Identifier: Apache-2.0

import os
import tempfile
import unittest

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import hugepage_pools
from cyborg_spdk.host.machine import hugepages
from cyborg_spdk.host.machine import hugetlbfs


class Machine:
    """A file system tree as the kernel shows it."""

    def __init__(self, root, *, nodes=1, available_mb=8192, mounted=()):
        self.root = root
        self.limit = None
        for size in (2048, 1048576):
            self._write(f'sys/kernel/mm/hugepages/hugepages-{size}kB', 0)
            for node in range(nodes):
                self._write(f'sys/devices/system/node/node{node}/hugepages/'
                            f'hugepages-{size}kB', 0)
        os.mkdir(os.path.join(root, 'proc'))
        with open(os.path.join(root, 'proc/meminfo'), 'w') as stream:
            stream.write(f'MemTotal: 99 kB\n'
                         f'MemAvailable:   {available_mb * 1024} kB\n'
                         'Hugepagesize:       2048 kB\n')
        with open(os.path.join(root, 'proc/mounts'), 'w') as stream:
            stream.write('proc /proc proc rw 0 0\n')
            for path, options in mounted:
                stream.write(f'hugetlbfs {path} hugetlbfs {options} 0 0\n')

    def _write(self, path, number):
        os.makedirs(os.path.join(self.root, path), exist_ok=True)
        for name in ('nr_hugepages', 'free_hugepages'):
            with open(os.path.join(self.root, path, name), 'w') as stream:
                stream.write(f'{number}\n')

    def set(self, number, size_kb=2048, node=None):
        path = hugepage_pools.pool_path(size_kb, node, self.root)
        self._write(os.path.relpath(path, self.root), number)

    def mount_hugetlbfs(self, conf):
        """As the privileged function, on this tree."""
        size_kb = hugepages.chosen_size_kb(conf, self.root)
        path = hugetlbfs.mount_point(size_kb, self.root)
        with open(os.path.join(self.root, 'proc/mounts'), 'a') as out:
            out.write(f'hugetlbfs {path} hugetlbfs '
                      f'rw,pagesize={size_kb}K 0 0\n')
        return path

    def add_hugepages(self, conf, size_kb, wanted):
        """As the privileged function, on this tree."""
        got = [count if self.limit is None else min(count, self.limit)
               for _, count in wanted]
        if got == [count for _, count in wanted]:
            for node, count in wanted:
                before = hugepage_pools.pool(size_kb, node, self.root).total
                self.set(before + count, size_kb, node)
        return got


class HugepagesTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = directory.name
        self.conf = cfg.ConfigOpts()
        self.conf([])
        spdk_conf.register(self.conf)

    def machine(self, **kwargs):
        return Machine(self.root, **kwargs)

    def prepare(self, machine, need_mb):
        return hugepages.prepare(self.conf, lambda: need_mb, machine,
                                 self.root)

    def test_only_what_is_missing_is_added(self):
        machine = self.machine(mounted=[('/dev/hugepages', 'rw')])
        machine.set(100)
        self.assertEqual({None: 156},
                         hugepages.missing(self.conf, 512, self.root))
        self.assertEqual(['reserved 156 huge pages of 2048 KiB'],
                         self.prepare(machine, 512))
        self.assertEqual(
            256, hugepage_pools.pool(2048, None, self.root).total)
        self.assertEqual([], self.prepare(machine, 512))

    def test_another_target_takes_its_pages_meanwhile(self):
        machine = self.machine(mounted=[('/dev/hugepages', 'rw')])
        machine.set(256)
        free = os.path.join(hugepage_pools.pool_path(2048, None, self.root),
                            'free_hugepages')
        taken = []

        def need_mb():
            # It takes a page after each of the first looks.
            now = 512 + 512 - 2 * len(taken)
            if len(taken) < 20 or calls and len(taken) < 40:
                taken.append(1)
                with open(free) as stream:
                    left = int(stream.read()) - 1
                with open(free, 'w') as stream:
                    stream.write(str(left))
            return now

        calls = []
        add = machine.add_hugepages

        def add_hugepages(*args):
            calls.append(args)
            return add(*args)
        machine.add_hugepages = add_hugepages
        self.assertEqual(
            ['reserved 256 huge pages of 2048 KiB'],
            hugepages.prepare(self.conf, need_mb, machine, self.root))
        self.assertEqual(40, len(taken))

    def test_a_page_is_on_its_way_to_another_target(self):
        """It is free no more, and not yet seen with the target."""
        machine = self.machine(mounted=[('/dev/hugepages', 'rw')])
        machine.set(512)
        asked = []

        def needs_mb():
            asked.append(1)
            if len(asked) == 2:
                machine.set(511)
            return [512, 512 if len(asked) < 9 else 510]

        self.assertEqual([], hugepages.prepare(
            self.conf, needs_mb, machine, self.root))

    def test_more_than_enough_is_left_alone(self):
        machine = self.machine(mounted=[('/h', 'rw,pagesize=2M')])
        machine.set(5000)
        self.assertEqual([], self.prepare(machine, 512))
        self.assertEqual(
            5000, hugepage_pools.pool(2048, None, self.root).total)

    def test_sizes_are_rounded_up(self):
        self.machine()
        self.conf.set_override('hugepage_size_kb', 1048576, group='spdk')
        self.assertEqual({None: 1},
                         hugepages.missing(self.conf, 8, self.root))

    def test_spread_over_nodes(self):
        machine = self.machine(nodes=2, mounted=[('/h', 'rw')])
        machine.set(28, node=1)
        self.conf.set_override('hugepage_nodes', [0, 1], group='spdk')
        self.assertEqual(
            ['reserved 128 huge pages of 2048 KiB on NUMA node 0',
             'reserved 100 huge pages of 2048 KiB on NUMA node 1'],
            self.prepare(machine, 512))

    def test_mounted_where_it_is_not(self):
        machine = self.machine(
            mounted=[('/mnt/huge', 'rw,pagesize=1024M')])
        machine.set(1000)
        self.assertEqual(
            ['mounted hugetlbfs of 2048 KiB at /dev/hugepages'],
            self.prepare(machine, 512))
        self.assertEqual([], self.prepare(machine, 512))

    def test_a_size_of_its_own_has_a_mount_of_its_own(self):
        self.machine()
        self.assertEqual('/dev/hugepages-1048576kB',
                         hugetlbfs.mount_point(1048576, self.root))

    def refused(self, machine, need_mb, pattern):
        with self.assertRaisesRegex(exceptions.HugepageError, pattern):
            self.prepare(machine, need_mb)

    def test_short_of_memory(self):
        machine = self.machine(available_mb=300)
        self.refused(machine, 512, '256 huge pages of 2048 KiB are missing;'
                     ' the machine has only 300 MiB left')
        self.assertEqual(0, hugepage_pools.pool(2048, None, self.root).total)

    def test_fragmented(self):
        machine = self.machine(mounted=[('/h', 'rw')])
        machine.limit = 10
        self.refused(machine, 512, 'only 10 of 256 could be had .*given back')
        self.assertEqual(0, hugepage_pools.pool(2048, None, self.root).total)

    def test_short_of_memory_on_one_node(self):
        machine = self.machine(nodes=2, mounted=[('/h', 'rw')])
        machine.set(100, node=0)
        machine.limit = 50
        self.conf.set_override('hugepage_nodes', [0, 1], group='spdk')
        self.refused(machine, 512, '^28 on node 0 and 128 on node 1 huge '
                     'pages of 2048 KiB are missing; only 50 of 128 on node '
                     '1 could be had')

    def test_not_managed(self):
        self.conf.set_override('manage_hugepages', False, group='spdk')
        machine = self.machine()
        self.refused(machine, 512, 'set .spdk. manage_hugepages')
        machine.set(256)
        self.refused(machine, 512, 'no hugetlbfs .* mount -t hugetlbfs')

    def test_what_the_machine_does_not_have(self):
        machine = self.machine()
        self.conf.set_override('hugepage_nodes', [4], group='spdk')
        self.refused(machine, 8, 'hugepage_nodes 4: this machine has the '
                     'nodes 0; choose')
        self.conf.set_override('hugepage_size_kb', 16, group='spdk')
        self.refused(machine, 8, 'hugepage_size_kb 16: this kernel has 2048'
                     ' and 1048576')

    def test_pools_and_mounts(self):
        self.machine(nodes=2, mounted=[
            ('/dev/huge\\040pages', 'rw,relatime,pagesize=1G')])
        self.assertEqual(
            [(2048, None), (2048, 0), (2048, 1), (1048576, None),
             (1048576, 0), (1048576, 1)],
            [(p.size_kb, p.node) for p in hugepage_pools.pools(self.root)])
        self.assertEqual([hugetlbfs.Mount('/dev/huge pages', 1048576)],
                         hugetlbfs.mounts(self.root))

    def test_add_writes_the_sum(self):
        machine = self.machine()
        machine.set(7)
        self.assertEqual([5], hugepage_pools.add(2048, [(None, 5)],
                                             self.root))
        self.assertEqual(12, hugepage_pools.pool(2048, None, self.root).total)

    def test_a_kernel_without_huge_pages(self):
        os.makedirs(os.path.join(self.root, 'proc'))
        with open(os.path.join(self.root, 'proc/meminfo'), 'w'):
            pass
        with self.assertRaisesRegex(exceptions.HugepageError,
                                    'no huge pages; set no_huge'):
            hugepages.chosen_size_kb(self.conf, self.root)
