# SPDX-License-Identifier: Apache-2.0

"""All that needs root, in one place, on oslo.privsep.

Run by root, the functions are called as they are. Run by an unprivileged
user they are called in a helper (``sudo privsep-helper``), which keeps only
the capabilities named here. Each function validates its arguments again: it
trusts nobody.

Who may reach the RPC socket of a target that root runs can have it read and
write any file (an AIO bdev). So the user of the agent is as good as root,
whatever is refused here; these checks are against mistakes, and against
being a shorter way.
"""

import ctypes
import os
import re
import signal
import stat
import time
import warnings

import psutil

with warnings.catch_warnings():
    # oslo.privsep imports eventlet if it is there, which warns of itself.
    warnings.simplefilter('ignore')
    from oslo_privsep import capabilities
    from oslo_privsep import priv_context

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import helper
from cyborg_spdk.host.machine import hugepages
from cyborg_spdk.host.machine import pci
from cyborg_spdk.host.machine import proc
from cyborg_spdk.host.machine import spawn
from cyborg_spdk.host import process

#: Group of oslo.privsep's own options for this helper.
GROUP = 'cyborg_spdk_privileged'

#: Where the helper makes a directory for the agent.
PARENTS = ('/run', '/var/run', '/var/lib')

#: Options of SPDK's programs that root may be asked to start them with.
#: Not --env-context, which loads code, nor those that write a file.
ARGUMENTS = frozenset((
    # with a value
    '-r', '-m', '-s', '-c', '--json', '--huge-dir', '--iova-mode',
    '--lcores', '-p', '--main-core', '-n', '--mem-channels', '-i',
    '--shm-id', '--msg-mempool-size', '--max-delay',
    '--num-trace-entries', '-e', '--tpoint-group', '--tpoint-group-mask',
    '-L', '--logflag', '-A', '--pci-allowed', '-B', '--pci-blocked',
    '--rpcs-allowed', '--base-virtaddr', '--vfio-vf-token', '-S',
    # without
    '--no-huge', '--interrupt-mode', '--disable-cpumask-locks',
    '--wait-for-rpc', '-d', '--limit-coredump', '-g',
    '--single-file-segments', '--silence-noticelog', '-u', '--no-pci',
    '-R', '--huge-unlink', '--json-ignore-init-errors'))

context = priv_context.PrivContext(
    'cyborg_spdk', cfg_section=GROUP, pypath=f'{__name__}.context',
    capabilities=[
        capabilities.CAP_SYS_ADMIN,  # mount hugetlbfs
        capabilities.CAP_CHOWN,  # give a directory to the agent
        capabilities.CAP_DAC_READ_SEARCH,  # in directories of the agent
        capabilities.CAP_SYS_PTRACE,  # see what program a target runs
    ])


# Several targets may be starting, and be waited for, at once.
priv_context.cfg.CONF.set_default('thread_pool_size', 16, group=GROUP)

# Seconds for the reply of a function; those of systemd are three commands of
# half a minute at most.
_LIMIT = 40.0
_LIMITS = {'add_hugepages': 60.0, 'bind_devices': 150.0,
           'start_target': 100.0}


def call(conf, name, *args):
    """Call a function of this module, as root or through the helper.

    :param conf: the configuration: ``[spdk] privsep_helper_command``.
    :param name: the function.
    :param args: plain values.
    :returns: what it returns.
    :raises PrivilegeError: if there is no way to root, or the helper ends
        or hangs meanwhile.
    """
    if os.geteuid() == 0:
        context.set_client_mode(False)
    function = globals()[name]
    if not context.client_mode:
        return function(*args)
    if conf.spdk.privsep_helper_command:
        priv_context.cfg.CONF.set_default(
            'helper_command', conf.spdk.privsep_helper_command, group=GROUP)
    # What the entry point wraps.
    return helper.call(context, function.args[0],
                       _LIMITS.get(name, _LIMIT), *args)


def _check_number(what, *values):
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or \
                value < 0:
            raise exceptions.PrivilegeError(f"{value!r} is no {what}")


@context.entrypoint
def add_hugepages(size_kb, wanted):
    """Add huge pages; see :func:`cyborg_spdk.host.machine.hugepages.add`."""
    _check_number('number of huge pages', size_kb)
    for node, count in wanted:
        _check_number('number of huge pages', count,
                      *([] if node is None else [node]))
        hugepages.pool(size_kb, node)
    if sum(count for _, count in wanted) * size_kb > \
            hugepages.available_kb():
        return [0 for _ in wanted]
    return hugepages.add(size_kb, wanted)


@context.entrypoint
def mount_hugetlbfs(path, size_kb):
    """Mount hugetlbfs for one size of page.

    :param path: as
        :func:`cyborg_spdk.host.machine.hugepages.mount_point` says; made
        if it is missing.
    :param size_kb: size of its pages in KiB.
    """
    _check_number('size of huge pages', size_kb)
    if path != hugepages.mount_point(size_kb):
        raise exceptions.HugepageError(
            f"{path}: hugetlbfs is mounted only at "
            f"{hugepages.mount_point(size_kb)}")
    hugepages.pool(size_kb)
    os.makedirs(path, 0o755, exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b'hugetlbfs', os.fsencode(path), b'hugetlbfs', 0,
                  f'pagesize={size_kb}K'.encode()) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise exceptions.HugepageError(
            f"hugetlbfs cannot be mounted at {path}: {reason}; mount it "
            f"yourself, with pagesize={size_kb}K")


