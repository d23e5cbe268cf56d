# SPDX-License-Identifier: Apache-2.0

"""Firmware of the NVMe controllers behind a target.

SPDK (``rpc_bdev_nvme_apply_firmware()`` in bdev_nvme_rpc.c) opens one bdev of
the controller, sends the image in pieces of 4 KiB, commits it with action 1
(replace, and run after the next reset) into the slot that the controller
chooses, and resets the controller.
"""

import base64
import binascii
from collections.abc import Iterable
import dataclasses
import json
import os
import stat
import struct
from typing import Any


from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk.units import reading

LOG = loggers.get(__name__)

_APPLY = 'bdev_nvme_apply_firmware'
_BDEVS = 'bdev_get_bdevs'
_SEND = 'bdev_nvme_send_cmd'

#: Seconds that a controller may take to load and commit an image.
TIMEOUT = 300.0

#: The target's word for any status but success, also for those that say
#: that the image is stored and a reset of the controller is not enough.
_COMMIT_FAILED = 'firmware commit failed.'

#: Get Log Page of Firmware Slot Information: 512 bytes of page 03h (NVM
#: Express Base Specification 1.4, 5.14.1.3).
_SLOTS_SIZE = 512
_SLOTS = base64.urlsafe_b64encode(struct.pack(
    '<BxxxI32xI20x', 0x02, 0xffffffff,
    0x03 | _SLOTS_SIZE // 4 - 1 << 16)).decode()

#: What to add to the target's words, which are the same for many causes.
_REMEDIES = {
    'open file failed.': 'the target itself has to read the image',
    'No channels were found.':
        'the target has lost the controller; cyborg-spdk rpc '
        'bdev_nvme_get_controllers shows its state',
    _COMMIT_FAILED:
        'the controller has refused the image; its status is in the log of '
        'the target',
    'firmware download failed .':
        'the status of the controller is in the log of the target'}

#: The one failure after which the controller may be gone.
_RESET_FAILED = 'Controller reset failed.'


@dataclasses.dataclass(frozen=True)
class Controller:
    """An NVMe controller that takes firmware.

    :ivar address: its PCI address; or transport, address and NQN.
    :ivar bdevs: tuple of names of its bdevs, in the order of the target.
    :ivar claimed: tuple of those that another bdev or a namespace stands on.
    :ivar revision: of the firmware that it runs.
    :ivar trid: its transport ID, as the target says it.
    """

    address: str
    trid: dict[str, Any] = dataclasses.field(compare=False)
    bdevs: tuple[str, ...]
    claimed: tuple[str, ...]
    revision: str


def check_image(path: str) -> None:
    """Refuse what the target would refuse, before any controller is touched.

    :param path: of the image; the target reads it itself.
    :raises InvalidValue: if it is no file that can be an image.
    """
    try:
        status = os.stat(path)
    except (OSError, TypeError, ValueError) as exc:
        raise exceptions.InvalidValue(
            'firmware image', path,
            getattr(exc, 'strerror', None) or str(exc)) from None
    if not stat.S_ISREG(status.st_mode):
        raise exceptions.InvalidValue('firmware image', path,
                                      'it is no regular file')
    if not status.st_size or status.st_size % 4:
        # bdev_nvme_rpc.c, rpc_bdev_nvme_apply_firmware().
        raise exceptions.InvalidValue(
            'firmware image', path, f'its size is {status.st_size} bytes; '
                                    'a multiple of 4 is needed')


def target_name(control_path: Any) -> str:
    """Name of the target that a control path means.

    :param control_path: Cyborg's control path object, its ``cpid_info``, or
        that decoded.
    :returns: str.
    :raises InvalidValue: if it is no control path of ours.
    """
    info = getattr(control_path, 'cpid_info', control_path)
    try:
        return (json.loads(info) if isinstance(info, str) else info)['target']
    except (ValueError, TypeError, KeyError):
        raise exceptions.InvalidValue(
            'control path', info, 'it is none of this driver; expected is '
                                  '{"host": ..., "target": ...}') from None


def controllers(bdevs: Iterable[dict[str, Any]]) -> list[Controller]:
    """The NVMe controllers of a target that say that they take firmware.

    Of a bdev with several paths SPDK takes the first. Controllers of one
    subsystem share their firmware: over fabrics one is enough.

    :param bdevs: reply of ``bdev_get_bdevs``.
    :returns: list of :class:`Controller`, by address.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    paths_of: dict[str, dict[str, Any]] = {}
    for bdev in bdevs:
        paths = (bdev.get('driver_specific') or {}).get('nvme')
        # Before v21.10 it was one object.
        path: dict[str, Any] | None = paths if isinstance(paths, dict) \
            else next(iter(paths or ()), None)
        address = path and _address(path)
        if path and address:
            found.setdefault(address, []).append(bdev)
            paths_of[address] = path
    return [Controller(address=address, trid=paths_of[address]['trid'],
                       revision=paths_of[address]['ctrlr_data'].get(
                           'firmware_revision') or '',
                       bdevs=tuple(bdev['name'] for bdev in members),
                       claimed=tuple(bdev['name'] for bdev in members
                                     if bdev.get('claimed')))
            for address, members in sorted(found.items())]


def _address(path: dict[str, Any]) -> str | None:
    """Address of a controller that takes firmware, or None."""
    trid, data = path.get('trid') or {}, path.get('ctrlr_data') or {}
    if not (data.get('oacs') or {}).get('firmware'):
        return None
    if trid.get('trtype', '').upper() == 'PCIE':
        return trid.get('traddr')
    return ' '.join(filter(None, (
        trid.get('trtype'), trid.get('traddr'), trid.get('trsvcid'),
        trid.get('subnqn'))))


def apply(client: rpc.Client, target: str, image: str) -> bool:
    """Give the NVMe controllers of a target a firmware image. Blocks.

    One after the other. A controller that is in use is left alone: SPDK
    refuses a bdev that is claimed, and no other; its reset would fail I/O.

    :param client: ``rpc.Client`` of the target.
    :param target: name of the target, for the log.
    :param image: absolute path of the image on the target's host.
    :returns: bool: True if there are controllers and all have taken it.
    :raises SpdkError: if the target cannot be asked what it has.
    """
    if not client.has(_APPLY):
        LOG.error('%s: firmware: this release has no %s', target, _APPLY)
        return False
    found = controllers(client.call(_BDEVS))
    if not found:
        LOG.error('%s: firmware: no NVMe controller that takes any is behind '
                  'it; attach one with bdev_nvme_attach_controller', target)
        return False
    given = _given_away(client)
    good = True
    for place, one in enumerate(found):
        try:
            LOG.info('%s: firmware of %s: %s', target, one.address,
                     _apply(client, one, given, image))
        except exceptions.SpdkError as exc:
            good = False
            LOG.error('%s: firmware of %s: %s', target, one.address, exc)
            left = [other.address for other in found[place + 1:]]
            if _is_fatal(exc) and left:
                LOG.error('%s: firmware: not tried after that: %s', target,
                          ', '.join(left))
                break
    return good


def _given_away(client: rpc.Client) -> dict[str, str]:
    """Titles of the units that stand on bdevs, by name of the bdev."""
    return {unit.bdev: unit.title for kind in reading.kinds(client)
            for unit in reading.read(client, kind, TIMEOUT).units
            if unit.bdev}


def _is_fatal(error: exceptions.SpdkError) -> bool:
    """Whether the next controller should not be tried."""
    if isinstance(error, exceptions.RpcError):
        return error.message == _RESET_FAILED
    return not isinstance(error, exceptions.InvalidValue)


def _apply(client: rpc.Client, one: Controller, given: dict[str, str],
           image: str) -> str:
    """What became of one controller (str)."""
    for name in one.bdevs:
        if name in given or name in one.claimed:
            raise exceptions.InvalidValue(
                'bdev', name, 'it is in use ('
                + given.get(name, 'claimed')
                + '), and the controller would be reset; take it out first')
    try:
        said = client.call(_APPLY, filename=image, bdev_name=one.bdevs[0],
                           _timeout=TIMEOUT)
    except exceptions.RpcError as exc:
        remedy = _REMEDIES.get(exc.message)
        if exc.message == _COMMIT_FAILED:
            remedy = _stored(client, one) or remedy
        if remedy is None:
            raise
        raise type(exc)(exc.code, exc.message, exc.method, exc.params,
                        remedy) from None
    now = controllers(client.call(_BDEVS, name=one.bdevs[0]))
    revision = now[0].revision if now else ''
    return f'{said} It had {one.revision}, it runs {revision}'


def _stored(client: rpc.Client, one: Controller) -> str | None:
    """What a controller says of an image that it does not run yet.

    :returns: str, or None if there is none or it cannot be asked.
    """
    try:
        name = next(
            found['name'] for found in client.call('bdev_nvme_get_controllers')
            # Before v21.07 there was one to a name.
            for path in found.get('ctrlrs') or [found]
            if path.get('trid') == one.trid)
        reply = client.call(
            _SEND, name=name, cmd_type='admin', data_direction='c2h',
            cmdbuf=_SLOTS, data_len=_SLOTS_SIZE)
        status, = struct.unpack_from(
            '<H', base64.urlsafe_b64decode(reply['cpl']), 14)
        page = base64.urlsafe_b64decode(reply['data'])
        slot = page[0] >> 4 & 7
    except (exceptions.SpdkError, StopIteration, binascii.Error, struct.error,
            LookupError, TypeError):
        return None
    # Bit 0 is the phase. Which slot is next: bits 4 to 6.
    if status >> 1 or not slot:
        return None
    revision = page[8 * slot:8 * slot + 8].decode('latin-1').strip(' \0')
    return (f'slot {slot} has {revision!r} now, and the controller does not '
            'run it before it was switched off and on')
