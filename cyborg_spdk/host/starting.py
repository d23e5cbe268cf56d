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

"""One start of one target: everything between the options and a process
that answers."""

import contextlib
import grp
import logging
import os
import re
import signal
import stat
import time

from cyborg_spdk import exceptions
from cyborg_spdk.host import backoff
from cyborg_spdk.host import claims
from cyborg_spdk.host import commandline
from cyborg_spdk.host import cores as cpu
from cyborg_spdk.host import detach
from cyborg_spdk.host import hugepages
from cyborg_spdk.host import paths
from cyborg_spdk.host import pci
from cyborg_spdk.host import process
from cyborg_spdk.host import readiness
from cyborg_spdk.host import savedconfig

LOG = logging.getLogger(__name__)

#: Bytes at which the log of a target that runs is begun anew, and how many
#: of them are kept.
LOG_LIMIT = 32 << 20
LOG_KEPT = 4 << 20

#: How many lines of its log are told when a target fails to start.
LOG_LINES = 8

# What getopt_long() says.
_BAD_OPTION = re.compile(
    r": (unrecognized option|invalid option|option '\S+' (is ambiguous|"
    r"requires an argument|doesn't allow an argument))")

# What DPDK says at every start.
_HARMLESS = re.compile(r'No (available|free) \d+ kB hugepages reported|'
                       r'Detected |Multi-process socket|Selected IOVA|'
                       r'VFIO support|Probe PCI|Using memfd')

# What SPDK says of a cause, and what to do about it (process.md of SPDK's
# behaviour: v22.01 to v26.05 say the same).
_REMEDIES = (
    (r'claim_cpu_cores.*core (\d+)',
     'core {0} belongs to another SPDK process: set core_mask to a free '
     'one, or stop that process'),
    (r'socket path (\S+) in use',
     'another SPDK process holds {0}.lock: stop it, or set rpc_address to '
     'another path'),
    (r'Not enough memory available|No free \S+ kB hugepages',
     'there are too few free huge pages: set [spdk] manage_hugepages, or '
     'lower memory_mb'),
    (r'no mounted hugetlbfs',
     'hugetlbfs is not mounted: set [spdk] manage_hugepages'),
    (r'bdev_io pool|fsdev_io pool|iobuf .*pool|pools?(\(\))? failed|'
     r'Cannot allocate memory',
     'memory_mb is too small: raise it (448 is the least for nvmf_tgt and '
     'vhost, 1024 for iscsi_tgt and spdk_tgt)'),
    (r'Could not open (\S+cpu_lock\S+) .Permission denied',
     'a target of another user has left {0}: remove it if none runs on that '
     'core, or add --disable-cpumask-locks to extra_args'),
    (r'Permission denied',
     'it lacks a permission: run as root, or set no_huge'),
    (r'unrecognized option|invalid option',
     'this release of SPDK does not know an option: correct extra_args'),
    (r'No such file or directory.*lock|Cannot open lock file',
     'make the directory of rpc_address'),
    (r'(\S+) already in use|in use by another',
     'something else listens there: stop it, or change the listener'),
)


