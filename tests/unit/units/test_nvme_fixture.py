# SPDX-License-Identifier: Apache-2.0

"""The NVMe/TCP fixture, spoken to byte by byte as the specification says."""

import os
import struct

import testtools

from tests.functional.fixtures.nvme import firmware
from tests.functional.fixtures.nvme import initiator
from tests.functional.fixtures.nvme import server
from tests.functional.fixtures.nvme import subsystem

NQN = 'nqn.2016-06.io.spdk:fixture'


class FixtureCase(testtools.TestCase):

    TAKES = True

    def setUp(self):
        super().setUp()
        self.subsystem = subsystem.Subsystem(NQN, (16, 8),
                                             takes_firmware=self.TAKES)
        self.server = self.useFixture(server.Server(self.subsystem))
        self.admin = self.queue()
        self.assertEqual((0, 1, b''), self.admin.connect())
        self.admin.enable()

    def queue(self):
        made = initiator.Initiator(self.server.port, NQN)
        self.addCleanup(made.close)
        self.assertEqual(1, made.greet()[0])
        return made


class ControllerTest(FixtureCase):

    def test_registers(self):
        self.assertEqual(1, self.admin.get(0x1c))
        # Version 1.4.
        self.assertEqual(0x00010400, self.admin.get(0x08))
        # The NVM command set.
        self.assertTrue(self.admin.get(0, 1) & 1 << 37)
        self.admin.enable(0)
        self.assertEqual(0, self.admin.get(0x1c))

    def test_identify(self):
        status, _result, data = self.admin.command(0x06, want=4096,
                                                   dwords=(1,))
        self.assertEqual(0, status)
        self.assertEqual(b'FW000001', data[64:72])
        self.assertEqual(NQN.encode(), data[768:1024].rstrip(b'\0'))
        self.assertEqual((1, 2), (data[256] >> 2 & 1, data[260] >> 1 & 7))
        self.assertEqual((2,), struct.unpack_from('<I', data, 516))
        _status, _result, data = self.admin.command(0x06, want=4096,
                                                    dwords=(2,))
        self.assertEqual((1, 2, 0), struct.unpack_from('<III', data))
        _status, _result, data = self.admin.command(0x06, want=4096, nsid=2,
                                                    dwords=(0,))
        self.assertEqual((8, 9), (data[0], data[130]))
        self.assertEqual(2, self.admin.command(0x06, want=4096,
                                               dwords=(0x55,))[0])

    def test_features_logs_and_what_there_is_not(self):
        self.assertEqual((0, 0x30003, b''), self.admin.command(
            0x09, dwords=(0x07, 0x30003)))
        self.admin.command(0x09, dwords=(0x0b, 0x1ff))
        self.assertEqual(0x1ff, self.admin.command(0x0a, dwords=(0x0b,))[1])
        self.assertEqual(0, self.admin.command(0x18)[0])
        data = self.admin.command(0x02, want=512, dwords=(2,))[2]
        self.assertEqual((300, 100), struct.unpack_from('<xHB', data))
        self.assertEqual(0x109, self.admin.command(0x02, want=512,
                                                   dwords=(0x70,))[0])
        self.assertEqual(1, self.admin.command(0x7d)[0])

    def test_an_event_request_is_held(self):
        entry = struct.pack('<BBH60x', 0x0c, 0, 999)
        self.admin.send(4, entry)
        # What is answered next is the next command.
        self.assertEqual(0, self.admin.command(0x18)[0])

    def test_connect_refused(self):
        other = self.queue()
        self.assertEqual(0x182, other.connect(nqn='nqn.other')[0])
        self.assertEqual(0x182, other.connect(queue=1, controller=99)[0])
        self.assertEqual(0x00c, other.command(0x18)[0])

    def test_read_and_write(self):
        queue = self.queue()
        self.assertEqual(0, queue.connect(queue=1, controller=1)[0])
        data = os.urandom(4096)
        for capsule, first in ((True, 0), (False, 8)):
            self.assertEqual(0, queue.command(
                0x01, data, nsid=1, capsule=capsule,
                dwords=(first, 0, 7))[0])
            self.assertEqual((0, 0, data), queue.command(
                0x02, want=4096, nsid=1, dwords=(first, 0, 7)))
        self.assertEqual(data * 2, bytes(self.subsystem.disks[1]))
        self.assertEqual(0x080, queue.command(
            0x02, want=4096, nsid=1, dwords=(9, 0, 7))[0])
        self.assertEqual(0x00b, queue.command(
            0x02, want=4096, nsid=3, dwords=(0, 0, 7))[0])
        self.assertEqual(0, queue.command(0x00, nsid=1)[0])

    def test_a_host_reads(self):
        self.subsystem.disks[2][:512] = b'x' * 512
        self.assertEqual(b'x' * 512 + b'\0' * 512, initiator.read(
            self.server.port, NQN, 2, 2))
        self.assertIsNone(initiator.read(
            self.server.port, 'nqn.other', 2, 2))

    def test_a_connection_that_is_lost(self):
        self.server.drop()
        self.assertIsNone(self.admin.receive())
        self.server.let_none_in = True
        self.assertEqual(0x182, self.queue().connect()[0])

    def test_what_none_may_send_closes_the_connection(self):
        other = initiator.Initiator(self.server.port, NQN)
        self.addCleanup(other.close)
        self.assertIsNone(other.greet(version=1))
        self.admin.send(0x09, bytes(16))
        self.assertIsNone(self.admin.receive())
        self.assertEqual(['PDU format version 1', 'PDU 9'],
                         sorted(self.server.wrong, reverse=True))


