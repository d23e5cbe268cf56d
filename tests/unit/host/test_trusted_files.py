# SPDX-License-Identifier: Apache-2.0

import os
import tempfile
import unittest

from cyborg_spdk import exceptions
from cyborg_spdk.host import locks
from cyborg_spdk.host import trusted_files


class PathsTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = os.path.realpath(directory.name)

    def path(self, *parts):
        return os.path.join(self.top, *parts)

    def refused(self, path, pattern):
        with self.assertRaisesRegex(exceptions.StateError,
                                    f'run_path.*{pattern}') as caught:
            trusted_files.ensure_directory(path, what='[spdk] run_path')
        self.assertEqual(1, len(str(caught.exception).splitlines()))

    def test_made_for_us_only(self):
        path = trusted_files.ensure_directory(self.path('run'),
                                              what='[spdk] run_path')
        self.assertEqual(0, os.stat(path).st_mode & 0o027)
        self.assertEqual(path, trusted_files.ensure_directory(
            path, what='[spdk] run_path'))

    def test_a_link_is_followed_to_its_end(self):
        os.mkdir(self.path('real'), 0o750)
        os.symlink('real', self.path('link'))
        self.assertEqual(self.path('real'), trusted_files.ensure_directory(
            self.path('link'), what='[spdk] run_path'))

    def test_refused(self):
        self.refused('relative', 'use an absolute path')
        self.refused(self.path('no', 'parent'), 'cannot be made')
        with open(self.path('file'), 'w'):
            pass
        self.refused(self.path('file'), 'not a directory')

    def test_written_by_others(self):
        for mode in (0o757, 0o770, 0o1777):
            os.mkdir(self.path('run'))
            os.chmod(self.path('run'), mode)
            self.refused(self.path('run'), 'can be written by others .*'
                         'chmod go-w')
            os.rmdir(self.path('run'))

    def test_one_above_it_written_by_others(self):
        os.mkdir(self.path('above'))
        os.mkdir(self.path('above', 'run'), 0o750)
        os.chmod(self.path('above'), 0o777)
        self.refused(self.path('above', 'run'), 'above can be written')
        os.chmod(self.path('above'), 0o1777)
        trusted_files.ensure_directory(self.path('above', 'run'),
                                       what='[spdk] run_path')

    def test_written_as_a_whole(self):
        trusted_files.write_atomically(self.path('x'), b'one')
        trusted_files.write_atomically(self.path('x'), b'two', durable=False)
        self.assertEqual(b'two', trusted_files.read(self.path('x')))
        self.assertEqual(0o600, os.stat(self.path('x')).st_mode & 0o777)
        self.assertEqual(['x'], os.listdir(self.top))

    def test_not_written(self):
        with self.assertRaisesRegex(
                exceptions.StateError, 'none/x: cannot be written: No such '
                'file .*; what was there before is kept'):
            trusted_files.write_atomically(self.path('none', 'x'), b'')

    def test_read(self):
        self.assertIsNone(trusted_files.read(self.path('none')))
        os.symlink('/etc/passwd', self.path('link'))
        with self.assertRaisesRegex(exceptions.StateError,
                                    'link: cannot be read'):
            trusted_files.read(self.path('link'))
        self.assertTrue(trusted_files.read(self.path('link'), follow=True))

    def test_a_lock_is_had_by_one(self):
        with locks.hold(self.top, 'a', 60, doing='x: start'):
            with self.assertRaisesRegex(
                    exceptions.StateError, 'x: start: another process or '
                    'thread has been at it for 0.01 s'), \
                    locks.hold(self.top, 'a', 0.01, doing='x: start'):
                self.fail('two have it')
            with locks.hold(self.top, 'b', 60, doing='x: start'):
                pass
        with locks.hold(self.top, 'a', 60, doing='x: start'):
            pass