def start(conf, target, installation, run_path, deadline):
    """Start a target, with its configuration, and wait until it is ready.

    :param conf: the configuration.
    :param target: a :class:`cyborg_spdk.conf.Target` that does not run.
    :param installation: the
        :class:`~cyborg_spdk.host.installation.Installation` to use.
    :param run_path: the trusted directory of logs and locks.
    :param deadline: point of ``time.monotonic()`` at which to give up.
    :returns: its :class:`~cyborg_spdk.host.process.TargetProcess`.
    :raises StartError: if it ended, or did not answer in time.
    :raises HostError: its other subclasses, for what is in the way.
    :raises ConfigurationError: for options that cannot be used.
    """
    check_socket_path(target, process.socket_path(target))
    if conf.spdk.pci_devices and not installation.simulated:
        _bind_devices(conf, target, installation)
    config, saved = savedconfig.for_start(conf, target)
    try:
        return _attempt(conf, target, installation, run_path, deadline,
                        config)
    except exceptions.StartError as exc:
        if not saved or not savedconfig.refused(exc.log_tail):
            raise
        said = exc.log_tail
    deadline = time.monotonic() + conf.spdk.start_timeout
    if savedconfig.port_taken(said) and \
            savedconfig.IGNORE_ERRORS not in target.extra_args:
        LOG.error(
            '%s: a port of its saved configuration is taken; it is started '
            'with the rest, and %s is kept. Free the port, then: '
            'cyborg-spdk target restart %s. The target said: %s',
            target.name, config, target.name, ' | '.join(said))
        return _attempt(conf, target, installation, run_path, deadline,
                        config, savedconfig.IGNORE_ERRORS)
    aside = savedconfig.set_aside(conf, target)
    LOG.error(
        '%s: it refuses its saved configuration, which is now %s; it is '
        'started without. Correct that file and give it back with: '
        'cyborg-spdk target load-config %s %s. The target said: %s',
        target.name, aside, target.name, aside, ' | '.join(said))
    config, _ = savedconfig.for_start(conf, target)
    return _attempt(conf, target, installation, run_path, deadline, config)


def _attempt(conf, target, installation, run_path, deadline, config,
             *further):
    log = log_path(conf, target)
    cores = None
    if not installation.simulated:
        cores = cpu.of_target(conf, target)
    elif target.core_mask:
        cores = cpu.parse(target.core_mask, f'[{target.name}] core_mask')
    with contextlib.ExitStack() as stack:
        started, huge_dir = None, None
        if not (installation.simulated or target.no_huge):
            # Held until the target runs: its pid then stands for what it
            # has not taken yet.
            need_mb, started = stack.enter_context(claims.claiming(
                run_path, target, conf.spdk.start_timeout))
            huge_dir = _prepare_hugepages(conf, target, need_mb)
        argv = commandline.build(
            target, installation, cores=cores, config=config,
            huge_dir=huge_dir, vhost_dir=_vhost_dir(target, run_path))
        argv += further
        starts = backoff.started(run_path,
                                 process.name(conf, target)).starts
        if starts > 1:
            LOG.warning('%s: start number %d within %d s of each other',
                        target.name, starts, backoff.WELL_AFTER)
        LOG.info('%s: starting %s', target.name, ' '.join(argv))
        program = _program(conf, target, installation, argv, log)
        if started:
            started(program.pid)
    try:
        _until_ready(conf, target, program, log, deadline)
    finally:
        program.release()
    found = process.find(target, installation)
    if found is None:
        raise exceptions.StartError(
            target.name, 'it ended as soon as it was ready',
            log_tail=log_tail(log))
    _share_socket(conf, found)
    LOG.info('%s: process %d is ready', target.name, found.pid)
    return found


def _vhost_dir(target, run_path):
    """The directory of the sockets of vhost's controllers."""
    if target.application != 'vhost':
        return None
    # One of its own: the name of a controller is that of its socket.
    path = os.path.join(run_path, 'vhost')
    paths.ensure_directory(path, what='[spdk] run_path')
    paths.give_to_directory_owner(path, path)
    return path


def log_path(conf, target):
    """Path of the log of a target that is started here."""
    return os.path.join(os.path.realpath(conf.spdk.run_path),
                        f'{process.name(conf, target)}.log')


