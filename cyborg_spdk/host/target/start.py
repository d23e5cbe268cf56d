# SPDX-License-Identifier: Apache-2.0

"""One start of one target: everything between the options and a process
that answers."""

import contextlib
import grp
import logging
import os
import signal
import stat

from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import cores as cpu
from cyborg_spdk.host.machine import hugepage_claims
from cyborg_spdk.host.machine import hugepages
from cyborg_spdk.host.machine import installation as spdk
from cyborg_spdk.host.machine import pci
from cyborg_spdk.host.machine import proc
from cyborg_spdk.host.machine import spawn
from cyborg_spdk.host import process
from cyborg_spdk.host.target import commandline
from cyborg_spdk.host.target import logs
from cyborg_spdk.host.target import ready as target_ready
from cyborg_spdk.host.target import restarts
from cyborg_spdk.host import trusted_files

LOG = logging.getLogger(__name__)

# Seconds in which a target that has closed its connections ends.
_ENDING = 5.0


#: The option of a target that is given what it is to have by RPC before it
#: is initialised, and the first release that has it under this name.
WAIT_FOR_RPC = '--wait-for-rpc'
_HAS_WAIT = (18, 10)
#: The release before has it as one letter.
_WAIT_LETTER = '-w'
_HAS_LETTER = (18, 7)


def start(conf, target, installation, run_path, deadline, bring_up=None):
    """Start a target and wait until it is ready.

    :param conf: the configuration.
    :param target: a :class:`cyborg_spdk.conf.Target` that does not run.
    :param installation: the
        :class:`~cyborg_spdk.host.machine.installation.Installation` to use.
    :param run_path: the trusted directory of logs and locks.
    :param deadline: point of ``time.monotonic()`` at which to give up.
    :param bring_up: ``bring_up(deadline)`` initialises a target that
        answers, and gives it what it is to have. None: it does so itself,
        and has nothing.
    :returns: its :class:`~cyborg_spdk.host.process.TargetProcess`.
    :raises StartError: if it ended, or did not answer in time.
    :raises HostError: its other subclasses, for what is in the way.
    :raises ConfigurationError: for options that cannot be used.
    """
    check_socket_path(target, process.socket_path(target))
    if conf.spdk.pci_devices and not installation.simulated:
        _bind_devices(conf, target, installation)
    log = logs.path(conf, target)
    cores = None
    if not installation.simulated:
        cores = cpu.of_target(conf, target)
    elif target.core_mask:
        cores = cpu.parse(target.core_mask, f'[{target.name}] core_mask')
    if waits_for_rpc(target.extra_args):
        bring_up = None  # The operator initialises it.
    with contextlib.ExitStack() as stack:
        started, huge_dir = None, None
        if not (installation.simulated or target.no_huge):
            # Held until the target runs: its pid then stands for what it
            # has not taken yet.
            need_mb, started = stack.enter_context(hugepage_claims.claiming(
                run_path, target, conf.spdk.start_timeout))
            huge_dir = _prepare_hugepages(conf, target, need_mb)
        argv = commandline.build(
            target, installation, cores=cores, huge_dir=huge_dir,
            vhost_dir=_vhost_dir(target, run_path))
        if bring_up is not None:
            argv += _wait_option(installation, target.application)
        starts = restarts.started(run_path,
                                  process.name(conf, target)).starts
        if starts > 1:
            LOG.warning('%s: start number %d within %d s of each other',
                        target.name, starts, restarts.WELL_AFTER)
        LOG.info('%s: starting %s', target.name, ' '.join(argv))
        program = _program(conf, target, installation, argv, log)
        if started:
            started(program.pid)
    try:
        _until_ready(conf, target, program, log, deadline, bring_up)
    finally:
        program.release()
    found = process.find(target, installation)
    if found is None:
        raise exceptions.StartError(
            target.name, 'it ended as soon as it was ready',
            log_tail=logs.tail(log))
    _share_socket(conf, found)
    LOG.info('%s: process %d is ready', target.name, found.pid)
    return found


