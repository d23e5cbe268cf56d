# SPDX-License-Identifier: Apache-2.0

"""All that needs root, in one place, on oslo.privsep.

Run by root, the functions are called as they are. Run by an unprivileged
user they are called in a helper (``sudo cyborg-spdk-privileged``), which
keeps only the capabilities named here.

Who calls is taken for hostile. What is executed, with which arguments and
on which files, follows from the configuration alone; in the helper that is
one that only root can write (:mod:`cyborg_spdk.host.helper_daemon`). The
caller names a target, and a number of pages or a signal among those that
make sense for it.

Who may reach the RPC socket of a target that root runs can have it read and
write any file (an AIO bdev), unless ``rpcs_allowed`` of the target forbids
that. The page admin/security says what that means.
"""

from collections.abc import Callable
import ctypes
import functools
import os
import pwd
import signal
import time
from typing import Any
from typing import TypeVar
import warnings

from oslo_config import cfg
import psutil

with warnings.catch_warnings():
    # oslo.privsep imports eventlet if it is there, which warns of itself.
    warnings.simplefilter('ignore')
    from oslo_privsep import capabilities
    from oslo_privsep import priv_context

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import enabled
from cyborg_spdk import exceptions
from cyborg_spdk.host import directories
from cyborg_spdk.host import helper
from cyborg_spdk.host import launch
from cyborg_spdk.host.machine import hugepage_pools
from cyborg_spdk.host.machine import hugepages
from cyborg_spdk.host.machine import hugetlbfs
from cyborg_spdk.host.machine import installation as spdk
from cyborg_spdk.host.machine import log_file
from cyborg_spdk.host.machine import meminfo
from cyborg_spdk.host.machine import pci
from cyborg_spdk.host.machine import proc
from cyborg_spdk.host.machine import spawn
from cyborg_spdk.host import process
from cyborg_spdk import loggers

LOG = loggers.get(__name__)

#: Group of oslo.privsep's own options for this helper.
GROUP = 'cyborg_spdk_privileged'

#: Arguments that may be added to those of the configuration at a start.
FURTHER = frozenset(('--wait-for-rpc', '-w'))

#: Signals that end a target, one way or another: SIGABRT leaves a core, and a
#: stopped process takes it when it goes on.
SIGNALS = (signal.SIGTERM, signal.SIGKILL, signal.SIGABRT, signal.SIGCONT)

# Where programs are searched for if spdk_dir is not set.
_ENVIRON = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'}

# Seconds that one call of the helper may wait for the end of a target.
_LONGEST_POLL = 30.0

# More huge pages than any machine has.
_MOST_PAGES = 1 << 32

context = priv_context.PrivContext(
    'cyborg_spdk', cfg_section=GROUP, pypath=f'{__name__}.context',
    capabilities=[
        capabilities.CAP_SYS_ADMIN,  # mount hugetlbfs
        capabilities.CAP_CHOWN,  # give a directory to the agent
        capabilities.CAP_DAC_READ_SEARCH,  # in directories of the agent
        capabilities.CAP_SYS_PTRACE,  # see what program a target runs
    ])

# Several targets may be starting, and be waited for, at once.
cfg.CONF.set_default('thread_pool_size', 16, group=GROUP)

_F = TypeVar('_F', bound=Callable[..., Any])

# The privileged functions by their names.
_FUNCTIONS: dict[str, Callable[..., Any]] = {}


class _Served:
    """For whom the helper works: set once, when it starts.

    :ivar conf: its configuration; None outside of the helper.
    :ivar caller: user and group of who has started it.
    """

    conf: cfg.ConfigOpts | None = None
    caller: tuple[int, int] | None = None


def serve(conf: cfg.ConfigOpts, caller: tuple[int, int]) -> None:
    """Begin to work as the helper of a user.

    :param conf: the configuration that only root can write.
    :param caller: the user and the group of who asks.
    """
    _Served.conf, _Served.caller = conf, caller


def _as_root(limit: float) -> Callable[[_F], _F]:
    """Have a function called as root: here, or in the helper.

    Its first argument is the configuration. That of the caller tells how
    the helper is started, and is not passed on.

    :param limit: seconds for the helper's reply.
    """
    def decorate(function: _F) -> _F:
        name = function.__name__

        @functools.wraps(function)
        def call(conf: cfg.ConfigOpts, *args: Any) -> Any:
            if os.geteuid() == 0 and not context.client_mode:
                return function(conf, *args)
            return helper.call(
                context, conf.spdk.privsep_helper_command,
                perform.args[0], limit, name, args)

        _FUNCTIONS[name] = function
        return call  # type: ignore[return-value]
    return decorate


if os.geteuid() == 0:
    context.set_client_mode(False)


