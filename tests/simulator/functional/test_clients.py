# SPDX-License-Identifier: Apache-2.0

"""Clients that nobody here wrote: those of PyPI's package ``spdk``."""

import json
import os
import subprocess
import sys
import unittest

from spdk.rpc import client as spdk_client

from spdk_simulator import fixture

_NQN = "nqn.2016-06.io.spdk:cnode1"


class RpcPy(unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.target = fixture.SimulatedTarget("spdk_tgt", poll_ms=0)
        self.addCleanup(self.target.close)
        self.target.start()

    def rpc(self, *arguments, status=0):
        """Run ``rpc.py`` with arguments.

        :returns: what it prints.
        """
        done = subprocess.run(
            [sys.executable, "-c", "import sys; from spdk.spdk_rpc import "
             "main; sys.exit(main())", "-s", self.target.socket,
             *arguments], capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL, cwd=self.target.directory,
            env={**os.environ, "PYTHONWARNINGS": "ignore"})
        self.assertEqual(status, done.returncode, done.stderr)
        return done.stdout if status == 0 else done.stdout + done.stderr

    def test_commands(self):
        self.assertEqual("M0\n", self.rpc("bdev_malloc_create", "-b", "M0",
                                          "16", "512"))
        self.assertEqual("N0\n", self.rpc("bdev_null_create", "N0", "64",
                                          "512"))
        self.rpc("nvmf_create_transport", "-t", "TCP")
        self.rpc("nvmf_create_subsystem", _NQN, "-a", "-s", "S1")
        self.rpc("nvmf_subsystem_add_ns", _NQN, "M0")
        self.rpc("bdev_malloc_create", "-b", "M1", "64", "512")
        self.rpc("bdev_lvol_create_lvstore", "M1", "lvs")
        uuid = self.rpc("bdev_lvol_create", "-l", "lvs", "vol", "4").strip()
        self.rpc("vhost_create_blk_controller", "b", uuid)
        self.rpc("vhost_create_scsi_controller", "s")
        self.rpc("iscsi_create_initiator_group", "1", "ANY", "ANY")
        bdevs = json.loads(self.rpc("bdev_get_bdevs", "-b", "lvs/vol"))
        self.assertEqual(uuid, bdevs[0]["name"])
        subsystems = json.loads(self.rpc("nvmf_get_subsystems"))
        self.assertEqual("M0", subsystems[1]["namespaces"][0]["name"])
        self.assertEqual(2, len(json.loads(
            self.rpc("vhost_get_controllers"))))
        self.assertIn("-19", self.rpc("bdev_malloc_delete", "none",
                                      status=1))

    def test_save_and_load_config(self):
        self.rpc("bdev_null_create", "N0", "64", "512")
        self.rpc("nvmf_create_transport", "-t", "TCP")
        saved = self.rpc("save_config")
        path = os.path.join(self.target.directory, "saved.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(saved)
        other = fixture.SimulatedTarget("spdk_tgt", poll_ms=0,
                                        arguments=["--wait-for-rpc"])
        self.addCleanup(other.close)
        other.start()
        self.target = other
        self.rpc("load_config", "-j", path)
        self.assertEqual(json.loads(saved),
                         json.loads(self.rpc("save_config")))

    def test_client_class(self):
        with spdk_client.JSONRPCClient(self.target.socket) as client:
            version = client.call("spdk_get_version")["version"]
            self.assertIn("simulated", version)
            with self.assertRaises(spdk_client.JSONRPCException):
                client.call("no_such_method")
