# SPDX-License-Identifier: Apache-2.0

"""What ``doctor`` finds about programs: Python, Cyborg, SPDK, and the CPU."""

import importlib.metadata
import signal
import subprocess
import sys

from cyborg_spdk import exceptions
from cyborg_spdk.host.doctor import finding
from cyborg_spdk.host.machine import installation as spdk

OK, WARNING, FAILURE = finding.OK, finding.WARNING, finding.FAILURE
Finding = finding.Finding

#: Least release of Python.
PYTHON = (3, 10)


def python(machine):
    release = '.'.join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        yield Finding('python', FAILURE, f'Python {release}',
                      'use 3.10 or newer')
    else:
        yield Finding('python', OK, f'Python {release}')


def cyborg(machine):
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


def installation(machine):
    found = machine.installation = spdk.find(machine.conf.spdk.spdk_dir)
    yield Finding('installation', OK, f'{found.version or "SPDK"}, by '
                  f'{found.origin}: {", ".join(sorted(found.applications))}')
    for target in machine.to_start():
        try:
            path = found.path(target.application)
        except exceptions.NotInstalled as exc:
            yield finding.of_target('installation', target, exc)
            continue
        yield from _runs(target, path)
    if machine.conf.spdk.pci_devices and not found.setup_sh:
        yield Finding('installation', FAILURE, 'setup.sh is not there, and '
                      '[spdk] pci_devices are to be bound', 'install it, or '
                      'bind them to vfio-pci yourself')


def _runs(target, path):
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


def cpu_flags(machine):
    with open('/proc/cpuinfo') as stream:
        text = stream.read()
    flags = next((set(line.partition(':')[2].split())
                  for line in text.splitlines()
                  if line.startswith(('flags', 'Features'))), set())
    # DPDK's least: x86-64-v2; on ARM its CRC instructions.
    least = {'ssse3', 'sse4_1', 'sse4_2'} if 'sse' in flags else {'crc32'}
    missing = sorted(least - flags)
    if missing and not machine.simulated:
        yield Finding('cpu flags', FAILURE, f'this CPU lacks '
                      f'{", ".join(missing)}', 'SPDK does not run here; in '
                      'a virtual machine use the CPU model of the host')
    else:
        yield Finding('cpu flags', OK, 'all that SPDK needs')
