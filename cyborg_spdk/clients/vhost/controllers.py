# SPDX-License-Identifier: Apache-2.0

"""vhost-user controllers of either kind."""

from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk.clients.vhost import blk_transports
from cyborg_spdk import exceptions

_GET = 'vhost_get_controllers'


def get(client: base.Caller,
        name: str | None = None) -> list[types.VhostController]:
    """The vhost controllers.

    :param name: name of the only one wanted; None means all.
    :returns: list of :class:`~cyborg_spdk.clients.types.VhostController`.
    :raises NotFound: there is none of that name.
    """
    if name is None:
        return types.VhostController.parse_list(base.call(client, _GET))
    validate.text('ctrlr', name)
    reply = base.call(
        client, _GET, f'vhost controller {name!r}',
        name=name if client.rpc.supports(_GET, 'name') else None)
    controllers = [each for each in types.VhostController.parse_list(reply)
                   if each.ctrlr == name]
    if not controllers:
        raise errors.missing(_GET, {'ctrlr': name},
                             f'vhost controller {name!r} does not exist')
    return controllers


def find(client: base.Caller, name: str) -> types.VhostController | None:
    """The vhost controller of that name, or None."""
    try:
        return get(client, name)[0]
    except exceptions.NotFound:
        return None


def missing(client: base.Caller, ctrlr: str) -> errors.Finding | None:
    """Cause: the controller does not exist."""
    if find(client, ctrlr) is None:
        return exceptions.NotFound, \
            f'vhost controller {ctrlr!r} does not exist'
    return None


def create_blk(client: base.Caller, ctrlr: str, dev_name: str, *,
               cpumask: str | None = None, readonly: bool = False,
               exist_ok: bool = False, **options: Any) -> str:
    """Create a controller that gives a bdev to a virtual machine.

    :param ctrlr: its name, and that of its socket in the directory that the
        target was started with (``-S``).
    :param dev_name: the bdev.
    :param cpumask: cores that it may use, of those of the target
        (``"0x1"``); None means all.
    :param readonly: refuse writes.
    :param exist_ok: do not mind if it exists with these properties.
    :param options: others that the release has: packed_ring, transport.
    :returns: the controller's name.
    :raises AlreadyExists: it exists and ``exist_ok`` is not set, or has
        other properties.
    :raises NotFound: the bdev does not exist.
    :raises InvalidParams: the cpumask is outside that of the target.
    """
    validate.file_name('ctrlr', ctrlr)
    validate.text('bdev', dev_name)

    def bdev_of(controller: types.VhostController) -> str | None:
        bdev = bdevs.find(client, dev_name)
        same = bdev is not None and controller.bdev and \
            bdev.known_as(controller.bdev)
        return dev_name if same else controller.bdev

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        return bdevs.missing(client, dev_name) or _bad_mask(exc, cpumask) \
            or blk_transports.missing(client, options.get('transport')) \
            or _no_socket(exc, ctrlr)

    wanted: errors.Wanted = {
        'kind': ('blk', lambda controller: controller.kind),
        'bdev': (dev_name, bdev_of),
        'readonly': (bool(readonly), lambda controller: controller.readonly),
        'cpumask': (_mask(cpumask),
                    lambda controller: _mask(controller.cpumask))}
    base.create(
        client, 'vhost_create_blk_controller', f'vhost controller {ctrlr!r}',
        lambda: find(client, ctrlr), wanted, exist_ok, cause, ctrlr=ctrlr,
        dev_name=dev_name, cpumask=cpumask,
        readonly=True if readonly else None, **options)
    return ctrlr


def create_scsi(client: base.Caller, ctrlr: str, *,
                cpumask: str | None = None, exist_ok: bool = False,
                **options: Any) -> str:
    """Create a SCSI controller that has no targets yet.

    :param ctrlr: its name, and that of its socket in the directory that the
        target was started with (``-S``).
    :param cpumask: cores that it may use; None means all.
    :param exist_ok: do not mind if it exists with these properties.
    :param options: others that the release has: delay (v24.01: do not
        listen before ``vhost_start_scsi_controller``).
    :returns: the controller's name.
    :raises AlreadyExists: it exists and ``exist_ok`` is not set, or has
        other properties.
    """
    validate.file_name('ctrlr', ctrlr)
    wanted: errors.Wanted = {
        'kind': ('scsi', lambda controller: controller.kind),
        'cpumask': (_mask(cpumask),
                    lambda controller: _mask(controller.cpumask))}
    base.create(
        client, 'vhost_create_scsi_controller',
        f'vhost controller {ctrlr!r}', lambda: find(client, ctrlr), wanted,
        exist_ok,
        lambda exc: _bad_mask(exc, cpumask) or _no_socket(exc, ctrlr),
        ctrlr=ctrlr, cpumask=cpumask, **options)
    return ctrlr


