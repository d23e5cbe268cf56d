# SPDX-License-Identifier: Apache-2.0

import dataclasses
import json
import os
import stat

import fixtures
import testtools

from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import memory as report_memory
from cyborg_spdk import exceptions
from tests.unit.drivers.report import test_entries


class LastStateTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.directory = self.useFixture(fixtures.TempDir()).path
        self.path = report_memory.path(self.directory, 'spdk_nvmf')
        good, _bad = entries.of_units(
            'h', test_entries.target(),
            [test_entries.unit(nsid=str(number)) for number in (1, 2, 3)])
        names = list(good)
        self.state = report_memory.State(
            'h', 'nvmf', 'nvmf_tgt', {name: good[name] for name in names[:2]},
            {name: good[name] for name in names[2:]}, '/run/x.sock',
            {names[0]: (3, 'abc')}, report_memory.Full(1.5, 'def', 2),
            {name: good[name] for name in names[1:2]})

    def test_comes_back_as_it_was(self):
        report_memory.save(self.path, self.state)
        self.assertEqual((self.state, None), report_memory.load(self.path))
        self.assertEqual(['report-spdk_nvmf.json'],
                         os.listdir(self.directory))
        self.assertEqual(0, stat.S_IMODE(os.stat(self.path).st_mode) & 0o007)

    def test_a_file_of_the_first_release(self):
        """It has no address, and nothing of what Placement has."""
        report_memory.save(self.path, self.state)
        with open(self.path) as source:
            value = json.load(source)
        for name in ('address', 'confirmed', 'full', 'unsure'):
            del value[name]
        with open(self.path, 'w') as out:
            json.dump(value, out)
        state, message = report_memory.load(self.path)
        self.assertIsNone(message)
        self.assertEqual(dataclasses.replace(
            self.state, address='', confirmed={}, full=None, unsure={}),
            state)

    def test_one_spelling_of_an_address(self):
        link = os.path.join(self.directory, 'link')
        os.symlink('/run/x.sock', link)
        for text, expected in (
                ('unix:/run/x.sock', '/run/x.sock'), (link, '/run/x.sock'),
                ('tcp://[::1]', 'tcp://[::1]:5260'),
                ('ssh://h/run/x.sock', 'ssh://h/run/x.sock')):
            self.assertEqual(expected, report_memory.address(
                dataclasses.replace(test_entries.target(),
                                    rpc_address=text)))

    def test_the_directory_is_made(self):
        path = report_memory.path(os.path.join(self.directory, 'a'), 't')
        report_memory.save(path, self.state)
        self.assertEqual(self.state, report_memory.load(path)[0])

    def test_which_targets_have_one(self):
        self.assertEqual([], report_memory.targets(self.directory))
        self.assertEqual([], report_memory.targets('/nowhere'))
        for name in ('b', 'a'):
            report_memory.save(report_memory.path(self.directory, name),
                               self.state)
        with open(os.path.join(self.directory, 'report-c.json.damaged-1'),
                  'w'):
            pass
        self.assertEqual(['a', 'b', 'c'],
                         report_memory.targets(self.directory))
        os.unlink(os.path.join(self.directory, 'report-c.json.damaged-1'))
        report_memory.remove(report_memory.path(self.directory, 'a'))
        report_memory.remove(report_memory.path(self.directory, 'a'))
        self.assertEqual(['b'], report_memory.targets(self.directory))

    def test_none_yet(self):
        self.assertEqual((None, None), report_memory.load(self.path))

    def test_damaged_files_are_set_aside_and_told(self):
        report_memory.save(self.path, self.state)
        with open(self.path, 'rb') as source:
            good = source.read()
        damaged = [b'', b'{', b'[]', b'null', b'\xff\xfe', good[:-20],
                   good.replace(b'"version": 1', b'"version": 99'),
                   good.replace(b'CUSTOM_SPDK_NVMF', b'spdk'),
                   good.replace(b'"host": "h"', b'"host": 7')]
        for number, content in enumerate(damaged):
            with open(self.path, 'wb') as out:
                out.write(content)
            state, message = report_memory.load(self.path)
            self.assertIsNone(state, content)
            self.assertIn('damaged', message)
            self.assertFalse(os.path.exists(self.path))
            aside, = (name for name in os.listdir(self.directory))
            with open(os.path.join(self.directory, aside), 'rb') as kept:
                self.assertEqual(content, kept.read(), number)
            os.unlink(os.path.join(self.directory, aside))

    def test_a_crash_while_writing_leaves_the_old_one(self):
        report_memory.save(self.path, self.state)

        class Crash(BaseException):
            pass

        def crash(_descriptor):
            raise Crash

        other = report_memory.State('h', 'nvmf', 'nvmf_tgt')
        for step in ('fsync', 'rename'):
            with fixtures.MonkeyPatch(f'os.{step}',
                                      lambda *args, **_named: crash(args)):
                self.assertRaises(Crash, report_memory.save, self.path, other)
            self.assertEqual(self.state, report_memory.load(self.path)[0])
            self.assertEqual(['report-spdk_nvmf.json'],
                             os.listdir(self.directory))

    def test_a_directory_that_everybody_writes_is_refused(self):
        os.chmod(self.directory, 0o777)
        error = self.assertRaises(exceptions.StateError, report_memory.save,
                                  self.path, self.state)
        self.assertIn('chmod', str(error))

    def test_cannot_be_written(self):
        path = os.path.join(self.directory, 'file')
        open(path, 'w').close()
        error = self.assertRaises(
            exceptions.StateError, report_memory.save,
            report_memory.path(path, 't'), self.state)
        self.assertIn('[spdk] state_path', str(error))
