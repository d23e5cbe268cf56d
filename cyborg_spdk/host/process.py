# SPDX-License-Identifier: Apache-2.0

"""Which process serves a target?

The socket is asked first: the kernel knows who listens on it
(``SO_PEERCRED``). Only where nobody answers are the processes searched: for
a target that has not made its socket yet, or whose socket was deleted. SPDK
renames its main thread to ``reactor_N``, so the name of a process says
nothing; its executable does, or, for an interpreter, its script.
"""

import contextlib
import dataclasses
import errno
import os
import re
import socket
import stat
import struct
import time

from oslo_config import cfg
import psutil

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import installation as spdk
from cyborg_spdk.host.machine import proc
from cyborg_spdk import rpc

#: Where a target listens if it is not told (since v18.01).
DEFAULT_ADDRESS = '/var/tmp/spdk.sock'  # noqa: S108

# Seconds for connect(), which waits only where a target has 512
# connections waiting.
_CONNECT_TIMEOUT = 2.0

_INTERPRETER = re.compile(r'(?:python|pypy)[0-9.]*')
_PEERCRED = struct.Struct('3i')


@dataclasses.dataclass(frozen=True)
class TargetProcess:
    """A process that serves a target.

    :ivar pid: its process id; 0 if it runs in a PID namespace that cannot
        be seen from here.
    :ivar create_time: when it started, seconds since the epoch.
    :ivar exe: path of its program, as far as it can be known.
    :ivar application: name of the program, e.g. ``"nvmf_tgt"``; ``""`` for
        one that is none of SPDK's, at a target that we do not start.
    :ivar rpc_address: path of its RPC socket.
    :ivar uid: its user, as a number.
    :ivar listening: whether its socket can be connected to. (It can before
        the target is ready.)
    :ivar ticks: clock ticks from boot to its start. With the pid it names
        the process for ever, whatever is done to the clock.
    """

    pid: int
    # Not compared: it changes when the clock is set.
    create_time: float = dataclasses.field(compare=False)
    exe: str
    application: str
    rpc_address: str
    uid: int
    listening: bool
    ticks: int

    def alive(self) -> bool:
        """Whether this very process runs still (a zombie does not)."""
        if not self.pid:
            return True
        found = proc.stat_of(self.pid)
        return found is not None and found.ticks == self.ticks and \
            not found.dead


def socket_path(target: spdk_conf.Target) -> str | None:
    """Path of a target's RPC socket.

    :param target: a :class:`cyborg_spdk.conf.Target`.
    :returns: the path, or None if the target is not on a UNIX socket of
        this host.
    :raises InvalidAddress: if the address cannot be parsed.
    """
    address = rpc.parse_address(target.rpc_address)
    return address.path if address.scheme == 'unix' else None


def name(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> str:
    """Under which name things of a target's process are kept.

    Several targets may be one process: its log, its saved configuration and
    its deaths are then those of the first of them in the configuration.

    :param conf: the configuration.
    :param target: a :class:`cyborg_spdk.conf.Target`.
    :returns: the name of a target.
    """
    address = rpc.parse_address(target.rpc_address)
    for kind in spdk_conf.KINDS:
        for one in conf.spdk[f'{kind}_targets']:
            try:
                other = spdk_conf.target(conf, kind, one)
            except exceptions.ConfigurationError:
                # Told where that target is used; this one goes on.
                continue
            if rpc.parse_address(other.rpc_address) == address:
                return other.name
    return target.name


def age(found: TargetProcess) -> float:
    """Seconds for which a process has run, whatever the clock says.

    :param found: a :class:`TargetProcess`.
    """
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME)
               - found.ticks / os.sysconf('SC_CLK_TCK'))


def find(target: spdk_conf.Target,
         installation: spdk.Installation | None = None
         ) -> TargetProcess | None:
    """Find the process that serves a target.

    :param target: a :class:`cyborg_spdk.conf.Target`.
    :param installation: the programs of that
        :class:`~cyborg_spdk.host.machine.installation.Installation` are
        recognised by their paths too; not needed otherwise.
    :returns: a :class:`TargetProcess`, or None. None too for a target that
        is not on a UNIX socket of this host.
    :raises ForeignProcess: if the socket is served by a process that is no
        such target, or that belongs to somebody else.
    :raises ConnectError: if it cannot be told, e.g. since access is denied.
    """
    path = socket_path(target)
    if path is None:
        return None
    peer = _ask_socket(path)
    if peer is not None:
        found = _identify(target, path, installation, *peer)
        if found is not None:
            return found
    return _search(target, path)


