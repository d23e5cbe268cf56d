# SPDX-License-Identifier: Apache-2.0

"""Huge pages of a machine with two NUMA nodes, as the kernel gives them."""

from tests.guest import case


class HugepagesTest(case.GuestTest):

    def hungry(self, memory_mb=512, **options):
        """Configure a target that needs pages, on a core of node 1."""
        self.configure(case.HUNGRY, target={
            'memory_mb': memory_mb, 'core_mask': '0x4'}, **options)

    def reserve(self, node, pages):
        self.guest.run(f'echo {pages} > {case.PAGES.format(node)}')

    def start(self):
        """Start the target; what was done for it (str)."""
        return self.spdk('target start -v').stderr

    def test_only_what_is_missing_spread_over_both(self):
        self.hungry(hugepage_nodes='0,1')
        self.reserve(1, 30)
        done = self.start()
        self.assertIn('reserved 128 huge pages of 2048 KiB on NUMA node 0',
                      done)
        self.assertIn('reserved 98 huge pages of 2048 KiB on NUMA node 1',
                      done)
        self.assertEqual([128, 128], self.pages())
        self.assertNotIn('reserved', self.start())
        self.assertEqual([128, 128], self.pages())

    def test_on_the_node_that_was_asked_for(self):
        self.hungry(hugepage_nodes='1')
        self.start()
        self.assertEqual([0, 256], self.pages())

    def test_wherever_the_kernel_likes(self):
        self.hungry()
        self.start()
        self.assertEqual(256, sum(self.pages()))

    def test_never_taken_away(self):
        self.reserve(0, 40)
        self.reserve(1, 300)
        self.hungry(hugepage_nodes='1')
        self.assertNotIn('reserved', self.start())
        self.spdk('target stop')
        self.assertEqual([40, 300], self.pages())

    def test_short_of_memory_on_one_node(self):
        # Memory that the kernel cannot move to another place.
        self.guest.run(
            'mkdir -p /mnt/full && mount -t tmpfs -o size=1200M,mpol=bind:1 '
            'tmpfs /mnt/full && head -c 1000M /dev/zero > /mnt/full/zeros')
        self.addCleanup(self.guest.run, 'umount /mnt/full')
        self.reserve(0, 6)
        self.hungry(memory_mb=1024, hugepage_nodes='0,1')
        self.refused(
            'target start', 'nvmf: 250 on node 0 and 256 on node 1 huge '
            r'pages of 2048 KiB are missing; only \d+ of 256 on node 1 could '
            r'be had \(and all were given back\)')
        self.assertEqual([6, 0], self.pages())

    def test_short_of_memory_everywhere(self):
        self.hungry(memory_mb=4096)
        self.refused('target start', '2048 huge pages of 2048 KiB are '
                     r'missing; the machine has only \d+ MiB left')
        self.assertEqual([0, 0], self.pages())

    def test_no_such_node(self):
        self.hungry(hugepage_nodes='7')
        self.refused('target start', 'hugepage_nodes 7: this machine has '
                     'the nodes 0, 1')

    def test_hugetlbfs_is_mounted_where_it_is_not(self):
        self.hungry()
        self.guest.run('umount /dev/hugepages')
        self.assertIn('mounted hugetlbfs of 2048 KiB at /dev/hugepages',
                      self.start())
        self.pid()

    def test_two_starts_at_once_share_nothing(self):
        self.configure(case.HUNGRY, nvmf_targets='nvmf,other', target={
            'memory_mb': '512', 'core_mask': '0x4'}, hugepage_nodes='1')
        self.spdk('target start --set other.memory_mb=512', check=False)
        self.assertEqual([0, 512], self.pages())
