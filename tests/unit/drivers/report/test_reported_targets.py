# SPDX-License-Identifier: Apache-2.0

import os

import fixtures
import testtools

from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import reported_targets
from cyborg_spdk import exceptions

FILES = ('reported-targets.json', 'reported-targets-copy.json')


class ReportedTargetsTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.directory = self.useFixture(fixtures.TempDir()).path
        self.targets = {'a': reported_targets.Reported('nvmf', '/s'),
                        'b': reported_targets.Reported()}

    def test_the_loss_of_any_one_file(self):
        self.assertEqual({}, reported_targets.load(self.directory))
        for name in FILES:
            for damage in (None, b'', b'{', b'[]', b'\xff', b'[' * 100000,
                           b'{"version": 1, "targets": {"a": 7}}',
                           b'{"version": 2, "targets": {}}'):
                reported_targets.save(self.directory, self.targets)
                path = os.path.join(self.directory, name)
                os.unlink(path)
                if damage is not None:
                    with open(path, 'wb') as out:
                        out.write(damage)
                self.assertEqual(self.targets,
                                 reported_targets.load(self.directory))

    def test_nothing_is_written_twice(self):
        reported_targets.save(self.directory, self.targets)
        before = [os.stat(os.path.join(self.directory, name)).st_ino
                  for name in FILES]
        reported_targets.save(self.directory, self.targets)
        self.assertEqual(before, [
            os.stat(os.path.join(self.directory, name)).st_ino
            for name in FILES])

    def test_cannot_be_written(self):
        os.chmod(self.directory, 0o777)
        self.assertRaises(exceptions.StateError, reported_targets.save,
                          self.directory, self.targets)


class FromNamesTest(testtools.TestCase):

    def test_a_target_stands_in_the_names_of_its_providers(self):
        host = 'Node-1.example.com'
        handle = '{"nqn":"nqn.2016-06.io.spdk:a_b","nsid":"1"}'
        for target in ('spdk_nvmf', 'a', 'x-1', 'a_b_', 'n' * 63):
            name = entries.name(host, target, handle)
            self.assertEqual({entries.mark(host, target): target},
                             entries.targets_of(host, [name, 'other']))
            self.assertTrue(entries.same_unit(name, handle))
        self.assertFalse(entries.same_unit(name, '{"nqn":"x"}'))

    def test_a_name_of_another_host_or_of_nobody_of_ours(self):
        handle = '{"nqn":"nqn.x","nsid":"1"}'
        self.assertEqual({}, entries.targets_of('h', [
            entries.name('other', 't', handle), 'h', 'h_0000:3b:00.0',
            '7a1b-12345678-0123456789abcdef']))

    def test_a_name_that_was_cut(self):
        host = 'h' * 180
        name = entries.name(host, 'target', '{"nqn":"x"}')
        self.assertEqual({entries.mark(host, 'target'): None},
                         entries.targets_of(host, [name]))
