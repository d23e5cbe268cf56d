# SPDX-License-Identifier: Apache-2.0

"""update(): firmware, through a target, into NVMe controllers.

Simulated targets have no controller that takes firmware; a real one attaches
to those of the fixture, by NVMe/TCP.
"""

import json
import os

import testtools

from cyborg_spdk import clients
from cyborg_spdk.drivers import nvmf
from cyborg_spdk.host.target import lifecycle
from cyborg_spdk import tasks
from cyborg_spdk.units import stats
from tests.functional.cli import test_drivers as cli_tests
from tests.functional.fixtures import logs
from tests.functional.fixtures.nvme import firmware
from tests.functional.fixtures.nvme import initiator
from tests.functional.fixtures.nvme import server
from tests.functional.fixtures.nvme import subsystem
from tests.functional.fixtures import targets

_REAL = os.environ.get(targets.SPDK_DIR)
_MIB = 1 << 20
OWN = 'nqn.2016-06.io.spdk:own'
HOST = initiator.HOST


def image(revision, size=10008):
    """Bytes that a controller of the fixture takes."""
    return revision.encode() + os.urandom(size - 8)


class FirmwareCase(testtools.TestCase):
    """A target, its driver, and a place for images."""

    def setUp(self):
        super().setUp()
        self.targets = self.useFixture(targets.Targets(
            {'nvmf': ['spdk_nvmf']}))
        self.driver = nvmf.NvmfDriver()
        self.targets.start()
        self.target = clients.NvmfTgt(self.targets.client('spdk_nvmf'))
        self.log = self.useFixture(logs.Log())
        self.image = self.targets.path('image')
        self.write(image('FW000002'))

    def write(self, content):
        with open(self.image, 'wb') as out:
            out.write(content)
        return content

    def update(self, path=None):
        """What update() returns; the lines that it logs are kept."""
        self.log.lines.clear()
        return self.driver.update({'host': 'h', 'target': 'spdk_nvmf'},
                                  path or self.image)

    def refused(self, *parts, path=None):
        """update() returns False, and one line says why."""
        self.assertIs(False, self.update(path))
        self.assertEqual(1, len(self.log.lines), self.log.lines)
        for part in parts:
            self.assertIn(part, self.log.lines[0])

    def listen(self, nqn, bdev=None):
        """A subsystem of the target itself; returns its port."""
        port = targets.free_port()
        self.target.create_missing_transports([f'tcp://127.0.0.1:{port}'])
        self.target.construct_nvmf_subsystem(
            nqn, [f'tcp://127.0.0.1:{port}'], [HOST], 'S1',
            [bdev] if bdev else [])
        return port


class RefusedTest(FirmwareCase):
    """Nothing is there that could take it; on any target."""

    def test_no_controller(self):
        self.refused('spdk_nvmf', 'no NVMe controller')

    def test_a_controller_without_the_firmware_bit(self):
        self.target.bdev_malloc_create('Malloc0', 4 * _MIB, 512)
        port = self.listen(OWN, 'Malloc0')
        self.target.nvmf_subsystem_allow_any_host(OWN, True)
        self.target.bdev_nvme_attach_controller(
            'Nvme0', 'TCP', '127.0.0.1', trsvcid=str(port), subnqn=OWN)
        self.addCleanup(self.target.bdev_nvme_detach_controller, 'Nvme0')
        self.refused('spdk_nvmf', 'no NVMe controller that takes any')

    def test_images_that_are_none(self):
        for content in (b'', b'12345'):
            self.write(content)
            self.refused(self.image, f'{len(content)} bytes',
                         'multiple of 4')
        self.refused('/nowhere/image', 'No such file', path='/nowhere/image')
        self.refused('no regular file', path=self.targets.directory)

    def test_target_that_is_down(self):
        lifecycle.stop(self.targets.conf, self.targets.target('spdk_nvmf'),
                       kill=True)
        self.refused('spdk_nvmf.sock')


