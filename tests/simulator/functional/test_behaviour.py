# SPDX-License-Identifier: Apache-2.0

"""Answers of real targets to calls that are in no recording."""

import re

from spdk_simulator import fixture
from tests.functional.fixtures import simulated
from tests.simulator.recordings import replay

_NO_MEMORY = "Cannot allocate memory"
_NQN = "nqn.2016-06.io.spdk:c1"


class Behaviour(simulated.Case):
    """Each was seen on a real target of the same release."""

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

    def test_key_value_bdevs(self):
        """RAM for keys and values (v26.09), of no size."""
        call = self.start("v26.09")
        self.assertEqual(call("bdev_kvmalloc_create"), "KVMalloc0")
        self.assertEqual(call("bdev_kvmalloc_create", name="k",
                              max_key_size=0, max_value_size=4096), "k")
        for bad in ({"max_key_size": 17}, {
                "max_value_size": 4095, "optimal_value_granularity": 4096}):
            self.refused(-22, "Invalid argument", "bdev_kvmalloc_create",
                         **bad)
        self.refused(-17, "File exists", "bdev_kvmalloc_create", name="k")
        bdev, = call("bdev_get_bdevs", name="k")
        self.assertEqual((bdev["block_size"], bdev["num_blocks"]),
                         (1, 2 ** 64 - 1))
        self.assertEqual([name for name, there in
                          bdev["supported_io_types"].items() if there],
                         ["nvme_admin", "nvme_io", "nvme_iov_md"])
        made = [item["params"] for item in
                call("framework_get_config", name="bdev")
                if item["method"] == "bdev_kvmalloc_create"]
        self.assertEqual(made[1], {
            "name": "k", "max_key_size": 16, "max_value_size": 4096,
            "optimal_value_granularity": 4096, "uuid": bdev["uuid"]})
        self.assertTrue(call("bdev_kvmalloc_delete", name="k"))
        self.refused(-19, "No such device", "bdev_kvmalloc_delete",
                     name="k")

    def test_branch_before_a_release(self):
        """It still had what the release no longer takes."""
        for release, known in (("v26.09-pre", True), ("v26.09", False)):
            call = self.start(release)
            self.malloc("a")
            call("nvmf_create_subsystem", nqn=_NQN)
            params = {"nqn": _NQN, "namespace": {
                "bdev_name": "a", "hide_metadata": True}}
            methods = call("rpc_get_methods")
            self.assertEqual("bdev_nvme_set_multipath_policy" in methods,
                             known)
            self.assertEqual("bdev_kvmalloc_create" in methods, not known)
            self.assertEqual(call("spdk_get_version")["fields"]["suffix"],
                             "-pre" if known else "")
            if known:
                self.assertEqual(call("nvmf_subsystem_add_ns", **params), 1)
            else:
                self.refused(-32602, "Invalid parameters",
                             "nvmf_subsystem_add_ns", **params)

    def test_file_is_looked_at_first(self):
        """What is wrong with a file is told before what it cannot do."""
        self.start("v26.05")
        self.refused(-2, "No such file or directory", "bdev_aio_create",
                     name="a", filename="/no/such", nowait=True)
        self.refused(-95, "Operation not supported", "bdev_aio_create",
                     name="a", filename=__file__, nowait=True,
                     block_size=512)

    def test_interleaved_metadata_in_the_configuration(self):
        """The block size is the whole block's."""
        call = self.start("v26.05")
        call("bdev_malloc_create", name="a", num_blocks=8, block_size=512,
             md_size=16, md_interleave=True)
        made, = (call_["params"] for call_ in
                 call("framework_get_config", name="bdev")
                 if call_["method"] == "bdev_malloc_create")
        self.assertEqual(made["block_size"], 528)

    def test_period_of_the_static_scheduler(self):
        """It gives its period up when it balances."""
        call = self.start("v26.05")
        for period in (0, 60000000):
            call("framework_set_scheduler", name="static", period=60000000)
            self.assertEqual(call("framework_get_scheduler")[
                "scheduler_period"], period)
        self.refused(-32603, "Unknown error -1", "framework_set_scheduler",
                     name="dynamic", load_limit=500)
        self.assertEqual(call("framework_get_scheduler")["load_limit"], 20)
        self.refused(-32603, "Unknown error -22", "framework_set_scheduler",
                     name="static", mappings="99:0")
        self.assertEqual(call("framework_get_scheduler")[
            "scheduler_period"], 0)

    def test_nobody_to_be_discovered(self):
        """A discovery controller that is not there is no device."""
        self.start("v26.05")
        for nqn, code, text in (
                (None, -5, "Input/output error"),
                ("nqn.2014-08.org.nvmexpress.discovery", -19,
                 "No such device"),
                (_NQN, -5, "Input/output error")):
            self.refused(code, text, "bdev_nvme_attach_controller",
                         name="n", trtype="TCP", traddr="127.0.0.1",
                         trsvcid="1", **({"subnqn": nqn} if nqn else {}))

    def test_attached_controllers_are_saved(self):
        """With what they were attached with, and their policy."""
        call = self.start("v26.05")
        self.malloc("a")
        call("nvmf_create_transport", trtype="TCP")
        call("nvmf_create_subsystem", nqn=_NQN, allow_any_host=True)
        call("nvmf_subsystem_add_ns", nqn=_NQN,
             namespace={"bdev_name": "a", "nguid":
                        "ABCDEF0123456789ABCDEF0123456789"})
        address = {"trtype": "TCP", "adrfam": "IPv4",
                   "traddr": "127.0.0.1", "trsvcid": "4455"}
        call("nvmf_subsystem_add_listener", nqn=_NQN,
             listen_address=address)
        call("bdev_nvme_set_options",
             multipath_opts={"policy": "active_active"})
        call("bdev_nvme_attach_controller", name="n", subnqn=_NQN,
             hostnqn="nqn.2016-06.io.spdk:h1", multipath="failover",
             num_io_queues=500, **address)
        calls = call("framework_get_config", name="bdev")
        options, attached, policy = (item["params"] for item in calls if
                                     item["method"] in (
            "bdev_nvme_set_options", "bdev_nvme_attach_controller",
            "bdev_nvme_set_multipath_policy"))
        shown = {"policy": "active_active", "selector": "round_robin",
                 "min_io": 1}
        self.assertEqual(options["multipath_opts"], shown)
        self.assertEqual(list(attached)[-6:], [
            "hostnqn", "hdgst", "ddgst", "fabrics_connect_timeout_us",
            "num_io_queues", "multipath_opts"])
        self.assertEqual((attached["num_io_queues"],
                          attached["multipath_opts"]), (127, shown))
        self.assertEqual(policy, {
            "name": "nn1", "policy": "active_active",
            "selector": "round_robin", "rr_min_io": 1})
        self.refused(-1, "RPC not permitted with nvme controllers already "
                     "attached", "bdev_nvme_set_options", timeout_us=5)

    def test_target_that_is_never_gone(self):
        """The one that the program made is held by its poll groups."""
        self.start("v26.05")
        connection = replay.Connection(self.target.socket, 0.3)
        self.addCleanup(connection.close)
        with self.assertRaises(TimeoutError):
            connection.call({"jsonrpc": "2.0", "id": 1,
                             "method": "nvmf_delete_target",
                             "params": {"name": "nvmf_tgt"}})
        self.assertEqual(self.target.call("nvmf_get_targets"), [])

    def test_address_in_two_forms(self):
        """It can be listened on once."""
        call = self.start("v26.05", "iscsi_tgt")
        call("iscsi_create_portal_group", tag=1,
             portals=[{"host": "[::1]", "port": "3269"}])
        self.refused(-32602, "Invalid parameters",
                     "iscsi_create_portal_group", tag=2,
                     portals=[{"host": "::1", "port": "3269"}])

    def test_decoupled_from_what_stands_on_a_bdev(self):
        """The bdev is looked for among the volumes."""
        call = self.start("v26.05")
        self.malloc("a", "b", blocks=65536)
        call("bdev_lvol_create_lvstore", bdev_name="a", lvs_name="s")
        call("bdev_lvol_clone_bdev", bdev="b", lvs_name="s",
             clone_name="c")
        call("bdev_lvol_snapshot", lvol_name="s/c", snapshot_name="p")
        self.refused(-32602, "No such file or directory",
                     "bdev_lvol_decouple_parent", name="s/c")
