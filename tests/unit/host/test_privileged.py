# SPDX-License-Identifier: Apache-2.0

import os
import signal
import tempfile
import unittest

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import privileged


class ValidationTest(unittest.TestCase):
    """What the functions refuse, whoever asks."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = os.path.realpath(directory.name)
        before = privileged.context.client_mode
        self.addCleanup(privileged.context.set_client_mode, before)
        privileged.context.set_client_mode(False)

    def refused(self, pattern, function, *arguments,
                error=exceptions.PrivilegeError, **named):
        with self.assertRaisesRegex(error, pattern):
            function(*arguments, **named)

    def start(self, *argv, log=None, cwd=None, gid=-1, unit='x', uid=0):
        return privileged.start_target(
            list(argv), log or os.path.join(self.top, 'x.log'),
            cwd or self.top, gid, unit, uid)

    def test_programs(self):
        for path in ('/bin/sh', 'nvmf_tgt', '/usr/bin/nvmf_tgt.sh', None):
            self.refused('is not run as root', self.start, path)

    def test_a_program_that_others_can_write(self):
        path = os.path.join(self.top, 'nvmf_tgt')
        with open(path, 'w'):
            pass
        os.chmod(path, 0o777)
        self.refused('can be written by others than root', self.start, path)

    def test_users(self):
        for uid, gid in ((4242, -1), (-1, -1), ('0', -1), (0, '7')):
            with self.subTest(uid=uid, gid=gid):
                self.refused('is no user|is no group|nothing is started as '
                             'user 4242', self.start, '/bin/true', uid=uid,
                             gid=gid)
        self.addCleanup(os.environ.pop, 'SUDO_UID', None)
        os.environ['SUDO_UID'] = '4242'
        self.refused('user 4242 and group 0', self.start, '/bin/true',
                     uid=4242, gid=0)
        # It would run as who has asked, who can do that himself.
        self.refused("'/x' is no name of a unit", self.start, '/bin/true',
                     uid=4242, unit='/x')

    def test_arguments(self):
        for argument in ('--env-context=-d/tmp/x.so', '-f', '-f/etc/passwd',
                         '--logfile=/etc/passwd', '-x', '-r\0', 7):
            with self.subTest(argument):
                self.refused('argument|not passed to a target',
                             privileged._check_arguments, [argument])
        privileged._check_arguments(
            ['-r', '/run/x', '-m', '0x1', '-s', '512', '-c', '/x.json',
             '--iova-mode=va', '--no-huge', '-L', 'nvmf', '--interrupt-mode'])

    def test_directories(self):
        for path in ('/etc/x', '/run/a/b', '/run/..', '/run/', 'run/x',
                     '/var/lib/../x', '/run/a b', '/run/.x'):
            with self.subTest(path):
                self.refused('is not made', privileged.make_directory,
                             path, 1000, 1000)
        self.refused('is no user or group', privileged.make_directory,
                     '/run/x', -1, 0)

    def test_mounts(self):
        self.refused('hugetlbfs is mounted only at', privileged.
                     mount_hugetlbfs, '/etc', 2048,
                     error=exceptions.HugepageError)

    def test_numbers_of_pages(self):
        for arguments in ((2048, [(None, -1)]), ('2048', [(None, 1)]),
                          (2048, [(None, 1.5)]), (2048, [(-1, 1)]),
                          (2048, [(None, 1), (0, True)])):
            with self.subTest(arguments):
                self.refused('is no number of huge pages',
                             privileged.add_hugepages, *arguments)
        self.refused('hugepage_size_kb 7', privileged.add_hugepages, 7,
                     [(None, 1)], error=exceptions.HugepageError)

    def test_more_pages_than_there_is_memory_are_not_tried(self):
        sizes = privileged.hugepages.sizes_kb()
        if sizes:
            self.assertEqual([0], privileged.add_hugepages(
                sizes[0], [(None, 1 << 40)]))

    def test_signals(self):
        self.refused('signal 1 is not sent', privileged.signal_target,
                     os.getpid(), 0, signal.SIGHUP)
        self.refused('is no target of SPDK', privileged.signal_target,
                     os.getpid(), 0, signal.SIGTERM)
        self.refused('is no process', privileged.signal_target,
                     -1, 0, signal.SIGTERM)

    def test_devices(self):
        self.refused('is not run as root', privileged.bind_devices,
                     '/bin/sh', ['0000:00:00.0'])


class HelperTest(unittest.TestCase):

    def test_no_way_to_root(self):
        conf = cfg.ConfigOpts()
        conf([])
        spdk_conf.register(conf)
        conf.set_override('privsep_helper_command', '/nonexistent/helper',
                          group='spdk')
        privileged.context.set_client_mode(True)
        self.addCleanup(privileged.context.set_client_mode, True)
        if os.geteuid() == 0:
            # Root needs no helper: the function itself refuses.
            expected = exceptions.HugepageError
        else:
            expected = exceptions.PrivilegeError
        with self.assertRaises(expected):
            privileged.call(conf, 'mount_hugetlbfs', '/none', 2048)
