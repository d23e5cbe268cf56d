# SPDX-License-Identifier: Apache-2.0


"""Options before the initialization, and configuration files."""

import json
import os
import subprocess
import sys
import tempfile

from spdk_simulator import fixture
from tests.functional.fixtures import simulated


class Startup(simulated.Case):
    """The startup state, as real targets of the same release have it."""

    def waiting(self, release="v26.05", *arguments):
        """Start a target that waits for framework_start_init."""
        self.target = fixture.SimulatedTarget(
            release=release, poll_ms=1,
            arguments=["--wait-for-rpc", *arguments])
        self.target.start()
        self.addCleanup(self.target.close)
        return self.target.call

    def test_least_values(self):
        """Pools and buffers are not too few or too small."""
        self.waiting()
        for method, params in (
                ("iobuf_set_options", {"small_pool_count": 63}),
                ("iobuf_set_options", {"large_bufsize": 8191}),
                ("accel_set_options", {"task_count": 7})):
            self.refused(-22, "Invalid argument", method, **params)
        self.refused(-32602, "Pool size 10 too small for cache size 6",
                     "bdev_set_options", bdev_io_pool_size=10,
                     bdev_io_cache_size=6)

    def test_options_of_targets(self):
        """They are shown when there is one."""
        call = self.waiting()
        call("nvmf_set_crdt", crdt1=5)
        call("nvmf_set_crdt", crdt2=6)
        call("nvmf_set_max_subsystems", max_subsystems=2)
        self.refused(-32603, "Must not call more than once",
                     "nvmf_set_max_subsystems", max_subsystems=3)
        self.refused(-32602, "Invalid parameters", "nvmf_set_config",
                     poll_groups_mask="0x2")
        call("nvmf_set_config", poll_groups_mask="[0]",
             discovery_filter="transport",
             dhchap_digests=["sha512", "sha256"])
        call("framework_start_init")
        config = {item["method"]: item["params"] for item in
                  call("framework_get_config", name="nvmf")}
        self.assertEqual(config["nvmf_set_crdt"],
                         {"crdt1": 0, "crdt2": 6, "crdt3": 0})
        self.assertEqual(config["nvmf_set_max_subsystems"],
                         {"max_subsystems": 2})
        shown = config["nvmf_set_config"]
        self.assertEqual(list(shown), [
            "discovery_filter", "admin_cmd_passthru", "poll_groups_mask",
            "dhchap_digests", "dhchap_dhgroups", "dup_host_policy"])
        # Shown as another one, from v26.05 on.
        self.assertEqual(shown["discovery_filter"], "address")
        self.assertEqual(shown["poll_groups_mask"], "1")
        self.assertEqual(shown["dhchap_digests"], ["sha256", "sha512"])

    def test_scheduler(self):
        """There is none before the initialization."""
        call = self.waiting()
        self.assertNotIn("scheduler_name", call("framework_get_scheduler"))
        self.refused(-32602, "Scheduling core cannot be included in "
                     "isolated core mask.\n", "scheduler_set_options",
                     isolated_core_mask="0x1")
        call("framework_set_scheduler", name="dynamic", period=77)
        call("framework_start_init")
        scheduler = call("framework_get_scheduler")
        self.assertEqual((scheduler["scheduler_name"],
                          scheduler["scheduler_period"]), ("dynamic", 77))

    def test_module_that_cannot(self):
        """It is seen when the framework is initialized; the target ends."""
        call = self.waiting()
        self.refused(-32602, "spdk_json_decode_object failed",
                     "accel_assign_opc", opname="bogus", module="software")
        call("accel_assign_opc", opname="copy", module="error")
        self.refused(-32603, "framework_initialization failed",
                     "framework_start_init")
        self.assertEqual(self.target.process.wait(30), 234)

    def test_initialization_that_fails_in_old_releases(self):
        """The target goes on, and says so."""
        call = self.waiting("v24.01")
        call("accel_assign_opc", opname="copy", module="error")
        self.refused(-32603, "framework_initialization failed",
                     "framework_start_init")
        self.refused(-1, "Method may only be called after framework is "
                     "initialized using framework_start_init RPC.",
                     "bdev_get_bdevs")

    def test_iscsi_options(self):
        """They are taken, and looked at when iSCSI starts."""
        for options, good in (({"default_time2wait": 3600}, True),
                              ({"default_time2wait": 3601}, False),
                              ({"first_burst_length": 511}, False),
                              ({"mutual_chap": True}, False)):
            self.target = fixture.SimulatedTarget(
                "iscsi_tgt", release="v26.05", poll_ms=1,
                arguments=["--wait-for-rpc"])
            self.target.start()
            self.addCleanup(self.target.close)
            self.target.call("iscsi_set_options", **options)
            if good:
                self.target.call("framework_start_init")
            else:
                self.refused(-32603, "framework_initialization failed",
                             "framework_start_init")

    def test_what_was_set_is_saved(self):
        """Also what is no option."""
        call = self.waiting()
        call("accel_assign_opc", opname="crc32c", module="error")
        call("keyring_linux_set_options", enable=True)
        call("vmd_enable")
        call("framework_start_init")
        self.refused(-22, "Failed to parse PCI address",
                     "vmd_remove_device", addr="x")
        self.refused(-19, "No such device", "vmd_remove_device",
                     addr="0000:01:00.0")
        for name, method, params in (
                ("accel", "accel_assign_opc",
                 {"opname": "crc32c", "module": "error"}),
                ("keyring", "keyring_linux_set_options", {"enable": True}),
                ("vmd", "vmd_enable", {})):
            self.assertIn({"method": method, "params": params},
                          call("framework_get_config", name=name))


