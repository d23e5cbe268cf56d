# SPDX-License-Identifier: Apache-2.0

"""units.yaml: what it may say, and what is told of what it may not."""

import os
import textwrap

import fixtures
from oslo_config import cfg
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.units.declared import document
from cyborg_spdk.units.declared import model

_GOOD = '''\
pools:
  - name: p
    target: spdk_nvmf
    disks:
      - file: /srv/a
        size: 1GiB
units:
  - pool: p
    name: u{n:02}
    count: 2
    size: 10MiB
    export: nvmf
    listeners: ['tcp://127.0.0.1:4420']
    limits: {rw_mbytes_per_sec: 7}
'''


class DeclaredCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.directory = self.useFixture(
            fixtures.TempDir(rootdir='/tmp')).path
        self.path = os.path.join(self.directory, 'units.yaml')
        self.conf = cfg.ConfigOpts()
        spdk_conf.register(self.conf)
        self.conf([])
        self.conf.set_override('run_path', self.directory, 'spdk')
        self.conf.set_override('units_file', self.path, 'spdk')

    def load(self, text):
        with open(self.path, 'w') as out:
            out.write(textwrap.dedent(text))
        return model.load(self.conf)


class ModelTest(DeclaredCase):

    def test_what_is_good(self):
        found = self.load(_GOOD)
        pool, = found.pools.values()
        self.assertEqual(('p', None, 4 << 20, 'p-0'), (
            pool.name, pool.raid, pool.cluster_size, pool.top))
        one, two = found.units
        self.assertEqual(('p/u01', 'p/u02'), (one.volume, two.volume))
        # Whole clusters.
        self.assertEqual(12 << 20, one.size)
        self.assertEqual('{"nqn":"nqn.2016-06.io.spdk:p-u01","nsid":"1"}',
                         one.handle())
        self.assertEqual((('rw_mbytes_per_sec', 7),), one.limits)

    def test_the_sample_is_good(self):
        path = os.path.join(os.path.dirname(__file__),
                            '../../../etc/cyborg_spdk/units.yaml')
        with open(path) as file:
            found = self.load(file.read())
        self.assertEqual({'fast', 'files'}, set(found.pools))
        self.assertEqual(10, len(found.units))
        self.assertEqual('fast/vol008', found.units[7].volume)

    def test_no_file(self):
        self.assertRaises(exceptions.ConfigurationError, model.load,
                          self.conf)
        self.conf.clear_override('units_file', 'spdk')
        self.assertEqual((), model.load(self.conf).units)

    def test_each_error_names_line_value_and_remedy(self):
        for old, new, line, words in (
                ('size: 1GiB', 'size: 1Quark', 6, ('1Quark', '64MiB')),
                ('target: spdk_nvmf', 'target: other', 3, ('no target',)),
                ('- file: /srv/a', '- file: srv/a', 5, ('srv/a',)),
                ('- file: /srv/a', '- pci: "3b:00.0"', 5, ('3b:00.0',)),
                ('  - pool: p', '  - pool: q', 8, ('q', 'no pool')),
                ('name: u{n:02}', 'name: u', 9, ('{n}',)),
                ('name: u{n:02}', 'name: u{x}{n}', 9, ('{n}',)),
                ('export: nvmf', 'export: nbd', 12, ('nbd', 'vhost-blk')),
                ('export: nvmf', 'export: iscsi', 13, ('for export',)),
                ("['tcp://127.0.0.1:4420']", "['127']", 13, ('127',)),
                ('rw_mbytes_per_sec', 'mbytes', 14, ('mbytes', 'rw_')),
                ('count: 2', 'count: 0', 10, ('minimum',)),
                ('count: 2', 'count: two', 10, ('two', 'integer')),
                ('    size: 10MiB\n', '', 8, ('size is missing',)),
                ('size: 10MiB', 'size: 10MiB\n    size: 3', 12,
                 ('there twice',)),
                ('limits:', 'limit:', 14, ('limit is not known',)),
                ('pools:', 'pools: [', 3, ('not YAML',)),
                ('  - name: p', '  - &a\n    name: p', 3, None)):
            self.assertIn(old, _GOOD)
            text = _GOOD.replace(old, new, 1)
            if words is None:
                self.load(text)
                continue
            error = self.assertRaises(exceptions.InvalidValue, self.load,
                                      text)
            told = str(error)
            self.assertNotIn('\n', told)
            self.assertIn(self.path, told)
            for word in words:
                self.assertIn(word, told)
            if 'YAML' not in told:
                self.assertIn(f'line {line}:', told, new)

    def test_each_error_names_the_entry(self):
        for old, new, name in (
                ('size: 1GiB', 'size: 1Quark', 'pool p, disks 1 size'),
                ('- file: /srv/a', '- file: srv/a', 'pool p, disks 1 file'),
                ('export: nvmf', 'export: nbd', 'unit u{n:02}, export'),
                ('rw_mbytes_per_sec', 'mbytes',
                 'unit u{n:02}, limits mbytes'),
                ('name: u{n:02}', 'name: 3', 'unit number 1, name'),
                ('    name: u{n:02}\n', '', 'unit number 1'),
                ('size: 10MiB', 'size: 10MiB\n    size: 3',
                 'unit number 1'),
                ('count: 2', 'nqn: nqn.2024-01.org.example:x\n    count: 2',
                 'unit u{n:02}, nqn')):
            error = self.assertRaises(exceptions.InvalidValue, self.load,
                                      _GOOD.replace(old, new, 1))
            self.assertIn(f': {name} ', str(error))
            self.assertNotIn('units.0', str(error))

    def test_what_goes_together(self):
        disk = '- file: /srv/a\n        size: 1GiB'
        for old, new, words in (
                (disk, disk + '\n      - file: /srv/b', 'raid'),
                (disk, '- file: /srv/a\n        pci: 0000:3b:00.0',
                 'one of pci'),
                ('disks:', 'overcommit: 2\n    disks:', 'thin'),
                ('export: nvmf', 'export: vhost-blk', 'is for export')):
            error = self.assertRaises(exceptions.InvalidValue, self.load,
                                      _GOOD.replace(old, new, 1))
            self.assertIn(words, str(error))

    def test_a_raid_that_takes_whole_stripes_alone(self):
        disk = '- file: /srv/a\n        size: 1GiB'

        def load(count, level, more=', block_size: 512', **raid):
            return self.load(_GOOD.replace(
                f'disks:\n      {disk}', f'raid: {{level: {level}'
                + ''.join(f', {name}: {value}'
                          for name, value in raid.items())
                + '}\n    disks:' + ''.join(
                    f'\n      - {{file: /srv/{number}, size: 1GiB{more}}}'
                    for number in range(count)))).pools['p']
        for count, raid, strip in ((3, {}, 2), (5, {}, 1),
                                   (3, {'strip_size_kb': 1}, 1)):
            self.assertEqual(strip, load(count, '5f', **raid).strip_size_kb)
        for count, raid in ((4, {}), (6, {}), (2, {}),
                            (3, {'strip_size_kb': 64})):
            error = self.assertRaises(exceptions.InvalidValue, load, count,
                                      '5f', **raid)
            self.assertIn('3 disks with strip_size_kb 2', str(error))
        error = self.assertRaises(exceptions.InvalidValue, load, 3, '5f', '')
        self.assertIn('block_size: 512', str(error))
        self.assertEqual(64, load(4, '0', '').strip_size_kb)

    def test_a_disk_is_of_one_pool(self):
        text = _GOOD.replace('units:', '''\
  - name: q
    target: spdk_nvmf
    disks: [{file: /srv/a}]
units:''')
        error = self.assertRaises(exceptions.InvalidValue, self.load, text)
        self.assertIn('/srv/a', str(error))

    def test_aliases_do_not_multiply(self):
        bomb = 'a: &a [x]\n' + ''.join(
            f'b{n}: &b{n} [*{"a" if not n else f"b{n - 1}"}, '
            f'*{"a" if not n else f"b{n - 1}"}]\n' for n in range(30))
        self.assertRaises(exceptions.InvalidValue, self.load, bomb)
        self.assertRaises(exceptions.InvalidValue, self.load,
                          '[' * 5000)

    def test_what_is_no_file(self):
        os.mkfifo(self.path)
        self.assertRaises(exceptions.StateError, document.read, self.path)