def _wait_option(installation, application):
    """The option of a program that lets it wait for RPCs, as a list."""
    release = installation.release
    if release is None:
        usage = spdk.usage(installation.path(application))
        if WAIT_FOR_RPC in usage:
            return [WAIT_FOR_RPC]
        return [_WAIT_LETTER] if f' {_WAIT_LETTER} ' in usage else []
    if release >= _HAS_WAIT:
        return [WAIT_FOR_RPC]
    return [_WAIT_LETTER] if release >= _HAS_LETTER else []


def waits_for_rpc(argv):
    """Whether a command line lets the target wait for RPCs (bool)."""
    return WAIT_FOR_RPC in argv or _WAIT_LETTER in argv


def _vhost_dir(target, run_path):
    """The directory of the sockets of vhost's controllers."""
    if target.application != 'vhost':
        return None
    # One of its own: the name of a controller is that of its socket.
    path = os.path.join(run_path, 'vhost')
    trusted_files.ensure_directory(path, what='[spdk] run_path')
    return path


def check_socket_path(target, path):
    """Nothing but a stale socket may be where the socket is to be.

    SPDK removes whatever it finds there.

    :raises StateError: with what is in the way.
    """
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise exceptions.StateError(
            f"{target.name}: {directory}, the directory of rpc_address, "
            "does not exist; make it, or correct the path")
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise exceptions.StateError(
                f"{target.name}: {path} is there and is no socket; remove "
                "it, or correct rpc_address")


def _privileged(conf):
    # Imported when it is needed: oslo.privsep takes half a second.
    from cyborg_spdk.host import privileged

    return lambda name, *args: privileged.call(conf, name, *args)


def _bind_devices(conf, target, installation):
    missing = pci.check(conf.spdk.pci_devices)
    if not missing:
        return
    if installation.setup_sh is None:
        raise exceptions.NotInstalled(
            "SPDK's setup.sh", installation.places,
            'it binds [spdk] pci_devices; install it, or bind them to '
            'vfio-pci yourself')
    bound = _privileged(conf)('bind_devices', installation.setup_sh,
                              missing)
    LOG.info('%s: bound %s to a user-space driver', target.name,
             ', '.join(bound))


def _prepare_hugepages(conf, target, need_mb):
    try:
        for done in hugepages.prepare(conf, need_mb, _privileged(conf)):
            LOG.info('%s: %s', target.name, done)
    except exceptions.HugepageError as exc:
        raise exceptions.HugepageError(f"{target.name}: {exc}") from None
    if not conf.spdk.hugepage_size_kb:
        return None
    return next(mount.path for mount in hugepages.mounts()
                if mount.size_kb == conf.spdk.hugepage_size_kb)


class _AsRoot:
    """A program that the privileged helper has started."""

    def __init__(self, call, name, *args):
        self._call = call
        self.pid = call('start_target', *args)
        if not isinstance(self.pid, int):
            raise exceptions.StartError(name, self.pid)

    def poll(self, timeout=0):
        return self._call('poll_target', self.pid, timeout)

    def release(self):
        # A helper that has ended has let go of it.
        with contextlib.suppress(exceptions.PrivilegeError):
            self._call('release_target', self.pid)


def _program(conf, target, installation, argv, log):
    """Start the program, as root if it needs to be.

    One that needs no root runs as who starts it; where systemd runs the
    machine, the helper makes it a unit of its own too, if there is a helper.
    """
    uid, gid = os.geteuid(), socket_gid(conf)
    as_root = uid == 0 or _needs_root(conf, target, installation, argv[0])
    arguments = (argv, log, os.path.realpath(conf.spdk.state_path),
                 gid if as_root else -1,
                 f'{spawn.UNIT_PREFIX}{target.name}',
                 0 if as_root else uid)
    by_helper = uid != 0 and (as_root or helper_makes_units(conf))
    if uid == 0 or by_helper:
        spawn.begin_log(log)
    if by_helper:
        return _AsRoot(_privileged(conf), target.name, *arguments)
    try:
        return spawn.start(*arguments)
    except exceptions.StartError as exc:
        raise exceptions.StartError(target.name, exc.reason) from None