@context.entrypoint
def make_directory(path, uid, gid):
    """Make a directory that is missing, mode 0750.

    :param path: directly below one of :data:`PARENTS`.
    :param uid: its owner.
    :param gid: its group.
    """
    _check_number('user or group', uid, gid)
    parent, name = os.path.split(path)
    if parent not in PARENTS or not re.fullmatch(r'[\w][\w.-]*', name):
        raise exceptions.PrivilegeError(
            f"{path} is not made: not directly below "
            f"{' or '.join(PARENTS)}; make it, and give it to user {uid}")
    try:
        os.mkdir(path, 0o750)
    except FileExistsError:
        # Made meanwhile; whether it is any good is looked at by its user.
        return
    os.chown(path, uid, gid, follow_symlinks=False)


@context.entrypoint
def bind_devices(setup_sh, addresses):
    """Take PCI devices from the kernel; see
    :func:`cyborg_spdk.host.machine.pci.bind`.
    """
    check_program(setup_sh, ['setup.sh'])
    return pci.bind(setup_sh, addresses)


def check_program(path, names):
    """Refuse a program that somebody else than root could have written.

    :param path: its absolute path.
    :param names: names that it may have.
    :raises PrivilegeError: if it is not safe to run it as root.
    """
    if not isinstance(path, str) or not os.path.isabs(path) or \
            os.path.basename(path) not in names:
        raise exceptions.PrivilegeError(
            f"{path!r} is not run as root: not one of {', '.join(names)}")
    part = os.path.realpath(path)
    while True:
        status = os.stat(part)
        sticky = stat.S_ISDIR(status.st_mode) and \
            status.st_mode & stat.S_ISVTX
        if status.st_uid != 0 or (
                status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
                and not sticky):
            raise exceptions.PrivilegeError(
                f"{path} is not run as root: {part} can be written by "
                f"others than root; chown root {part}; chmod go-w {part}")
        if part == '/':
            return
        part = os.path.dirname(part)


def _check_arguments(arguments):
    for argument in arguments:
        if not isinstance(argument, str) or '\0' in argument:
            raise exceptions.PrivilegeError(f"{argument!r} is no argument")
        if not argument.startswith('-'):
            continue
        name = argument.partition('=')[0] if argument.startswith('--') \
            else argument[:2]
        if name not in ARGUMENTS:
            raise exceptions.PrivilegeError(
                f"{argument!r} is not passed to a target that the helper "
                "starts as root; take it out of extra_args, or start the "
                "target as root")


_started = {}


def _check_user(uid, gid):
    """A target runs as root, or as who has called for the helper."""
    if not isinstance(gid, int):
        raise exceptions.PrivilegeError(f"{gid!r} is no group")
    _check_number('user', uid)
    if uid != 0 and (str(uid) != os.environ.get('SUDO_UID') or gid != -1):
        raise exceptions.PrivilegeError(
            f"nothing is started as user {uid} and group {gid}: not who has "
            "called sudo")


@context.entrypoint
def start_target(argv, log, cwd, gid, unit, uid=0):
    """Start a target; see :func:`cyborg_spdk.host.machine.spawn.start`.

    :returns: its pid (int), or why it could not be started (str).
    """
    _check_user(uid, gid)
    if uid == 0:
        check_program(argv[0], list(spdk_conf.APPLICATIONS))
    _check_arguments(argv[1:])
    if not re.fullmatch(r'[a-z0-9_-]+', unit):
        raise exceptions.PrivilegeError(f"{unit!r} is no name of a unit")
    for path in (os.path.dirname(log), cwd):
        status = os.stat(path)
        if os.path.realpath(path) != path or \
                status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise exceptions.PrivilegeError(
                f"{path} can be written by others, or is a link; chmod "
                f"go-w {path}, or name it without links")
    if not log.endswith('.log'):
        raise exceptions.PrivilegeError(f"{log} is no log")
    try:
        program = spawn.start(list(argv), log, cwd, gid, unit, uid)
    except exceptions.StartError as exc:
        return exc.reason
    except OSError as exc:
        return f'{exc.filename or argv[0]}: {exc.strerror}'
    _started[program.pid] = program
    return program.pid


@context.entrypoint
def poll_target(pid, timeout):
    """Exit status of a target started here, or None while it runs.

    :raises PrivilegeError: if it was started by a helper that is gone, and
        has ended, too.
    """
    if pid in _started:
        return _started[pid].poll(timeout)
    deadline = time.monotonic() + timeout
    while psutil.pid_exists(pid):
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.02)
    raise exceptions.PrivilegeError(
        f"process {pid} has ended before it was ready, and so has the helper "
        "that would know why; look at the target's log")


@context.entrypoint
def release_target(pid):
    """Let go of a target started here; another helper has none of it."""
    program = _started.pop(pid, None)
    if program is not None:
        program.release()


@context.entrypoint
def signal_target(pid, ticks, number):
    """Send a signal to a target.

    :param pid: its process id.
    :param ticks: its start, as in
        :class:`~cyborg_spdk.host.process.TargetProcess`.
    :param number: SIGTERM or SIGKILL.
    :raises PrivilegeError: if that is no target.
    """
    _check_number('process', pid, ticks)
    if number not in (signal.SIGTERM, signal.SIGKILL):
        raise exceptions.PrivilegeError(f"signal {number} is not sent")
    try:
        application = process.program(psutil.Process(pid))[1]
    except psutil.NoSuchProcess:
        return
    if not application:
        raise exceptions.PrivilegeError(
            f"process {pid} is no target of SPDK and gets no signal")
    proc.send_signal(pid, ticks, number)
