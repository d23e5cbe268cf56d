# SPDX-License-Identifier: Apache-2.0

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import unittest

from cyborg_spdk import exceptions
from cyborg_spdk.host import directories
from cyborg_spdk.host import locks
from cyborg_spdk.host import trusted_files


# Saves the same file for ever; a byte for each time.
_WRITER = '''
import os, sys
from cyborg_spdk.host import trusted_files
while True:
    trusted_files.write_atomically(sys.argv[1], b"x" * 100000, durable=False)
    os.write(1, b".")
'''


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

    def unreadable(self, name, pattern, error=exceptions.StateError):
        with self.assertRaisesRegex(error, f'{name}.*{pattern}') as caught:
            trusted_files.read_json(self.path(name), limit=1000)
        self.assertEqual(1, len(str(caught.exception).splitlines()))
        return caught.exception

    def test_what_is_no_regular_file_is_told_at_once(self):
        os.mkfifo(self.path('fifo'))
        os.mkdir(self.path('dir'))
        os.symlink('/dev/zero', self.path('link'))
        self.unreadable('fifo', 'not a regular file')
        self.unreadable('dir', 'not a regular file')
        self.unreadable('link', 'cannot be read')
        with self.assertRaisesRegex(exceptions.StateError, 'not a regular'):
            trusted_files.read('/dev/zero')
        with self.assertRaisesRegex(exceptions.StateError, 'not a regular'):
            trusted_files.read(self.path('link'), follow=True)

    def test_what_is_no_json(self):
        for data in (b'[' * 900, b'{"a":' * 150, b'\xff', b'', b'{}x',
                     b'9' * 990, b'["\xed\xa0\x80"]'):
            with open(self.path('x'), 'wb') as stream:
                stream.write(data)
            if data == b'9' * 990:
                continue
            error = self.unreadable('x', 'not JSON', trusted_files.Damaged)
            self.assertLess(len(str(error)), 500)
        deep = b'[' * 100000 + b']' * 100000
        with self.assertRaises(trusted_files.Damaged):
            trusted_files.parse_json(deep, 'deep')
        with open(self.path('x'), 'wb') as stream:
            stream.write(b' ' * 1001)
        self.unreadable('x', 'more than 1000 bytes')

    def test_modes_whatever_the_umask(self):
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        for umask in (0o077, 0, 0o777):
            os.umask(umask)
            path = trusted_files.ensure_directory(self.path(f'd{umask}'),
                                                  what='[spdk] run_path')
            trusted_files.write_atomically(path + '/x', b'', 0o640)
            with locks.hold(path, 'a', 60, doing='x: start'):
                pass
            self.assertEqual(
                [0o750, 0o640, 0o660],
                [os.stat(one).st_mode & 0o7777 for one in
                 (path, path + '/x', path + '/a.lock-file')])

    def test_a_killed_writer_leaves_nothing(self):
        path = self.path('x')
        trusted_files.write_atomically(path, b'x' * 100000)
        for _ in range(20):
            writer = subprocess.Popen(
                [sys.executable, '-c', _WRITER, path],
                stdout=subprocess.PIPE)
            with writer:
                writer.stdout.read(1)
                writer.send_signal(signal.SIGKILL)
            self.assertEqual(b'x' * 100000, trusted_files.read(path))
        for left in ('x.00000000.tmp', 'y.00000000.tmp', 'x.0.tmp'):
            with open(self.path(left), 'w'):
                pass
        trusted_files.write_atomically(path, b'')
        self.assertEqual(['x', 'x.0.tmp', 'y.00000000.tmp'],
                         sorted(os.listdir(self.top)))

    def test_writers_at_once(self):
        writers = [subprocess.Popen(
            [sys.executable, '-c', _WRITER, self.path('x')],
            stdout=subprocess.PIPE) for _ in range(3)]
        with contextlib.ExitStack() as stack:
            for writer in writers:
                stack.enter_context(writer)
                stack.callback(writer.kill)
            # Each of them goes on although the others clear away.
            for writer in writers:
                self.assertEqual(50, len(writer.stdout.read(50)))

    def test_removed(self):
        os.symlink('/etc/passwd', self.path('link'))
        self.assertTrue(trusted_files.remove(self.path('link')))
        self.assertFalse(trusted_files.remove(self.path('link')))
        os.mkdir(self.path('dir'))
        with self.assertRaisesRegex(exceptions.StateError, 'dir: cannot be'):
            trusted_files.remove(self.path('dir'))

    def test_a_link_in_the_place_of_a_lock(self):
        for target in ('made', '/dev/zero'):
            os.symlink(target, self.path('a.lock-file'))
            with self.assertRaisesRegex(exceptions.StateError,
                                        'cannot be used as a lock'), \
                    locks.hold(self.top, 'a', 1, doing='x: start'):
                self.fail('had')
            os.unlink(self.path('a.lock-file'))
        os.mkfifo(self.path('a.lock-file'))
        with self.assertRaisesRegex(exceptions.StateError, 'not a regular'), \
                locks.hold(self.top, 'a', 1, doing='x: start'):
            self.fail('had')
        self.assertEqual(['a.lock-file'], os.listdir(self.top))

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


