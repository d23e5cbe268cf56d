# SPDX-License-Identifier: Apache-2.0


"""RAID bdevs that lose base bdevs and get others."""

from tests.functional.fixtures import simulated


class Raid(simulated.Case):
    """Each was seen on a real target of the same release."""

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

    def test_last_base_of_a_raid1(self):
        """It is given up before the RAID bdev goes; until v24.01 after."""
        for release, order in (("v24.01", ["a", "r", "b"]),
                               ("v26.05", ["a", "b", "r"])):
            call = self.start(release)
            self.malloc("a", "b")
            call("bdev_raid_create", name="r", raid_level="raid1",
                 base_bdevs=["a", "b"])
            call("bdev_malloc_delete", name="a")
            call("bdev_malloc_delete", name="b")
            self.assertEqual(order, [
                event["ctx"] for event in call("notify_get_notifications")
                if event["type"] == "bdev_unregister"])

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

    def bases(self, name):
        """Name and configured of each place of a RAID bdev."""
        raid, = (raid for raid in self.target.call(
            "bdev_raid_get_bdevs", category="all") if raid["name"] == name)
        return [(base["name"], base["is_configured"])
                for base in raid["base_bdevs_list"]]

    def test_mirror_gets_another_base(self):
        """It must not be smaller than the place; the rebuild goes on."""
        for release in ("v24.01", "v26.05"):
            self.mirror(release)

    def mirror(self, release):
        """Have a mirror lose a base and get another one."""
        call = self.start(release)
        verb = "add" if release >= "v24.05" else "attach"
        self.malloc("a", "b")
        self.malloc("big", blocks=32768)
        self.malloc("small", blocks=8192)
        call("bdev_raid_create", name="r", raid_level="raid1",
             base_bdevs=["a", "b"])
        call("bdev_raid_remove_base_bdev", name="b")
        self.assertEqual(self.bases("r"), [("a", True), (None, False)])
        self.refused(-22, f"Failed to {verb} base bdev small to RAID bdev "
                     "r: Invalid argument", "bdev_raid_add_base_bdev",
                     raid_bdev="r", base_bdev="small")
        self.assertTrue(call("bdev_raid_add_base_bdev", raid_bdev="r",
                             base_bdev="big"))
        self.assertEqual(self.bases("r"), [("a", True), ("big", True)])
        raid, = call("bdev_raid_get_bdevs", category="online")
        self.assertEqual(raid["num_base_bdevs_operational"], 2)
        self.assertEqual(raid["base_bdevs_list"][1]["data_size"], 16384)

    def test_one_rebuild_at_a_time(self):
        """A second base is refused until the first one is rebuilt."""
        call = self.start("v26.05")
        for name in "abcd":
            call("bdev_null_create", name=name, num_blocks=2 ** 40,
                 block_size=512)
        call("bdev_raid_create", name="r", raid_level="raid1",
             base_bdevs=["a", "b", "c"])
        for name in "bc":
            call("bdev_raid_remove_base_bdev", name=name)
        call("bdev_raid_add_base_bdev", raid_bdev="r", base_bdev="b")
        process = call("bdev_raid_get_bdevs", category="online")[0][
            "process"]
        self.assertEqual((process["type"], process["target"]),
                         ("rebuild", "b"))
        self.refused(-1, "Failed to add base bdev c to RAID bdev r: "
                     "Operation not permitted", "bdev_raid_add_base_bdev",
                     raid_bdev="r", base_bdev="c")

    def test_place_is_kept_for_a_uuid(self):
        """What is not online yet waits for the same bdev."""
        call = self.start("v26.05")
        self.malloc("a", "b", "c")
        call("bdev_raid_create", name="r", raid_level="raid0",
             base_bdevs=["a", "b", "later"], strip_size_kb=4)
        call("bdev_raid_remove_base_bdev", name="b")
        self.assertEqual(self.bases("r"), [
            ("a", True), (None, False), ("later", False)])
        self.refused(-22, "Failed to add base bdev c to RAID bdev r: "
                     "Invalid argument", "bdev_raid_add_base_bdev",
                     raid_bdev="r", base_bdev="c")
        call("bdev_raid_add_base_bdev", raid_bdev="r", base_bdev="b")
        self.assertEqual(self.bases("r"), [
            ("a", True), ("b", True), ("later", False)])

    def test_memory_domains(self):
        """Those on top tell of the RAM disks below (v26.05)."""
        call = self.start("v26.05")
        self.malloc("a", "b")
        call("bdev_passthru_create", name="p", base_bdev_name="a")
        call("bdev_raid_create", name="r", raid_level="raid1",
             base_bdevs=["p", "b"])
        call("bdev_passthru_create", name="q", base_bdev_name="r")
        for name, number in (("a", 0), ("p", 0), ("r", 4), ("q", 4)):
            bdev, = call("bdev_get_bdevs", name=name)
            self.assertEqual(len(bdev.get("memory_domains", ())), number,
                             name)