@context.entrypoint
def perform(name: str, args: tuple[Any, ...]) -> Any:
    """Call a function in the helper; the only one that oslo.privsep knows.

    :raises SpdkError: whatever is wrong, so that the caller can tell it.
    """
    function = _FUNCTIONS.get(name) if isinstance(name, str) else None
    if function is None or not isinstance(args, tuple):
        raise exceptions.PrivilegeError(
            f"{name!r:.60} is nothing that the helper does")
    if _Served.conf is None:
        raise exceptions.PrivilegeError('this process is no helper')
    try:
        return function(_Served.conf, *args)
    except exceptions.SpdkError:
        raise
    except Exception as exc:
        LOG.warning('%s: %r', name, exc)
        raise exceptions.PrivilegeError(
            f"{name.replace('_', ' ')}, as root: {exc}") from None


def _number(what: str, value: Any, most: int = 1 << 31) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or \
            not 0 <= value <= most:
        raise exceptions.PrivilegeError(f"{value!r:.60} is no {what}")
    return value


def _target(conf: cfg.ConfigOpts, name: Any,
            address: Any = None) -> spdk_conf.Target:
    """A target of the configuration, by its name."""
    for target in spdk_conf.targets(conf):
        if target.name != name or process.socket_path(target) is None:
            continue
        if address not in (None, target.rpc_address):
            raise exceptions.PrivilegeError(
                f"{name}: the privileged helper's configuration has the "
                f"rpc_address {target.rpc_address}, not {address!r:.120}; "
                "let both read the same")
        return target
    raise exceptions.PrivilegeError(
        f"{name!r:.80} is no target on this host in the configuration of "
        "the privileged helper; name it there too")


def _installation(conf: cfg.ConfigOpts) -> spdk.Installation:
    return spdk.find(conf.spdk.spdk_dir,
                     None if _Served.conf is None else _ENVIRON)


def _agent(conf: cfg.ConfigOpts) -> tuple[int, int]:
    """User and group of the agent, as far as root can know them.

    If the command line is used before the agent has run, the directories
    that it makes are to be the agent's.
    """
    if _Served.caller is not None:
        return _Served.caller
    gid = launch.socket_gid(conf)
    try:
        user = pwd.getpwnam(conf.spdk.socket_group or 'root')
    except KeyError:
        return 0, gid
    return (user.pw_uid if user.pw_gid == gid else 0), gid


def _group(conf: cfg.ConfigOpts) -> int:
    """Group of the sockets and of what only root can write."""
    if conf.spdk.socket_group or _Served.caller is None:
        return launch.socket_gid(conf)
    return _Served.caller[1]


@_as_root(60.0)
def add_hugepages(conf: cfg.ConfigOpts, size_kb: int,
                  wanted: list[tuple[int | None, int]]) -> list[int]:
    """Add huge pages; see :func:`cyborg_spdk.host.machine.hugepage_pools.add`.

    Not more than all targets of the configuration can take.
    """
    if _number('size of huge pages', size_kb) != \
            hugepages.chosen_size_kb(conf):
        raise exceptions.HugepageError(
            f"huge pages of {size_kb} KiB are not those of the "
            "configuration")
    found = []
    for node, count in wanted:
        _number('number of huge pages', count, _MOST_PAGES)
        if node not in (conf.spdk.hugepage_nodes or [None]):
            raise exceptions.HugepageError(
                f"{node!r:.60} is no NUMA node of [spdk] hugepage_nodes")
        found.append((node, count))
    if sum(count for _, count in found) * size_kb > \
            meminfo.available_kb():
        return [0 for _ in found]
    most = hugepages.pages_for(
        [target.memory_mb for target in spdk_conf.targets(conf)
         if not target.no_huge], size_kb, len(found) or 1)
    for node, count in found:
        free = hugepage_pools.pool(size_kb, node).available
        if count and count + free > most:
            raise exceptions.HugepageError(
                f"{count} huge pages beside {free} that are free are more "
                f"than all targets need ({most})")
    return hugepage_pools.add(size_kb, found)


@_as_root(40.0)
def mount_hugetlbfs(conf: cfg.ConfigOpts) -> str:
    """Mount hugetlbfs for the size of page of the configuration.

    :returns: where: as
        :func:`cyborg_spdk.host.machine.hugetlbfs.mount_point` says.
    """
    size_kb = hugepages.chosen_size_kb(conf)
    path = hugetlbfs.mount_point(size_kb)
    if any(mount.size_kb == size_kb and mount.writable
           for mount in hugetlbfs.mounts()):
        return path
    try:
        directories.make(path, (0, 0), 0o755)
    except OSError as exc:
        raise exceptions.HugepageError(
            f"{path}: cannot be made: {exc.strerror}; make it") from None
    directories.check_root_only(path)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b'hugetlbfs', os.fsencode(path), b'hugetlbfs', 0,
                  f'pagesize={size_kb}K'.encode()) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise exceptions.HugepageError(
            f"hugetlbfs cannot be mounted at {path}: {reason}; mount it "
            f"yourself, with pagesize={size_kb}K")
    return path


@_as_root(40.0)
def make_directories(conf: cfg.ConfigOpts) -> None:
    """Make ``state_path`` and ``run_path`` if they are missing, mode 0750.

    ``state_path`` is the agent's. ``run_path``, with the sockets, is root's
    if a target of root's is to have its socket there.
    """
    agent = _agent(conf)
    _make(conf, 'state_path', agent)
    _make(conf, 'run_path', (0, _group(conf)) if _any_of_root(conf)
          else agent)


