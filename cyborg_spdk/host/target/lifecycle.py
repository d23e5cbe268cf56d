# SPDX-License-Identifier: Apache-2.0

"""Keep the targets of this host: find them, start them, stop them."""

from collections.abc import Callable
import contextlib
import dataclasses
import hashlib
import os
import signal
import time

from oslo_config import cfg
import psutil

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import launch
from cyborg_spdk.host import locks
from cyborg_spdk.host.machine import installation as spdk
from cyborg_spdk.host import process
from cyborg_spdk.host.target import logs
from cyborg_spdk.host.target import ready as target_ready
from cyborg_spdk.host.target import restarts
from cyborg_spdk.host.target import start as target_start
from cyborg_spdk.host import trusted_files
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk.rpc.transport import sockets

LOG = loggers.get(__name__)

# Seconds for a target to say whether it is initialised.
_MOMENT = 1.0


@dataclasses.dataclass(frozen=True)
class Running:
    """A target that runs and answers.

    :ivar process: its :class:`~cyborg_spdk.host.process.TargetProcess`;
        None for a target that is not on a UNIX socket of this host.
    :ivar started: whether it was started just now.
    """

    process: process.TargetProcess | None
    started: bool


def ensure(conf: cfg.ConfigOpts, target: spdk_conf.Target, *,
           force: bool = False,
           bring_up: target_start.BringUp | None = None) -> Running:
    """Make sure that a target runs and answers; start it if it does not.

    :param conf: the configuration (``oslo_config.cfg.ConfigOpts``).
    :param target: a :class:`cyborg_spdk.conf.Target` of it.
    :param force: start it although ``start`` is false, and without the
        pause after several deaths: the operator says so.
    :param bring_up: ``bring_up(deadline)`` initialises a target that was
        started, and gives it what it is to have; it is called once more
        where a start was interrupted. None: it starts by itself, with
        nothing (:func:`cyborg_spdk.desired.starting.ensure` gives it all).
    :returns: :class:`Running`.
    :raises NotRunning: if it does not run and must not be started.
    :raises StartError: if it ended, or did not answer in time.
    :raises HostError: its other subclasses, for what is in the way.
    :raises ConfigurationError: for options that cannot be used.

    Blocks for ``[spdk] start_timeout`` at most, and as long again if
    another process is starting it.
    """
    if process.socket_path(target) is None:
        return Running(None, False)
    found = process.find(target)
    if found is not None:
        return _await(conf, target, found, bring_up)
    if not (target.start or force):
        raise exceptions.NotRunning(
            f"{target.name}: it does not run, and [{target.name}] start is "
            f"false; start it with cyborg-spdk target start {target.name}, "
            "or set start")
    # Without a program nothing else is worth trying, or telling.
    installation = spdk.find(conf.spdk.spdk_dir)
    installation.path(target.application)
    directory = _directory(conf)
    with _lock(conf, target, directory, 'start'):
        found = process.find(target)
        if found is not None:
            return _await(conf, target, found, bring_up, locked=True)
        if force:
            restarts.forget(directory, process.name(conf, target))
        _check_pause(conf, target, directory)
        deadline = time.monotonic() + conf.spdk.start_timeout
        return Running(target_start.start(
            conf, target, installation, directory, deadline, bring_up), True)


def _remedy(found: process.TargetProcess) -> str:
    """What to do about a target that does not answer."""
    taken = sockets.connections(found.rpc_address)
    if taken >= sockets.MOST_CONNECTIONS:
        return (f'it has {taken} connections, as many as it takes: close some '
                f'(ss -xp src {found.rpc_address} shows whose they are)')
    return 'look at its log, or stop it'


def _directory(conf: cfg.ConfigOpts) -> str:
    """The directory of what is remembered of starts, and of locks.

    It is made if it is missing, and so are those that it is in and that of
    the sockets.
    """
    for option in ('state_path', 'run_path'):
        if not os.path.isdir(conf.spdk[option]):
            _make_directories(conf)
            break
    for option in ('state_path', 'run_path'):
        trusted_files.check_directory(conf.spdk[option],
                                      what=f'[spdk] {option}')
    return trusted_files.ensure_directory(launch.starts_path(conf),
                                          what='[spdk] state_path')


def _make_directories(conf: cfg.ConfigOpts) -> None:
    """Make both directories, by the helper if we are not allowed to."""
    paths = [conf.spdk[option] for option in ('state_path', 'run_path')]
    above = [os.path.dirname(path) for path in paths
             if not os.path.isdir(path)]
    if os.geteuid() == 0 or any(
            os.path.isdir(path) and not os.access(path, os.W_OK)
            for path in above):
        from cyborg_spdk.host import privileged
        privileged.make_directories(conf)
        return
    for option in ('state_path', 'run_path'):
        trusted_files.ensure_directory(conf.spdk[option],
                                       what=f'[spdk] {option}')


def _lock(conf: cfg.ConfigOpts, target: spdk_conf.Target, directory: str,
          doing: str) -> contextlib.AbstractContextManager[None]:
    # By its socket: two names may share one process.
    path = process.socket_path(target)
    assert path  # One that is elsewhere is neither started nor stopped.
    digest = hashlib.sha256(path.encode()).hexdigest()[:8]
    return locks.hold(
        directory, f'{os.path.basename(path)}.{digest}',
        conf.spdk.start_timeout + conf.spdk.stop_timeout,
        doing=f'{target.name}: {doing}')


