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

"""Firmware of the NVMe controllers that a target has taken from the host."""

import json
import os
import stat

from oslo_log import log

from cyborg_spdk import exceptions
from cyborg_spdk import rpc

LOG = log.getLogger(__name__)

_APPLY = 'bdev_nvme_apply_firmware'

#: Seconds that a controller may take to load and commit an image.
TIMEOUT = 300.0


def check_image(path):
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


def target_name(control_path):
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


def controllers(bdevs):
    """One bdev for each NVMe controller on this host's PCI bus.

    :param bdevs: reply of ``bdev_get_bdevs``.
    :returns: dict: name of a bdev by PCI address, sorted. Controllers that
        say that they take no firmware are left out.
    """
    found = {}
    for bdev in bdevs:
        paths = (bdev.get('driver_specific') or {}).get('nvme') or ()
        # Before v21.10 it was one object.
        for path in [paths] if isinstance(paths, dict) else paths:
            trid, data = path.get('trid') or {}, path.get('ctrlr_data') or {}
            takes = (data.get('oacs') or {}).get('firmware', 1)
            if trid.get('trtype', '').upper() == 'PCIE' and takes:
                found.setdefault(trid.get('traddr'), bdev['name'])
    return dict(sorted(found.items()))


def apply(client, target, image):
    """Give the NVMe controllers of a target a firmware image. Blocks.

    SPDK refuses a controller whose bdev is claimed, as one is that is an
    NVMe-oF namespace: take it out first. A controller is reset.

    :param client: ``rpc.Client`` of the target.
    :param target: name of the target, for the log.
    :param image: path of the image on the target's host.
    :returns: bool: True if there are controllers and all have taken it.
    :raises SpdkError: if the target cannot be asked what it has.
    """
    check_image(image)
    if not client.has(_APPLY):
        LOG.error('%s: firmware: this release has no %s', target, _APPLY)
        return False
    found = controllers(client.call('bdev_get_bdevs'))
    if not found:
        LOG.error('%s: firmware: no NVMe controller of this host that takes '
                  'any is behind it; attach one with '
                  'bdev_nvme_attach_controller', target)
        return False
    replies = client.call_many(
        [rpc.Request(_APPLY, {'filename': os.path.abspath(image),
                              'bdev_name': name}) for name in found.values()],
        timeout=TIMEOUT)
    good = True
    for address, reply in zip(found, replies, strict=True):
        if isinstance(reply, Exception):
            good = False
            LOG.error('%s: firmware of %s: %s', target, address, reply)
        else:
            LOG.warning('%s: firmware of %s: %s', target, address, reply)
    return good
