# SPDX-License-Identifier: Apache-2.0

"""What Nova's own code reads from the XML of a domain, as JSON.

A process of its own: Nova's options and Cyborg's share names.
"""

import json
import sys

from nova.virt.libvirt import config
from nova.virt.libvirt import driver


def main():
    parsed = config.LibvirtConfigGuest()
    parsed.parse_str(sys.stdin.read())
    disks = driver.LibvirtDriver._get_instance_disk_info_from_config(
        None, parsed, {'block_device_mapping': []})
    json.dump({
        'devices': {device.target_dev: device.source_path
                    for device in parsed.devices
                    if device.root_name == 'disk'},
        'counted': [disk['path'] for disk in disks]}, sys.stdout)


if __name__ == '__main__':
    main()
