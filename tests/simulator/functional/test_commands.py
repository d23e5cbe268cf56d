# SPDX-License-Identifier: Apache-2.0


"""Answers to what rpc.py sends, as real targets gave them."""

import errno
import os
import signal

from spdk_simulator.jsonrpc import registry
from spdk_simulator import release as releases
from tests.functional.fixtures import simulated

_NQN = "nqn.2016-06.io.spdk:cnode1"
_DISCOVERY = "nqn.2014-08.org.nvmexpress.discovery"
_INVALID = os.strerror(errno.EINVAL)
_EXISTS = os.strerror(errno.EEXIST)
_SIZE = {"v22.01": {"size": 4 << 20}, "v26.05": {"size_in_mib": 4}}
_KEY = "00112233445566778899aabbccddeeff"


class Listed(simulated.Case):
    """What spdk_tgt lists, in its own order."""

    def test_methods_of_spdk_tgt(self):
        for release, third in (("v24.01", "trace_get_info"),
                               ("v26.05", "notify_get_notifications")):
            methods = self.start(release, "spdk_tgt")("rpc_get_methods")
            self.assertEqual((third, "bdev_malloc_create"),
                             (methods[2], methods[-1]))

    def test_other_releases_list_the_same_once(self):
        methods = registry.Methods("spdk_tgt", releases.Release("v26.01"))
        self.assertEqual(len(methods.names), len(set(methods.names)))
        self.assertEqual("notify_get_types", methods.names[3])

    def test_subsystems_of_spdk_tgt(self):
        call = self.start("v26.05", "spdk_tgt")
        names = [item["subsystem"]
                 for item in call("framework_get_subsystems")]
        self.assertEqual(["nvmf", "nbd", "vhost_blk", "scsi", "iscsi",
                          "vhost_scsi"], names[-6:])

    def test_context_switches_are_watched(self):
        call = self.start("v26.05")
        self.assertEqual({"enabled": True},
                         call("framework_monitor_context_switch"))


class Refused(simulated.Case):

    def test_snapshot_of_a_snapshot(self):
        for release in ("v22.01", "v26.05"):
            call = self.start(release)
            self.malloc("a", blocks=131072)
            call("bdev_lvol_create_lvstore", bdev_name="a", lvs_name="l")
            call("bdev_lvol_create", lvs_name="l", lvol_name="v",
                 **_SIZE[release])
            call("bdev_lvol_snapshot", lvol_name="l/v", snapshot_name="s")
            self.refused(-32602, _INVALID, "bdev_lvol_snapshot",
                         lvol_name="l/s", snapshot_name="t")

    def test_volume_renamed_to_its_own_name(self):
        call = self.start("v26.05")
        self.malloc("a", blocks=131072)
        call("bdev_lvol_create_lvstore", bdev_name="a", lvs_name="l")
        call("bdev_lvol_create", lvs_name="l", lvol_name="v",
             size_in_mib=4)
        self.refused(-32602, _EXISTS, "bdev_lvol_rename", old_name="l/v",
                     new_name="v")

    def test_zone_block_is_forgotten_when_its_base_is_claimed(self):
        call = self.start("v26.05")
        self.malloc("a", "b")
        call("bdev_passthru_create", name="p", base_bdev_name="a")
        zones = {"name": "z", "zone_capacity": 512, "optimal_open_zones": 1}
        self.refused(-32603, "Failed to create block zoned vbdev: Operation "
                     "not permitted", "bdev_zone_block_create",
                     base_bdev="a", **zones)
        self.assertEqual("z", call("bdev_zone_block_create", base_bdev="b",
                                   **zones))

    def test_protection_information_of_4096_bytes(self):
        self.start("v26.05")
        self.refused(-22, _INVALID, "bdev_malloc_create", name="m",
                     num_blocks=2048, block_size=512, md_size=64,
                     md_interleave=True, dif_type=3, dif_pi_format=1)
        self.target.call("bdev_malloc_create", name="m", num_blocks=2048,
                         block_size=4096, md_size=64, md_interleave=True,
                         dif_type=3, dif_pi_format=1)

    def test_tweak_mode(self):
        for release in ("v24.01", "v26.05"):
            self.start(release)
            self.refused(-32602, "failed to create DEK, rc -22",
                         "accel_crypto_key_create", name="k", key=_KEY,
                         key2=_KEY[::-1], cipher="AES_XTS",
                         tweak_mode="INCR_512_FULL_LBA")

    def test_buffers(self):
        self.start("v26.05", "spdk_tgt")
        self.target.close()
        for release, params, refused in (
                ("v26.05", {"small_pool_count": 63}, True),
                ("v24.01", {"large_pool_count": 7}, True),
                ("v26.05", {"small_bufsize": 4095}, True),
                ("v24.01", {"small_bufsize": 4095}, False)):
            self.start(release, arguments=["--wait-for-rpc"])
            if refused:
                self.refused(-22, _INVALID, "iobuf_set_options", **params)
            else:
                self.target.call("iobuf_set_options", **params)
                self.target.call("framework_start_init")
                calls = self.target.call("framework_get_config",
                                         name="iobuf")
                self.assertEqual(4096, calls[0]["params"]["small_bufsize"])

    def test_iscsi_options_are_set_once(self):
        call = self.start("v26.05", "iscsi_tgt",
                          arguments=["--wait-for-rpc"])
        call("iscsi_set_options", auth_file="/etc/secrets", max_sessions=8)
        self.refused(-32603, "Must not call more than once",
                     "iscsi_set_options", max_sessions=9)
        call("framework_start_init")
        options = call("iscsi_get_options")
        self.assertEqual(("auth_file", 8), (next(iter(options)),
                                            options["max_sessions"]))

    def test_virtio_scsi_of_nobody(self):
        self.start("v26.05")
        for kind, number in (("scsi", errno.EPERM), ("blk", errno.EINVAL)):
            for transport, address in (("user", "/nosuch"),
                                       ("pci", "0000:00:1f.0")):
                self.refused(-32602, os.strerror(number),
                             "bdev_virtio_attach_controller", name="v",
                             trtype=transport, traddr=address, dev_type=kind)

    def test_command_of_another_length(self):
        call = self.start("v26.05")
        call("nvmf_create_transport", trtype="TCP")
        call("nvmf_create_subsystem", nqn=_NQN, allow_any_host=True)
        address = {"trtype": "TCP", "adrfam": "ipv4",
                   "traddr": "127.0.0.1", "trsvcid": "44420"}
        call("nvmf_subsystem_add_listener", nqn=_NQN,
             listen_address=address)
        call("bdev_nvme_attach_controller", name="n", subnqn=_NQN,
             **address)
        self.refused(-32602, _INVALID, "bdev_nvme_send_cmd", name="n",
                     cmd_type="admin", data_direction="c2h", cmdbuf="AAAA")

    def test_extended_attributes_of_a_directory(self):
        self.start("v26.05")
        self.killed(signal.SIGSEGV, "fsdev_aio_create", name="f",
                    root_path="/", enable_xattr=True)


