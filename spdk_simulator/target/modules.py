# SPDX-License-Identifier: Apache-2.0

"""The bdev modules that look at new bdevs and have state of their own."""

from spdk_simulator.bdev import delay
from spdk_simulator.bdev import error as bdev_error
from spdk_simulator.bdev import passthru
from spdk_simulator.bdev import split as bdev_split
from spdk_simulator.bdev import zone_block
from spdk_simulator.lvol import rpc as lvol_rpc
from spdk_simulator.nvme import controllers as nvme_controllers
from spdk_simulator.raid import before_v23_01
from spdk_simulator.raid import module as raid_module


def load(target):
    """Give a target its modules, in the order in which they examine."""
    modules = target.bdevs.modules
    raid = raid_module if target.release >= 2301 else before_v23_01
    for name, module in (
            ("zone_block", zone_block), ("delay", delay),
            ("split", bdev_split), ("error", bdev_error),
            ("raid", raid), ("passthru", passthru),
            ("lvol", lvol_rpc), ("nvme", nvme_controllers)):
        modules[name] = module.Module(target)
