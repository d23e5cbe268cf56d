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

"""``bdev_ocssd_*`` (``module/bdev/nvme/bdev_ocssd.c``, until v21.07)."""

import errno
import re

from cyborg_spdk.simulator import errors
from cyborg_spdk.simulator.methods import bdev_nvme
from cyborg_spdk.simulator import registry

_RANGE = re.compile(r"\s*[+-]?\d+-\s*[+-]?\d+")


@registry.method("bdev_ocssd_create")
def create(target, params, request):
    """Refuse: no namespace is of an open-channel SSD."""
    units = params.get("range")
    if units is not None and not _RANGE.match(units):
        raise errors.CallError(-errno.EINVAL, "Failed to parse range")
    controller = bdev_nvme.find(target, params["ctrlr_name"])
    if params.get("nsid", 1) not in controller.subsystem.namespaces:
        raise errors.no_device()
    raise errors.invalid()


@registry.method("bdev_ocssd_delete")
def delete(target, params, request):
    """Refuse: there is none."""
    if target.bdevs.find(params["name"]) is None:
        raise errors.no_device()
    raise errors.invalid()