class ControllerCase(FirmwareCase):

    def setUp(self):
        super().setUp()
        self.attached = []
        self.server = self.attach('fw')

    def attach(self, name, **options):
        """Attach the target to a controller of its own; the server."""
        nqn = f'nqn.2016-06.io.spdk:{name}'
        made = self.useFixture(server.Server(subsystem.Subsystem(
            nqn, (8192, 4096), serial=name, **options)))
        self.target.bdev_nvme_attach_controller(
            name, 'TCP', '127.0.0.1', trsvcid=str(made.port), subnqn=nqn)
        self.addCleanup(self._detach, name)
        return made

    def _detach(self, name):
        # Before its server goes: SPDK would try to reach it for a while.
        self.target.bdev_nvme_detach_controller(name, missing_ok=True)

    @property
    def firmware(self):
        return self.server.subsystem.firmware


class UpdateTest(ControllerCase):

    def test_the_controller_has_exactly_the_image_and_runs_it(self):
        for revision, size in (('FW000002', 10008), ('FW000003', 4096),
                               ('FW000004', 8), ('FW000005', 3 * _MIB)):
            content = self.write(image(revision, size))
            self.assertIs(True, self.update())
            self.assertEqual((1, 0, content), self.firmware.commits[-1])
            self.assertEqual(revision, self.firmware.revision)
            line, = self.log.lines
            self.assertIn('spdk_nvmf: firmware of TCP 127.0.0.1', line)
            self.assertIn(f'it runs {revision}', line)
        self.assertEqual([], self.server.wrong)
        # The target has its disks still.
        self.assertEqual(2, len(self.target.bdev_get_bdevs()))

    def test_an_image_that_the_target_cannot_read(self):
        content = self.write(image('FW000002'))
        os.chmod(self.image, 0)
        # Root reads it all the same; then it is taken.
        taken = os.access(self.image, os.R_OK)
        self.assertIs(taken, self.update())
        self.assertEqual([content] if taken else [], [
            one for _action, _slot, one in self.firmware.commits])

    def test_only_a_power_cycle_will_do(self):
        self.firmware.commit_status = firmware.NEEDS_CONVENTIONAL_RESET
        self.refused('firmware commit failed', "slot 2 has 'FW000002'",
                     'switched off and on')
        self.assertEqual('FW000001', self.firmware.revision)
        self.firmware.reset(power=True)
        self.assertEqual('FW000002', self.firmware.revision)

    def test_a_commit_that_fails(self):
        for status in (firmware.PROHIBITED, firmware.INVALID_IMAGE):
            self.firmware.commit_status = status
            self.refused('firmware commit failed', 'refused the image')
        self.assertEqual('FW000001', self.firmware.revision)

    def test_a_download_that_fails(self):
        self.firmware.download_status = firmware.INVALID_FIELD
        self.refused('firmware download failed', 'log of the target')
        self.assertEqual([], self.firmware.commits)

    def test_a_controller_without_the_firmware_bit_is_left_out(self):
        other = self.attach('plain', takes_firmware=False)
        self.assertIs(True, self.update())
        self.assertEqual('FW000002', self.firmware.revision)
        self.assertEqual([], other.subsystem.firmware.downloads)

    def test_several_controllers(self):
        other = self.attach('second').subsystem.firmware
        self.assertIs(True, self.update())
        self.assertEqual(2, len(self.log.lines))
        self.assertEqual(('FW000002', 'FW000002'),
                         (self.firmware.revision, other.revision))
        # One that refuses it does not keep it from the other.
        self.write(image('FW000003'))
        self.firmware.commit_status = firmware.PROHIBITED
        self.assertIs(False, self.update())
        self.assertEqual(2, len(self.log.lines))
        self.assertEqual(('FW000002', 'FW000003'),
                         (self.firmware.revision, other.revision))

    def test_a_controller_in_use_is_left_alone(self):
        """Also by another namespace than the one that SPDK would open."""
        self.listen(OWN, 'fwn2')
        self.refused("'fwn2'", 'in use', f'{OWN} namespace 1', 'take it out')
        self.assertEqual([], self.firmware.downloads)
        self.target.nvmf_subsystem_remove_ns(OWN, 1)
        self.target.bdev_passthru_create('P0', 'fwn1')
        self.refused("'fwn1'", 'claimed')
        self.assertEqual([], self.firmware.downloads)
        self.target.bdev_delete('P0')
        self.assertIs(True, self.update())

    def test_two_paths_to_one_controller_are_one(self):
        # A second listener of the same subsystem.
        second = self.useFixture(server.Server(self.server.subsystem))
        self.target.bdev_nvme_attach_controller(
            'fw', 'TCP', '127.0.0.1', trsvcid=str(second.port),
            subnqn=self.server.subsystem.nqn)
        self.assertIs(True, self.update())
        self.assertEqual(1, len(self.firmware.commits))

    def test_a_controller_that_is_out_of_reach(self):
        self.server.let_none_in = True
        self.server.drop()
        # v26.05: "No channels were found."
        self.refused('bdev_nvme_apply_firmware')
        self.assertEqual([], self.firmware.downloads)
        self.server.let_none_in = False

    def test_a_controller_that_does_not_come_back(self):
        servers = [self.server, self.attach('second')]
        for one in servers:
            one.let_none_in = True
        self.assertIs(False, self.update())
        self.assertIn('reset failed', self.log.lines[0])
        self.assertIn('not tried after that', self.log.lines[1])
        self.assertEqual([0, 1], sorted(
            len(one.subsystem.firmware.commits) for one in servers))
        for one in servers:
            one.let_none_in = False