class Logged(simulated.Case):

    def test_transport_and_listeners(self):
        """One line each, though two subsystems share the listener."""
        call = self.start("v26.05")
        call("nvmf_create_transport", trtype="TCP")
        for nqn in (_NQN, _NQN + "2"):
            call("nvmf_create_subsystem", nqn=nqn)
            call("nvmf_subsystem_add_listener", nqn=nqn, listen_address={
                "trtype": "TCP", "traddr": "127.0.0.1",
                "trsvcid": "44421"})
        lines = [line.partition("*NOTICE*: ")[2]
                 for line in self.target.log().splitlines()]
        self.assertEqual(
            ["*** TCP Transport Init ***", "*** NVMe/TCP Target Listening "
             "on 127.0.0.1 port 44421 ***"],
            [line for line in lines if line.startswith("***")])


class Kept(simulated.Case):

    def test_trace_points(self):
        call = self.start("v24.01")
        call("trace_enable_tpoint_group", name="bdev")
        call("trace_disable_tpoint_group", name="bdev")
        call("trace_set_tpoint_mask", name="bdev", tpoint_mask=0xffff)
        call("trace_clear_tpoint_mask", name="bdev", tpoint_mask=1)
        self.assertEqual("0xfffe",
                         call("trace_get_info")["bdev"]["tpoint_mask"])
        self.assertEqual({"enabled", "mask"}, set(
            call("trace_get_tpoint_group_mask")["bdev"]))

    def test_names_of_keys(self):
        """A taken name is refused before the file is looked at."""
        call = self.start("v26.05")
        path = os.path.join(self.target.directory, "key")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o700), "wb"):
            call("keyring_file_add_key", name=":k", path=path)
        self.refused(-17, "File exists", "keyring_file_add_key",
                     name="k", path="/missing")
        self.refused(-22, "Invalid argument", "keyring_file_add_key",
                     name="other:k", path=path)
        self.refused(-2, "No such file or directory",
                     "keyring_file_add_key", name="l", path="/missing")
        self.assertEqual([":k"], [
            key["name"] for key in call("keyring_get_keys")])
        call("keyring_file_remove_key", name="k")
        self.assertEqual([], call("keyring_get_keys"))

    def test_limit_of_write_zeroes(self):
        """It is looked at before the subsystem's name."""
        self.start("v26.05")
        self.refused(-32602, "Invalid max_write_zeroes_size_kib 5",
                     "nvmf_create_subsystem", nqn="",
                     max_write_zeroes_size_kib=5)

    def test_key_that_is_none(self):
        """The name of a key is known, but what the key says is none."""
        call = self.start("v26.05")
        path = os.path.join(self.target.directory, "key")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600),
                  "wb") as file:
            file.write(bytes(32))
        call("keyring_file_add_key", name="k", path=path)
        call("nvmf_create_transport", trtype="TCP")
        call("nvmf_create_subsystem", nqn=_NQN)
        self.refused(-32603, "Internal error", "nvmf_subsystem_add_host",
                     nqn=_NQN, host="nqn.2016-06.io.spdk:h", psk="k")
        self.assertEqual([], call("nvmf_get_subsystems",
                                  nqn=_NQN)[0]["hosts"])

    def test_discovery_in_the_configuration(self):
        """Its listeners are written from v24.01 on."""
        for release, written in (("v22.01", 0), ("v24.01", 1)):
            call = self.start(release)
            call("nvmf_create_transport", trtype="TCP")
            call("nvmf_subsystem_add_listener", nqn=_DISCOVERY,
                 listen_address={"trtype": "TCP", "adrfam": "ipv4",
                                 "traddr": "127.0.0.1", "trsvcid": "48009"})
            calls = call("framework_get_config", name="nvmf")
            self.assertEqual(written, sum(
                item["method"] == "nvmf_subsystem_add_listener"
                for item in calls))

    def test_startup_options(self):
        call = self.start("v24.01", arguments=["--wait-for-rpc"])
        call("accel_assign_opc", opname="copy", module="software")
        call("sock_set_default_impl", impl_name="posix")
        call("framework_start_init")
        call("accel_crypto_key_create", name="k", key=_KEY,
             key2=_KEY[::-1], cipher="AES_XTS")
        self.assertEqual(
            ["accel_set_options", "accel_assign_opc",
             "accel_crypto_key_create"],
            [item["method"] for item in call("framework_get_config",
                                             name="accel")])
        self.assertEqual("sock_set_default_impl", call(
            "framework_get_config", name="sock")[0]["method"])

    def test_ana_state_of_a_new_listener(self):
        for release in ("v24.01", "v26.05"):
            call = self.start(release)
            call("nvmf_create_transport", trtype="TCP")
            call("nvmf_create_subsystem", nqn=_NQN, ana_reporting=True,
                 max_namespaces=2)
            address = {"trtype": "TCP", "adrfam": "ipv4",
                       "traddr": "127.0.0.1", "trsvcid": "4420"}
            self.refused(-32602, "Invalid parameters",
                         "nvmf_subsystem_add_listener", nqn=_NQN,
                         listen_address=address, ana_state="nosuch")
            call("nvmf_subsystem_add_listener", nqn=_NQN,
                 listen_address=address, ana_state="non_optimized")
            listeners = call("nvmf_subsystem_get_listeners", nqn=_NQN)
            self.assertEqual(["non_optimized"] * 2, [
                group["ana_state"] for group in listeners[0]["ana_states"]])

    def test_initiators_of_any_text(self):
        call = self.start("v26.05", "iscsi_tgt")
        call("iscsi_create_initiator_group", tag=1,
             initiators=["", "iqn.SMALL.ALL"], netmasks=["", "ALL", "ALL"])
        group = call("iscsi_get_initiator_groups")[0]
        self.assertEqual((["", "iqn.SMANY.ALL"], ["", "ANY", "ANY"]),
                         (group["initiators"], group["netmasks"]))

    def test_configuration(self):
        call = self.start("v26.05", "spdk_tgt")
        call("fsdev_aio_create", name="f", root_path="/")
        call("bdev_malloc_create", name="m", num_blocks=2048,
             block_size=512)
        call("iscsi_create_portal_group", tag=1, portals=[
            {"host": "127.0.0.1", "port": "43260"}])
        call("iscsi_create_initiator_group", tag=1, initiators=["ANY"],
             netmasks=["ANY"])
        node = "iqn.2016-06.io.spdk:d"
        call("iscsi_create_target_node", name=node, alias_name="d",
             pg_ig_maps=[{"pg_tag": 1, "ig_tag": 1}], luns=[
                 {"bdev_name": "m", "lun_id": 0}], queue_depth=8)
        call("iscsi_enable_histogram", name=node, enable=True)
        self.assertEqual(
            ["fsdev_set_opts", "fsdev_aio_create"],
            [item["method"] for item in call("framework_get_config",
                                             name="fsdev")])
        self.assertEqual(
            {"method": "iscsi_enable_histogram",
             "params": {"name": node, "enable": True}},
            call("framework_get_config", name="iscsi")[-1])
