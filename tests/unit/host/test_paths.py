# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

import os
import tempfile
import unittest

from cyborg_spdk import exceptions
from cyborg_spdk.host import locks
from cyborg_spdk.host import paths


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
            paths.ensure_directory(path, what='[spdk] run_path')
        self.assertEqual(1, len(str(caught.exception).splitlines()))

    def test_made_for_us_only(self):
        path = paths.ensure_directory(self.path('run'),
                                      what='[spdk] run_path')
        self.assertEqual(0, os.stat(path).st_mode & 0o027)
        self.assertEqual(path, paths.ensure_directory(
            path, what='[spdk] run_path'))

    def test_a_link_is_followed_to_its_end(self):
        os.mkdir(self.path('real'), 0o750)
        os.symlink('real', self.path('link'))
        self.assertEqual(self.path('real'), paths.ensure_directory(
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
        paths.ensure_directory(self.path('above', 'run'),
                               what='[spdk] run_path')

    def test_written_as_a_whole(self):
        paths.write_atomically(self.path('x'), b'one')
        paths.write_atomically(self.path('x'), b'two', durable=False)
        self.assertEqual(b'two', paths.read(self.path('x')))
        self.assertEqual(0o600, os.stat(self.path('x')).st_mode & 0o777)
        self.assertEqual(['x'], os.listdir(self.top))

    def test_not_written(self):
        with self.assertRaisesRegex(
                exceptions.StateError, 'none/x: cannot be written: No such '
                'file .*; what was there before is kept'):
            paths.write_atomically(self.path('none', 'x'), b'')

    def test_read(self):
        self.assertIsNone(paths.read(self.path('none')))
        os.symlink('/etc/passwd', self.path('link'))
        with self.assertRaisesRegex(exceptions.StateError,
                                    'link: cannot be read'):
            paths.read(self.path('link'))
        self.assertTrue(paths.read(self.path('link'), follow=True))

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