class BackendTest(cli_tests.CommandCase, ControllerCase):
    """A namespace on a disk that SPDK has by NVMe."""

    def setUp(self):
        super().setUp()
        disk = self.server.subsystem.disks[1]
        disk[:4096] = self.content = os.urandom(4096)
        self.port = self.listen(OWN, 'fwn1')

    def test_report(self):
        device, = self.driver.discover()
        self.assertFalse(device.stub)
        deployable, = device.deployable_list
        traits = {one.value for one in deployable.attribute_list}
        self.assertEqual(
            {'CUSTOM_SPDK', 'CUSTOM_SPDK_BACKEND_NVME',
             'CUSTOM_SPDK_BLOCK_SIZE_512', 'CUSTOM_SPDK_NVMF_TCP',
             'CUSTOM_SPDK_NVMF'}, traits)
        facts = json.loads(device.vendor_board_info)
        self.assertEqual(8192 * 512, facts['capacity'])
        tasks.wait_all()

    def test_a_disk_that_is_out_of_reach_is_reported(self):
        self.server.let_none_in = True
        self.server.drop()
        device, = self.driver.discover()
        self.assertEqual((False, 1), (device.stub,
                                      len(device.deployable_list)))
        tasks.wait_all()
        self.server.let_none_in = False

    def test_a_host_reads_it_and_is_counted(self):
        client = self.targets.client('spdk_nvmf')
        before = stats.look(client, 'nvmf', 30)
        self.assertEqual(self.content,
                         initiator.read(self.port, OWN, 1, 8))
        rates, = stats.unit_rates(before, stats.look(client, 'nvmf', 30))
        self.assertGreater(rates['read_iops'], 0)
        self.assertGreater(rates['read_latency_us'], 0)
        self.assertIsNone(initiator.read(self.port, OWN, 1, 8,
                                         host='nqn.2016-06.io.spdk:other'))

    def test_commands(self):
        out, _err = self.succeed('topology', '-t', 'spdk_nvmf')
        self.assertIn(OWN, out)
        self.assertRegex(out, 'fwn1.*NVMe|NVMe.*fwn1|nvme.*fwn1|fwn1.*nvme')
        out, _err = self.succeed('bdev', 'list', 'fwn1', '-t', 'spdk_nvmf',
                                 '-f', 'json')
        row, = json.loads(out)
        self.assertEqual(('nvme', 4 * _MIB, 512, True), (
            row['Kind'], row['Size'], row['Block size'], row['Claimed']))
        out, _err = self.succeed('discover', '--driver', 'spdk_nvmf_driver',
                                 '-f', 'json')
        row, = json.loads(out)
        self.assertIn('CUSTOM_SPDK_BACKEND_NVME', row['Traits'])

    def test_health(self):
        health = self.target.bdev_nvme_get_controller_health_info('fw')
        self.assertEqual((27, 100), (
            health['temperature_celsius'],
            health['available_spare_percentage']))


def load_tests(loader, _tests, _pattern):
    """What needs a controller that takes firmware only on real targets."""
    cases = [RefusedTest] + ([UpdateTest, BackendTest] if _REAL else [])
    suite = loader.suiteClass()
    for case in cases:
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite
