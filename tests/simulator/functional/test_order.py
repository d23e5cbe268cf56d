# SPDX-License-Identifier: Apache-2.0

"""In which order bdevs go, and what stays."""

import json
import signal
import socket

from tests.simulator.functional import test_releases as releases


class Ends(releases.Base):
    """How bdevs go that are on top of each other."""

    def gone(self):
        """The names of the bdevs that went, in order."""
        return [event["ctx"] for event in
                self.target.call("notify_get_notifications")
                if event["type"] == "bdev_unregister"]

    def test_order_of_parts(self):
        """One is gone from the moment on that nobody has it open; from
        v22.05 on its channels learn of it first.
        """
        for release in ("v22.01", "v24.01"):
            call = self.start(release)
            self.malloc("a")
            call("bdev_split_create", base_bdev="a", split_count=3)
            call("bdev_passthru_create", name="p", base_bdev_name="ap0")
            call("bdev_passthru_create", name="q", base_bdev_name="ap1")
            call("bdev_malloc_delete", name="a")
            self.assertEqual(self.gone(), ["ap2", "p", "q", "ap0", "ap1",
                                           "a"], release)

    def test_raid_goes_before_its_base(self):
        """It has it open until it is gone itself."""
        for release in ("v22.01", "v24.01"):
            call = self.start(release)
            self.malloc("a", "b")
            call("bdev_passthru_create", name="p", base_bdev_name="a")
            self.raid("r", "p", "b")
            call("bdev_split_create", base_bdev="r", split_count=2)
            call("bdev_malloc_delete", name="a")
            self.assertEqual(self.gone(), ["rp0", "rp1", "r", "p", "a"],
                             release)

    def test_store_goes_with_its_last_volume(self):
        """Volumes go together with their base, one after the other with
        their store: snapshots after their clones.
        """
        for release in ("v22.01", "v24.01"):
            call = self.start(release)
            self.malloc("a", blocks=65536)
            for delete, expected in (
                    (("bdev_lvol_delete_lvstore", {"lvs_name": "s"}),
                     ["l", "p", "m", "f"]),
                    (("bdev_malloc_delete", {"name": "a"}),
                     ["l", "f", "q", "m", "a"])):
                call("bdev_lvol_create_lvstore", bdev_name="a",
                     lvs_name="s", cluster_sz=1048576)
                names = {call("bdev_lvol_create", lvs_name="s",
                              lvol_name=name, size=1048576): name
                         for name in ("l", "m")}
                names[call("bdev_lvol_snapshot", lvol_name="s/m",
                           snapshot_name="f")] = "f"
                volume = {name: uuid for uuid, name in names.items()}["m"]
                call("bdev_passthru_create", base_bdev_name=volume,
                     name="p" if "p" in expected else "q")
                before = len(self.gone())
                call(delete[0], **delete[1])
                self.assertEqual([names.get(name, name) for name
                                  in self.gone()[before:]], expected)

    def test_part_of_a_taken_name(self):
        """Up to v22.09 it is taken for made, and kills when it goes."""
        call = self.start("v22.01")
        self.malloc("a", "ap1")
        self.assertEqual(call("bdev_split_create", base_bdev="a",
                              split_count=2), ["ap0", "ap1"])
        self.assertEqual([bdev["name"] for bdev in call("bdev_get_bdevs")],
                         ["a", "ap1", "ap0"])
        self.killed(signal.SIGSEGV, "bdev_split_delete", base_bdev="a")

    def test_split_without_parts(self):
        """A split is forgotten with its last part: without any, never."""
        call = self.start("v24.01")
        self.malloc("a", blocks=2048)
        split = {"base_bdev": "a", "split_count": 2, "split_size_mb": 4}
        self.assertEqual(call("bdev_split_create", **split), [])
        self.assertIs(call("bdev_split_delete", base_bdev="a"), True)
        self.refused(-32602, "Failed to create 2 split bdevs from 'a': File "
                     "exists", "bdev_split_create", **split)

    def test_no_memory_for_ftl(self):
        """v22.01 does not tell that the base has no zones."""
        self.start("v22.01")
        self.malloc("a")
        self.refused(-32603, "Failed to create FTL bdev: Cannot allocate "
                     "memory", "bdev_ftl_create", name="f", base_bdev="a")

    def test_store_that_could_not_claim(self):
        """From v23.05 on its name and its channel are lost."""
        call = self.start("v24.01", "vhost")
        self.malloc("a", "b", blocks=65536)
        call("vhost_create_blk_controller", ctrlr="c", dev_name="a")
        self.refused(-32602, "Operation not permitted",
                     "bdev_lvol_create_lvstore", bdev_name="a", lvs_name="s")
        self.refused(-32603, "Bad address", "bdev_get_histogram", name="a")
        self.refused(-17, "File exists", "bdev_lvol_create_lvstore",
                     bdev_name="b", lvs_name="s")
        self.assertEqual(call("bdev_lvol_get_lvstores"), [])

    def test_alias_of_a_read_only_volume(self):
        """It is changed before the name is, which stays."""
        call = self.start("v24.01")
        self.malloc("a", blocks=131072)
        call("bdev_lvol_create_lvstore", bdev_name="a", lvs_name="s",
             cluster_sz=1048576)
        volume = call("bdev_lvol_create", lvs_name="s", lvol_name="l",
                      size_in_mib=16)
        self.refused(-32602, "No space left on device", "bdev_lvol_resize",
                     name="s/l", size_in_mib=2 ** 64 - 1)
        call("bdev_lvol_set_read_only", name="s/l")
        self.refused(-32602, "Operation not permitted", "bdev_lvol_rename",
                     old_name="s/l", new_name="m")
        self.assertEqual(call("bdev_get_bdevs", name=volume)[0]["aliases"],
                         ["s/m"])
        self.assertEqual(call("bdev_lvol_get_lvols")[0]["name"], "l")
        # Nothing can be written to it.
        self.refused(-32602, "Input/output error",
                     "bdev_lvol_create_lvstore", bdev_name=volume,
                     lvs_name="t", cluster_sz=1048576)


