# SPDX-License-Identifier: Apache-2.0

"""SCSI devices, shared by vhost-scsi and iSCSI (``lib/scsi``)."""

MAX_DEVICES = 1024


class Device:
    """A SCSI device with its LUNs.

    :ivar luns: LUN number -> Bdev.
    """

    def __init__(self, number, name):
        self.id = number
        self.name = name
        self.luns = {}


class Layer:
    """All SCSI devices of a target."""

    def __init__(self):
        self.devices = {}

    def add(self, name):
        """Make a device with the lowest free id, or None if all are used."""
        for number in range(MAX_DEVICES):
            if number not in self.devices:
                device = self.devices[number] = Device(number, name)
                return device
        return None

    def remove(self, device):
        """Remove a device."""
        self.devices.pop(device.id, None)
