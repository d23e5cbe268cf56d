# SPDX-License-Identifier: Apache-2.0

"""What ``doctor`` finds about programs: Python, Cyborg, SPDK, and the CPU."""

from collections.abc import Iterator
import importlib.metadata
import signal
import subprocess
import sys

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import enabled
from cyborg_spdk import exceptions
from cyborg_spdk.host.doctor import finding
from cyborg_spdk.host.doctor import machine as doctor_machine
from cyborg_spdk.host.machine import installation as spdk

OK, WARNING, FAILURE = finding.OK, finding.WARNING, finding.FAILURE
Finding = finding.Finding

#: Least release of Python.
PYTHON = (3, 10)


def python(_machine: doctor_machine.Machine) -> Iterator[Finding]:
    release = '.'.join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        yield Finding('python', FAILURE, f'Python {release}',
                      'use 3.10 or newer')
    else:
        yield Finding('python', OK, f'Python {release}')


def cyborg(_machine: doctor_machine.Machine) -> Iterator[Finding]:
    try:
        release = importlib.metadata.version('openstack-cyborg')
    except importlib.metadata.PackageNotFoundError:
        yield Finding('cyborg', WARNING, 'openstack-cyborg is not installed '
                      'in this environment', 'install it where the Cyborg '
                      'agent runs; the library works without')
        return
    names = sorted(entry.name for entry in importlib.metadata.entry_points(
        group='cyborg.accelerator.driver')
        if entry.value.startswith('cyborg_spdk.'))
    if names:
        yield Finding('cyborg', OK, f'openstack-cyborg {release} finds '
                      f'{", ".join(names)}')
    else:
        yield Finding('cyborg', FAILURE, 'the drivers are not registered',
                      'install cyborg-spdk with pip into this environment')


def drivers(machine: doctor_machine.Machine) -> Iterator[Finding]:
    found = enabled.find(machine.conf)
    yield Finding('drivers', OK, f'{", ".join(found.drivers)}: '
                  f'{found.reason}')
    for problem in found.problems:
        yield Finding('drivers', WARNING, problem, 'correct the name in the '
                      'configuration of the Cyborg agent')


def installation(machine: doctor_machine.Machine) -> Iterator[Finding]:
    installed = spdk.find(machine.conf.spdk.spdk_dir)
    machine.installation = installed
    yield Finding('installation', OK, f'{installed.version or "SPDK"}, by '
                  f'{installed.origin}: '
                  f'{", ".join(sorted(installed.applications))}')
    for target in machine.to_start():
        try:
            path = installed.path(target.application)
        except exceptions.NotInstalled as exc:
            yield finding.of_target('installation', target, exc)
            continue
        yield from _runs(target, path)
    if machine.conf.spdk.pci_devices and not installed.setup_sh:
        yield Finding('installation', FAILURE, 'setup.sh is not there, and '
                      '[spdk] pci_devices are to be bound', 'install it, or '
                      'bind them to vfio-pci yourself')


def _runs(target: spdk_conf.Target, path: str) -> Iterator[Finding]:
    """Whether a program can be executed at all; --version does nothing."""
    try:
        code = subprocess.run(
            [path, '--version'], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            timeout=spdk.VERSION_TIMEOUT, check=False, text=True)
    except (OSError, subprocess.TimeoutExpired) as exc:
        yield Finding('installation', FAILURE, f'{path}: {exc}',
                      'install or build SPDK for this machine', target.name)
        return
    if code.returncode == -signal.SIGILL:
        yield Finding('installation', FAILURE, f'{path} was built for '
                      'another CPU', 'build SPDK on this machine, or with '
                      '--target-arch', target.name)
    elif code.returncode == 127:
        yield Finding('installation', FAILURE, f'{path}: '
                      f'{code.stderr.strip()}', 'install the libraries that '
                      'it needs (ldd names them)', target.name)


def cpu_flags(machine: doctor_machine.Machine) -> Iterator[Finding]:
    with open('/proc/cpuinfo') as stream:
        text = stream.read()
    lines = [line.partition(':')[2] for line in text.splitlines()
             if line.startswith(('flags', 'Features'))]
    flags = set(lines[0].split() if lines else ())
    # DPDK's least: x86-64-v2; on ARM its CRC instructions.
    least = {'ssse3', 'sse4_1', 'sse4_2'} if 'sse' in flags else {'crc32'}
    missing = sorted(least - flags)
    if missing and not machine.simulated:
        yield Finding('cpu flags', FAILURE, f'this CPU lacks '
                      f'{", ".join(missing)}', 'SPDK does not run here; in '
                      'a virtual machine use the CPU model of the host')
    else:
        yield Finding('cpu flags', OK, 'all that SPDK needs')