def trim_log(path):
    """Keep the log of a target that runs from filling the disk.

    If it is longer than :data:`LOG_LIMIT`, its end becomes the log before
    (PATH.1) and it begins anew; targets write at its end, wherever that is.

    :param path: the log; nothing happens if it is not ours to change.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    with open(fd, 'r+b') as stream:
        length = os.fstat(fd).st_size
        if length <= LOG_LIMIT:
            return
        stream.seek(length - LOG_KEPT)
        paths.write_atomically(path + '.1', stream.read(LOG_KEPT), 0o640,
                               durable=False)
        stream.truncate(0)


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
        self._call('release_target', self.pid)


def _program(conf, target, installation, argv, log):
    """Start the program, as root if it needs to be.

    A target in huge pages does, and the simulator does not. One without
    huge pages runs as who starts it; where systemd runs the machine, the
    helper makes it a unit of its own too, if there is a helper.
    """
    uid, gid = os.geteuid(), socket_gid(conf)
    as_root = uid == 0 or not (installation.simulated or target.no_huge)
    arguments = (argv, log, os.path.realpath(conf.spdk.state_path),
                 gid if as_root else -1,
                 f'{detach.UNIT_PREFIX}{target.name}',
                 0 if as_root else uid)
    if uid != 0 and (as_root or helper_makes_units(conf)):
        return _AsRoot(_privileged(conf), target.name, *arguments)
    try:
        return detach.start(*arguments)
    except exceptions.StartError as exc:
        raise exceptions.StartError(target.name, exc.reason) from None


def helper_makes_units(conf):
    """Whether an unprivileged user can have units of systemd (bool)."""
    return detach.systemd_runs() and bool(conf.spdk.privsep_helper_command)


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


def _until_ready(conf, target, program, log, deadline):
    try:
        if readiness.wait(target, deadline, lambda seconds:
                          program.poll(seconds) is not None):
            return
    except exceptions.RpcTimeout as exc:
        _stop_again(conf, program)
        raise exceptions.StartError(
            target.name, f'it {unready(exc)} within [spdk] start_timeout '
            f'({conf.spdk.start_timeout:g} s), and was stopped again',
            log_tail=log_tail(log)) from None
    code = program.poll()
    tail = log_tail(log)
    raise exceptions.StartError(
        target.name, 'it ended before it was ready'
        + (f', killed by {_signal_name(code)}' if code and code < 0 else '')
        + remedy(tail), exit_code=code, log_tail=tail)


def unready(exc):
    """What a target did not do in time.

    :param exc: the ``RpcTimeout`` of :func:`.readiness.wait`.
    """
    if exc.method == 'framework_wait_init':
        return ('is not initialised (--wait-for-rpc needs '
                'framework_start_init)')
    return f'does not answer at {exc.address}'


def _stop_again(conf, program):
    """End a target that did not become ready; it serves nobody yet."""
    found = process.stat_of(program.pid)
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
        process.send_signal(pid, ticks, number)
    except PermissionError:
        _privileged(conf)('signal_target', pid, ticks, int(number))


def _signal_name(code):
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f'signal {-code}'


def remedy(tail):
    """What to do about what a target said last; ``""`` if not known."""
    text = '\n'.join(tail)
    for pattern, advice in _REMEDIES:
        match = re.search(pattern, text)
        if match:
            return ': ' + advice.format(*match.groups())
    return ''


def log_tail(path, lines=LOG_LINES):
    """The last lines of a log, without SPDK's time stamps.

    :param path: the log.
    :param lines: how many.
    :returns: list of str; empty if there is none. If SPDK marked a line as
        an error, that and what follows; what follows is often the cause.
    """
    try:
        with open(path, 'rb') as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 65536))
            text = stream.read().decode(errors='replace')
    except OSError:
        return []
    found = [re.sub(r'^\[\d{4}-[^]]*\] ', '', line.strip())
             for line in text.splitlines() if line.strip()]
    for line in found:
        if _BAD_OPTION.search(line):
            return [line]  # What follows is the usage.
    first = next((n for n, line in enumerate(found) if '*ERROR*' in line),
                 None)
    if first is None:
        return found[-lines:]
    # DPDK's own complaints come before SPDK's.
    cause = [line for line in found[:first]
             if line.startswith('EAL: ') and not _HARMLESS.search(line)]
    return (cause[-2:] + found[first:])[:lines]
