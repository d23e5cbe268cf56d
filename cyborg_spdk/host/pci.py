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

"""PCI devices: taken from the kernel only if the operator has listed them.

The work is done by SPDK's ``setup.sh``, for those devices alone. A disk that
is mounted, or in use in any other way, is refused before that.
"""

import os
import re
import subprocess

from cyborg_spdk import exceptions

#: Drivers by which SPDK uses a device.
USER_DRIVERS = ('vfio-pci', 'uio_pci_generic', 'igb_uio')

_ADDRESS = re.compile(r'[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]')

# Seconds for setup.sh; it takes well under one.
_TIMEOUT = 120

# Hexadecimal class of a bridge: binding one would take all behind it.
_BRIDGE = '0x06'


def check_address(text):
    """A PCI address in the form that the kernel uses.

    :param text: e.g. ``"0000:3b:00.0"``, in any case; the domain may be
        left out.
    :raises ConfigurationError: if it is none.
    """
    address = text.strip().lower()
    if re.fullmatch(r'[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]', address):
        address = f'0000:{address}'
    if not _ADDRESS.fullmatch(address):
        raise exceptions.ConfigurationError(
            '[spdk] pci_devices', text,
            'write it as lspci -D does, for example 0000:3b:00.0')
    return address


def driver(address, root='/'):
    """Name of the driver that a device is bound to, or None."""
    link = os.path.join(root, 'sys/bus/pci/devices', address, 'driver')
    try:
        return os.path.basename(os.readlink(link))
    except OSError:
        return None


def users(address, root='/'):
    """Who uses the disks behind a PCI device.

    :param address: as :func:`check_address` returns it.
    :returns: list of str, e.g. ``"nvme0n1p1 is mounted at /"``.
    :raises ConfigurationError: if there is no such device, or it is a
        bridge.
    """
    device = os.path.join(root, 'sys/bus/pci/devices', address)
    try:
        with open(os.path.join(device, 'class')) as stream:
            if stream.read().startswith(_BRIDGE):
                raise exceptions.ConfigurationError(
                    '[spdk] pci_devices', address,
                    'that is a bridge; name the device behind it')
    except OSError:
        raise exceptions.ConfigurationError(
            '[spdk] pci_devices', address, 'this machine has no such '
            'device; see lspci -D') from None
    found = []
    for name in _block_devices(os.path.realpath(device), root):
        found += _uses(name, root)
    return found


def _block_devices(device, root):
    """Disks and partitions whose device is behind a PCI device."""
    base = os.path.join(root, 'sys/class/block')
    try:
        names = sorted(os.listdir(base))
    except OSError:
        return []
    return [name for name in names if os.path.realpath(
        os.path.join(base, name)).startswith(device + os.sep)]


def _uses(name, root):
    base = os.path.join(root, 'sys/class/block', name)
    with open(os.path.join(base, 'dev')) as stream:
        number = stream.read().strip()
    found = [f'{name} is mounted at {path}' for path in
             _mounted(number, name, root)]
    try:
        found += [f'{name} is used by {holder}' for holder in
                  sorted(os.listdir(os.path.join(base, 'holders')))]
    except OSError:
        pass
    with open(os.path.join(root, 'proc/swaps')) as stream:
        if any(line.split()[0] == f'/dev/{name}'
               for line in stream if line.strip()):
            found.append(f'{name} is swap')
    return found


def _mounted(number, name, root):
    # mountinfo: id, parent, major:minor, root, mount point, options, ...,
    # "-", type, source. Some file systems (btrfs) show a number of their
    # own there, so the source is looked at too.
    with open(os.path.join(root, 'proc/self/mountinfo')) as stream:
        for line in stream:
            fields = line.split()
            source = fields[fields.index('-') + 2]
            if fields[2] == number or source == f'/dev/{name}':
                yield fields[4]


def check(addresses, root='/'):
    """Which of the listed devices are still to be bound.

    :param addresses: the option ``[spdk] pci_devices``.
    :returns: list of addresses that SPDK cannot use yet.
    :raises ConfigurationError: for one that is not there or is in use.
    """
    missing = []
    for text in addresses:
        address = check_address(text)
        used = users(address, root)
        if used:
            raise exceptions.ConfigurationError(
                '[spdk] pci_devices', text, f"it is in use ({used[0]}) and "
                "is not taken from the kernel; take it out of the list")
        if driver(address, root) not in USER_DRIVERS:
            missing.append(address)
    return missing


def bind(setup_sh, addresses):
    """Take devices from the kernel. Needs root.

    :param setup_sh: path of SPDK's ``setup.sh``.
    :param addresses: the devices, and no others.
    :returns: list of the addresses that were bound.
    :raises ConfigurationError: as :func:`check`.
    :raises PrivilegeError: if it did not work; with what setup.sh said.
    """
    wanted = check(addresses)
    if not wanted:
        return []
    try:
        done = subprocess.run(
            [setup_sh, 'config'], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors='replace', timeout=_TIMEOUT, check=False, cwd='/',
            # PCI_WHITELIST up to v21.01, PCI_ALLOWED since.
            env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C',
                 'SKIP_HUGE': 'yes', 'PCI_ALLOWED': ' '.join(wanted),
                 'PCI_WHITELIST': ' '.join(wanted)})
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise exceptions.PrivilegeError(f"{setup_sh}: {exc}") from None
    left = [a for a in wanted if driver(a) not in USER_DRIVERS]
    if done.returncode != 0 or left:
        said = [line for line in done.stdout.splitlines() if line.strip()]
        raise exceptions.PrivilegeError(
            f"{setup_sh} did not bind {', '.join(left or wanted)}: "
            f"{' | '.join(said[-3:]) or 'it said nothing'}; load vfio-pci "
            "(modprobe vfio-pci) and look at its messages")
    return wanted
