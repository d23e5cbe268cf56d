# SPDX-License-Identifier: Apache-2.0

"""NVMe controllers as a source of block devices, local and remote."""

from typing import Any

from cyborg_spdk.clients import addresses
from cyborg_spdk.clients import base
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def get(client: base.Caller,
        name: str | None = None) -> list[types.NvmeController]:
    """The NVMe controllers that are attached.

    :param name: the only one wanted; None means all.
    :returns: list of :class:`~cyborg_spdk.clients.types.NvmeController`,
        each with one or more paths.
    :raises NotFound: there is none of that name.
    """
    method = 'bdev_nvme_get_controllers'
    controllers = types.NvmeController.parse_list(base.call(client, method))
    if name is None:
        return controllers
    controllers = [each for each in controllers if each.name == name]
    if not controllers:
        raise errors.missing(method, {'name': name},
                             f'NVMe controller {name!r} does not exist')
    return controllers


def find(client: base.Caller, name: str) -> types.NvmeController | None:
    """The NVMe controller of that name, or None."""
    try:
        return get(client, name)[0]
    except exceptions.NotFound:
        return None


def detach(client: base.Caller, name: str, *,
           path: addresses.Address | None = None,
           missing_ok: bool = False) -> bool:
    """Detach an NVMe controller and its bdevs, or one path of it.

    :param name: name of the controller (not of a bdev).
    :param path: only this one, as
        :func:`cyborg_spdk.clients.addresses.parse` takes it (v21.10); None
        means all.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    """
    validate.text('controller', name)
    about, address = f'NVMe controller {name!r}', None
    if path is not None:
        address = addresses.parse(path, 'path')
        about = f'path {address} of {about}'

    def missing() -> bool:
        controller = find(client, name)
        return controller is None or address is not None and all(
            each.place[:3] != address.place for each in controller.paths)

    method = 'bdev_nvme_detach_controller'
    # v22.01 answers "true" to the detach of a path that is not there.
    if missing():
        if missing_ok:
            return False
        raise errors.missing(method, {'name': name},
                             f'{about} does not exist')
    return base.delete(client, method, about, missing, missing_ok, name=name,
                       **(addresses.params(address) if address else {}))


def reset(client: base.Caller, name: str, *,
          cntlid: int | None = None) -> bool:
    """Reset an NVMe controller (v21.07).

    :param name: its name.
    :param cntlid: only this one of its controllers (v23.09).
    :returns: True.
    :raises NotFound: it does not exist.
    """
    _call(client, 'bdev_nvme_reset_controller', name, cntlid=cntlid)
    return True


def enable(client: base.Caller, name: str, *,
           cntlid: int | None = None) -> bool:
    """Enable an NVMe controller that was disabled (v23.09).

    :param name: its name.
    :param cntlid: only this one of its controllers.
    :returns: True.
    :raises NotFound: it does not exist.
    """
    _call(client, 'bdev_nvme_enable_controller', name, cntlid=cntlid)
    return True


def disable(client: base.Caller, name: str, *,
            cntlid: int | None = None) -> bool:
    """Disable an NVMe controller without forgetting it (v23.09).

    :param name: its name.
    :param cntlid: only this one of its controllers.
    :returns: True.
    :raises NotFound: it does not exist.
    """
    _call(client, 'bdev_nvme_disable_controller', name, cntlid=cntlid)
    return True


def get_health_info(client: base.Caller, name: str) -> reported.Json:
    """SMART data of an NVMe controller (v21.07).

    :param name: its name.
    :returns: dict as SPDK has it.
    :raises NotFound: it does not exist.
    """
    health: reported.Json = _call(
        client, 'bdev_nvme_get_controller_health_info', name)
    return health


def _call(client: base.Caller, method: str, name: str, *,
          cntlid: int | None = None) -> Any:
    validate.text('controller', name)

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        controller = find(client, name)
        if controller is None:
            return exceptions.NotFound, \
                f'NVMe controller {name!r} does not exist'
        if cntlid is not None and all(
                path.cntlid != cntlid for path in controller.paths):
            return exceptions.NotFound, f'NVMe controller {name!r} has no ' \
                f'path with cntlid {cntlid}'
        return type(exc), f'NVMe controller {name!r}'

    return base.call(client, method, name=name, cntlid=cntlid, _cause=cause,
                     _about=f'NVMe controller {name!r}')
