# SPDX-License-Identifier: Apache-2.0

"""Could a target run on this machine? Each finding with its remedy.

Nothing is changed. A check is a generator of findings; an error that it
raises is a finding too.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import os
import resource
import shutil
import struct

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import enabled
from cyborg_spdk import exceptions
from cyborg_spdk.host.doctor import finding
from cyborg_spdk.host.doctor import machine as doctor_machine
from cyborg_spdk.host.doctor import pci
from cyborg_spdk.host.doctor import software
from cyborg_spdk.host import launch
from cyborg_spdk.host.machine import cores as cpu
from cyborg_spdk.host.machine import hugepage_pools
from cyborg_spdk.host.machine import hugepages
from cyborg_spdk.host.machine import hugetlbfs
from cyborg_spdk.host.machine import meminfo
from cyborg_spdk.host.machine import proc
from cyborg_spdk.host.machine import spawn
from cyborg_spdk.host import process
from cyborg_spdk.host.target import start as target_start
from cyborg_spdk.host.target import status as target_status
from cyborg_spdk.host import trusted_files

OK, NOTE, WARNING, FAILURE = (finding.OK, finding.NOTE, finding.WARNING,
                              finding.FAILURE)
Finding = finding.Finding

#: What one looks like.
Check = Callable[[doctor_machine.Machine], Iterator[Finding]]

#: MiB of a target's trace file in /dev/shm (3.4 in v26.05), and of its
#: saved configuration.
_SHM_MB = 4
_STATE_MB = 4

_SHM = '/dev/shm'  # noqa: S108

# Where SPDK keeps a lock for each core (since v21.04).
_CORE_LOCK = '/var/tmp/spdk_cpu_lock_{:03d}'  # noqa: S108


def examine(conf: cfg.ConfigOpts) -> list[Finding]:
    """Make all checks.

    :param conf: the configuration.
    :returns: list of :class:`Finding`, in the order of the checks.
    :raises ConfigurationError: for a configuration that cannot be used.
    """
    machine = doctor_machine.Machine(conf)
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found += check(machine)
        except (exceptions.SpdkError, OSError) as exc:
            found.append(Finding(_name(check), FAILURE, *finding.halves(exc)))
    return found


def could_run(conf: cfg.ConfigOpts, findings: Iterable[Finding]) -> bool:
    """Whether at least one target could run, or runs.

    :param conf: the configuration.
    :param findings: what :func:`examine` returned.
    """
    failed = {finding.target for finding in findings
              if finding.level == FAILURE}
    return None not in failed and any(
        target.name not in failed for target in enabled.targets(conf))


def _name(check: Check) -> str:
    return check.__name__.replace('_', ' ')


def cores(machine: doctor_machine.Machine) -> Iterator[Finding]:
    place = launch.place(machine.conf)
    found = cpu.usable(place=place)
    yield Finding('cores', OK, f'online: {cpu.as_list(cpu.online())}' + (
        '' if found >= cpu.online() else
        f'; targets may use {cpu.as_list(found)} (cpuset)'))
    if machine.simulated:
        return
    for target in _stopped(machine):
        try:
            wanted = cpu.of_target(machine.conf, target, place=place)
        except exceptions.ConfigurationError as exc:
            yield finding.of_target('cores', target, exc)
            continue
        if cpu.SHARE in target.extra_args:
            continue
        for core in sorted(wanted):
            path = _CORE_LOCK.format(core)
            pid = _core_owner(core)
            if target.no_huge and os.path.exists(path) and \
                    not os.access(path, os.W_OK):
                yield Finding('cores', FAILURE, f'{path} of another user is '
                              'in the way', 'remove it if no target runs on '
                              f'that core, or add {cpu.SHARE} to extra_args',
                              target.name)
            elif pid:
                yield Finding('cores', FAILURE, f'core {core} is used by '
                              f'the SPDK process {pid}', 'set core_mask to '
                              'a free core, or stop that process',
                              target.name)
        pages = frozenset(machine.conf.spdk.hugepage_nodes)
        nodes = cpu.nodes(wanted)
        if pages and nodes and not pages & nodes:
            yield Finding('cores', WARNING, f'cores {cpu.as_list(wanted)} '
                          f'are on NUMA node {min(nodes)}, which gets no '
                          'huge pages', f'add {min(nodes)} to [spdk] '
                          'hugepage_nodes, or set core_mask', target.name)


def _core_owner(core: int) -> int | None:
    """Pid of the SPDK process that has a core, or None."""
    try:
        with open(_CORE_LOCK.format(core), 'rb') as stream:
            data = stream.read(4)
    except OSError:
        return None
    pid = struct.unpack('i', data)[0] if len(data) == 4 else 0
    found = proc.stat_of(pid) if pid > 0 else None
    # The file of a target that was killed stays; its lock does not.
    return pid if found and not found.dead and _is_target(pid) else None


def _is_target(pid: int) -> bool:
    try:
        with open(f'/proc/{pid}/comm') as stream:
            return stream.read().startswith(('reactor_', 'nvmf', 'vhost',
                                             'spdk', 'iscsi'))
    except OSError:
        return False


def memory(machine: doctor_machine.Machine) -> Iterator[Finding]:
    if machine.simulated:
        yield Finding('memory', OK, 'the simulator needs no huge pages')
        return
    for pool in hugepage_pools.pools():
        if pool.total:
            where = '' if pool.node is None else f' on node {pool.node}'
            promised = f', {pool.reserved} of them promised to others' \
                if pool.reserved else ''
            yield Finding('memory', NOTE, f'{pool.free} of {pool.total} '
                          f'huge pages of {pool.size_kb} KiB are free'
                          + where + promised)
    needs_mb = [target.memory_mb for target in _stopped(machine)
                if not target.no_huge]
    if not needs_mb:
        yield Finding('memory', OK, 'no huge pages are needed now')
        return
    yield from _pages(machine, needs_mb)


def _pages(machine: doctor_machine.Machine,
           needs_mb: Sequence[int]) -> Iterator[Finding]:
    """Whether the targets that do not run would get their memory."""
    size_kb = hugepages.chosen_size_kb(machine.conf)
    hugepages.check_limits(size_kb, max(needs_mb),
                           place=launch.place(machine.conf))
    short = sum(hugepages.missing(machine.conf, needs_mb).values())
    left_mb = meminfo.available_kb() // 1024
    managed = machine.conf.spdk.manage_hugepages
    if short * size_kb // 1024 > left_mb:
        yield Finding('memory', FAILURE, f'{short} huge pages of {size_kb} '
                      f'KiB are missing, and only {left_mb} MiB of memory '
                      'are left', 'free memory, or lower memory_mb')
    elif short and not managed:
        yield Finding('memory', FAILURE, f'{short} huge pages of {size_kb} '
                      'KiB are missing', 'set [spdk] manage_hugepages, or '
                      'reserve them yourself')
    elif short:
        yield Finding('memory', OK, f'{short} huge pages of {size_kb} KiB '
                      f'will be reserved out of {left_mb} MiB')
    else:
        need_mb = hugepages.pages_for(needs_mb, size_kb) * size_kb // 1024
        yield Finding('memory', OK, f'{need_mb} MiB in huge pages are free')
    yield from _mount(size_kb, max(needs_mb), managed)


def _stopped(machine: doctor_machine.Machine) -> Iterator[spdk_conf.Target]:
    """Targets to start that do not run."""
    for target in machine.to_start():
        try:
            if process.find(target) is None:
                yield target
        except exceptions.SpdkError:
            continue  # Told by the check of the sockets.


def _mount(size_kb: int, need_mb: int, managed: bool) -> Iterator[Finding]:
    mount = hugetlbfs.mount_for(size_kb, need_mb)
    if mount is not None:
        yield Finding('memory', OK, f'hugetlbfs is mounted at {mount.path}')
        return
    if managed:
        yield Finding('memory', OK, 'hugetlbfs will be mounted at '
                      f'{hugetlbfs.mount_point(size_kb)}')
    else:
        yield Finding('memory', FAILURE, 'hugetlbfs is not mounted for '
                      f'pages of {size_kb} KiB', 'set [spdk] '
                      'manage_hugepages, or mount it')


def privilege(machine: doctor_machine.Machine) -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield Finding('privilege', OK, 'root')
        return
    if machine.simulated or all(target.no_huge
                                for target in machine.to_start()):
        yield Finding('privilege', OK, f'user {os.geteuid()}; no target '
                      'needs root')
        return
    from cyborg_spdk.host import privileged
    privileged.ask(machine.conf)
    yield Finding('privilege', OK, f'user {os.geteuid()}, by the privileged '
                  'helper')


def limits(machine: doctor_machine.Machine) -> Iterator[Finding]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 4096:
        yield Finding('limits', WARNING, f'{hard} open files', 'raise '
                      'LimitNOFILE: each connection of a host needs one')
    else:
        yield Finding('limits', OK, 'open files')
    # A target of root is not limited, nor is a unit of systemd.
    memlock = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    if os.geteuid() != 0 and memlock != resource.RLIM_INFINITY and \
            machine.conf.spdk.pci_devices and _own(machine) and \
            not target_start.helper_makes_units(machine.conf):
        yield Finding('limits', WARNING, f'{memlock} bytes of locked memory',
                      'set LimitMEMLOCK=infinity: vfio locks the memory of '
                      'the target')


def _own(machine: doctor_machine.Machine) -> list[spdk_conf.Target]:
    """Targets that run as who starts them, whoever that is."""
    return [target for target in machine.to_start()
            if machine.simulated or target.no_huge]


def directories(machine: doctor_machine.Machine) -> Iterator[Finding]:
    for option, need_mb in (('run_path', 1), ('state_path', _STATE_MB)):
        path = machine.conf.spdk[option]
        what = f'[spdk] {option}'
        if os.path.isdir(path):
            trusted_files.check_directory(path, what=what)
            if not os.access(path, os.W_OK | os.X_OK):
                yield Finding('directories', FAILURE, f'{what} {path} '
                              f'cannot be written by user {os.geteuid()}',
                              'chown it to the user of the agent')
                continue
            text = path
        else:
            text = f'{path} will be made'
            path = os.path.dirname(path)
            if not os.path.isdir(path):
                yield Finding('directories', FAILURE, f'{what}: {path} does '
                              'not exist', 'make it')
                continue
        free_mb = shutil.disk_usage(path).free >> 20
        if free_mb < need_mb:
            yield Finding('directories', FAILURE, f'{what}: {free_mb} MiB '
                          f'are free at {path}', 'make room')
        else:
            yield Finding('directories', OK, f'{what}: {text}')
    yield from _shared_memory(len(list(_stopped(machine))))


def _shared_memory(count: int) -> Iterator[Finding]:
    free_mb = shutil.disk_usage(_SHM).free >> 20
    if count and free_mb < count * _SHM_MB:
        yield Finding('directories', WARNING, f'{free_mb} MiB are free in '
                      f'{_SHM}', 'make room for the trace files of targets')


def sockets(machine: doctor_machine.Machine) -> Iterator[Finding]:
    target_start.socket_gid(machine.conf)
    for target in machine.targets:
        state = target_status.look(machine.conf, target)
        if state.state == target_status.READY:
            yield Finding('sockets', OK, f'{target.name} answers at '
                          f'{target.rpc_address}', '', target.name)
        elif state.state == target_status.STOPPED and not target.start:
            yield Finding('sockets', WARNING, f'{target.name} does not run, '
                          'and is not to be started here', 'start it',
                          target.name)
        elif state.state == target_status.STOPPED:
            yield _can_listen(machine, target)
        else:
            text, _, remedy = (state.problem or state.state).rpartition('; ')
            yield Finding('sockets', FAILURE,
                          f'{target.name}: {text or remedy}'.replace(
                              f'{target.name}: {target.name}: ',
                              f'{target.name}: '),
                          remedy if text else '', target.name)


def _can_listen(machine: doctor_machine.Machine,
                target: spdk_conf.Target) -> Finding:
    path = process.socket_path(target)
    assert path  # Else it could not be found stopped.
    run_path = os.path.realpath(machine.conf.spdk.run_path)
    try:
        # run_path itself is made when it is needed.
        if os.path.realpath(os.path.dirname(path)) != run_path:
            target_start.check_socket_path(target, path)
    except exceptions.StateError as exc:
        return finding.of_target('sockets', target, exc)
    return Finding('sockets', OK, f'{target.name} can listen at {path}', '',
                   target.name)


def manager(machine: doctor_machine.Machine) -> Iterator[Finding]:
    own = ', '.join(target.name for target in _own(machine))
    if not spawn.systemd_runs():
        yield Finding('manager', OK, 'targets are detached by a double fork')
    elif os.geteuid() == 0 or not own or \
            target_start.helper_makes_units(machine.conf):
        yield Finding('manager', OK, 'targets are transient units of '
                      'systemd')
    else:
        yield Finding('manager', WARNING, f'{own}: detached by a double '
                      'fork, and stopped with the service that starts it',
                      'set [spdk] privsep_helper_command, or KillMode=process '
                      'in the unit of the agent')


CHECKS: tuple[Check, ...] = (
    software.python, software.cyborg, software.drivers,
    software.installation, software.cpu_flags, cores, memory, privilege,
    pci.iommu, pci.devices, limits, directories, sockets, manager)