class Files(simulated.Case):
    """Configuration files are loaded twice, in their own order."""

    def load(self, config, *arguments):
        """Run a target on a file until it ends or answers.

        :param config: a list of (subsystem, calls), or text.
        :returns: (exit status, log); the status is None if it answers.
        """
        text = config if isinstance(config, str) else json.dumps({
            "subsystems": [{"subsystem": name, "config": calls}
                           for name, calls in config]})
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "c.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        socket = os.path.join(directory.name, "s")
        done = subprocess.run(
            [sys.executable, "-m", "spdk_simulator", "nvmf_tgt",
             "--spdk-version", "v26.05", "-r", socket, "-c", path,
             *arguments], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    @staticmethod
    def null(name, **params):
        """A call that makes a disk."""
        return {"method": "bdev_null_create", "params": {
            "name": name, "num_blocks": 8, "block_size": 512, **params}}

    #: A call that ends a target well when all before it was done.
    END = {"method": "spdk_kill_instance", "params": {"sig_name": "SIGTERM"}}

    def test_own_order(self):
        """Also of subsystems, and of those that are not there."""
        status, log = self.load((
            ("nvmf", [{"method": "nvmf_create_transport",
                       "params": {"trtype": "TCP"}}]),
            ("nosuch", [self.null("a")]),
            ("bdev", [{"method": "bdev_passthru_create", "params": {
                "name": "p", "base_bdev_name": "a"}}, self.null("p")])))
        # The name is taken: both calls before it were made, in order.
        self.assertEqual(status, 234, log)
        self.assertIn('"message": "File exists"', log)

    def test_not_linked(self):
        """What a subsystem that is not there has is passed over."""
        status, log = self.load((
            ("ublk", [{"method": "ublk_create_target", "params": {}}]),
            ("bdev", [self.END])))
        self.assertEqual(status, 0, log)
        self.assertIn("Skipping method 'ublk_create_target' because its "
                      "subsystem 'ublk' is not linked into this "
                      "application.", log)

    def test_forms(self):
        """What is not of the form is refused, even if errors are not."""
        for text, line in (
                ('{"subsystems": [1]}',
                 "Failed to parse subsystem configuration"),
                ('{"subsystems": [{"subsystem": "bdev"}]}',
                 "Failed to parse subsystem configuration"),
                ('{"subsystems": [{"subsystem": "bdev", "config": [1]}]}',
                 "Failed to decode config entry"),
                ('{"subsystems": [{"subsystem": "bdev", "config": [{'
                 '"method": "bdev_get_bdevs", "params": []}]}]}',
                 "Failed to decode config entry"),
                ('{"subsystems": [{"subsystem": "bdev", "config": [[1]]}]}',
                 "Empty or invalid batch array"),
                (" ", "Parsing JSON configuration failed (-2)")):
            with self.subTest(text):
                status, log = self.load(text, "--json-ignore-init-errors")
                self.assertEqual(status, 234, log)
                self.assertIn(line, log)

    def test_batches(self):
        """Calls together are in one state, and the first error counts."""
        for batch, line in (
                ([self.null("a"), self.null("a"), self.null("")],
                 '"message": "File exists"'),
                ([self.null("a"), {"method": "iobuf_set_options"}],
                 "Batch contains methods with incompatible state "
                 "requirements")):
            with self.subTest(line):
                status, log = self.load((("bdev", [batch]),))
                self.assertEqual(status, 234, log)
                self.assertIn(line, log)

    def test_startup_errors(self):
        """They end it before anything listens, without the last line."""
        status, log = self.load((
            ("iobuf", [{"method": "iobuf_set_options",
                        "params": {"small_pool_count": 1}}]),))
        self.assertEqual(status, 234, log)
        self.assertIn("Invalid argument", log)
        self.assertNotIn("Failed to load subsystems", log)
