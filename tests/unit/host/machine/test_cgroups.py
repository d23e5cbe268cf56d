# SPDX-License-Identifier: Apache-2.0

import os
import tempfile
import unittest

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import cgroups
from cyborg_spdk.host.machine import cores
from cyborg_spdk.host.machine import hugepage_pools
from cyborg_spdk.host.machine import hugepages

_V1 = ('35 24 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup '
       'rw,cpuset\n'
       '36 24 0:32 / /sys/fs/cgroup/hugetlb rw - cgroup cgroup rw,hugetlb\n')
_V2 = '35 24 0:31 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n'
_CONTAINER = ('35 24 0:31 /docker/x /sys/fs/cgroup/cpuset ro - cgroup cgroup '
              'rw,cpuset\n')


class MachineTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = directory.name
        self.write('sys/devices/system/cpu/online', '0-7\n')
        self.conf = cfg.ConfigOpts()
        self.conf([])
        spdk_conf.targets(self.conf)

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as stream:
            stream.write(text)

    def groups(self, mounts, own):
        self.write('proc/self/mountinfo',
                   '24 1 0:20 / / rw - ext4 /dev/vda rw\n' + mounts)
        self.write('proc/self/cgroup', own)

    def of_target(self, name='spdk_nvmf', **options):
        for option, value in options.items():
            self.conf.set_override(option, value, group=name)
        target = next(one for one in spdk_conf.targets(self.conf)
                      if one.name == name)
        return cores.of_target(self.conf, target, root=self.root)


class CoresTest(MachineTest):

    def test_version_1(self):
        self.groups(_V1, '3:cpuset:/a/b\n0::/\n')
        self.write('sys/fs/cgroup/cpuset/cpuset.cpus', '0-7\n')
        self.write('sys/fs/cgroup/cpuset/a/b/cpuset.cpus', '2-3,5\n')
        self.assertEqual({2, 3, 5}, cores.usable(self.root))
        self.assertEqual({2}, self.of_target())
        self.assertEqual({3}, self.of_target('spdk_vhost'))
        self.write('sys/fs/cgroup/cpuset/a/b/cpuset.effective_cpus', '5\n')
        self.assertEqual({5}, self.of_target())

    def test_version_2(self):
        self.groups(_V2, '0::/machine.slice/x.scope\n')
        base = 'sys/fs/cgroup/machine.slice'
        # Where the controller is not enabled the group above counts.
        self.write(f'{base}/cpuset.cpus.effective', '1,4\n')
        self.write(f'{base}/x.scope/cgroup.procs', '')
        self.assertEqual({1}, self.of_target())
        self.write(f'{base}/x.scope/cpuset.cpus.effective', '4\n')
        self.assertEqual({4}, self.of_target())
        self.write('sys/fs/cgroup/system.slice/cpuset.cpus.effective', '6\n')
        self.assertEqual({6}, cores.usable(
            self.root, cgroups.SYSTEM_SLICE))

    def test_a_container_that_sees_its_own_group_only(self):
        self.groups(_CONTAINER, '3:cpuset:/docker/x\n')
        self.write('sys/fs/cgroup/cpuset/cpuset.cpus', '1\n')
        self.assertEqual({1}, self.of_target())

    def test_no_groups(self):
        self.assertEqual({0}, self.of_target())
        self.groups(_V2, 'nonsense\n')
        self.write('sys/fs/cgroup/cpuset.cpus.effective', 'nonsense\n')
        self.assertEqual({0}, self.of_target())

    def test_a_core_that_is_off(self):
        self.write('sys/devices/system/cpu/online', '1-3\n')
        self.assertEqual({1}, self.of_target())
        self.assertEqual({2}, self.of_target('spdk_vhost'))
        with self.assertRaisesRegex(
                exceptions.ConfigurationError,
                r'this machine has no core 0, only \[1-3\]'):
            self.of_target(core_mask='0x1')

    def test_isolated_cores_are_for_who_names_them(self):
        self.write('sys/devices/system/cpu/isolated', '0-2\n')
        self.assertEqual({3}, self.of_target())
        self.assertEqual({1}, self.of_target(core_mask='[1]'))

    def test_all_are_isolated(self):
        self.write('sys/devices/system/cpu/isolated', '0-7\n')
        self.assertEqual({0}, self.of_target())

    def test_an_affinity_is_kept_while_there_are_cores(self):
        self.write('proc/self/status', 'Cpus_allowed_list:\t6-7\n')
        self.assertEqual({6}, self.of_target())
        self.assertEqual({7}, self.of_target('spdk_vhost'))
        # No two on one core, though.
        self.assertEqual({0}, self.of_target('spdk_iscsi'))

    def test_a_mask_outside_of_the_cpuset(self):
        self.groups(_V2, '0::/\n')
        self.write('sys/fs/cgroup/cpuset.cpus.effective', '1\n')
        with self.assertRaisesRegex(
                exceptions.ConfigurationError, r'core_mask .*core 0 is not '
                r'among those that processes may use .*\[1\] are'):
            self.of_target(core_mask='0x1')
        self.conf.clear_override('core_mask', group='spdk_nvmf')
        with self.assertRaisesRegex(
                exceptions.ConfigurationError, 'or take the target out of '):
            self.of_target('spdk_vhost', start=True)