def _any_of_root(conf: cfg.ConfigOpts) -> bool:
    wanted = [target for target in enabled.targets(conf)
              if target.start and process.socket_path(target)]
    try:
        found = _installation(conf)
    except exceptions.NotInstalled:
        return any(not target.no_huge for target in wanted)
    return any(launch.needs_root(target, found) for target in wanted)


def _make(conf: cfg.ConfigOpts, option: str,
          owner: tuple[int, int]) -> None:
    path = conf.spdk[option]
    if os.path.isdir(path):
        return
    if not os.path.isabs(path):
        raise exceptions.StateError(
            f"[spdk] {option} {path}: use an absolute path")
    if _Served.conf is not None:
        directories.check_root_only(os.path.dirname(path))
    try:
        directories.make(path, owner)
    except OSError as exc:
        raise exceptions.StateError(
            f"[spdk] {option} {path}: cannot be made: {exc.strerror}; make "
            f"it and give it to user {owner[0]}") from None


@_as_root(150.0)
def bind_devices(conf: cfg.ConfigOpts) -> list[str]:
    """Take the devices of ``[spdk] pci_devices`` from the kernel; see
    :func:`cyborg_spdk.host.machine.pci.bind`.
    """
    found = _installation(conf)
    if found.setup_sh is None:
        raise exceptions.NotInstalled(
            "SPDK's setup.sh", found.places,
            'it binds [spdk] pci_devices; install it, or bind them to '
            'vfio-pci yourself')
    program, _ = directories.check_root_only(found.setup_sh)
    return pci.bind(program, conf.spdk.pci_devices)


_started: dict[int, spawn.Program] = {}


@_as_root(100.0)
def start_target(conf: cfg.ConfigOpts, name: str, address: str,
                 further: list[str]) -> int | str:
    """Start a target.

    :param name: its name.
    :param address: its RPC address: who asks is to mean the same.
    :param further: further arguments, of :data:`FURTHER`.
    :returns: its pid (int), or why it could not be started (str).
    """
    target = _target(conf, name, address)
    if not isinstance(further, (list, tuple)) or len(further) > 1 or \
            not all(one in FURTHER for one in further):
        raise exceptions.PrivilegeError(
            f"{name}: it is not started with {further!r:.120}")
    found = _installation(conf)
    caller = _Served.caller or (os.geteuid(), os.getegid())
    uid = launch.user(target, found, caller[0])
    gid = _group(conf) if uid == 0 else caller[1]
    try:
        program = launch.launch(conf, target, found, further=further,
                                uid=uid, gid=gid)
    except exceptions.StartError as exc:
        return exc.reason
    _started[program.pid] = program
    return program.pid


@_as_root(40.0)
def poll_target(conf: cfg.ConfigOpts, pid: int,
                timeout: float) -> int | None:
    """Exit status of a target started here, or None while it runs.

    :raises PrivilegeError: if it was started by a helper that is gone, and
        has ended, too.
    """
    _number('process', pid)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise exceptions.PrivilegeError(f"{timeout!r:.60} is no time")
    timeout = min(max(0.0, float(timeout)), _LONGEST_POLL)
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


@_as_root(40.0)
def release_target(conf: cfg.ConfigOpts, pid: int) -> None:
    """Let go of a target started here; another helper has none of it."""
    program = _started.pop(_number('process', pid), None)
    if program is not None:
        program.release()


@_as_root(40.0)
def signal_target(conf: cfg.ConfigOpts, name: str, pid: int, ticks: int,
                  number: int) -> None:
    """Send a signal to a target.

    :param name: the target.
    :param pid: its process id.
    :param ticks: its start, as in
        :class:`~cyborg_spdk.host.process.TargetProcess`.
    :param number: one of :data:`SIGNALS`.
    :raises PrivilegeError: if that is not the target.
    """
    target = _target(conf, name)
    _number('process', pid)
    _number('start of a process', ticks, 1 << 62)
    if number not in SIGNALS:
        raise exceptions.PrivilegeError(
            f"signal {number!r:.20} is not sent")
    try:
        if not process.serves(pid, target):
            raise exceptions.PrivilegeError(
                f"process {pid} does not serve {name} and gets no signal")
    except psutil.NoSuchProcess:
        return
    proc.send_signal(pid, ticks, number)


@_as_root(40.0)
def trim_log(conf: cfg.ConfigOpts, name: str) -> None:
    """Keep the log of a target of root's from filling the disk; see
    :func:`cyborg_spdk.host.machine.log_file.trim`.
    """
    target = _target(conf, name)
    path = launch.log_path(conf, target)
    directories.check_root_only(os.path.dirname(path))
    log_file.trim(path)


@_as_root(40.0)
def ask(conf: cfg.ConfigOpts) -> int:
    """Whether there is a way to root; nothing is done.

    :returns: the user that things are done as: 0.
    """
    return os.geteuid()
