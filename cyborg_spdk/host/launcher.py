# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Start, find and stop the targets of this host."""

import contextlib
import dataclasses
import logging
import os
import signal
import stat
import time

from cyborg_spdk import exceptions
from cyborg_spdk.host import commandline
from cyborg_spdk.host import cores as cpu
from cyborg_spdk.host import detach
from cyborg_spdk.host import hugepages
from cyborg_spdk.host import installation as spdk
from cyborg_spdk.host import locks
from cyborg_spdk.host import paths
from cyborg_spdk.host import process
from cyborg_spdk.host import readiness

LOG = logging.getLogger(__name__)

#: How many lines of its log are told when a target fails to start.
LOG_LINES = 5


@dataclasses.dataclass(frozen=True)
class Running:
    """A target that runs and answers.

    :ivar process: its :class:`~cyborg_spdk.host.process.TargetProcess`;
        None for a target that is not on this host.
    :ivar started: whether it was started just now.
    """

    process: process.TargetProcess | None
    started: bool


def ensure(conf, target):
    """Make sure that a target runs and answers; start it if it does not.

    :param conf: the configuration (``oslo_config.cfg.ConfigOpts``).
    :param target: a :class:`cyborg_spdk.conf.Target` of it.
    :returns: :class:`Running`.
    :raises NotRunning: if it does not run and must not be started.
    :raises StartError: if it ended, or did not answer in time.
    :raises HostError: its other subclasses, for what is in the way.
    :raises ConfigurationError: for options that cannot be used.

    Blocks for ``[spdk] start_timeout`` at most, twice that if another
    process is starting it.
    """
    if process.socket_path(target) is None:
        return Running(None, False)
    deadline = time.monotonic() + conf.spdk.start_timeout
    found = process.find(target)
    if found is not None:
        return _await(target, found, deadline)
    if not target.start:
        raise exceptions.NotRunning(
            f"{target.name}: it does not run, and [{target.name}] start is "
            "false; start it yourself, or set start")
    run_path = paths.ensure_directory(conf.spdk.run_path,
                                      what='[spdk] run_path')
    with locks.hold(run_path, target.name, conf.spdk.start_timeout,
                    doing=f'{target.name}: start'):
        deadline = time.monotonic() + conf.spdk.start_timeout
        found = process.find(target)
        if found is not None:
            return _await(target, found, deadline)
        return Running(_start(conf, target, run_path, deadline), True)


def _await(target, found, deadline):
    """Wait for a target that runs already, or is starting."""
    def ended(seconds):
        time.sleep(seconds)
        return not found.alive()

    try:
        if readiness.wait(target, deadline, ended):
            return Running(process.find(target) or found, False)
    except exceptions.RpcTimeout:
        raise exceptions.StartError(
            target.name, f'process {found.pid} runs, but does not answer '
            f'at {target.rpc_address}; look at its log, or stop it') \
            from None
    raise exceptions.StartError(
        target.name, f'process {found.pid} ended while it was waited for; '
        'look at its log')


def log_path(conf, target):
    """Path of the log of a target started here."""
    return os.path.join(conf.spdk.run_path, f'{target.name}.log')


def _start(conf, target, run_path, deadline):
    installation = spdk.find(conf.spdk.spdk_dir)
    path = process.socket_path(target)
    _check_socket_path(target, path)
    cores = huge_dir = None
    if not installation.simulated:
        cores = cpu.of_target(conf, target)
        if not target.no_huge:
            huge_dir = _prepare_hugepages(conf, target, run_path)
    elif target.core_mask:
        cores = cpu.parse(target.core_mask, f'[{target.name}] core_mask')
    argv = commandline.build(
        target, installation, cores=cores, config=target.config_file,
        huge_dir=huge_dir)
    LOG.info('%s: starting %s', target.name, ' '.join(argv))
    log = os.path.join(run_path, f'{target.name}.log')
    program = detach.Detached(argv, log, run_path)
    try:
        _until_ready(target, program, log, deadline)
    finally:
        program.release()
    found = process.find(target)
    if found is None:
        raise exceptions.StartError(
            target.name, 'it ended as soon as it was ready',
            log_tail=log_tail(log))
    LOG.info('%s: process %d is ready', target.name, found.pid)
    return found


