# SPDX-License-Identifier: Apache-2.0

"""Real consumers of real targets: before attach, attached, after detach.

Only with ``CYBORG_SPDK_TEST_SPDK_DIR``: a simulated target serves no I/O.
"""

import glob
import os
import pwd
import shutil
import subprocess
import sys
import time

from cyborg_spdk.units import attach
from cyborg_spdk.units import stats
from tests.functional.fixtures import targets
from tests.functional.units import test_attach as attach_tests

_SPDK = os.environ.get(targets.SPDK_DIR)

_QEMU = shutil.which('qemu-system-x86_64')

#: Connects as another user and asks for the features, as QEMU does first.
_HANDSHAKE = '''
import os, socket, struct, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1]))
s = socket.socket(socket.AF_UNIX)
s.settimeout(30)
try:
    s.connect(sys.argv[3])
except PermissionError:
    sys.exit(13)
s.sendall(struct.pack('<III', 1, 1, 0))
request, flags, size = struct.unpack('<III', s.recv(12, socket.MSG_WAITALL))
features, = struct.unpack('<Q', s.recv(size, socket.MSG_WAITALL))
print(request, features)
'''

#: Its exit status is 0 all the same.
_REFUSED = 'Failed to attach nvme ctrlr'


def _program(name):
    found = glob.glob(os.path.join(_SPDK or '/nowhere', 'build', '*', name))
    return found[0] if found else None


class NvmfConsumer(attach_tests.NvmfCase):

    def read(self):
        """One second of reads by SPDK's own initiator, as HOST.

        (spdk_nvme_identify takes no NQN for the host.)
        """
        address = (f'trtype:TCP adrfam:IPv4 traddr:127.0.0.1 '
                   f'trsvcid:{self.port} subnqn:{attach_tests.NQN} '
                   f'hostnqn:{attach_tests.HOST}')
        done = subprocess.run(
            [_program('spdk_nvme_perf'), '--no-huge', '-s', '400', '-q', '4',
             '-o', '4096', '-w', 'read', '-t', '1', '-r', address],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=120)
        return done.stdout

    def test_an_initiator_reads_what_is_attached(self):
        self.assertIn(_REFUSED, self.read())
        attach.allow(self.client, self.handle, attach_tests.HOST)
        before = stats.look(self.client, 'nvmf', 30)
        self.assertNotIn(_REFUSED, self.read())
        # What the initiator has read is in the statistics of the unit.
        after = stats.look(self.client, 'nvmf', 30)
        rates, = stats.unit_rates(before, after)
        self.assertGreater(rates['read_iops'], 0)
        self.assertGreater(rates['queue_depth'], 0)
        self.assertGreaterEqual(rates['read_bytes'],
                                4096 * rates['read_iops'] * 0.99)
        attach.forbid(self.client, self.handle, attach_tests.HOST)
        self.assertIn(_REFUSED, self.read())


class VhostUser(attach_tests.VhostCase):
    """A controller, and somebody who is not the target's user."""

    def setUp(self):
        super().setUp()
        self.target.vhost_create_blk_controller('blk.0', 'Malloc0')
        # The user has to come as far as the socket.
        for path in (self.targets.directory, self.targets.path('vhost')):
            os.chmod(path, 0o755)
        self.user = pwd.getpwnam('nobody')


class VhostConsumer(VhostUser):

    def handshake(self):
        return subprocess.run(
            [sys.executable, '-c', _HANDSHAKE, str(self.user.pw_uid),
             str(self.user.pw_gid), self.socket], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True, timeout=120)

    def test_another_user_speaks_vhost_user_while_it_is_attached(self):
        attach.forbid(self.client, self.handle, self.user.pw_name)
        self.assertEqual(13, self.handshake().returncode)
        attach.allow(self.client, self.handle, self.user.pw_name)
        done = self.handshake()
        self.assertEqual(0, done.returncode)
        request, features = map(int, done.stdout.split())
        self.assertEqual(1, request)
        # VHOST_USER_F_PROTOCOL_FEATURES and VIRTIO_F_VERSION_1.
        self.assertTrue(features & 1 << 30)
        self.assertTrue(features & 1 << 32)
        attach.forbid(self.client, self.handle, self.user.pw_name)
        self.assertEqual(13, self.handshake().returncode)


class QemuConsumer(VhostUser):
    """A virtual machine whose firmware reads its disk."""

    def start(self):
        process = subprocess.Popen(
            [_QEMU, '-nodefaults', '-display', 'none', '-monitor', 'none',
             '-machine', 'q35,accel=tcg', '-m', '128',
             '-object', 'memory-backend-memfd,id=ram,size=128M,share=on',
             '-numa', 'node,memdev=ram',
             '-chardev', f'socket,id=disk,path={self.socket}',
             '-device', 'vhost-user-blk-pci,chardev=disk,bootindex=1'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, user=self.user.pw_uid,
            group=self.user.pw_gid, extra_groups=[])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def refused(self):
        out, _err = self.start().communicate(timeout=120)
        self.assertIn('Permission denied', out)

    def counted(self):
        look = stats.look(self.client, 'vhost', 30)
        return next(iter(stats.totals(look)['accelerators'].values()))

    def test_a_virtual_machine_reads_what_is_attached(self):
        attach.forbid(self.client, self.handle, self.user.pw_name)
        self.refused()
        before = self.counted()
        attach.allow(self.client, self.handle, self.user.pw_name)
        process = self.start()
        deadline = time.monotonic() + 120
        counted = self.counted()
        while counted['num_read_ops'] == before['num_read_ops']:
            self.assertLess(time.monotonic(), deadline)
            self.assertIsNone(process.poll())
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                counted = self.counted()
        self.assertEqual(1, counted['hosts'])
        process.terminate()
        process.communicate(timeout=120)
        attach.forbid(self.client, self.handle, self.user.pw_name)
        self.refused()


def load_tests(loader, _tests, _pattern):
    """Only where there are real targets."""
    cases = [NvmfConsumer, VhostConsumer] if _SPDK else []
    if _SPDK and _QEMU:
        cases.append(QemuConsumer)
    suite = loader.suiteClass()
    for case in cases:
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite
