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

"""Answers of real targets to calls that are in no recording."""

import re
import signal
import unittest

from cyborg_spdk.simulator import fixture
from tests.functional.recordings import replay

_NO_MEMORY = "Cannot allocate memory"
_NQN = "nqn.2016-06.io.spdk:c1"


class Behaviour(unittest.TestCase):
    """Each was seen on a real target of the same release."""

    def start(self, release, app="nvmf_tgt"):
        """Start a simulated target."""
        self.target = fixture.SimulatedTarget(app, release=release,
                                              poll_ms=1)
        self.target.start()
        self.addCleanup(self.target.close)
        return self.target.call

    def refused(self, code, message, method, **params):
        """Make a call that is to be refused."""
        with self.assertRaises(fixture.CallError) as caught:
            self.target.call(method, **params)
        self.assertEqual((caught.exception.code, caught.exception.message),
                         (code, message))

    def malloc(self, *names, blocks=16384, block_size=512):
        """Make RAM disks."""
        for name in names:
            self.target.call("bdev_malloc_create", name=name,
                             num_blocks=blocks, block_size=block_size)

    def test_raid_stays_offline(self):
        """A RAID bdev without a base is known until it is deleted."""
        call = self.start("v26.05")
        self.malloc("a", "b")
        call("bdev_raid_create", name="r", raid_level="raid0",
             base_bdevs=["a", "b"], strip_size_kb=4)
        call("bdev_malloc_delete", name="a")
        self.refused(-19, "No such device", "bdev_get_bdevs", name="r")
        raid, = call("bdev_raid_get_bdevs", category="offline")
        self.assertEqual([base["name"] for base in raid["base_bdevs_list"]],
                         [None, "b"])
        self.assertTrue(call("bdev_get_bdevs", name="b")[0]["claimed"])
        call("bdev_raid_delete", name="r")
        self.assertFalse(call("bdev_get_bdevs", name="b")[0]["claimed"])

    def test_raid1_goes_on(self):
        """A mirror lives as long as one of its bases."""
        call = self.start("v26.05")
        self.malloc("a", "b")
        call("bdev_raid_create", name="r", raid_level="raid1",
             base_bdevs=["a", "b"])
        io_types = call("bdev_get_bdevs", name="r")[0]["supported_io_types"]
        self.assertTrue(io_types["unmap"] and io_types["flush"])
        call("bdev_malloc_delete", name="a")
        self.assertEqual(call("bdev_raid_get_bdevs", category="online")[0][
            "num_base_bdevs_discovered"], 1)

    def test_raid_names_once(self):
        """A base is in one RAID bdev only, there or not (v22.01)."""
        call = self.start("v22.01")
        call("bdev_raid_create", name="r", raid_level="raid0",
             base_bdevs=["a"], strip_size_kb=4)
        self.refused(-17, "Failed to add base bdev a to RAID bdev config s: "
                     "File exists", "bdev_raid_create", name="s",
                     raid_level="raid0", base_bdevs=["a"], strip_size_kb=4)
        self.refused(-22, "Failed to add RAID bdev config s: Invalid "
                     "argument", "bdev_raid_create", name="s",
                     raid_level="raid0", base_bdevs=["b"], strip_size_kb=3)

    def test_split_of_a_claimed_bdev(self):
        """The split is forgotten when its base is somebody's."""
        for release in ("v22.01", "v24.01", "v26.05"):
            call = self.start(release)
            self.malloc("a")
            call("bdev_passthru_create", name="p", base_bdev_name="a")
            for _ in range(2):
                self.refused(-32602, "Failed to create 2 split bdevs from "
                             f"'a': {_NO_MEMORY}", "bdev_split_create",
                             base_bdev="a", split_count=2)
            self.refused(-32602, "No such file or directory",
                         "bdev_split_delete", base_bdev="a")

    def test_error_numbers_of_stores(self):
        """Up to v23.01 their sign was wrong."""
        for release, code, message in (
                ("v22.01", 19, "Unknown error -19"),
                ("v24.01", -19, "No such device")):
            self.start(release)
            self.refused(code, message, "bdev_lvol_create_lvstore",
                         bdev_name="a", lvs_name="l")

    def test_store_without_room(self):
        """A store may have no cluster for data."""
        call = self.start("v26.05")
        self.malloc("a", blocks=8192)
        call("bdev_lvol_create_lvstore", bdev_name="a", lvs_name="l")
        self.assertEqual(call("bdev_lvol_get_lvstores")[0][
            "total_data_clusters"], 0)

    def test_empty_params_name_no_store(self):
        """An object without a name is not the same as no object."""
        self.start("v26.05")
        connection = replay.Connection(self.target.socket)
        self.addCleanup(connection.close)
        for params, member in (({}, "error"), (None, "result")):
            request = {"jsonrpc": "2.0", "id": 1,
                       "method": "bdev_lvol_get_lvstores"}
            if params is not None:
                request["params"] = params
            self.assertIn(member, connection.call(request))

    def test_malloc_metadata(self):
        """Separate metadata was refused from v23.05 to v24.01."""
        for release, good in (("v24.01", False), ("v26.05", True)):
            self.start(release)
            params = {"name": "a", "num_blocks": 8, "block_size": 512,
                      "md_size": 8}
            if good:
                self.target.call("bdev_malloc_create", **params)
            else:
                self.refused(-22, "Invalid argument", "bdev_malloc_create",
                             **params)

    def test_coalescing_limits(self):
        """Less than one request in 10 ms is refused."""
        for release in ("v22.01", "v24.01", "v26.05"):
            call = self.start(release, "vhost")
            self.malloc("a")
            call("vhost_create_blk_controller", ctrlr="b", dev_name="a")
            for delay, iops in ((1, 99), (4294967295, 100)):
                self.refused(-32602, "Invalid argument",
                             "vhost_controller_set_coalescing", ctrlr="b",
                             delay_base_us=delay, iops_threshold=iops)
            call("vhost_controller_set_coalescing", ctrlr="b",
                 delay_base_us=1, iops_threshold=100)
            name = "vhost" if release == "v22.01" else "vhost_blk"
            self.assertEqual(
                [item["method"] for item in
                 call("framework_get_config", name=name)],
                ["vhost_create_blk_controller",
                 "vhost_controller_set_coalescing"])

    def test_controllers_have_threads(self):
        """A thread is named as its controller and goes with it."""
        call = self.start("v26.05", "vhost")
        self.malloc("a", "b")
        for name in "ab":
            call("vhost_create_blk_controller", ctrlr="c" + name,
                 dev_name=name)
        call("vhost_delete_controller", ctrlr="ca")
        self.assertEqual(
            [(thread["id"], thread["name"])
             for thread in call("thread_get_stats")["threads"]],
            [(1, "app_thread"), (3, "cb")])

    def killed(self, number, method, **params):
        """Make a call that kills the target."""
        with self.assertRaises((OSError, EOFError)):
            self.target.call(method, **params)
        self.assertEqual(self.target.process.wait(30), -number)

    def test_start_of_a_block_controller_kills(self):
        """The call is for SCSI controllers; the target crashes."""
        for release in ("v24.01", "v26.05"):
            call = self.start(release, "vhost")
            self.malloc("a")
            call("vhost_create_blk_controller", ctrlr="b", dev_name="a")
            self.killed(signal.SIGSEGV, "vhost_start_scsi_controller",
                        ctrlr="b")

    def test_no_block_size_kills(self):
        """A division by zero, in every release."""
        for release in ("v22.01", "v24.01", "v26.05"):
            self.start(release)
            self.killed(signal.SIGFPE, "bdev_null_create", name="n",
                        num_blocks=8, block_size=0)

    def test_no_transport_type_kills(self):
        """A null pointer, from v22.05 to v24.05."""
        params = {"nqn": _NQN, "listen_address": {"traddr": "127.0.0.1"}}
        for release in ("v22.01", "v24.01", "v26.05"):
            call = self.start(release)
            call("nvmf_create_subsystem", nqn=_NQN)
            if release == "v24.01":
                self.killed(signal.SIGSEGV, "nvmf_subsystem_add_listener",
                            **params)
            else:
                self.refused(-32602, "Invalid parameters",
                             "nvmf_subsystem_add_listener", **params)

    def test_resize_is_notified(self):
        """Only since v25.09."""
        for release, number in (("v24.01", 0), ("v26.05", 1)):
            call = self.start(release)
            call("bdev_null_create", name="n", num_blocks=2048,
                 block_size=512)
            call("bdev_null_resize", name="n", new_size=2)
            kinds = [event["type"] for event in
                     call("notify_get_notifications")]
            self.assertEqual(kinds.count("bdev_resize"), number)

    def test_injected_errors(self):
        """What is wrong with them is said differently."""
        for release, code, message in (
                ("v22.01", -22, "Unexpected io_type value"),
                ("v24.01", -32603, "spdk_json_decode_object failed")):
            call = self.start(release)
            self.malloc("a")
            call("bdev_error_create", base_name="a")
            self.refused(code, message, "bdev_error_inject_error",
                         name="EE_a", io_type="bogus", error_type="failure")

    def test_iscsi_limits(self):
        """Names, LUNs and maps of a target node."""
        call = self.start("v26.05", "iscsi_tgt")
        self.malloc("a", "b")
        self.refused(-32602, "Invalid parameters",
                     "iscsi_create_portal_group", tag=2,
                     portals=[{"host": "127.0.0.1", "port": "0"}])
        call("iscsi_create_portal_group", tag=1, portals=[])
        call("iscsi_create_initiator_group", tag=1, initiators=["ANY"],
             netmasks=["ANY"])
        node = {"name": "d", "alias_name": "x", "queue_depth": 8,
                "pg_ig_maps": [{"pg_tag": 1, "ig_tag": 1}],
                "luns": [{"bdev_name": "a", "lun_id": 0},
                         {"bdev_name": "b", "lun_id": 255}]}
        for bad in ({"pg_ig_maps": []}, {"alias_name": "x" * 300},
                    {"luns": [{"bdev_name": "a", "lun_id": 256}]}):
            self.refused(-32602, "Invalid parameters",
                         "iscsi_create_target_node", **{**node, **bad})
        call("iscsi_create_target_node", **node)
        self.assertEqual(call("iscsi_get_target_nodes")[0]["luns"],
                         node["luns"])
        name = call("iscsi_get_target_nodes")[0]["name"]
        with self.assertRaisesRegex(fixture.CallError,
                                    re.escape("(-22)")):
            call("iscsi_target_node_set_redirect", name=name, pg_tag=1,
                 redirect_host="zz", redirect_port="1")

    def test_unknown_key(self):
        """A host's key must be there, by name or as a file (v24.01)."""
        for release in ("v24.01", "v26.05"):
            call = self.start(release)
            call("nvmf_create_transport", trtype="TCP", max_io_size=65536)
            call("nvmf_create_subsystem", nqn=_NQN)
            self.refused(-32603, "Internal error",
                         "nvmf_subsystem_add_host", nqn=_NQN,
                         host="nqn.2016-06.io.spdk:h1", psk="zz")