def _check_pause(conf: cfg.ConfigOpts, target: spdk_conf.Target,
                 directory: str) -> None:
    """Refuse a start that is not due, or that nobody wants."""
    history = restarts.read(directory, process.name(conf, target))
    if history.held:
        raise exceptions.NotRunning(
            f"{target.name}: it was stopped and is kept down; start it "
            f"with cyborg-spdk target start {target.name}")
    pause = history.pause()
    if pause:
        raise exceptions.NotRunning(
            f"{target.name}: it has died {history.starts} times soon after "
            f"it was started; the next start is due in {pause:.0f} s. Look "
            f"at its log, or start it now with cyborg-spdk target start "
            f"{target.name}")


def _await(conf: cfg.ConfigOpts, target: spdk_conf.Target,
           found: process.TargetProcess, bring_up: target_start.BringUp | None,
           locked: bool = False) -> Running:
    """Wait for a target that runs already, or is starting."""
    def ended(seconds: float) -> bool:
        time.sleep(seconds)
        return not found.alive()

    logs.trim(conf, target)
    patience = conf.spdk.start_timeout
    if process.age(found) > patience:
        # It is not starting: it answers at once, or not at all.
        patience = min(patience, conf.spdk.connect_timeout)
    deadline = time.monotonic() + patience
    try:
        if bring_up is not None and _is_begun_by_us(target, found) and \
                target_ready.answers(target, deadline, ended) and \
                not _is_initialised(target):
            with contextlib.nullcontext() if locked else _lock(
                    conf, target, _directory(conf), 'start'):
                bring_up(time.monotonic() + conf.spdk.start_timeout)
        if target_ready.wait(target, deadline, ended):
            if found.listening:
                return Running(found, False)
            return Running(process.find(target) or found, False)
    except exceptions.RpcTimeout as exc:
        raise exceptions.StartError(
            target.name, f'process {found.pid} runs, but '
            f'{target_start.unready(exc)} within {patience:g} s; '
            + _remedy(found)) from None
    raise exceptions.StartError(
        target.name, f'process {found.pid} ended while it was waited for',
        log_tail=logs.tail(logs.path(conf, target)))


def _is_begun_by_us(target: spdk_conf.Target,
                    found: process.TargetProcess) -> bool:
    """Whether a target was started to be initialised by us (bool)."""
    if not found.pid or target_start.waits_for_rpc(target.extra_args):
        return False
    try:
        return target_start.waits_for_rpc(psutil.Process(
            found.pid).cmdline())
    except psutil.Error:
        return False


def _is_initialised(target: spdk_conf.Target) -> bool:
    try:
        # Whatever it says of such a bdev: it is initialised.
        rpc.connect(target.rpc_address).call('bdev_get_bdevs', name='-',
                                             _timeout=_MOMENT)
    except (exceptions.NotReady, exceptions.MethodNotFound):
        return False
    except exceptions.SpdkError:
        pass
    return True


def stop(conf: cfg.ConfigOpts, target: spdk_conf.Target, *, kill: bool = False,
         hold: bool = False,
         before: Callable[[], object] | None = None) -> bool:
    """Stop a target: SIGTERM, and wait for its end.

    :param conf: the configuration: ``[spdk] stop_timeout``.
    :param target: a :class:`cyborg_spdk.conf.Target`.
    :param kill: send SIGKILL if it has not ended in time.
    :param hold: keep it down: :func:`ensure` does not start it again
        unless it is forced to.
    :param before: called without arguments before the target is stopped,
        if it runs.
    :returns: True if it was stopped, False if it did not run.
    :raises StopError: if it has not ended in time.
    :raises ForeignProcess: if it is not ours to stop.
    """
    if process.socket_path(target) is None:
        raise exceptions.ForeignProcess(
            f"{target.name}: {target.rpc_address} is not on a UNIX socket "
            "of this host; stop it where it runs")
    directory = _directory(conf)
    with _lock(conf, target, directory, 'stop'):
        if hold:
            restarts.hold(directory, process.name(conf, target))
        found = process.find(target)
        if found is None:
            return False
        if not (found.application and found.pid):
            raise exceptions.ForeignProcess(
                f"{target.name}: process {found.pid} "
                f"({found.exe or 'in a container'}) is no program of SPDK "
                "that can be stopped from here; stop it yourself")
        if before is not None:
            before()
        for number in (signal.SIGTERM,
                       *([signal.SIGKILL] if kill else [])):
            target_start.send_signal(conf, target, found.pid, found.ticks,
                                     number)
            deadline = time.monotonic() + conf.spdk.stop_timeout
            while found.alive() and time.monotonic() < deadline:
                time.sleep(0.01)
            if not found.alive():
                rpc.disconnect(target.rpc_address)
                if not hold:
                    restarts.forget(directory,
                                    process.name(conf, target))
                return True
    raise exceptions.StopError(
        f"{target.name}: process {found.pid} has not ended within [spdk] "
        f"stop_timeout ({conf.spdk.stop_timeout:g} s)"
        + ('' if kill else '; wait, or end it with --kill'))


def status(conf: cfg.ConfigOpts,
           target: spdk_conf.Target) -> process.TargetProcess | None:
    """What runs of a target, without changing anything.

    :param conf: the configuration.
    :param target: a :class:`cyborg_spdk.conf.Target`.
    :returns: :class:`~cyborg_spdk.host.process.TargetProcess`, or None if
        it does not run.
    :raises HostError: as :func:`cyborg_spdk.host.process.find`.
    """
    return process.find(target)
