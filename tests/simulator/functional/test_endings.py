# SPDX-License-Identifier: Apache-2.0


"""Calls that end a real target: seen there, with the signal."""

import signal

from tests.functional.fixtures import simulated

_NQN = "nqn.2016-06.io.spdk:c1"
_UUID = "11111111-2222-3333-4444-555555555555"


class Endings(simulated.Case):
    """Each was seen on a real target of the same release."""

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

    def test_split_with_a_later_name_taken_kills(self):
        """The parts that were made already go after their base."""
        for first in (True, False):
            call = self.start("v26.05")
            self.malloc("ap1")
            if first:
                self.malloc("a")
                self.killed(signal.SIGABRT, "bdev_split_create",
                            base_bdev="a", split_count=2)
            else:
                call("bdev_split_create", base_bdev="a", split_count=2)
                self.killed(signal.SIGABRT, "bdev_malloc_create", name="a",
                            num_blocks=64, block_size=512)

    def test_split_with_the_first_name_taken(self):
        """Nothing was made: it is just refused."""
        self.start("v26.05")
        self.malloc("a", "ap0")
        self.refused(-32602, "Failed to create 2 split bdevs from 'a': "
                     "Cannot allocate memory", "bdev_split_create",
                     base_bdev="a", split_count=2)

    def test_split_of_too_few_blocks_kills(self):
        """A division by zero."""
        self.start("v26.05")
        self.malloc("a", blocks=2)
        self.killed(signal.SIGFPE, "bdev_split_create", base_bdev="a",
                    split_count=3)

    def test_split_by_alias_kills(self):
        """The parts are looked for under the name."""
        call = self.start("v26.05")
        call("bdev_malloc_create", name="a", num_blocks=64, block_size=512,
             uuid=_UUID)
        self.killed(signal.SIGSEGV, "bdev_split_create", base_bdev=_UUID,
                    split_count=2)

    def test_ring_of_volumes_kills(self):
        """Each asks the other for its memory domains."""
        call = self.start("v26.05")
        self.malloc("a", blocks=65536)
        call("bdev_lvol_create_lvstore", bdev_name="a", lvs_name="s")
        call("bdev_lvol_create", lvs_name="s", lvol_name="l",
             size_in_mib=8, thin_provision=True)
        call("bdev_passthru_create", name="p", base_bdev_name="s/l")
        self.assertTrue(call("bdev_lvol_set_parent_bdev", lvol_name="s/l",
                             parent_name="p"))
        self.killed(signal.SIGSEGV, "bdev_get_bdevs")

    def test_volume_on_a_claimed_bdev_kills(self):
        """It has no bdev: deleting it kills, standing on it is refused."""
        call = self.start("v26.05")
        self.malloc("a", "b", blocks=65536)
        call("bdev_lvol_create_lvstore", bdev_name="a", lvs_name="s",
             cluster_sz=1048576)
        call("bdev_lvol_create", lvs_name="s", lvol_name="l",
             size_in_mib=8, thin_provision=True)
        call("bdev_passthru_create", name="p", base_bdev_name="b")
        self.refused(-32602, "Invalid argument", "bdev_lvol_set_parent_bdev",
                     lvol_name="s/l", parent_name="b")
        call("bdev_lvol_clone_bdev", bdev="b", lvs_name="s", clone_name="c")
        volume, = (volume for volume in call("bdev_lvol_get_lvols")
                   if volume["name"] == "c")
        self.assertTrue(volume["is_degraded"])
        self.killed(signal.SIGSEGV, "bdev_lvol_delete", name="s/c")

    def test_passthru_with_a_taken_uuid_aborts(self):
        """Registering it fails as it does with a taken name."""
        call = self.start("v26.05")
        self.malloc("a")
        call("bdev_malloc_create", name="b", num_blocks=64, block_size=512,
             uuid=_UUID)
        self.killed(signal.SIGABRT, "bdev_passthru_create", name="p",
                    base_bdev_name="a", uuid=_UUID)
