# SPDX-License-Identifier: Apache-2.0

"""What keeps units of this host out of its guests, and the remedy.

Nothing is changed.
"""

from collections.abc import Callable
from collections.abc import Iterator
import os
import pwd

from oslo_config import cfg

from cyborg_spdk import clients
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host.doctor import finding
from cyborg_spdk.host import process
from cyborg_spdk import rpc
from cyborg_spdk.service import options
from cyborg_spdk.service.plug import hypervisor
from cyborg_spdk.units.attach import paths

_Finding = finding.Finding
_OK, _NOTE, _WARNING, _FAILURE = (finding.OK, finding.NOTE, finding.WARNING,
                                  finding.FAILURE)

# The first libvirt that was seen to keep <reconnect> at a hot plug.
_RECONNECTS = 11_003_000

# What libvirt's AppArmor profiles include for QEMU.
_APPARMOR = ('/etc/apparmor.d/local/abstractions/libvirt-qemu',
             '/etc/apparmor.d/abstractions/libvirt-qemu')

# How many domains are named in one line.
_NAMED = 5


class Patient:
    """What the checks look at.

    :param conf: the configuration.
    :ivar host: libvirt.
    :ivar apparmor: files with the rules for QEMU.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.conf = conf
        self.host = hypervisor.Hypervisor(conf)
        self.apparmor = _APPARMOR

    def socket_directories(self) -> Iterator[tuple[str, str]]:
        """Where the vhost targets of this host make sockets, with names."""
        for target in spdk_conf.targets(self.conf, 'vhost'):
            if process.socket_path(target) is None:
                continue
            try:
                found = clients.VhostTgt(rpc.connect(
                    target.rpc_address,
                    timeout=self.conf.spdk.connect_timeout)
                ).vhost_get_controllers()
            except exceptions.SpdkError:
                continue  # That is told by another check.
            for directory in {os.path.dirname(one.socket) for one in found
                              if one.socket}:
                yield target.name, directory


def examine(conf: cfg.ConfigOpts) -> list[finding.Finding]:
    """Make all checks, if the duty ``plug`` is switched on.

    :param conf: the configuration.
    :returns: in the order of the checks.
    """
    options.check(conf)
    if 'plug' not in conf[options.GROUP].duties:
        return []
    try:
        patient = Patient(conf)
        found = list(_libvirt(patient))
    except exceptions.SpdkError as exc:
        return [_Finding('libvirt', _FAILURE, *finding.halves(exc))]
    for name, check in _CHECKS:
        try:
            found += check(patient)
        except (exceptions.SpdkError, OSError) as exc:
            found.append(_Finding(name, _FAILURE, *finding.halves(exc)))
    patient.host.close()
    return found


def _libvirt(patient: Patient) -> Iterator[finding.Finding]:
    number = patient.host.version()
    text = f'{number // 1000000}.{number // 1000 % 1000}.{number % 1000}'
    if number < _RECONNECTS:
        yield _Finding(
            'libvirt', _NOTE, f'libvirt {text} may forget to let QEMU connect '
            'again to a target that was started anew',
            'libvirt 11.3.0 does not; else such a disk is plugged in again')
    else:
        yield _Finding('libvirt', _OK, f'libvirt {text}')


def _domains(patient: Patient) -> Iterator[finding.Finding]:
    running = patient.host.running()
    without = sorted(one.name for one in running if not one.shared_memory)
    if without:
        yield _Finding(
            'domains', _NOTE, f'{len(without)} of {len(running)} domains have '
            'no shared memory, and take iSCSI units only: '
            + ', '.join(without[:_NAMED])
            + (', ...' if len(without) > _NAMED else ''),
            'hw:mem_page_size=large in the flavors that get units')
    else:
        yield _Finding('domains', _OK, f'{len(running)} running')


def _qemu(patient: Patient) -> Iterator[finding.Finding]:
    name = patient.host.qemu_user()
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        yield _Finding('QEMU', _FAILURE, f'there is no user {name}',
                       f'correct [{options.GROUP}] qemu_user')
        return
    yield _Finding('QEMU', _OK, f'runs as {name}')
    ours = os.path.realpath(patient.conf.spdk.run_path)
    for target, directory in patient.socket_directories():
        blocked = paths.barrier(os.path.join(directory, 'socket'), user)
        if blocked is None or os.path.commonpath(
                [ours, os.path.realpath(blocked)]) == ours:
            # What is below run_path is opened when a unit is plugged in.
            yield _Finding('QEMU', _OK, f'comes as far as {directory}', '',
                           target)
        else:
            yield _Finding('QEMU', _WARNING, f'{name} cannot come to '
                           f'{directory}: {blocked} keeps him out',
                           f'chmod o+x {blocked}', target)


def _confinement(patient: Patient) -> Iterator[finding.Finding]:
    models = patient.host.security_models()
    if 'selinux' in models:
        yield _Finding(
            'SELinux', _NOTE, 'it confines QEMU; whether it lets QEMU '
            'connect to the sockets of targets was not tried',
            'ausearch -m avc, if a unit cannot be plugged')
    if 'apparmor' not in models:
        yield _Finding('AppArmor', _OK, 'it does not confine QEMU')
        return
    for target, directory in patient.socket_directories():
        if any(directory in _read(path) for path in patient.apparmor):
            yield _Finding('AppArmor', _OK, f'lets QEMU come to {directory}',
                           '', target)
        else:
            yield _Finding(
                'AppArmor', _WARNING, 'it confines QEMU, and has no rule for '
                f'{directory}',
                f'add "{directory}/*" rw, to {patient.apparmor[0]}', target)


def _read(path: str) -> str:
    """The lines of a file that are no comments."""
    try:
        with open(path, encoding='utf-8', errors='replace') as stream:
            return ''.join(line for line in stream
                           if not line.lstrip().startswith('#'))
    except OSError:
        return ''


_CHECKS: tuple[tuple[str, Callable[
    [Patient], Iterator[finding.Finding]]], ...] = (
        ('domains', _domains), ('QEMU', _qemu), ('AppArmor', _confinement))
