# SPDX-License-Identifier: Apache-2.0

"""NVMe controllers that are attached to a subsystem of the same target."""

from tests.functional.fixtures import simulated

_NQN = "nqn.2016-06.io.spdk:c1"
_ADDRESS = {"trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1",
            "trsvcid": "4420"}


class Controllers(simulated.Case):
    """Each was seen on a real target of the same release."""

    def attach(self, release):
        """Start a target and attach a controller of one namespace."""
        call = self.start(release)
        self.malloc("a", blocks=65536)
        call("nvmf_create_transport", trtype="TCP")
        call("nvmf_create_subsystem", nqn=_NQN, allow_any_host=True,
             ana_reporting=True)
        call("nvmf_subsystem_add_ns", nqn=_NQN, namespace={
            "bdev_name": "a",
            "nguid": "77777777222233334444555555555555"})
        call("nvmf_subsystem_add_listener", nqn=_NQN,
             listen_address=_ADDRESS)
        self.assertEqual(call("bdev_nvme_attach_controller", name="c",
                              subnqn=_NQN, **_ADDRESS), ["cn1"])
        return call

    def identifiers(self):
        """The identifiers of the controllers that the subsystem has."""
        return [controller["cntlid"] for controller in self.target.call(
            "nvmf_subsystem_get_controllers", nqn=_NQN)]

    def test_identifiers(self):
        """Each connection gets the next one."""
        for release in ("v22.01", "v24.01"):
            call = self.attach(release)
            self.assertEqual(self.identifiers(), [1])
            call("bdev_nvme_reset_controller", name="c")
            self.assertEqual(self.identifiers(), [2])
        call("bdev_nvme_disable_controller", name="c")
        self.assertEqual(self.identifiers(), [])
        state = call("bdev_nvme_get_controllers")[0]["ctrlrs"][0]["state"]
        self.assertEqual(state, "disabled")
        self.assertIs(call("bdev_nvme_disable_controller", name="c"), True)
        self.refused(-19, "No such device", "bdev_nvme_enable_controller",
                     name="c", cntlid=9)
        call("bdev_nvme_enable_controller", name="c")
        self.assertEqual(self.identifiers(), [3])

    def test_queues(self):
        """There is one for each thread that uses a bdev of it."""
        for release in ("v22.01", "v24.01"):
            call = self.attach(release)
            statistics = "bdev_nvme_get_transport_statistics"
            self.assertEqual(call(statistics), {"poll_groups": []})
            call("bdev_lvol_create_lvstore", bdev_name="cn1", lvs_name="s")
            group, = call(statistics)["poll_groups"]
            self.assertEqual((group["thread"], group["transports"][0][
                "trname"]), ("app_thread", "TCP"))
            self.assertEqual([pair["qid"] for pair in call(
                "nvmf_subsystem_get_qpairs", nqn=_NQN)], [0, 1])
            self.assertEqual(call("nvmf_subsystem_get_controllers",
                                  nqn=_NQN)[0]["num_io_qpairs"], 2)
            self.assertEqual(call("nvmf_get_stats")["poll_groups"][0][
                "current_io_qpairs"], 1)

    def test_what_is_kept(self):
        """The requests of a queue, the timeouts, the host's name."""
        for release, more in (("v22.01", set()), ("v24.01", {"hostnqn"})):
            call = self.attach(release)
            calls = {entry["method"]: entry.get("params") for entry in call(
                "framework_get_config", name="bdev")}
            self.assertEqual(calls["bdev_nvme_set_options"][
                "io_queue_requests"], 512)
            attached = calls["bdev_nvme_attach_controller"]
            self.assertLessEqual(
                {"ctrlr_loss_timeout_sec", "reconnect_delay_sec", *more},
                attached.keys())
            bdev, = call("bdev_get_bdevs", name="cn1")
            path = bdev["driver_specific"]["nvme"]
            self.assertEqual(path[0]["ns_data"]["ana_state"], "optimized")

    def test_order_of_counters(self):
        """Those of a poll group come before those of this thread."""
        call = self.start("v24.01")
        self.malloc("a", blocks=65536)
        self.malloc("b", "c")
        call("bdev_lvol_create_lvstore", bdev_name="a", lvs_name="s")
        call("nvmf_create_transport", trtype="TCP")
        call("nvmf_create_subsystem", nqn=_NQN)
        call("nvmf_subsystem_add_ns", nqn=_NQN, namespace={"bdev_name": "b"})
        self.assertEqual([bdev["name"] for bdev in
                          call("bdev_get_iostat")["bdevs"]], ["c", "b", "a"])
