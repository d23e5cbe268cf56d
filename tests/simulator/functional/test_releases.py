# SPDX-License-Identifier: Apache-2.0

"""What v22.01 and v24.01 do in their own ways."""

import os
import signal

from tests.functional.fixtures import simulated

_NQN = "nqn.2016-06.io.spdk:c1"
_UUID = "11111111-2222-3333-4444-555555555555"
_BAD_ADDRESS = (-32603, "Bad address")


class Base(simulated.Case):
    """Calls that several tests make."""

    def raid(self, name, *bases, **params):
        """Make a RAID bdev of level 0."""
        return self.target.call(
            "bdev_raid_create", name=name, raid_level="raid0",
            strip_size_kb=4, base_bdevs=list(bases), **params)

    def claimed(self, name):
        """Tell whether somebody has a bdev."""
        return self.target.call("bdev_get_bdevs", name=name)[0]["claimed"]

    def config(self, subsystem, method):
        """The parameters of the first call of a method that a subsystem's
        configuration has.
        """
        calls = self.target.call("framework_get_config", name=subsystem)
        return next(call["params"] for call in calls
                    if call["method"] == method)


class Raids(Base):
    """RAID bdevs."""

    def raids(self, category="all"):
        """The names of the RAID bdevs of v22.01."""
        return self.target.call("bdev_raid_get_bdevs", category=category)

    def test_of_bases_that_do_not_match(self):
        """v22.01 keeps what it could not make, and the bases with it."""
        self.start("v22.01")
        self.malloc("a", "b")
        self.malloc("big", block_size=4096)
        self.refused(-22, "Failed to add any base bdev to RAID bdev r: "
                     "Invalid argument", "bdev_raid_create", name="r",
                     raid_level="raid0", strip_size_kb=4,
                     base_bdevs=["a", "big"])
        self.assertEqual(self.raids("configuring"), ["r"])
        self.assertTrue(self.claimed("a"))
        self.refused(-17, "Failed to add RAID bdev config r: File exists",
                     "bdev_raid_create", name="r", raid_level="raid0",
                     strip_size_kb=4, base_bdevs=["b"])
        self.target.call("bdev_raid_delete", name="r")
        self.assertEqual(self.raids(), [])
        self.assertFalse(self.claimed("a"))

    def test_without_bases_stays_listed(self):
        """Up to v22.05 deleting does not find it."""
        self.start("v22.01")
        self.raid("r", "later")
        self.target.call("bdev_raid_delete", name="r")
        self.assertEqual(self.raids(), ["r"])
        self.raid("r", "later")
        self.assertEqual(self.raids(), ["r", "r"])

    def test_comes_back(self):
        """v22.01 puts one that was offline into the wrong list, and dies
        of it when it is deleted.
        """
        call = self.start("v22.01")
        self.malloc("a", "b")
        self.raid("r", "a", "b")
        first = call("bdev_get_bdevs", name="r")[0]["uuid"]
        call("bdev_malloc_delete", name="b")
        self.assertEqual(self.raids("offline"), ["r"])
        self.malloc("b")
        self.assertEqual(self.raids("online"), ["r"])
        raid, = call("bdev_get_bdevs", name="r")
        self.assertEqual(raid["uuid"], first)
        self.assertEqual(
            raid["driver_specific"]["raid"]["destruct_called"], 1)
        self.raid("q", "later")
        self.assertEqual(self.raids("offline"), ["q"])
        self.assertEqual(self.raids("configuring"), [])
        call("bdev_raid_delete", name="r")
        self.killed(signal.SIGSEGV, "bdev_get_bdevs")

    def test_level_in_any_letters(self):
        """Levels are compared without regard to case."""
        self.start("v22.01")
        self.malloc("a")
        self.assertIs(self.target.call(
            "bdev_raid_create", name="r", raid_level="RAID0",
            strip_size_kb=4, base_bdevs=["a"]), True)
        self.refused(-22, "Failed to create RAID bdev s: Invalid argument",
                     "bdev_raid_create", name="s", raid_level="raid5",
                     strip_size_kb=4, base_bdevs=["b"])

    def test_taken_uuid(self):
        """v24.01 does not tell that it cannot register it."""
        call = self.start("v24.01")
        call("bdev_malloc_create", name="a", num_blocks=8, block_size=512,
             uuid=_UUID)
        self.malloc("b")
        self.assertIs(self.raid("r", "b", uuid=_UUID), True)
        raid, = call("bdev_raid_get_bdevs", category="all")
        self.assertEqual((raid["state"], raid["num_base_bdevs_discovered"]),
                         ("configuring", 1))
        self.assertTrue(self.claimed("b"))
        # With its last base it goes.
        call("bdev_malloc_delete", name="b")
        self.assertEqual(call("bdev_raid_get_bdevs", category="all"), [])


