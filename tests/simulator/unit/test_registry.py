# SPDX-License-Identifier: Apache-2.0

"""Which methods and parameters each release has."""

import unittest

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.jsonrpc import wire
from spdk_simulator import methods
from spdk_simulator import release

methods.load()


def table(tag, app="nvmf_tgt"):
    return registry.Methods(app, release.Release(tag)).table


class Releases(unittest.TestCase):

    def test_names_by_release(self):
        for name, first, last in (
                ("get_bdevs", "v18.01", "v22.01"),
                ("bdev_get_bdevs", "v19.10", "v26.09"),
                ("construct_nvmf_subsystem", "v18.01", "v18.10"),
                ("nvmf_create_subsystem", "v19.10", "v26.09"),
                ("delete_bdev", "v18.01", "v19.01"),
                ("bdev_get_histogram_borders", "v26.05", "v26.09"),
                ("get_rpc_methods", "v18.01", "v22.01")):
            known = release.data("parameters")["releases"]
            for tag in ("v18.01", "v18.10", "v19.01", "v19.10", "v21.04",
                        "v22.01", "v22.05", "v24.01", "v26.05", "v26.09"):
                inside = (known.index(first) <= known.index(tag)
                          <= known.index(last))
                self.assertEqual(inside, name in table(tag), (name, tag))

    def test_programs(self):
        for name, apps in (("nvmf_get_subsystems", {"nvmf_tgt"}),
                           ("vhost_get_controllers", {"vhost"}),
                           ("iscsi_get_target_nodes", {"iscsi_tgt"}),
                           ("scsi_get_devices", {"vhost", "iscsi_tgt"})):
            for app in ("nvmf_tgt", "vhost", "iscsi_tgt", "spdk_tgt"):
                self.assertEqual(app in apps or app == "spdk_tgt",
                                 name in table("v26.05", app))

    def test_counts_of_the_recorded_releases(self):
        for tag, app, count in (("v22.01", "nvmf_tgt", 136),
                                ("v24.01", "vhost", 168),
                                ("v26.05", "iscsi_tgt", 204)):
            found = registry.Methods(app, release.Release(tag)).names
            self.assertEqual(count, len(found))

    def test_parameters_by_release(self):
        for tag, params, taken in (
                ("v22.01", ["physical_block_size"], False),
                ("v24.01", ["physical_block_size"], True),
                ("v24.01", ["numa_id"], False),
                ("v26.05", ["numa_id"], True)):
            method = table(tag)["bdev_malloc_create"]
            value = {"num_blocks": wire.Number("8"),
                     "block_size": wire.Number("512")}
            value.update(dict.fromkeys(params, wire.Number("0")))
            if taken:
                self.assertIn(params[0], method.params(value))
            else:
                with self.assertRaises(errors.CallError) as caught:
                    method.params(value)
                self.assertEqual(-32603, caught.exception.code)

    def test_every_method_of_every_release_can_be_asked(self):
        for tag in release.data("parameters")["releases"]:
            try:
                known = release.Release(tag)
            except ValueError:
                continue
            for method in registry.Methods("spdk_tgt", known).table.values():
                try:
                    method.params({"no such parameter": None})
                except errors.CallError as exc:
                    self.assertIsInstance(exc.code, int, method.name)
                    self.assertNotIn("%", exc.message, method.name)

    def test_allowed(self):
        found = registry.Methods("nvmf_tgt", release.Release("v26.05"),
                                 ["spdk_get_version", "no_such"])
        self.assertEqual(["spdk_get_version"], list(found.table))

    def test_order(self):
        tags = release.data("parameters")["releases"]
        numbers = [release.Release(tag) for tag in tags if tag >= "v18.01"]
        self.assertEqual(sorted(numbers, key=lambda item: item.index),
                         numbers)
        self.assertLess(numbers[0], 2205)
        self.assertRaises(ValueError, release.Release, "v25.01")
        self.assertRaises(ValueError, release.Release, "v17.07")
        self.assertIn("simulated", release.Release("24.01").version)
