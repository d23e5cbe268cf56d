# SPDX-License-Identifier: Apache-2.0

"""The initiators of a wipe, against small targets that keep a disk."""

import socket

import fixtures
import testtools

from cyborg_spdk import exceptions
from cyborg_spdk.units.wipe import iscsi
from cyborg_spdk.units.wipe import nvme_tcp
from cyborg_spdk.units.wipe import vhost_user_blk
from cyborg_spdk.units.wipe import zero
from tests.functional.fixtures import iscsi_target
from tests.functional.fixtures.nvme import server
from tests.functional.fixtures.nvme import subsystem
from tests.functional.fixtures import vhost_user

_SIZE = 3 << 20
_OLD = b'consumer-A-data!' * (_SIZE // 16)
NQN, HOST = 'nqn.2016-06.io.spdk:unit', 'nqn.2016-06.io.spdk:wiper'
IQN = 'iqn.2016-06.io.spdk:unit'


class Cases:
    """What each of them has to do."""

    #: Blocks that are told, of 512 bytes.
    BLOCKS = _SIZE // 512

    def told(self, done, total):
        self.progress.append((done, total))

    def setUp(self):
        super().setUp()
        self.progress = []

    def opened(self):
        disk = self.open()
        self.addCleanup(disk.close)
        return disk

    def test_zeroes_from_the_first_to_the_last_block(self):
        disk = self.opened()
        self.assertEqual((512, self.BLOCKS), (disk.block_size, disk.blocks))
        # Not a multiple of what one command takes.
        zero.zero(disk, zero.Bound(depth=3, size=700 << 10), self.told)
        self.assertEqual(_SIZE - self.data().count(0), 0)
        self.assertEqual((_SIZE, _SIZE), self.progress[-1])
        zero.check(self.opened(), zero.Bound(depth=3), self.told)
        self.assertEqual((_SIZE, _SIZE), self.progress[-1])

    def test_old_data_is_found(self):
        for at in (0, _SIZE // 2 + 5, _SIZE - 1):
            self.data()[:] = bytes(_SIZE)
            self.data()[at] = 1
            error = self.assertRaises(
                exceptions.WipeError, zero.check, self.opened(),
                zero.Bound(), self.told)
            self.assertIn('old data', str(error))

    def test_a_command_that_fails_fails_the_wipe(self):
        disk = self.opened()
        self.fail_commands()
        self.assertRaises(exceptions.WipeError, zero.zero, disk,
                          zero.Bound(), self.told)

    def test_a_rate_is_kept(self):
        waited = []
        self.useFixture(fixtures.MonkeyPatch('time.sleep', waited.append))
        zero.zero(self.opened(), zero.Bound(size=1 << 20, rate=1 << 20),
                  self.told)
        self.assertGreater(max(waited), 1.5)


class NvmeTest(Cases, testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.subsystem = subsystem.Subsystem(NQN, (self.BLOCKS, 8))
        self.server = self.useFixture(server.Server(self.subsystem))
        self.data()[:] = _OLD

    def data(self):
        return self.subsystem.disks[1]

    def open(self, nqn=NQN, nsid=1):
        return nvme_tcp.Disk(('127.0.0.1', self.server.port), nqn, nsid,
                             HOST, timeout=20)

    def fail_commands(self):
        # Smaller than it said.
        del self.data()[512:]

    def test_only_its_namespace(self):
        self.subsystem.disks[2][:] = b'x' * 4096
        zero.zero(self.opened(), zero.UNBOUNDED, self.told)
        self.assertEqual(b'x' * 4096, self.subsystem.disks[2])
        self.assertEqual([], self.server.wrong)

    def test_what_is_not_there(self):
        error = self.assertRaises(exceptions.WipeError, self.open, NQN + 'x')
        self.assertIn('0x182', str(error))
        self.assertRaises(exceptions.WipeError, self.open, nsid=7)

    def test_zeroes_that_do_nothing_are_found(self):
        self.subsystem.forgets_zeroes = True
        zero.zero(self.opened(), zero.Bound(), self.told)
        self.assertRaises(exceptions.WipeError, zero.check, self.opened(),
                          zero.Bound(), self.told)

    def test_a_connection_that_ends(self):
        disk = self.opened()
        self.server.drop()
        self.assertRaises(exceptions.WipeError, zero.zero, disk,
                          zero.Bound(), self.told)


class VhostTest(Cases, testtools.TestCase):

    def setUp(self):
        super().setUp()
        directory = self.useFixture(fixtures.TempDir(rootdir='/tmp')).path
        self.device = vhost_user.Device(f'{directory}/blk', _SIZE)
        self.useFixture(self.device)
        self.data()[:] = _OLD

    def data(self):
        return self.device.disk

    def open(self):
        return vhost_user_blk.Disk(self.device.path, timeout=20)

    def fail_commands(self):
        self.device.status = 1

    def opened(self):
        # One session at a time.
        if getattr(self, 'last', None):
            self.last.close()
        self.last = super().opened()
        return self.last

    def test_it_is_flushed(self):
        zero.zero(self.opened(), zero.Bound(), self.told)
        self.assertEqual(1, self.device.flushes)

    def test_a_device_that_cannot_write_zeroes(self):
        self.device.features &= ~(1 << 14)
        error = self.assertRaises(exceptions.WipeError, self.open)
        self.assertIn('cannot write zeroes', str(error))

    def test_nobody_there(self):
        self.assertRaises(OSError, vhost_user_blk.Disk,
                          self.device.path + 'x')


class AnswersTest(fixtures.TestWithFixtures):
    """Whether somebody serves a socket, before QEMU asks the same."""

    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).join('socket')

    def test_somebody_does(self):
        self.useFixture(vhost_user.Device(self.path, 1 << 20))
        self.assertTrue(vhost_user_blk.answers(self.path, 60.0))

    def test_nobody_does(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path)
            listener.listen()
            self.assertFalse(vhost_user_blk.answers(self.path, 0.01))

    def test_nobody_listens(self):
        self.assertRaises(FileNotFoundError, vhost_user_blk.answers,
                          self.path, 60.0)


class IscsiTest(Cases, testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.target = self.useFixture(iscsi_target.Target(_SIZE))
        self.data()[:] = _OLD

    def data(self):
        return self.target.disk

    def open(self):
        return iscsi.Disk(self.target.place, IQN, 0, HOST, timeout=20)

    def fail_commands(self):
        self.target.status = 2

    def test_pings_are_answered(self):
        self.data()[:] = bytes(_SIZE)
        disk = self.opened()
        zero.check(disk, zero.Bound(), self.told)
        # The target has taken the last answer when it answers the logout.
        disk.close()
        self.assertEqual(_SIZE // (128 << 10), self.target.pongs)
        self.assertEqual(('No', 'Yes', 'None'), tuple(
            self.target.keys[name] for name in (
                'ImmediateData', 'InitialR2T', 'AuthMethod')))

    def test_a_login_that_is_refused(self):
        self.target.login_status = (2, 1)
        error = self.assertRaises(exceptions.WipeError, self.open)
        self.assertIn('0x201', str(error))
