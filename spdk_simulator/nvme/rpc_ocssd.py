# SPDX-License-Identifier: Apache-2.0

"""``bdev_ocssd_*`` (``module/bdev/nvme/bdev_ocssd.c``, until v21.07)."""

import errno
import re

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.nvme import rpc as nvme_rpc

_RANGE = re.compile(r"\s*[+-]?\d+-\s*[+-]?\d+")


@registry.method("bdev_ocssd_create")
def create(target, params, request):
    """Refuse: no namespace is of an open-channel SSD."""
    units = params.get("range")
    if units is not None and not _RANGE.match(units):
        raise errors.CallError(-errno.EINVAL, "Failed to parse range")
    controller = nvme_rpc.find(target, params["ctrlr_name"])
    if params.get("nsid", 1) not in controller.subsystem.namespaces:
        raise errors.no_device()
    raise errors.invalid()


@registry.method("bdev_ocssd_delete")
def delete(target, params, request):
    """Refuse: there is none."""
    if target.bdevs.find(params["name"]) is None:
        raise errors.no_device()
    raise errors.invalid()
