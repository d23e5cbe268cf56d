# SPDX-License-Identifier: Apache-2.0

"""Attaching an NVMe controller, or a further path of one."""

import dataclasses
import errno
from typing import Any

from cyborg_spdk.clients import addresses
from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import nvme_controller
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import keyring
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: schema.json, bdev_nvme_multipath_mode.
MULTIPATH_MODES = ('disable', 'failover', 'multipath')


@dataclasses.dataclass(frozen=True)
class _Path:
    """The path that is to be attached.

    :ivar name: name of the controller.
    :ivar address: where it leads to.
    :ivar subnqn: NQN of the subsystem there.
    """

    name: str
    address: types.ListenAddress
    subnqn: str | None

    @property
    def place(self) -> tuple[str, str, str, str | None]:
        """What tells it from others; see :class:`types.NvmePath`."""
        fabrics = self.address.trtype in ('TCP', 'RDMA')
        return (*self.address.place, self.subnqn if fabrics else None)


def attach(client: base.Caller, name: str, trtype: str, traddr: str, *,
           adrfam: str | None = None, trsvcid: int | str | None = None,
           subnqn: str | None = None, hostnqn: str | None = None,
           multipath: str | None = None, exist_ok: bool = False,
           **options: Any) -> list[str]:
    """Attach an NVMe controller; its namespaces become bdevs.

    :param name: name of the controller: its bdevs are ``<name>n1``...
    :param trtype: ``PCIe``, ``TCP``, ``RDMA``, ...
    :param traddr: PCI address or IP address.
    :param adrfam: address family; None finds it out.
    :param trsvcid: port; None means 4420 for TCP and RDMA.
    :param subnqn: NQN of the subsystem; TCP and RDMA need it.
    :param hostnqn: NQN to come with (v18.07).
    :param multipath: what a second path under the same name is: one of
        :data:`MULTIPATH_MODES` (v21.10). None is the release's default:
        multipath since v25.05.
    :param exist_ok: do not mind if it has this very path already.
    :param options: others that the release has: hdgst, ddgst,
        ctrlr_loss_timeout_sec, num_io_queues, psk, dhchap_key, ...
    :returns: names of its bdevs; it may be empty: no namespace, or a bdev
        of the same UUID exists.
    :raises AlreadyExists: it has this path already.
    :raises NotFound: nobody answers there, or the subsystem does not let
        this host in: SPDK does not tell which.
    """
    validate.text('controller', name)
    path = _Path(name, addresses.make(trtype, traddr, trsvcid, adrfam),
                 subnqn)
    _check_names(path, hostnqn)
    if multipath is not None:
        multipath = validate.choice('multipath', multipath, MULTIPATH_MODES)
    if exist_ok:
        existing = _bdevs_of(client, path)
        if existing is not None:
            return existing
    names: list[str] = base.call(
        client, 'bdev_nvme_attach_controller', name=name, subnqn=subnqn,
        hostnqn=hostnqn, multipath=multipath,
        _about=f'NVMe controller {name!r} at {path.address}',
        _cause=lambda exc: _cause(client, exc, path, options),
        **addresses.params(path.address), **options)
    return names


def _check_names(path: _Path, hostnqn: str | None) -> None:
    trtype = path.address.trtype
    if trtype in ('TCP', 'RDMA') and path.subnqn is None:
        validate.refuse('subnqn', None, f'{trtype} needs one')
    if path.subnqn is not None:
        validate.nqn(path.subnqn, 'subnqn')
    if hostnqn is not None:
        validate.nqn(hostnqn, 'hostnqn')


def _bdevs_of(client: base.Caller, path: _Path) -> list[str] | None:
    """Bdevs of the controller if it has this path, else None."""
    controller = nvme_controller.find(client, path.name)
    if controller is None or not _has(controller, path):
        return None
    return [bdev.name for bdev in bdevs.get(client)
            if bdev.kind.name == 'nvme' and
            bdev.name.rpartition('n')[0] == path.name]


def _has(controller: types.NvmeController, path: _Path) -> bool:
    return path.place in [each.place for each in controller.paths]


def _cause(client: base.Caller, exc: exceptions.RpcError, path: _Path,
           options: dict[str, Any]) -> errors.Finding:
    """Why a path could not be attached."""
    for controller in nvme_controller.get(client):
        if _has(controller, path):
            return exceptions.AlreadyExists, f'{path.address} is a path of ' \
                f'NVMe controller {controller.name!r}'
    if path.address.trtype == 'PCIe':
        return exceptions.NotFound, f'no NVMe device {path.address.traddr} ' \
            'that SPDK may use: is it bound to vfio-pci?'
    if isinstance(exc, exceptions.AlreadyExists):
        return type(exc), f'NVMe controller {path.name!r} exists with ' \
            'other paths, or its namespaces are bdevs already'
    return _wrong_options(client, exc, options) or \
        _unlike_others(client, exc, path) or (
            exceptions.NotFound, f'no subsystem {path.subnqn} at '
            f'{path.address} that lets this host in, or nobody answers '
            f'there, or this target has no {path.address.trtype}')


def _wrong_options(client: base.Caller, exc: exceptions.RpcError,
                   options: dict[str, Any]) -> errors.Finding | None:
    """Cause: a key that is missing, or options that do not go together.

    v24.05: -126 for a key; -22 for the timeouts, which depend on one
    another (bdev_nvme.c, bdev_nvme_check_io_error_resiliency_params()).
    """
    if exc.code == -errno.ENOKEY:
        existing = [key.name for key in keyring.get_keys(client)]
        keys = [options[name]
                for name in ('psk', 'dhchap_key', 'dhchap_ctrlr_key')
                if options.get(name) not in (None, *existing)]
        return exceptions.NotFound, f'key {", ".join(map(repr, keys))} ' \
            'is not in the keyring: call keyring_file_add_key first'
    if exc.code == -errno.EINVAL and options:
        return exceptions.InvalidParams, 'the options ' \
            f'{", ".join(sorted(options))} do not go together, or one is ' \
            'out of range'
    return None


def _unlike_others(client: base.Caller, exc: exceptions.RpcError,
                   path: _Path) -> errors.Finding | None:
    """Cause: a further path that differs from those that there are.

    bdev_nvme_check_multipath() and its caller in bdev_nvme.c.
    """
    if exc.code != -errno.EINVAL or \
            nvme_controller.find(client, path.name) is None:
        return None
    return type(exc), f'NVMe controller {path.name!r} exists; a further ' \
        'path of it must be to the same subsystem, with the same multipath ' \
        'mode and policy'
