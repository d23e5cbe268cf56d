# SPDX-License-Identifier: Apache-2.0
"""``fsdev_*`` (``lib/fsdev``, ``module/fsdev/aio``)."""

import os

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry


@registry.method("fsdev_get_opts")
def get_opts(target, params, request):
    """Tell the options of the layer."""
    return dict(target.options.fsdev_options)


@registry.method("fsdev_set_opts")
def set_opts(target, params, request):
    """Set the options of the layer."""
    least = params["fsdev_io_cache_size"] * (len(target.threads()) + 1)
    if params["fsdev_io_pool_size"] < least % 2 ** 32:
        raise errors.invalid_params("spdk_fsdev_set_opts failed with -22")
    target.options.fsdev_options.update(params)
    return True


@registry.method("fsdev_aio_create")
def aio_create(target, params, request):
    """Serve a directory."""
    name = params["name"]
    if not os.path.lexists(params["root_path"]):
        raise errors.internal(os.strerror(2))
    if params.get("enable_xattr"):
        # Refused inside without an error number, so what was never made
        # is answered with (spdk_fsdev_aio_create()).
        target.process.crash()
    if not name:
        raise errors.internal(os.strerror(22))
    if name in target.options.fsdevs:
        raise errors.internal(os.strerror(17))
    target.options.fsdevs[name] = {
        "name": name, "root_path": params["root_path"],
        "enable_xattr": False, "enable_writeback_cache": True,
        "max_write": 131072, "skip_rw": params.get("skip_rw", False)}
    target.notify("fsdev_register", name)
    return name


@registry.method("fsdev_aio_delete")
def aio_delete(target, params, request):
    """Stop to serve one."""
    if target.options.fsdevs.pop(params["name"], None) is None:
        raise errors.no_device()
    target.notify("fsdev_unregister", params["name"])
    target.answer_later(request, lambda: True)
    return registry.PENDING