def _needs_root(conf, target, installation, program):
    """Whether a target has to be root's: one in huge pages has to.

    The simulator needs no root. But if root has installed it and there is a
    helper, it is started as a real SPDK would be.
    """
    if target.no_huge or not installation.simulated:
        return not target.no_huge
    return bool(conf.spdk.privsep_helper_command) and \
        os.stat(program).st_uid == 0


def helper_makes_units(conf):
    """Whether an unprivileged user can have units of systemd (bool)."""
    return spawn.systemd_runs() and bool(conf.spdk.privsep_helper_command)


def socket_gid(conf):
    """Group of the sockets of targets (int).

    :raises ConfigurationError: if ``[spdk] socket_group`` is none.
    """
    name = conf.spdk.socket_group
    if not name:
        return os.getegid()
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise exceptions.ConfigurationError(
            '[spdk] socket_group', name, 'there is no such group; make it, '
            'or correct the name') from None


def _share_socket(conf, found):
    """Give the socket of a target that is ours to its group."""
    if found.uid != os.geteuid():
        return  # Started by the helper, with that group.
    gid = socket_gid(conf)
    try:
        if os.lstat(found.rpc_address).st_gid != gid:
            os.chown(found.rpc_address, -1, gid, follow_symlinks=False)
    except OSError as exc:
        raise exceptions.ConfigurationError(
            '[spdk] socket_group', conf.spdk.socket_group,
            f"{found.rpc_address} cannot be given to it: {exc.strerror}; "
            "make this user a member of it") from None


def _until_ready(conf, target, program, log, deadline, bring_up):
    def ended(seconds):
        return program.poll(seconds) is not None

    try:
        if bring_up is None:
            if target_ready.wait(target, deadline, ended):
                return
        elif target_ready.answers(target, deadline, ended):
            bring_up(deadline)
            return
    except exceptions.RpcTimeout as exc:
        _stop_again(conf, program)
        raise exceptions.StartError(
            target.name, f'it {unready(exc)} within [spdk] start_timeout '
            f'({conf.spdk.start_timeout:g} s), and was stopped again',
            log_tail=logs.tail(log)) from None
    except (exceptions.ConnectionLost, exceptions.ConnectError):
        if program.poll(_ENDING) is None:
            raise
    code = program.poll()
    tail = logs.tail(log)
    raise exceptions.StartError(
        target.name, 'it ended before it was ready'
        + (f', killed by {_signal_name(code)}' if code and code < 0 else '')
        + logs.remedy(tail), exit_code=code, log_tail=tail)


def unready(exc):
    """What a target did not do in time.

    :param exc: the ``RpcTimeout`` of :func:`.readiness.wait`.
    """
    if exc.method == 'framework_wait_init':
        return ('is not initialised (--wait-for-rpc needs '
                'framework_start_init)')
    if exc.method == 'framework_start_init':
        return 'was not initialised'
    return f'does not answer at {exc.address}'


def _stop_again(conf, program):
    """End a target that did not become ready; it serves nobody yet."""
    found = proc.stat_of(program.pid)
    if found is None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        if program.poll() is not None:
            return
        send_signal(conf, program.pid, found.ticks, number)
        program.poll(conf.spdk.stop_timeout)


def send_signal(conf, pid, ticks, number):
    """Send a signal to a target, through the helper if that is needed."""
    try:
        proc.send_signal(pid, ticks, number)
    except PermissionError:
        _privileged(conf)('signal_target', pid, ticks, int(number))


def _signal_name(code):
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f'signal {-code}'
