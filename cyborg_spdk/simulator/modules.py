# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""The bdev modules that look at new bdevs and have state of their own."""

from cyborg_spdk.simulator.methods import bdev_delay
from cyborg_spdk.simulator.methods import bdev_error
from cyborg_spdk.simulator.methods import bdev_lvol
from cyborg_spdk.simulator.methods import bdev_passthru
from cyborg_spdk.simulator.methods import bdev_split
from cyborg_spdk.simulator.methods import bdev_zone_block
from cyborg_spdk.simulator import nvme
from cyborg_spdk.simulator import raid_config
from cyborg_spdk.simulator import raid_module


def load(target):
    """Give a target its modules, in the order in which they examine."""
    modules = target.bdevs.modules
    raid = raid_module if target.release >= 2301 else raid_config
    for name, module in (
            ("zone_block", bdev_zone_block), ("delay", bdev_delay),
            ("split", bdev_split), ("error", bdev_error),
            ("raid", raid), ("passthru", bdev_passthru),
            ("lvol", bdev_lvol), ("nvme", nvme)):
        modules[name] = module.Module(target)