class Bdevs(Base):
    """Other bdevs."""

    def test_histogram_of_a_bdev_in_use(self):
        """A channel without buckets has none to add."""
        for release in ("v22.01", "v24.01"):
            call = self.start(release)
            self.malloc("a", blocks=65536)
            self.assertIn("histogram", call("bdev_get_histogram", name="a"))
            call("bdev_lvol_create_lvstore", bdev_name="a", lvs_name="s")
            self.refused(*_BAD_ADDRESS, "bdev_get_histogram", name="a")
            call("bdev_enable_histogram", name="a", enable=True)
            self.assertIn("histogram", call("bdev_get_histogram", name="a"))

    def test_limits_keep_a_channel(self):
        """Once somebody had a channel of a bdev with limits."""
        call = self.start("v24.01")
        self.malloc("a")
        call("bdev_set_qos_limit", name="a", rw_ios_per_sec=10000)
        self.assertIn("histogram", call("bdev_get_histogram", name="a"))
        # Modules look at the bdev on top.
        call("bdev_passthru_create", name="p", base_bdev_name="a")
        self.refused(*_BAD_ADDRESS, "bdev_get_histogram", name="a")
        call("bdev_set_qos_limit", name="a", rw_ios_per_sec=0)
        self.assertIn("histogram", call("bdev_get_histogram", name="a"))

    def test_no_room_for_latencies(self):
        """A channel that somebody holds needs buckets."""
        call = self.start("v26.05")
        self.malloc("a", "b", blocks=131072)
        call("bdev_lvol_create_lvstore", bdev_name="a", lvs_name="s")
        self.assertTrue(call("bdev_enable_histogram", name="b", enable=True,
                             max_nsec=0))
        self.refused(-12, "Cannot allocate memory", "bdev_enable_histogram",
                     name="a", enable=True, max_nsec=0)
        self.assertTrue(call("bdev_enable_histogram", name="a", enable=True))
        self.assertTrue(call("bdev_enable_histogram", name="a", enable=True,
                             max_nsec=0))

    def test_latencies_wrap(self):
        """They are kept as ticks of 64 bits."""
        call = self.start("v24.01")
        self.malloc("a")
        call("bdev_delay_create", name="d", base_bdev_name="a",
             avg_read_latency=10, p99_read_latency=2 ** 64 - 1,
             avg_write_latency=2 ** 63, p99_write_latency=2 ** 63)
        call("bdev_delay_update_latency", delay_bdev_name="d",
             latency_type="p99_write", latency_us=7094000000000)
        kept = call("bdev_get_bdevs", name="d")[0]["driver_specific"]
        self.assertEqual(
            [kept["delay"][name] for name in (
                "avg_read_latency", "p99_read_latency",
                "avg_write_latency", "p99_write_latency")],
            [10, 7094901565, 0, 6193334755])

    def test_passthru_uuid(self):
        """The one that is given is written over up to v24.05."""
        for release, kept in (("v24.01", False), ("v24.09", True)):
            call = self.start(release)
            self.malloc("a")
            call("bdev_passthru_create", name="p", base_bdev_name="a",
                 uuid=_UUID)
            shown = call("bdev_get_bdevs", name="p")[0]["uuid"]
            self.assertEqual(shown == _UUID, kept, release)

    def test_null_metadata(self):
        """Metadata is added to the block in v24.01, within it before."""
        for release, size, block in (("v22.01", 520, 520),
                                     ("v24.01", 512, 520)):
            call = self.start(release)
            call("bdev_null_create", name="n", num_blocks=8,
                 block_size=size, md_size=8)
            self.assertEqual(self.config("bdev", "bdev_null_create")[
                "block_size"], block)
        self.refused(-22, "Invalid argument", "bdev_null_create", name="m",
                     num_blocks=8, block_size=512, md_size=7)
        self.refused(-22, "Data block size 513 is not a multiple of 512",
                     "bdev_null_create", name="m", num_blocks=8,
                     block_size=513, physical_block_size=513)

    def test_cluster_of_no_whole_blocks(self):
        """What is over of a cluster was lost up to v24.09."""
        call = self.start("v24.01")
        self.malloc("a", blocks=65536)
        self.refused(-32602, "Invalid argument", "bdev_lvol_create_lvstore",
                     bdev_name="a", lvs_name="s", cluster_sz=1000)
        call("bdev_lvol_create_lvstore", bdev_name="a", lvs_name="s",
             cluster_sz=70000)
        store, = call("bdev_lvol_get_lvstores")
        self.assertEqual(store["cluster_size"], 70000)