if os.geteuid() == 0:
    class OthersTest(unittest.TestCase):
        """What root does where another user has made a part of the path."""

        USER = 12345

        def setUp(self):
            directory = tempfile.TemporaryDirectory()
            self.addCleanup(directory.cleanup)
            self.top = os.path.realpath(directory.name)
            for name in ('theirs', 'theirs/run', 'roots'):
                os.mkdir(self.path(name), 0o750)
            os.mkdir(self.path('theirs', 'roots'))
            os.symlink('../roots', self.path('theirs', 'link'))
            os.symlink('run', self.path('theirs', 'own'))
            for name in ('theirs', 'theirs/run', 'theirs/link', 'theirs/own'):
                os.chown(self.path(name), self.USER, self.USER,
                         follow_symlinks=False)

        def path(self, *parts):
            return os.path.join(self.top, *parts)

        def test_in_their_directory_it_is_theirs(self):
            for where in ('run', 'own'):
                path = self.path('theirs', where, where)
                trusted_files.write_atomically(path, b'')
                with locks.hold(self.path('theirs', where), 'a', 1,
                                doing='x: start'):
                    pass
                made = trusted_files.ensure_directory(path + '-d', what='x')
                for one in (path, made, self.path('theirs', where,
                                                  'a.lock-file')):
                    self.assertEqual(self.USER, os.stat(one).st_uid)

        def test_no_link_of_theirs_leads_root_elsewhere(self):
            for name in ('theirs/link', 'theirs/roots'):
                where = self.path(name)
                for action in (
                        lambda where=where: trusted_files.write_atomically(
                            where + '/x', b''),
                        lambda where=where: trusted_files.remove(
                            where + '/x'),
                        lambda where=where: trusted_files.check_directory(
                            where, what='[spdk] run_path'),
                        lambda where=where: trusted_files.ensure_directory(
                            where + '/x', what='[spdk] run_path'),
                        lambda where=where: locks.hold(
                            where, 'a', 1, doing='x').__enter__()):
                    with self.assertRaisesRegex(
                            exceptions.StateError, 'belongs to user 0, not '
                            'to root or user 12345'):
                        action()
            self.assertEqual([], os.listdir(self.path('roots')))
            self.assertEqual([], os.listdir(self.path('theirs', 'roots')))

        def test_a_link_in_the_place_of_a_file_is_replaced(self):
            outside = self.path('roots', 'outside')
            with open(outside, 'w') as stream:
                stream.write('as it was')
            os.symlink(outside, self.path('theirs', 'run', 'x'))
            trusted_files.write_atomically(self.path('theirs', 'run', 'x'),
                                           b'new')
            with open(outside) as stream:
                self.assertEqual('as it was', stream.read())
            self.assertEqual(0, os.stat(outside).st_uid)

        def test_what_only_root_can_change(self):
            path, status = directories.check_root_only(self.path('roots'))
            self.assertEqual((self.path('roots'), 0), (path, status.st_uid))
            for name, pattern in (
                    ('theirs', 'belongs to user 12345, not to root; chown'),
                    ('theirs/run', 'theirs belongs to user 12345'),
                    ('nothing', 'No such file')):
                with self.assertRaisesRegex(exceptions.PrivilegeError,
                                            pattern):
                    directories.check_root_only(self.path(name))
            os.chmod(self.path('roots'), 0o777)
            with self.assertRaisesRegex(exceptions.PrivilegeError,
                                        'written by others .*chmod go-w'):
                directories.check_root_only(self.path('roots'))