def _prepare_hugepages(conf, target, run_path):
    from cyborg_spdk.host import privileged

    with locks.hold(run_path, 'hugepages', conf.spdk.start_timeout,
                    doing=f'{target.name}: huge pages'):
        for done in hugepages.prepare(
                conf, target.memory_mb,
                lambda name, *args: privileged.call(conf, name, *args)):
            LOG.info('%s: %s', target.name, done)
    if not conf.spdk.hugepage_size_kb:
        return None
    return next(m.path for m in hugepages.mounts()
                if m.size_kb == conf.spdk.hugepage_size_kb)


def _check_socket_path(target, path):
    """Nothing but a stale socket may be where the socket is to be.

    SPDK removes whatever it finds there.
    """
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise exceptions.StateError(
            f"{target.name}: the directory {directory} of rpc_address does "
            "not exist; make it, or correct the path")
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise exceptions.StateError(
                f"{target.name}: {path} is there and is no socket; remove "
                "it, or correct rpc_address")


def _until_ready(target, program, log, deadline):
    try:
        ready = readiness.wait(
            target, deadline,
            lambda seconds: program.poll(seconds) is not None)
    except exceptions.RpcTimeout:
        with contextlib.suppress(ProcessLookupError):
            os.kill(program.pid, signal.SIGKILL)
        raise exceptions.StartError(
            target.name, 'it did not answer within [spdk] start_timeout '
            'and was stopped again', log_tail=log_tail(log)) from None
    if not ready:
        raise exceptions.StartError(
            target.name, 'it ended before it was ready',
            exit_code=program.poll(), log_tail=log_tail(log))


def log_tail(path, lines=LOG_LINES):
    """The last lines of a log, without SPDK's time stamps.

    :param path: the log.
    :param lines: how many.
    :returns: list of str; empty if there is none.
    """
    try:
        with open(path, 'rb') as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 16384))
            text = stream.read().decode(errors='replace')
    except OSError:
        return []
    found = [line.strip() for line in text.splitlines() if line.strip()]
    return [line.partition('] ')[2] if line.startswith('[') else line
            for line in found[-lines:]]


def stop(conf, target, *, kill=False):
    """Stop a target: SIGTERM, and wait for its end.

    :param conf: the configuration: ``[spdk] stop_timeout``.
    :param target: a :class:`cyborg_spdk.conf.Target`.
    :param kill: send SIGKILL if it has not ended in time.
    :returns: True if it was stopped, False if it did not run.
    :raises StopError: if it has not ended in time.
    :raises ForeignProcess: if it is not ours to stop.
    """
    found = process.find(target)
    if found is None:
        return False
    for number in (signal.SIGTERM, *([signal.SIGKILL] if kill else [])):
        _send_signal(found, number)
        deadline = time.monotonic() + conf.spdk.stop_timeout
        while time.monotonic() < deadline:
            if not found.alive():
                return True
            time.sleep(0.01)
    raise exceptions.StopError(
        f"{target.name}: process {found.pid} has not ended within "
        f"{conf.spdk.stop_timeout:g} s" + ('' if kill else
                                           '; kill it with --kill'))


def _send_signal(found, number):
    try:
        fd = os.pidfd_open(found.pid)
    except ProcessLookupError:
        return
    try:
        # The pid is held now: is it still the process that was found?
        if found.alive():
            signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def status(conf, target):
    """What is known of a target, without changing anything.

    :param conf: the configuration.
    :param target: a :class:`cyborg_spdk.conf.Target`.
    :returns: :class:`~cyborg_spdk.host.process.TargetProcess`, or None if
        it does not run.
    :raises HostError: as :func:`cyborg_spdk.host.process.find`.
    """
    return process.find(target)