def _ask_socket(path: str) -> tuple[int, int] | None:
    """Who listens: (pid, uid), or None if nobody does."""
    with contextlib.closing(
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
        sock.settimeout(_CONNECT_TIMEOUT)
        try:
            sock.connect(path)
        except OSError as exc:
            reason = _why_not(path, exc)
            if reason is None:
                return None
            raise exceptions.ConnectError(
                path, reason, exc.errno) from None
        return _PEERCRED.unpack(sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))[:2]


def _why_not(path: str, exc: OSError) -> str | None:
    """Why nobody could be asked; None if nobody is there."""
    if isinstance(exc, FileNotFoundError):
        return None
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return 'it is not a socket; correct rpc_address'
    except PermissionError:
        return (f'user {os.geteuid()} may not enter its directory; run as '
                'root, or give the directory to that user')
    except OSError:
        return None  # It is gone just now.
    if isinstance(exc, ConnectionRefusedError):
        return None
    if isinstance(exc, PermissionError):
        return ('permission denied; run as root, or set [spdk] '
                'socket_group to a group of this user')
    if isinstance(exc, TimeoutError) or exc.errno == errno.EAGAIN:
        return ('it does not accept connections: too many are waiting; '
                'restart the target')
    return f'{exc.strerror or exc}; correct rpc_address'


def _identify(target: spdk_conf.Target, path: str,
              installation: spdk.Installation | None, pid: int,
              uid: int) -> TargetProcess | None:
    """The process behind the socket; None if it has ended meanwhile."""
    # Without a pid it is in a PID namespace that cannot be seen from here.
    exe, application, create_time, ticks = '', target.application, 0.0, 0
    if pid:
        found = proc.stat_of(pid)
        if found is None or found.dead:
            return None
        ticks = found.ticks
        try:
            peer = psutil.Process(pid)
            exe, application = program(peer)
            create_time = peer.create_time()
        except psutil.NoSuchProcess:
            return None
        again = proc.stat_of(pid)
        if again is None or again.ticks != ticks:
            return None
    known = installation is not None and \
        exe in installation.applications.values()
    if not known and target.kind not in spdk_conf.APPLICATIONS.get(
            application, ()):
        application = ''
    # What is only read may be any program: the operator has named it.
    if not application and target.start:
        raise exceptions.ForeignProcess(
            f"{target.name}: {path} is served by process {pid} "
            f"({exe or 'unknown'}), which is no {target.application}; set "
            f"[{target.name}] rpc_address to another path, or start to "
            "false if it is only to be read")
    if not _trusted(uid, path):
        raise exceptions.ForeignProcess(
            f"{target.name}: {path} is served by process {pid} "
            f"({exe or 'unknown'}) of user {uid}, neither root nor ours; "
            f"stop it, or set [{target.name}] rpc_address to another path")
    return TargetProcess(
        pid=pid, create_time=create_time, exe=exe, application=application,
        rpc_address=path, uid=uid, listening=True, ticks=ticks)


def _trusted(uid: int, path: str) -> bool:
    if uid in (0, os.geteuid()):
        return True
    # Root looks at what an unprivileged agent has started: in a directory
    # of its own, where nobody else can make a socket.
    with contextlib.suppress(OSError):
        directory = os.stat(os.path.dirname(path))
        return os.geteuid() == 0 and directory.st_uid == uid and \
            not directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return False