class FirmwareTest(FixtureCase):

    IMAGE = b'FW000002' + bytes(range(256)) * 40

    def load(self, image=IMAGE):
        for offset in range(0, len(image), 4096):
            self.assertEqual(0, self.admin.download(
                offset, image[offset:offset + 4096]))

    def reset(self):
        self.admin = self.queue()
        self.assertEqual(0, self.admin.connect()[0])
        return self.admin.command(0x06, want=4096,
                                  dwords=(1,))[2][64:72].decode()

    def test_active_after_a_reset(self):
        self.load()
        self.assertEqual(0, self.admin.commit())
        self.assertEqual([(1, 0, self.IMAGE)],
                         self.subsystem.firmware.commits)
        page = self.admin.command(0x02, want=512, dwords=(3,))[2]
        self.assertEqual((0x21, b'FW000001', b'FW000002'),
                         (page[0], page[8:16], page[16:24]))
        self.assertEqual('FW000001', self.subsystem.firmware.revision)
        self.assertEqual('FW000002', self.reset())

    def test_in_pieces_that_the_controller_asks_for(self):
        self.assertEqual(0, self.admin.download(0, self.IMAGE,
                                                capsule=False))
        self.assertEqual(0, self.admin.commit(action=3))
        self.assertEqual('FW000002', self.subsystem.firmware.revision)

    def test_store_now_and_enable_later(self):
        self.load()
        self.assertEqual(0, self.admin.commit(action=0, slot=2))
        self.assertEqual('FW000001', self.reset())
        self.assertEqual(0, self.admin.commit(action=2, slot=2))
        self.assertEqual('FW000002', self.reset())

    def test_only_a_power_cycle_will_do(self):
        self.subsystem.firmware.commit_status = \
            firmware.NEEDS_CONVENTIONAL_RESET
        self.load()
        self.assertEqual(0x10b, self.admin.commit())
        self.assertEqual('FW000001', self.reset())
        self.subsystem.firmware.reset(power=True)
        self.assertEqual('FW000002', self.reset())

    def test_refused(self):
        self.assertEqual(0x107, self.admin.commit())
        self.load(b'\0' * 8192)
        self.assertEqual(0x107, self.admin.commit())
        self.assertEqual(0x106, self.admin.commit(action=2, slot=2))
        self.assertEqual(0x106, self.admin.commit(slot=3))
        self.assertEqual(0x002, self.admin.commit(action=6))
        self.load()
        self.assertEqual(0x114, self.admin.download(4096, b'\0' * 4))
        self.subsystem.firmware.commit_status = firmware.PROHIBITED
        self.assertEqual(0x113, self.admin.commit())
        # There is a hole in it.
        self.assertEqual(0, self.admin.download(4096, b'\0' * 4))
        self.assertEqual(0x107, self.admin.commit())
        self.subsystem.firmware.download_status = 0x002
        self.assertEqual(0x002, self.admin.download(0, b'\0' * 4))
        self.assertEqual('FW000001', self.reset())

    def test_size_that_is_not_what_the_command_says(self):
        self.assertEqual(0x002, self.admin.command(
            0x11, b'\0' * 8, dwords=(0, 0))[0])


class NoFirmwareTest(FixtureCase):

    TAKES = False

    def test_not_taken_and_not_offered(self):
        data = self.admin.command(0x06, want=4096, dwords=(1,))[2]
        self.assertEqual(0, data[256] & 4)
        self.assertEqual(1, self.admin.download(0, b'\0' * 4))
        self.assertEqual(1, self.admin.commit())
        self.assertEqual(0x109, self.admin.command(
            0x02, want=512, dwords=(3,))[0])
