# SPDX-License-Identifier: Apache-2.0

"""Targets of vhost SCSI controllers, each with a bdev as LUN 0."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk.clients.vhost import controllers
from cyborg_spdk import exceptions

#: What SPDK takes for "the first number that is free" (v19.04).
FIRST_FREE = -1


def add(client: base.Caller, ctrlr: str, scsi_target_num: int | None,
        bdev_name: str, *, exist_ok: bool = False) -> int:
    """Give a SCSI controller a target with the bdev as LUN 0.

    :param ctrlr: the controller.
    :param scsi_target_num: number of the target, 0 to 7; None or -1 takes
        the first that is free.
    :param bdev_name: the bdev.
    :param exist_ok: do not mind if the bdev is a target of this controller
        already, of that number if one is given.
    :returns: the number of the target.
    :raises NotFound: no such controller or bdev.
    :raises AlreadyExists: the number is taken.
    :raises NoSpace: all numbers are taken.
    """
    validate.text('ctrlr', ctrlr)
    validate.text('bdev', bdev_name)
    number = FIRST_FREE
    if scsi_target_num not in (None, FIRST_FREE):
        number = _checked(scsi_target_num)
    if exist_ok:
        existing = _find(client, ctrlr, bdev_name)
        if existing is not None and number in (FIRST_FREE, existing):
            return existing
    if number == FIRST_FREE:
        number = _choose(client, ctrlr)
    result: bool | int = base.call(
        client, 'vhost_scsi_controller_add_target', ctrlr=ctrlr,
        scsi_target_num=number, bdev_name=bdev_name,
        _about=f'bdev {bdev_name!r} as target of {ctrlr!r}',
        _cause=lambda _exc: _not_added(client, ctrlr, number, bdev_name))
    # v19.01 and before answer "true", which is also 1.
    return number if isinstance(result, bool) else result


def _checked(scsi_target_num: int | None) -> int:
    return validate.integer('scsi_target_num', scsi_target_num, 0,
                            validate.VHOST_SCSI_TARGETS - 1)


def _find(client: base.Caller, ctrlr: str, bdev_name: str) -> int | None:
    """Number of the target that a bdev is in a controller, or None."""
    controller = controllers.find(client, ctrlr)
    bdev = bdevs.find(client, bdev_name)
    if controller is None or bdev is None:
        return None
    return next((target.scsi_dev_num for target in controller.scsi_targets
                 if any(bdev.known_as(lun.bdev_name)
                        for lun in target.luns)), None)


def _choose(client: base.Caller, ctrlr: str) -> int:
    """A number that is free, where SPDK does not choose it (v19.01).

    If all are taken, the call fails, and its cause says so.
    """
    version = client.rpc.version
    if version is None or version >= (19, 4):
        return FIRST_FREE
    taken = _numbers(controllers.get(client, ctrlr)[0])
    return next((number for number in range(validate.VHOST_SCSI_TARGETS)
                 if number not in taken), FIRST_FREE)


def _numbers(controller: types.VhostController
             ) -> dict[int, types.ScsiTarget]:
    return {target.scsi_dev_num: target
            for target in controller.scsi_targets}


def _not_added(client: base.Caller, ctrlr: str, number: int,
               bdev_name: str) -> errors.Finding | None:
    """Cause: why a target could not be added."""
    controller = controllers.find(client, ctrlr)
    if controller is None:
        return exceptions.NotFound, \
            f'vhost controller {ctrlr!r} does not exist'
    if controller.kind != 'scsi':
        return exceptions.InvalidParams, f'vhost controller {ctrlr!r} is ' \
            f'of kind {controller.kind}: only a SCSI one has targets'
    taken = _numbers(controller)
    if number in taken:
        names = ', '.join(lun.bdev_name for lun in taken[number].luns)
        return exceptions.AlreadyExists, \
            f'target {number} of {ctrlr!r} is bdev {names or "(gone)"!r}'
    if number == FIRST_FREE and len(taken) >= validate.VHOST_SCSI_TARGETS:
        return exceptions.NoSpace, f'all {validate.VHOST_SCSI_TARGETS} ' \
            f'targets of {ctrlr!r} are in use'
    return bdevs.missing(client, bdev_name)


def remove(client: base.Caller, ctrlr: str, scsi_target_num: int, *,
           missing_ok: bool = False) -> bool:
    """Take a target from a SCSI controller.

    :param ctrlr: the controller.
    :param scsi_target_num: number of the target.
    :param missing_ok: do not mind if there is none; the controller itself
        must exist.
    :returns: True; False if it was not there. While a virtual machine is
        connected the target goes only when that has let go.
    :raises NotFound: no such controller or target.
    """
    validate.text('ctrlr', ctrlr)
    number = _checked(scsi_target_num)
    return base.delete(
        client, 'vhost_scsi_controller_remove_target',
        f'target {number} of vhost controller {ctrlr!r}',
        lambda: number not in _numbers(controllers.get(client, ctrlr)[0]),
        missing_ok, lambda _exc: controllers.missing(client, ctrlr),
        ctrlr=ctrlr, scsi_target_num=number)