def start_scsi(client: base.Caller, ctrlr: str) -> bool:
    """Start a controller that was created with ``delay`` (v24.01).

    :param ctrlr: its name.
    :returns: True.
    :raises NotFound: it does not exist.
    :raises InvalidParams: it is no SCSI controller: v24.01 and v26.05 end
        (SIGSEGV) when they are asked to start another one.
    """
    method = 'vhost_start_scsi_controller'
    validate.text('ctrlr', ctrlr)
    if client.rpc.has(method):
        kind = get(client, ctrlr)[0].kind
        if kind != 'scsi':
            raise errors.invalid(
                method, {'ctrlr': ctrlr}, f'vhost controller {ctrlr!r} is '
                f'of kind {kind}; not sent, since it would end the target')
    return _act(client, method, ctrlr)


def delete(client: base.Caller, ctrlr: str, *,
           missing_ok: bool = False) -> bool:
    """Delete a controller of either kind.

    :param ctrlr: its name.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    :raises Busy: a virtual machine uses it; or it has SCSI targets, which
        v22.01 and before minded.
    """
    validate.text('ctrlr', ctrlr)
    return base.delete(
        client, 'vhost_delete_controller', f'vhost controller {ctrlr!r}',
        lambda: find(client, ctrlr) is None, missing_ok,
        lambda exc: (type(exc), f'vhost controller {ctrlr!r} has SCSI '
                     'targets, or a virtual machine uses it'),
        ctrlr=ctrlr)


def set_coalescing(client: base.Caller, ctrlr: str, delay_base_us: int,
                   iops_threshold: int) -> bool:
    """Set interrupt coalescing of a controller.

    :param ctrlr: its name.
    :param delay_base_us: base delay in microseconds; 0 is none.
    :param iops_threshold: operations per second from which on.
    :returns: True.
    :raises NotFound: it does not exist.
    """
    validate.integer('delay_base_us', delay_base_us, 0, 2 ** 32 - 1)
    validate.integer('iops_threshold', iops_threshold, 0, 2 ** 32 - 1)
    return _act(client, 'vhost_controller_set_coalescing', ctrlr,
                delay_base_us=delay_base_us, iops_threshold=iops_threshold)


def _act(client: base.Caller, method: str, ctrlr: str, /,
         **params: Any) -> bool:
    validate.text('ctrlr', ctrlr)
    return base.act(
        client, method, ctrlr=ctrlr, **params,
        _about=f'vhost controller {ctrlr!r}',
        _cause=lambda exc: missing(client, ctrlr) or (
            type(exc), f'vhost controller {ctrlr!r}: it cannot do that, or '
            'a value is out of range'))


def _mask(text: str | None) -> int | str | None:
    """A core mask as a number, so that ``0x01`` and ``1`` compare equal."""
    if text is None:
        return None
    try:
        return int(text.replace(',', ''), 16)
    except ValueError:
        return text


def _bad_mask(exc: exceptions.RpcError,
              cpumask: str | None) -> errors.Finding | None:
    # v18.01 says "Operation not permitted".
    if cpumask is not None and isinstance(exc, (
            exceptions.InvalidParams, exceptions.PermissionDenied)):
        return exceptions.InvalidParams, \
            f'cpumask {cpumask!r} is no mask, or not within the target\'s'
    return None


def _no_socket(exc: exceptions.RpcError, ctrlr: str) -> errors.Finding:
    """Cause, where nothing else is left: SPDK says "Input/output error"."""
    return type(exc), f'vhost controller {ctrlr!r}: its socket cannot be ' \
        'made in the directory of the target (-S): with it the name has ' \
        'over 107 bytes, or there is a file of that name'
