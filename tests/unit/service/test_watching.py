# SPDX-License-Identifier: Apache-2.0

"""What is told as a change."""

import dataclasses
import types

import testtools

from cyborg_spdk.service import watching
from tests.unit.service import test_metrics


class WatchingTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.unit = test_metrics.unit()
        self.found = test_metrics.cached(self.unit)
        self.before = watching.snapshot([self.found], None, {})

    def changes(self, found, plugs=None):
        after = watching.snapshot([found], plugs, self.before)
        return [(one.what, one.name, one.before, one.after)
                for one in watching.changes(self.before, after)]

    def with_(self, **values):
        return dataclasses.replace(self.found, reading=dataclasses.replace(
            self.found.reading, **values))

    def test_nothing(self):
        self.assertEqual([], self.changes(self.found))

    def test_a_target_that_does_not_answer_loses_nothing(self):
        silent = dataclasses.replace(self.found, reading=None,
                                     error='it hangs')
        self.assertEqual([('target', '', 'answers', 'it hangs')],
                         self.changes(silent))

    def test_a_unit_goes(self):
        self.assertEqual(
            [('size', self.unit.title, str(1 << 20), 'none'),
             ('unit', self.unit.title, 'dirty', 'none')],
            self.changes(test_metrics.cached()))

    def test_an_object_is_missing(self):
        lost = types.SimpleNamespace(key='bdev:Aio0', why='no such file')
        self.assertEqual(
            [('object', 'bdev:Aio0', 'none', 'missing: no such file')],
            self.changes(self.with_(missing=(lost,))))

    def test_a_host_comes(self):
        look = dataclasses.replace(
            self.found.reading.look,
            controllers={'cnode1': [{'hostnqn': 'h'}]})
        self.assertEqual([('host', 'cnode1 h', 'none', 'connected')],
                         self.changes(self.with_(look=look)))

    def test_a_plug(self):
        plug = {'target': 'nvmf', 'unit': 'u', 'instance': 'i',
                'state': 'plugged', 'device': 'vdb', 'why': ''}
        self.assertEqual([('plug', 'u i', 'none', 'plugged vdb')],
                         self.changes(self.found, [plug]))
