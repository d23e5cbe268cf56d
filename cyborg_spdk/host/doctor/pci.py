# SPDX-License-Identifier: Apache-2.0

"""What ``doctor`` finds about the PCI devices that SPDK is to use."""

from collections.abc import Iterator
import os
import platform

from cyborg_spdk import exceptions
from cyborg_spdk.host.doctor import finding
from cyborg_spdk.host.doctor import machine as doctor_machine
from cyborg_spdk.host.machine import pci

Finding = finding.Finding

_GROUPS = '/sys/kernel/iommu_groups'


def iommu(machine: doctor_machine.Machine) -> Iterator[Finding]:
    groups = len(os.listdir(_GROUPS)) if os.path.isdir(_GROUPS) else 0
    wanted = bool(machine.conf.spdk.pci_devices)
    if groups:
        yield Finding('iommu', finding.OK, f'{groups} groups')
    else:
        yield Finding(
            'iommu', finding.WARNING if wanted else finding.NOTE,
            'there is no IOMMU: a target that has a PCI device can write '
            'into all memory', 'switch it on in the firmware and with '
            'intel_iommu=on or amd_iommu=on; needed only for PCI devices')
    # The one that setup.sh takes.
    yield _driver('vfio-pci' if groups else 'uio_pci_generic', wanted)


def _driver(name: str, wanted: bool) -> Finding:
    if os.path.isdir(f'/sys/bus/pci/drivers/{name}'):
        return Finding('pci driver', finding.OK, f'{name} is loaded')
    if _loadable(name):
        return Finding('pci driver', finding.OK, f'{name} is loaded when it '
                       'is needed')
    return Finding(
        'pci driver', finding.WARNING if wanted else finding.NOTE,
        f'this kernel has no {name}', 'install the package with its '
        'modules; needed only for PCI devices')


def _loadable(name: str) -> bool:
    """Whether there is such a module, for modprobe to load."""
    directory = f'/lib/modules/{platform.release()}'
    for index in ('modules.dep', 'modules.builtin'):
        try:
            with open(os.path.join(directory, index)) as stream:
                if any(os.path.basename(line.partition(':')[0].strip())
                       .partition('.')[0].replace('_', '-')
                       == name.replace('_', '-') for line in stream):
                    return True
        except OSError:
            continue
    return False


def devices(machine: doctor_machine.Machine) -> Iterator[Finding]:
    """Each device of the option; a target starts only if all are right."""
    for text in machine.conf.spdk.pci_devices:
        try:
            missing = pci.check([text])
            pci.check_open(missing)
        except exceptions.ConfigurationError as exc:
            yield Finding('pci devices', finding.FAILURE,
                          *finding.halves(exc))
            continue
        address = pci.check_address(text)
        yield Finding('pci devices', finding.OK, f'{address} will be bound'
                      if missing else
                      f'{address} is bound to {pci.driver(address)}')
        others = pci.group_mates(address)
        if others:
            yield Finding(
                'pci devices', finding.WARNING, f'{address} cannot be used '
                f'without {", ".join(others)}, of the same IOMMU group',
                'put it in another slot, or list them too')
