# SPDX-License-Identifier: Apache-2.0

"""One start of one target: everything between the options and a process
that answers."""

from collections.abc import Callable
from collections.abc import Container
import contextlib
import os
import signal
import stat
import types

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import launch
from cyborg_spdk.host.machine import hugepage_claims
from cyborg_spdk.host.machine import hugepages
from cyborg_spdk.host.machine import installation as spdk
from cyborg_spdk.host.machine import pci
from cyborg_spdk.host.machine import proc
from cyborg_spdk.host.machine import spawn
from cyborg_spdk.host import process
from cyborg_spdk.host import steps
from cyborg_spdk.host.target import logs
from cyborg_spdk.host.target import ready as target_ready
from cyborg_spdk.host.target import restarts
from cyborg_spdk import loggers

LOG = loggers.get(__name__)

#: ``bring_up(deadline)`` initialises a target that answers, and gives it
#: what it is to have.
BringUp = Callable[[float], None]

# Seconds in which a target that has closed its connections ends.
_ENDING = 5.0


#: The option of a target that is given what it is to have by RPC before it
#: is initialised, and the first release that has it under this name.
WAIT_FOR_RPC = '--wait-for-rpc'
_HAS_WAIT = (18, 10)
#: The release before has it as one letter.
_WAIT_LETTER = '-w'
_HAS_LETTER = (18, 7)


def start(conf: cfg.ConfigOpts, target: spdk_conf.Target,
          installation: spdk.Installation, directory: str, deadline: float,
          bring_up: BringUp | None = None) -> process.TargetProcess:
    """Start a target and wait until it is ready.

    :param conf: the configuration.
    :param target: a :class:`cyborg_spdk.conf.Target` that does not run.
    :param installation: the
        :class:`~cyborg_spdk.host.machine.installation.Installation` to use.
    :param directory: the trusted directory of what is remembered of starts.
    :param deadline: point of ``time.monotonic()`` at which to give up.
    :param bring_up: ``bring_up(deadline)`` initialises a target that
        answers, and gives it what it is to have. None: it does so itself,
        and has nothing.
    :returns: its :class:`~cyborg_spdk.host.process.TargetProcess`.
    :raises StartError: if it ended, or did not answer in time.
    :raises HostError: its other subclasses, for what is in the way.
    :raises ConfigurationError: for options that cannot be used.
    """
    path = process.socket_path(target)
    assert path  # One that is elsewhere is not started.
    check_socket_path(target, path)
    if conf.spdk.pci_devices and not installation.simulated:
        steps.tell(target.name, 'binding PCI devices')
        _bind_devices(conf, target)
    log = launch.log_path(conf, target)
    if waits_for_rpc(target.extra_args):
        bring_up = None  # The operator initialises it.
    further = [] if bring_up is None else \
        _wait_option(installation, target.application)
    with contextlib.ExitStack() as stack:
        started = None
        if launch.needs_root(target, installation):
            # Held until the target runs: its pid then stands for what it
            # has not taken yet.
            needs_mb, started = stack.enter_context(hugepage_claims.claiming(
                directory, target, conf.spdk.start_timeout))
            steps.tell(target.name, 'reserving huge pages')
            _prepare_hugepages(conf, target, needs_mb)
        starts = restarts.started(directory,
                                  process.name(conf, target)).starts
        if starts > 1:
            LOG.warning('%s: start number %d within %d s of each other',
                        target.name, starts, restarts.WELL_AFTER)
        steps.tell(target.name, f'starting {target.application}')
        program = _program(conf, target, installation, further)
        if started:
            started(program.pid)
    try:
        _until_ready(conf, target, program, log, deadline, bring_up)
    finally:
        program.release()
    steps.tell(target.name, '')
    found = process.find(target, installation)
    if found is None:
        raise exceptions.StartError(
            target.name, 'it ended as soon as it was ready',
            log_tail=logs.tail(log))
    _share_socket(conf, found)
    LOG.info('%s: process %d is ready', target.name, found.pid)
    return found


def _wait_option(installation: spdk.Installation,
                 application: str) -> list[str]:
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


def waits_for_rpc(argv: Container[str]) -> bool:
    """Whether a command line lets the target wait for RPCs (bool)."""
    return WAIT_FOR_RPC in argv or _WAIT_LETTER in argv


