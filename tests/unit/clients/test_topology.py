# SPDX-License-Identifier: Apache-2.0

"""The graph of what stands on what, and its pictures."""

import unittest
import xml.etree.ElementTree

from cyborg_spdk.cli import topology as drawing
from cyborg_spdk.clients import topology
from cyborg_spdk.clients import types


def bdev(name, product='Malloc disk', **own):
    """A bdev of 1 MiB as a target would report it."""
    return {'name': name, 'product_name': product, 'block_size': 512,
            'num_blocks': 2048, 'driver_specific': {'x': own} if own else {}}


class TopologyTests(unittest.TestCase):

    def graph(self, bdevs=(), stores=(), subsystems=(), controllers=()):
        return topology.build('t', {
            types.Bdev: types.Bdev.parse_list(bdevs),
            types.LvolStore: types.LvolStore.parse_list(stores),
            types.Subsystem: types.Subsystem.parse_list(subsystems),
            types.VhostController: types.VhostController.parse_list(
                controllers)}, 'v26.05')

    def test_empty(self):
        self.assertEqual(['target t (v26.05)'], drawing.tree(self.graph()))

    def test_stack(self):
        graph = self.graph(
            [bdev('M'), dict(bdev('uuid', 'Logical Volume', base_bdev='M',
                                  lvol_store_uuid='s'), aliases=['lvs/lv']),
             bdev('P', 'passthru', base_bdev_name='lvs/lv'), bdev('alone')],
            [{'uuid': 's', 'name': 'lvs', 'cluster_size': 1 << 20}],
            [{'nqn': 'n', 'subtype': 'NVMe', 'namespaces': [
                {'nsid': 1, 'bdev_name': 'P'},
                {'nsid': 2, 'bdev_name': 'gone'}]}])
        self.assertEqual([
            'target t (v26.05)',
            '|-- subsystem n (not listening)',
            '|   |-- namespace 1',
            '|   |   `-- bdev P (passthru, 1 MiB)',
            '|   |       `-- bdev lvs/lv (lvol, 1 MiB)',
            '|   |           `-- lvol store lvs (1 MiB clusters)',
            '|   |               `-- bdev M (malloc, 1 MiB)',
            '|   `-- namespace 2',
            '|       `-- bdev gone (missing)',
            '`-- not exported',
            '    `-- bdev alone (malloc, 1 MiB)'], drawing.tree(graph))

    def test_what_two_stand_on(self):
        graph = self.graph(
            [bdev('B'), bdev('s0', 'Split Disk', base_bdev='B'),
             bdev('s1', 'Split Disk', base_bdev='B')],
            controllers=[
                {'ctrlr': f'c{number}', 'backend_specific': {
                    'block': {'bdev': f's{number}'}}} for number in (0, 1)])
        text = drawing.tree(graph)
        self.assertEqual(2, sum('bdev B ' in line for line in text))
        self.assertEqual(1, sum(
            'label="bdev B ' in line for line in drawing.dot([graph])))
        self.assertEqual(2, sum(
            line.endswith(f'-> n0_{list(graph.nodes).index("bdev B")};')
            for line in drawing.dot([graph])))

    def test_caches(self):
        # As vbdev_ocf.c and bdev_ftl.c tell them.
        graph = self.graph([
            bdev('Ssd0'), bdev('Hdd0'), bdev('Base0'), bdev('Nv0'),
            dict(bdev('Cas0', 'SPDK OCF'), driver_specific={
                'cache_device': 'Ssd0', 'core_device': 'Hdd0'}),
            bdev('Ftl0', 'FTL disk', base_bdev='Base0', cache='Nv0')])
        self.assertEqual([
            'target t (v26.05)',
            '`-- not exported',
            '    |-- bdev Cas0 (ocf, 1 MiB)',
            '    |   |-- bdev Ssd0 (malloc, 1 MiB)',
            '    |   `-- bdev Hdd0 (malloc, 1 MiB)',
            '    `-- bdev Ftl0 (ftl, 1 MiB)',
            '        |-- bdev Base0 (malloc, 1 MiB)',
            '        `-- bdev Nv0 (malloc, 1 MiB)'], drawing.tree(graph))

    def test_a_ring_ends(self):
        graph = self.graph(
            [bdev('A', 'passthru', base_bdev_name='B'),
             bdev('B', 'passthru', base_bdev_name='A')],
            controllers=[{'ctrlr': 'c', 'backend_specific': {
                'block': {'bdev': 'A'}}}])
        self.assertEqual(5, len(drawing.tree(graph)))

    def test_names_with_odd_characters(self):
        graph = self.graph([bdev('<a>&"\\b')])
        drawn = xml.etree.ElementTree.fromstring(
            '\n'.join(drawing.svg([graph])))
        self.assertIn('bdev <a>&"\\b (malloc, 1 MiB)',
                      [one.text for one in drawn.iter()])
        self.assertTrue([line for line in drawing.dot([graph])
                         if '<a>&\\"\\\\b' in line])

    def test_size(self):
        for count, text in ((512, '512 B'), (64 << 20, '64 MiB'),
                            (3 << 29, '1.5 GiB'), (1 << 40, '1 TiB')):
            self.assertEqual(text, topology.size(count))
