# SPDX-License-Identifier: Apache-2.0

"""PCI devices: taken from the kernel only if the operator has listed them.

The work is done by SPDK's ``setup.sh``, for those devices alone. A disk that
is mounted, or in use in any other way, is refused before that.
"""

from collections.abc import Iterable
import os
import re
import subprocess

from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import disks
from cyborg_spdk.host.machine import hugepage_pools
from cyborg_spdk.host.machine import meminfo

#: Drivers by which SPDK uses a device.
USER_DRIVERS = ('vfio-pci', 'uio_pci_generic', 'igb_uio')

_ADDRESS = re.compile(r'[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]')

# Seconds for setup.sh; it takes well under one.
_TIMEOUT = 120

# The classes that SPDK has drivers for: storage, and the engines that copy
# (I/OAT, DSA) among the "other system peripherals".
_CLASSES = ('0x01', '0x0880')

# A bridge: binding one would take all behind it.
_BRIDGE = '0x06'

# Not more of what setup.sh says than that, in one error.
_SAID = 3


def check_address(text: str) -> str:
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


def driver(address: str, root: str = '/') -> str | None:
    """Name of the driver that a device is bound to, or None."""
    link = os.path.join(root, 'sys/bus/pci/devices', address, 'driver')
    try:
        return os.path.basename(os.readlink(link))
    except OSError:
        return None


def group_mates(address: str, root: str = '/') -> list[str]:
    """Devices that the IOMMU cannot tell from one, and that are in its way.

    :param address: as :func:`check_address` returns it.
    :returns: list of addresses: of the same group, no bridges, and used by
        a driver of the kernel. vfio gives a group away only as a whole.
    """
    directory = os.path.join(root, 'sys/bus/pci/devices')
    try:
        group = os.listdir(os.path.join(directory, address,
                                        'iommu_group/devices'))
    except OSError:
        return []
    return sorted(
        other for other in group
        if other != address
        and driver(other, root) not in (None, 'pcieport', *USER_DRIVERS))


def check_kind(address: str, root: str = '/') -> None:
    """Refuse what is not there, or nothing that SPDK could use.

    :param address: as :func:`check_address` returns it.
    :raises ConfigurationError: it says what the device is.
    """
    device = os.path.join(root, 'sys/bus/pci/devices', address)
    try:
        with open(os.path.join(device, 'class')) as stream:
            kind = stream.read().strip()
    except OSError:
        raise exceptions.ConfigurationError(
            '[spdk] pci_devices', address, 'this machine has no such '
            'device; see lspci -D') from None
    if kind.startswith(_BRIDGE):
        raise exceptions.ConfigurationError(
            '[spdk] pci_devices', address,
            'that is a bridge; name the device behind it')
    if not kind.startswith(_CLASSES):
        raise exceptions.ConfigurationError(
            '[spdk] pci_devices', address,
            f'that is no storage (PCI class {kind}); see lspci -D')


def check(addresses: Iterable[str], root: str = '/') -> list[str]:
    """Which of the listed devices are still to be bound.

    :param addresses: the option ``[spdk] pci_devices``.
    :returns: list of addresses that SPDK cannot use yet.
    :raises ConfigurationError: for one that is not there or is in use.
    """
    missing = []
    for text in addresses:
        address = check_address(text)
        check_kind(address, root)
        for name in disks.behind(address, root):
            for used in disks.users(name, root):
                raise _in_use(address, used)
        if driver(address, root) not in USER_DRIVERS and \
                address not in missing:
            missing.append(address)
    return missing


def check_open(addresses: Iterable[str]) -> None:
    """Refuse disks that are open. Only root sees all who have them open.

    :param addresses: as :func:`check` returns them.
    :raises ConfigurationError: as :func:`check`.
    """
    for address in addresses:
        for used in disks.openers(disks.behind(address)):
            raise _in_use(address, used)


def _in_use(address: str, used: str) -> exceptions.ConfigurationError:
    return exceptions.ConfigurationError(
        '[spdk] pci_devices', address, f"it is in use ({used}) and is not "
        "taken from the kernel; take it out of the list")


def bind(setup_sh: str, addresses: Iterable[str]) -> list[str]:
    """Take devices from the kernel. Needs root.

    :param setup_sh: path of SPDK's ``setup.sh``.
    :param addresses: the devices, and no others.
    :returns: list of the addresses that were bound.
    :raises ConfigurationError: as :func:`check`, and for a disk that a
        process has open.
    :raises PrivilegeError: if it did not work; with what setup.sh said.
    """
    wanted = check(addresses)
    if not wanted:
        return []
    check_open(wanted)
    try:
        done = subprocess.run(
            [setup_sh, 'config'], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors='replace', timeout=_TIMEOUT, check=False, cwd='/',
            env=_environment(wanted))
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise exceptions.PrivilegeError(f"{setup_sh}: {exc}") from None
    left = [a for a in wanted if driver(a) not in USER_DRIVERS]
    if left or done.returncode != 0:
        raise exceptions.PrivilegeError(
            f"{setup_sh} did not bind {', '.join(left or wanted)}: "
            + _why_not(done.stdout, left or wanted))
    return wanted


def _environment(wanted: Iterable[str]) -> dict[str, str]:
    """What setup.sh is to do: bind these, and leave huge pages alone.

    ``SKIP_HUGE`` is known since v25.05. The releases before set the number
    of pages of the default size, up to v22.09 a lower one too: to what there
    is. ``PCI_ALLOWED`` is known since v21.01, ``PCI_WHITELIST`` before.
    """
    size_kb = meminfo.default_size_kb()
    total = hugepage_pools.pool(size_kb).total if size_kb else 0
    return {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C',
            'SKIP_HUGE': 'yes', 'NRHUGE': str(total),
            'PCI_ALLOWED': ' '.join(wanted),
            'PCI_WHITELIST': ' '.join(wanted)}


def _why_not(output: str, addresses: Iterable[str]) -> str:
    """What setup.sh said of devices, and what to do."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # It also names each device that it was not asked to bind.
    said = [line for line in lines
            if any(address in line for address in addresses)] or lines
    text = ' | '.join(said[-_SAID:]) or 'it said nothing'
    if 'data@' in text:
        return (text + "; it sees data on the disk: if nobody needs them, "
                "wipefs --all it, else bind it at each boot yourself "
                "(driverctl set-override ADDRESS vfio-pci)")
    return text + '; look at the messages of the kernel (dmesg)'
