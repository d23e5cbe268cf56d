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