class HugepagesTest(MachineTest):

    def setUp(self):
        super().setUp()
        self.write('proc/meminfo', 'MemAvailable: 9000000 kB\n'
                                   'Hugepagesize: 2048 kB\n')
        self.write('proc/mounts', 'none /dev/hugepages hugetlbfs '
                                  'rw,pagesize=2M 0 0\n')
        for node in (0, 1):
            self.pool(node=node)
        self.pool()
        self.pool(size_kb=1048576)

    def pool(self, size_kb=2048, node=None, **numbers):
        path = os.path.relpath(
            hugepage_pools.pool_path(size_kb, node, self.root), self.root)
        for name in ('nr', 'free', 'resv', 'surplus'):
            if node is None or name != 'resv':
                self.write(f'{path}/{name}_hugepages',
                           f'{numbers.get(name, 0)}\n')

    def missing(self, *needs_mb):
        return hugepages.missing(self.conf, needs_mb, self.root)

    def test_what_is_promised_is_not_free(self):
        self.pool(nr=256, free=256, resv=200)
        self.assertEqual(
            56, hugepage_pools.pool(2048, None, self.root).available)
        self.assertEqual({None: 200}, self.missing(512))

    def test_what_is_promised_may_be_on_any_node(self):
        self.conf.set_override('hugepage_nodes', [0, 1], group='spdk')
        for node in (0, 1):
            self.pool(node=node, nr=128, free=128)
        self.pool(nr=256, free=256)
        self.assertEqual({}, self.missing(512))
        self.pool(nr=256, free=256, resv=100)
        self.assertEqual({0: 100}, self.missing(512))

    def test_whole_pages_for_each_process(self):
        self.conf.set_override('hugepage_size_kb', 1048576, group='spdk')
        self.assertEqual({None: 2}, self.missing(512, 512))
        self.assertEqual({None: 1}, self.missing(1024))

    def test_surplus_pages_are_lent_again(self):
        self.pool(nr=10, free=2, surplus=4)
        path = os.path.join(
            hugepage_pools.pool_path(2048, None, self.root), 'nr_hugepages')
        self.assertEqual([3], hugepage_pools.add(2048, [(None, 3)], self.root))
        with open(path) as stream:
            self.assertEqual('13\n', stream.read())
        self.pool(nr=10, free=2, surplus=4)
        write = hugepage_pools._write

        def two_less(name, number):
            write(name, number - 2 if number > 10 else number)
        self.addCleanup(setattr, hugepage_pools, '_write', write)
        hugepage_pools._write = two_less
        self.assertEqual([1], hugepage_pools.add(2048, [(None, 3)], self.root))
        with open(path) as stream:
            self.assertEqual('6\n', stream.read())

    def limited(self, pattern, need_mb=512):
        with self.assertRaisesRegex(exceptions.HugepageError, pattern):
            hugepages.check_limits(2048, need_mb, self.root)

    def test_limits_of_groups(self):
        self.groups(_V2, '0::/a/b\n')
        base = 'sys/fs/cgroup/a'
        self.write(f'{base}/hugetlb.2MB.max', f'{600 << 20}\n')
        self.write(f'{base}/hugetlb.2MB.current', f'{100 << 20}\n')
        self.write(f'{base}/b/hugetlb.2MB.max', 'max\n')
        self.limited(r'needs 512 MiB .*hugetlb.2MB.max leaves 500 MiB; raise')
        hugepages.check_limits(2048, 500, self.root)
        self.write(f'{base}/hugetlb.2MB.rsvd.max', f'{8 << 20}\n')
        self.limited('rsvd.max leaves 8 MiB', 500)

    def test_limits_of_groups_of_version_1(self):
        self.groups(_V1, '4:hugetlb:/x\n')
        base = 'sys/fs/cgroup/hugetlb'
        self.write(f'{base}/hugetlb.2MB.limit_in_bytes',
                   '9223372036854771712\n')
        hugepages.check_limits(2048, 512, self.root)
        self.write(f'{base}/x/hugetlb.2MB.limit_in_bytes', f'{512 << 20}\n')
        self.write(f'{base}/x/hugetlb.2MB.usage_in_bytes', '2097152\n')
        self.limited('leaves 510 MiB')

    def test_nodes_of_the_cpuset(self):
        self.groups(_V2, '0::/\n')
        self.write('sys/fs/cgroup/cpuset.mems.effective', '1\n')
        self.pool(node=0, nr=500, free=500)
        self.assertEqual({1: 256}, self.missing(512))
        self.conf.set_override('hugepage_nodes', [0], group='spdk')
        with self.assertRaisesRegex(
                exceptions.HugepageError, 'hugepage_nodes 0: processes here '
                'may only use memory of the nodes 1 .*choose one of them'):
            self.missing(512)

    def mounted(self, *lines):
        self.write('proc/mounts', ''.join(
            f'none {path} hugetlbfs {options} 0 0\n'
            for path, options in lines))

    def test_a_mount_that_cannot_be_used(self):
        self.mounted(('/dev/hugepages', 'ro,pagesize=2M'))
        self.limited('mounted read-only; mount -o remount,rw /dev/hugepages')
        self.mounted(('/dev/hugepages', f'rw,pagesize=2M,size={64 << 20}'))
        self.limited(r'holds \d+ MiB more .size=., and 512 MiB are needed')
        self.mounted(('/dev/hugepages', 'rw,pagesize=1024M'))
        self.limited('is a hugetlbfs for pages of 1048576 KiB')
        # One that is not ours does not matter: there is room for ours.
        self.mounted(('/mnt', 'ro,pagesize=2M'))
        hugepages.check_limits(2048, 512, self.root)

    def test_the_first_that_can_be_used_is_taken(self):
        self.mounted(('/a', 'ro,pagesize=2M'),
                     ('/b', 'rw,pagesize=2M,size=2097152'),
                     ('/c', 'rw,pagesize=2M'))
        found = hugepages.hugetlbfs.mount_for(2048, 512, self.root)
        self.assertEqual('/c', found.path)
        self.mounted(('/c', 'rw,pagesize=2M'), ('/c', 'ro,pagesize=2M'))
        self.assertIsNone(hugepages.hugetlbfs.mount_for(2048, 512, self.root))