class Targets(Base):
    """NVMe-oF and the framework."""

    def test_periods(self):
        """A period is kept as ticks of 64 bits in v24.01; from v25.05 on
        the static scheduler forgets one that is over.
        """
        call = self.start("v24.01")
        call("framework_set_scheduler", name="static", period=2 ** 64 - 1)
        self.assertEqual(
            call("framework_get_scheduler")["scheduler_period"], 7094901565)
        self.assertEqual(self.config(
            "scheduler", "framework_set_scheduler")["period"], 2799934269)
        self.refused(-32603, "Unknown error -22", "framework_set_scheduler",
                     name="bogus", period=2 ** 63)
        self.assertEqual(
            call("framework_get_scheduler")["scheduler_period"], 0)
        # Its limits are taken by the next call: they are set before it is.
        for limit in (20, 30):
            call("framework_set_scheduler", name="dynamic", load_limit=30)
            self.assertEqual(call("framework_get_scheduler"), {
                "scheduler_name": "dynamic", "scheduler_period": 1000000,
                "load_limit": limit, "core_limit": 80, "core_busy": 95})
        self.refused(-32602, "Static scheduler cannot be re-enabled after a "
                     "different scheduler was selected",
                     "framework_set_scheduler", name="static")
        self.refused(-32603, "Unknown error -1", "framework_set_scheduler",
                     name="gscheduler")
        call = self.start("v26.05")
        for period, kept in ((2 ** 63, 2 ** 63), (1, 0)):
            call("framework_set_scheduler", name="static", period=period)
            self.assertEqual(
                call("framework_get_scheduler")["scheduler_period"], kept)

    def test_names_of_one_option(self):
        """The last one counts."""
        call = self.start("v22.01")
        call("bdev_nvme_set_options", transport_retry_count=3, retry_count=2)
        self.assertEqual(self.config("bdev", "bdev_nvme_set_options")[
            "transport_retry_count"], 2)
        call("nvmf_create_transport", trtype="TCP",
             max_io_qpairs_per_ctrlr=65535, max_qpairs_per_ctrlr=16)
        self.assertEqual(call("nvmf_get_transports")[0][
            "max_io_qpairs_per_ctrlr"], 15)

    def test_queues_wrap(self):
        """With the admin queue they are counted in 16 bits."""
        call = self.start("v24.01")
        call("nvmf_create_transport", trtype="TCP",
             max_io_qpairs_per_ctrlr=65535)
        self.assertEqual(call("nvmf_get_transports")[0][
            "max_io_qpairs_per_ctrlr"], 2 ** 32 - 1)

    def test_one_pool_of_a_name(self):
        """Up to v22.09 a second transport of a type has no memory."""
        call = self.start("v22.01")
        call("nvmf_create_transport", trtype="TCP")
        call("nvmf_create_target", name="t")
        self.refused(-32603, "Transport type 'TCP' create failed",
                     "nvmf_create_transport", trtype="TCP", tgt_name="t")
        self.assertIs(call("nvmf_create_transport", trtype="tcp",
                           tgt_name="t"), True)

    def test_keys_in_files(self):
        """v24.01 looks into them, once there is a transport."""
        call = self.start("v24.01")
        key = f"{self.target.directory}/key"
        with open(key, "wb") as file:
            file.write(bytes(32))
        os.chmod(key, 0o600)
        call("nvmf_create_subsystem", nqn=_NQN)
        host = {"nqn": _NQN, "host": "nqn.2016-06.io.spdk:h1", "psk": key}
        self.assertIs(call("nvmf_subsystem_add_host", **host), True)
        call("nvmf_subsystem_remove_host", nqn=_NQN, host=host["host"])
        call("nvmf_create_transport", trtype="TCP")
        self.refused(-32603, "Internal error", "nvmf_subsystem_add_host",
                     **host)
        with open(key, "wb") as file:
            file.write(b"NVMeTLSkey-1:00:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXG"
                       b"BkaGxwdHh+KfiaR:")
        self.assertIs(call("nvmf_subsystem_add_host", **host), True)
        self.assertEqual(self.config("nvmf", "nvmf_subsystem_add_host"),
                         host)
        os.chmod(key, 0o644)
        self.refused(-22, f"Could not retrieve PSK from file: {key}",
                     "bdev_nvme_attach_controller", name="c", trtype="TCP",
                     traddr="127.0.0.1", psk=key)

    def test_what_of_a_virtio_device_is_looked_at_first(self):
        """Its address, then its kind."""
        self.start("v24.01")
        device = {"name": "v", "trtype": "pci", "dev_type": "bogus"}
        self.refused(22, "Invalid PCI address 'x'",
                     "bdev_virtio_attach_controller", traddr="x", **device)
        self.refused(22, "Invalid dev_type 'bogus'",
                     "bdev_virtio_attach_controller",
                     traddr="0000:99:00.0", **device)


class Faults(Base):
    """What ended the simulator, and no real target."""

    def test_a_name_that_a_relaxed_decoder_ignores(self):
        self.start("v26.05")
        self.assertIs(True, self.target.call(
            "nvmf_create_transport", trtype="TCP", max_qpairs_per_ctrlr=64))

    def test_facts_that_were_not_recorded_of_a_release(self):
        """v22.09 has them first; the nearest recorded one is v23.05."""
        self.start("v22.09")
        self.assertEqual("software", self.target.call(
            "accel_get_opc_assignments")["copy"])
        self.assertTrue(self.target.call("accel_get_module_info"))
