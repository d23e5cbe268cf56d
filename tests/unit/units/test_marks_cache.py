# SPDX-License-Identifier: Apache-2.0

"""Marks that are read again only when they have changed."""

import os

import fixtures
from oslo_config import cfg
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import marks_cache


class MarksCacheTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.conf = cfg.ConfigOpts()
        self.conf([])
        spdk_conf.register(self.conf)
        self.conf.set_override(
            'state_path', self.useFixture(fixtures.TempDir(
                rootdir='/tmp')).path, group='spdk')
        self.cache = marks_cache.MarksCache(self.conf)

    def mark(self, number, **values):
        mark = marks.Mark('nvmf', f'{{"nqn":"n","nsid":"{number}"}}',
                          **values)
        marks.save(self.conf, mark)
        return mark

    def test_none(self):
        self.assertEqual([], self.cache.load_all())

    def test_follows_every_change(self):
        self.mark(1)
        kept = self.mark(2)
        self.assertEqual(2, len(self.cache.load_all()))
        changed = self.mark(1, state=marks.CLEAN)
        self.assertCountEqual([changed, kept], self.cache.load_all())
        self.assertIs(*(next(one for one in self.cache.load_all()
                             if one == kept) for _ in range(2)))
        marks.forget(self.conf, kept.target, kept.handle)
        self.assertEqual([changed], self.cache.load_all())

    def test_a_file_without_sense_is_none(self):
        self.mark(1)
        directory = marks.path(self.conf)
        name, = os.listdir(directory)
        with open(os.path.join(directory, name), 'w') as out:
            out.write('{')
        self.assertEqual([], self.cache.load_all())