def check_socket_path(target: spdk_conf.Target, path: str) -> None:
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


def _privileged() -> types.ModuleType:
    # Imported when it is needed: oslo.privsep takes half a second.
    from cyborg_spdk.host import privileged

    return privileged


def _bind_devices(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> None:
    if pci.check(conf.spdk.pci_devices):
        LOG.info('%s: bound %s to a user-space driver', target.name,
                 ', '.join(_privileged().bind_devices(conf)))


def _prepare_hugepages(conf: cfg.ConfigOpts, target: spdk_conf.Target,
                       needs_mb: Callable[[], list[int]]) -> None:
    try:
        for done in hugepages.prepare(
                conf, needs_mb, _privileged(), place=launch.place(conf),
                need_mb=target.memory_mb):
            LOG.info('%s: %s', target.name, done)
    except exceptions.HugepageError as exc:
        raise exceptions.HugepageError(f"{target.name}: {exc}") from None


class _ByHelper(spawn.Program):
    """A program that the privileged helper has started."""

    def __init__(self, conf: cfg.ConfigOpts, target: spdk_conf.Target,
                 further: list[str]) -> None:
        self._conf = conf
        self.pid = _privileged().start_target(
            conf, target.name, target.rpc_address, further)
        if not isinstance(self.pid, int):
            raise exceptions.StartError(target.name, self.pid)

    def poll(self, timeout: float = 0) -> int | None:
        return _privileged().poll_target(self._conf, self.pid, timeout)

    def release(self) -> None:
        # A helper that has ended has let go of it.
        with contextlib.suppress(exceptions.PrivilegeError):
            _privileged().release_target(self._conf, self.pid)


def _program(conf: cfg.ConfigOpts, target: spdk_conf.Target,
             installation: spdk.Installation,
             further: list[str]) -> spawn.Program:
    """Start the program, as root if it needs to be.

    Where systemd runs the machine, the helper makes a target of ours a unit
    of its own too, if there is a helper.
    """
    us, uid = os.geteuid(), launch.user(target, installation)
    if us != 0 and (uid != us or launch.makes_units(conf)):
        return _ByHelper(conf, target, further)
    return launch.launch(conf, target, installation, further=further,
                         uid=uid, gid=socket_gid(conf) if us == 0 else -1)


helper_makes_units = launch.makes_units
socket_gid = launch.socket_gid


def _share_socket(conf: cfg.ConfigOpts, found: process.TargetProcess) -> None:
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


def _until_ready(conf: cfg.ConfigOpts, target: spdk_conf.Target,
                 program: spawn.Program, log: str, deadline: float,
                 bring_up: BringUp | None) -> None:
    def ended(seconds: float) -> bool:
        return program.poll(seconds) is not None

    try:
        if bring_up is None:
            if target_ready.wait(target, deadline, ended):
                return
        elif target_ready.answers(target, deadline, ended):
            bring_up(deadline)
            return
    except exceptions.RpcTimeout as exc:
        _stop_again(conf, target, program)
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


def unready(exc: exceptions.RpcTimeout) -> str:
    """What a target did not do in time.

    :param exc: the ``RpcTimeout`` of :func:`.readiness.wait`.
    """
    if exc.method == 'framework_wait_init':
        return ('is not initialised (--wait-for-rpc needs '
                'framework_start_init)')
    if exc.method == 'framework_start_init':
        return 'was not initialised'
    return f'does not answer at {exc.address}'


def _stop_again(conf: cfg.ConfigOpts, target: spdk_conf.Target,
                program: spawn.Program) -> None:
    """End a target that did not become ready; it serves nobody yet."""
    found = proc.stat_of(program.pid)
    if found is None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        if program.poll() is not None:
            return
        send_signal(conf, target, program.pid, found.ticks, number)
        program.poll(conf.spdk.stop_timeout)


def send_signal(conf: cfg.ConfigOpts, target: spdk_conf.Target, pid: int,
                ticks: int, number: int) -> None:
    """Send a signal to a target, through the helper if that is needed."""
    try:
        proc.send_signal(pid, ticks, number)
    except PermissionError:
        _privileged().signal_target(conf, target.name, pid, ticks,
                                    int(number))


def _signal_name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f'signal {-code}'