class Busy(releases.Base):
    """Changes of one subsystem that come in one write."""

    def together(self, *calls):
        """What each call is answered: its result, or its error."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(60)
            sock.connect(self.target.socket)
            sock.sendall(b"".join(json.dumps({
                "jsonrpc": "2.0", "id": number, "method": method,
                "params": params}).encode()
                for number, (method, params) in enumerate(calls)))
            with sock.makefile("rb") as file:
                replies = [json.loads(file.readline()) for _ in calls]
        found = {reply["id"]: reply.get("result", reply.get("error"))
                 for reply in replies}
        return [found[number] for number in range(len(calls))]

    def test_who_refuses_them(self):
        """Up to v24.01 one at a time; others of the same write are fine."""
        nqns = "nqn.2016-06.io.spdk:c1", "nqn.2016-06.io.spdk:c2"
        create, other = (("nvmf_create_subsystem", {"nqn": nqn})
                         for nqn in nqns)
        first, second = (("nvmf_subsystem_add_ns", {
            "nqn": nqns[0], "namespace": {"bdev_name": name}})
            for name in "ab")
        delete = "nvmf_delete_subsystem", {"nqn": nqns[0]}
        busy = {"code": -32603, "message": "subsystem busy, retry later.\n"}
        for release in ("v20.10", "v22.01", "v24.01", "v24.05"):
            call = self.start(release)
            self.malloc("a", "b")
            queued = release == "v24.05"
            self.assertEqual(
                [True, 1 if queued else busy, True],
                self.together(create, first, other), release)
            if queued:
                call("nvmf_subsystem_remove_ns", nqn=nqns[0], nsid=1)
            found = self.together(first, second, delete)
            self.assertEqual(1, found[0], release)
            if not queued:
                self.assertEqual([busy, {
                    "code": -32603, "message": "Subsystem currently in "
                    "another state change try again later."}], found[1:],
                    release)
                # One after the other it goes.
                self.assertEqual([2], self.together(second), release)