def program(process: psutil.Process) -> tuple[str, str]:
    """What a process executes.

    :param process: a ``psutil.Process``.
    :returns: (path, name): the program's path, ``""`` if it cannot be
        known; and which of SPDK's applications that is, ``""`` for none.
    :raises psutil.Error: if the process is gone.
    """
    cmdline = process.cmdline()
    try:
        exe = process.exe()
    except psutil.AccessDenied:
        # Another user's: its first argument, which only it can change.
        exe = cmdline[0] if cmdline else ''
    # An upgrade replaces the file under a running program.
    exe = exe.removesuffix(' (deleted)')
    if _INTERPRETER.fullmatch(os.path.basename(exe)):
        script = _script(cmdline)
        if script:
            with contextlib.suppress(psutil.AccessDenied):
                script = os.path.join(process.cwd(), script)
            exe = os.path.realpath(script)
    name = os.path.basename(exe)
    return exe, (name if name in spdk_conf.APPLICATIONS else '')


def _script(cmdline: list[str]) -> str | None:
    # The first argument that is no option; -c and -m run no script, and
    # -W and -X take the next argument: no target is started with them.
    for argument in cmdline[1:]:
        if not argument.startswith('-'):
            return argument
        if not argument.startswith('--') and set(argument) & set('cmWX'):
            return None
    return None


def rpc_socket(cmdline: list[str]) -> str:
    """The RPC socket that a command line of SPDK names.

    :param cmdline: list of str, the program first.
    :returns: the path as given, or the default of SPDK.
    """
    path = DEFAULT_ADDRESS
    arguments = iter(cmdline[1:])
    for argument in arguments:
        name, equals, value = argument.partition('=')
        if argument in ('-r', '--rpc-socket'):
            path = next(arguments, path)
        elif name == '--rpc-socket' and equals:
            path = value
        elif argument.startswith('-r') and len(argument) > 2:
            path = argument[2:]
    return path


def _search(target: spdk_conf.Target, path: str) -> TargetProcess | None:
    """The process that has such a target's program and arguments."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            found = _candidate(process, target, path)
            if found is not None:
                return found
    return None


def _candidate(process: psutil.Process, target: spdk_conf.Target,
               path: str) -> TargetProcess | None:
    cmdline = process.cmdline()
    # Most processes are told apart by one look at their arguments. (A link
    # of another name to a program is found by its socket only.)
    if not any(os.path.basename(part) in spdk_conf.APPLICATIONS
               for part in cmdline[:4]):
        return None
    exe, application = program(process)
    if target.kind not in spdk_conf.APPLICATIONS.get(application, ()):
        return None
    found = proc.stat_of(process.pid)
    uid = process.uids().effective
    if found is None or found.dead or not _trusted(uid, path) or \
            not _same_socket(process, rpc_socket(cmdline), path):
        return None
    return TargetProcess(
        pid=process.pid, create_time=process.create_time(), exe=exe,
        application=application, rpc_address=path, uid=uid,
        listening=False, ticks=found.ticks)


def serves(pid: int, target: spdk_conf.Target) -> bool:
    """Whether a process is one that serves a target.

    :param pid: its process id.
    :param target: a :class:`cyborg_spdk.conf.Target`.
    :raises psutil.NoSuchProcess: if there is no such process.
    """
    path = socket_path(target)
    process = psutil.Process(pid)
    try:
        return path is not None and \
            _candidate(process, target, path) is not None
    except psutil.NoSuchProcess:
        raise
    except (psutil.Error, OSError):
        return False


def _same_socket(process: psutil.Process, named: str, path: str) -> bool:
    """Whether the path that a process was given is our path.

    A process in a container has a file system of its own: its /var/tmp is
    not ours. ``/proc/PID/root`` shows the one that it sees.
    """
    if not os.path.isabs(named):
        named = os.path.join(process.cwd(), named)
    if os.path.basename(named) != os.path.basename(path):
        return False
    try:
        theirs = os.stat(f'/proc/{process.pid}/root'
                         + os.path.dirname(named))
    except PermissionError:
        # Another user's: its paths are ours unless it is in a container.
        return os.path.normpath(named) == os.path.normpath(path) and \
            not _in_container(process.pid)
    ours = os.stat(os.path.dirname(path))
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def _in_container(pid: int) -> bool:
    # Two numbers: one here and one in a PID namespace of its own.
    with open(f'/proc/{pid}/status') as stream:
        return any(line.startswith('NSpid:') and len(line.split()) > 2
                   for line in stream)
