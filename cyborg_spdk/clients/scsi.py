# SPDX-License-Identifier: Apache-2.0

"""SCSI devices, which vhost and iSCSI give away."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients import types


def get_devices(client: base.Caller) -> list[types.ScsiDevice]:
    """The SCSI devices of the target.

    :returns: list of :class:`~cyborg_spdk.clients.types.ScsiDevice`.
    """
    return types.ScsiDevice.parse_list(base.call(client, 'scsi_get_devices'))
