# SPDX-License-Identifier: Apache-2.0


"""rpc.py of a real SPDK, on its target and on the simulator.

Runs only with CYBORG_SPDK_TEST_SPDK_DIR, as root. Compared are exit code,
output and what is said about errors.
"""

import json
import os
import shlex
import subprocess
import sys
import unittest

from tests.functional.fixtures import target as targets
from tests.simulator.agreement import pair as pairs
from tests.simulator.agreement import restart

_NQN = "nqn.2016-06.io.spdk:cnode1"
_IQN = "iqn.2016-06.io.spdk:disk1"

#: Families of commands; right and wrong ones.
FAMILIES = {
    "bdev": f"""
        bdev_malloc_create -b M0 64 512
        bdev_malloc_create -b M0 64 512
        bdev_malloc_create -b M1 64 513
        bdev_null_create N0 64 4096
        bdev_null_resize N0 128
        bdev_null_resize M0 128
        bdev_aio_create {pairs.PLACE}/aio0 A0 512
        bdev_aio_create {pairs.PLACE}/nosuch A1 512
        bdev_error_create M0
        bdev_error_inject_error EE_M0 read failure -n 5
        bdev_error_delete EE_M0
        bdev_delay_create -b M0 -d D0 -r 1 -t 2 -w 3 -n 4
        bdev_delay_delete D0
        bdev_delay_delete D0
        bdev_passthru_create -b M0 -p P0
        bdev_passthru_create -b M0 -p P1
        bdev_get_bdevs
        bdev_get_bdevs -b nosuch
        bdev_passthru_delete P0
        bdev_split_create M0 4
        bdev_split_delete M0
        bdev_zone_block_create -b Z0 -n M0 -z 4096 -o 4
        bdev_zone_block_delete Z0
        bdev_set_qos_limit A0 --rw-mbytes-per-sec 10
        bdev_wait_for_examine
        save_subsystem_config -n bdev
        bdev_malloc_delete M0
        bdev_malloc_delete M0
    """,
    "lvol": """
        bdev_malloc_create -b M0 128 512
        bdev_lvol_create_lvstore M0 lvs0
        bdev_lvol_create_lvstore M0 lvs1
        bdev_lvol_create -l lvs0 lv0 16
        bdev_lvol_create -l lvs0 lv0 16
        bdev_lvol_create -l lvs0 lv1 16 -t
        bdev_lvol_snapshot lvs0/lv0 snap0
        bdev_lvol_snapshot lvs0/snap0 snap1
        bdev_lvol_clone lvs0/snap0 clone0
        bdev_lvol_rename lvs0/clone0 clone0
        bdev_lvol_rename lvs0/clone0 clone1
        bdev_lvol_resize lvs0/lv1 24
        bdev_lvol_resize lvs0/lv1 9000
        bdev_get_bdevs
        bdev_lvol_inflate lvs0/clone1
        bdev_lvol_decouple_parent lvs0/lv0
        bdev_lvol_delete lvs0/snap0
        bdev_lvol_rename_lvstore lvs0 lvs9
        bdev_lvol_get_lvstores
        bdev_lvol_delete_lvstore -l lvs9
        bdev_lvol_delete_lvstore -l lvs9
    """,
    "nvmf": f"""
        bdev_malloc_create -b M0 16 512
        nvmf_create_transport -t TCP
        nvmf_create_transport -t nosuch
        nvmf_get_transports
        nvmf_create_subsystem {_NQN} -a -s SPDK1 -m 4 -r
        nvmf_create_subsystem {_NQN}
        nvmf_create_subsystem nosuchnqn
        nvmf_subsystem_add_ns {_NQN} M0
        nvmf_subsystem_add_ns {_NQN} nosuch
        nvmf_subsystem_add_listener {_NQN} -t tcp -a 127.0.0.1 -s 4420
        nvmf_subsystem_add_listener {_NQN} -t tcp -a 10.1.2.3 -s 4420
        nvmf_subsystem_get_listeners {_NQN}
        nvmf_subsystem_add_host {_NQN} nqn.2016-06.io.spdk:host1
        nvmf_subsystem_add_host {_NQN} nosuchnqn
        nvmf_get_subsystems
        save_subsystem_config -n nvmf
        nvmf_subsystem_remove_ns {_NQN} 1
        nvmf_subsystem_remove_ns {_NQN} 1
        nvmf_delete_subsystem {_NQN}
        nvmf_delete_subsystem {_NQN}
    """,
    "vhost_and_iscsi": f"""
        bdev_malloc_create -b M0 16 512
        bdev_malloc_create -b M1 16 512
        bdev_malloc_create -b M2 16 512
        vhost_create_blk_controller b0 M0
        vhost_create_blk_controller b0 M1
        vhost_create_scsi_controller s0
        vhost_scsi_controller_add_target s0 0 M1
        vhost_scsi_controller_add_target s0 0 M1
        vhost_get_controllers
        vhost_scsi_controller_remove_target s0 0
        vhost_delete_controller s0
        vhost_delete_controller s0
        iscsi_create_portal_group 1 127.0.0.1:3260
        iscsi_create_portal_group 1 127.0.0.1:3261
        iscsi_create_initiator_group 1 ANY ANY
        iscsi_create_target_node disk1 alias1 M2:0 1:1 64 -d
        iscsi_create_target_node disk2 alias2 nosuch:0 1:1 64
        iscsi_get_target_nodes
        save_config
        iscsi_delete_target_node {_IQN}
        iscsi_delete_target_node {_IQN}
    """}


@unittest.skipUnless(targets.SPDK_DIR, 'compares with a real SPDK')
class Commands(unittest.TestCase):

    def rpc(self, side, line):
        """Run one command on one of the two.

        :returns: (exit status, its output as JSON or text, its errors).
        """
        done = subprocess.run(
            [sys.executable, '-W', 'ignore',
             os.path.join(targets.SPDK_DIR, 'scripts', 'rpc.py'),
             '-s', side.socket, *shlex.split(line)],
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
            timeout=targets.PATIENCE)
        output = done.stdout
        try:
            output = json.loads(output)
        except ValueError:
            output = output.splitlines()
        if line == 'save_config' and isinstance(output, dict):
            # ublk, too, is what only some builds have.
            output['subsystems'] = [
                {**item, 'config': restart.of_any_build(item['config'])}
                for item in output['subsystems']
                if item['subsystem'] != 'ublk']
        return [done.returncode, output, done.stderr.splitlines()]

    def compare(self, family):
        pair = pairs.Pair('spdk_tgt')
        self.addCleanup(pair.close)
        found = []
        for line in map(str.strip, FAMILIES[family].strip().splitlines()):
            found += [f'{line}: {difference}'
                      for difference in pair.comparison.differences(
                          self.rpc(pair.real, line),
                          self.rpc(pair.simulated, line))]
        self.assertEqual([], found, '\n'.join(found))

    def test_bdev(self):
        self.compare('bdev')

    def test_lvol(self):
        self.compare('lvol')

    def test_nvmf(self):
        self.compare('nvmf')

    def test_vhost_and_iscsi(self):
        self.compare('vhost_and_iscsi')
