# SPDX-License-Identifier: Apache-2.0

"""spdk-cli, of PyPI's package ``spdk``, against the simulator."""

import os
import subprocess
import sys
import unittest

from spdk_simulator import fixture

_NQN = "nqn.2016-06.io.spdk:cnode1"
_IQN = "iqn.2016-06.io.spdk:disk1"
_MAIN = "import sys; from spdk.spdk_cli import main; sys.exit(main())"


class SpdkCli(unittest.TestCase):
    """The tree is what the target tells; commands change it."""

    def setUp(self):
        super().setUp()
        self.target = fixture.SimulatedTarget("spdk_tgt", poll_ms=0)
        self.addCleanup(self.target.close)
        self.target.prepare()
        self.target.arguments += ["-S", self.target.directory]
        self.target.start()

    def cli(self, *commands, status=0):
        """Run one command line of spdk-cli.

        :param status: the exit status that is expected.
        :returns: what it prints, without colours.
        """
        done = subprocess.run(
            [sys.executable, "-c", _MAIN, "-s", self.target.socket,
             *commands], capture_output=True, text=True, timeout=120,
            stdin=subprocess.DEVNULL, cwd=self.target.directory,
            env={**os.environ, "HOME": self.target.directory,
                 "PYTHONWARNINGS": "ignore", "TERM": "dumb"})
        self.assertEqual(status, done.returncode, done.stderr)
        return done.stdout + done.stderr

    def tree(self, path="/"):
        """What ``ls`` shows below a path."""
        return self.cli("ls", path)

    def change(self, path, *command, shows=None, hides=None, where="/"):
        """Run a command at a path, then look at the tree."""
        said = self.cli(path, *command)
        self.assertNotIn("rror", said)
        tree = self.tree(where)
        if shows:
            self.assertIn(shows, tree, said)
        if hides:
            self.assertNotIn(hides, tree, said)

    def test_bdevs(self):
        tree = self.tree()
        for node in ("bdevs", "lvol_stores", "vhost", "nvmf", "iscsi"):
            self.assertIn("o- " + node, tree)
        self.change("/bdevs/malloc", "create", "16", "512", "M0",
                    shows="M0", where="/bdevs/malloc")
        self.change("/bdevs/malloc", "create", "64", "512", "M1",
                    shows="M1", where="/bdevs/malloc")
        self.change("/bdevs/null", "create", "N0", "16", "512", shows="N0",
                    where="/bdevs/null")
        self.change("/bdevs/error", "create", "N0", shows="EE_N0",
                    where="/bdevs/error")
        self.change("/bdevs/split_disk", "bdev_split_create", "M0", "2",
                    shows="M0p1", where="/bdevs/split_disk")
        self.change("/lvol_stores", "create", "lvs", "M1", shows="lvs",
                    where="/lvol_stores")
        self.change("/bdevs/logical_volume", "create", "vol", "4", "lvs",
                    shows="lvs/vol", where="/bdevs/logical_volume")
        self.change("/bdevs/logical_volume", "delete", "lvs/vol",
                    hides="lvs/vol", where="/bdevs")
        self.change("/lvol_stores", "delete", "lvs", hides="lvs",
                    where="/lvol_stores")
        self.change("/bdevs/split_disk", "bdev_split_delete", "M0",
                    hides="M0p1", where="/bdevs")
        self.change("/bdevs/error", "delete", "EE_N0", hides="EE_N0",
                    where="/bdevs/error")
        # Its own create stumbles over the reply, with a real target too.
        self.target.call("bdev_raid_create", name="R0", raid_level="0",
                         strip_size_kb=64, base_bdevs=["M0", "M1"])
        self.assertIn("R0", self.tree("/bdevs/raid_volume"))
        self.change("/bdevs/raid_volume", "delete", "R0", hides="R0",
                    where="/bdevs/raid_volume")
        self.change("/bdevs/malloc", "delete", "M0", hides="M0",
                    where="/bdevs/malloc")
        self.assertIn("num_read_ops", self.cli(
            "/bdevs/malloc", "get_bdev_iostat", "M1"))

    def test_nvmf(self):
        self.target.call("bdev_malloc_create", name="M0", num_blocks=2048,
                         block_size=512)
        self.change("nvmf/transport", "create", "TCP", shows="TCP",
                    where="/nvmf/transport")
        self.change("nvmf/subsystem", "create", _NQN, "SPDK1", shows=_NQN,
                    where="/nvmf/subsystem")
        here = f"nvmf/subsystem/{_NQN}"
        self.change(here + "/namespaces", "create", "M0", shows="M0",
                    where="/nvmf/subsystem")
        self.change(here + "/hosts", "create", "nqn.2016-06.io.spdk:h1",
                    shows="io.spdk:h1", where="/nvmf/subsystem")
        self.change(here, "allow_any_host")
        self.assertTrue(self.target.call(
            "nvmf_get_subsystems", nqn=_NQN)[0]["allow_any_host"])
        self.change(here + "/hosts", "delete", "nqn.2016-06.io.spdk:h1",
                    hides="io.spdk:h1", where="/nvmf/subsystem")
        self.change(here + "/namespaces", "delete", "nsid=1",
                    hides="M0", where="/nvmf/subsystem")
        self.change("nvmf/subsystem", "delete", _NQN, hides=_NQN,
                    where="/nvmf/subsystem")

    def test_vhost(self):
        for name in ("M0", "M1"):
            self.target.call("bdev_malloc_create", name=name,
                             num_blocks=2048, block_size=512)
        self.change("/vhost/block", "create", "b0", "M0", shows="b0",
                    where="/vhost/block")
        self.change("/vhost/scsi", "create", "s0", shows="s0",
                    where="/vhost/scsi")
        self.change("/vhost/scsi/s0", "add_lun", "0", "M1", shows="M1",
                    where="/vhost/scsi")
        self.change("/vhost/scsi/s0", "remove_target", "0", hides="M1",
                    where="/vhost/scsi")
        self.change("/vhost/scsi", "delete", "s0", hides="s0",
                    where="/vhost/scsi")
        self.change("/vhost/block", "delete", "b0", hides="b0",
                    where="/vhost/block")

    def test_iscsi(self):
        self.target.call("bdev_malloc_create", name="M0", num_blocks=2048,
                         block_size=512)
        self.change("/iscsi/portal_groups", "create", "1",
                    "127.0.0.1:3260", shows="3260",
                    where="/iscsi/portal_groups")
        self.change("/iscsi/initiator_groups", "create", "2", "ANY",
                    "10.0.2.15/32", shows="10.0.2.15",
                    where="/iscsi/initiator_groups")
        self.change("/iscsi/target_nodes", "create", "disk1", "alias",
                    '"M0:0"', '"1:2"', "64", "g=0", "d=true", shows=_IQN,
                    where="/iscsi/target_nodes")
        self.change("/iscsi/auth_groups", "create", "3",
                    "secrets=\"user:u1 secret:s1\"", shows="u1",
                    where="/iscsi/auth_groups")
        self.change("/iscsi/auth_groups", "delete", "3", hides="u1",
                    where="/iscsi/auth_groups")
        self.change("/iscsi/target_nodes", "delete", _IQN, hides=_IQN,
                    where="/iscsi/target_nodes")
        self.change("/iscsi/initiator_groups", "delete", "2",
                    hides="10.0.2.15", where="/iscsi/initiator_groups")
        self.change("/iscsi/portal_groups", "delete", "1", hides="3260",
                    where="/iscsi/portal_groups")

    def test_refusal(self):
        said = self.cli("/bdevs/malloc", "delete", "nosuch", status=1)
        self.assertIn("No such device", said)
