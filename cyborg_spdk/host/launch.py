# SPDX-License-Identifier: Apache-2.0

"""What is executed for a target, by whom, and with which files.

All of it follows from the configuration, so that who asks for a start names
a target and nothing else. The privileged helper comes here too, with the
configuration that only root can write.
"""

from collections.abc import Iterable
import grp
import os

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import commandline
from cyborg_spdk.host import directories
from cyborg_spdk.host.machine import cgroups
from cyborg_spdk.host.machine import cores as cpu
from cyborg_spdk.host.machine import hugepages
from cyborg_spdk.host.machine import hugetlbfs
from cyborg_spdk.host.machine import installation as spdk
from cyborg_spdk.host.machine import spawn
from cyborg_spdk.host import process
from cyborg_spdk import loggers

LOG = loggers.get(__name__)


def log_path(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> str:
    """Path of the log of a target that is started here."""
    return os.path.join(_home(conf, target),
                        f'{process.name(conf, target)}.log')


def starts_path(conf: cfg.ConfigOpts) -> str:
    """Directory of what is remembered of starts, and of locks.

    Not in ``run_path``: that is root's where targets of root's are.
    """
    return os.path.join(conf.spdk.state_path, 'starts')


def _home(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> str:
    """Where a target can write: ``run_path``, or beside its socket.

    Beside its socket if that is another user's, and ``run_path`` root's.
    """
    run_path = os.path.realpath(conf.spdk.run_path)
    beside = os.path.dirname(process.socket_path(target) or '')
    try:
        if os.stat(run_path).st_uid == 0 and os.stat(beside).st_uid != 0:
            return os.path.realpath(beside)
    except OSError:
        pass
    return run_path


def socket_gid(conf: cfg.ConfigOpts) -> int:
    """Group of the sockets of targets.

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


def makes_units(conf: cfg.ConfigOpts) -> bool:
    """Whether an unprivileged user can have units of systemd."""
    return spawn.systemd_runs() and bool(conf.spdk.privsep_helper_command)


def place(conf: cfg.ConfigOpts) -> str | None:
    """The control group that targets run in; None is our own."""
    if spawn.systemd_runs() and (
            os.geteuid() == 0 or conf.spdk.privsep_helper_command):
        return cgroups.SYSTEM_SLICE
    return None


def needs_root(target: spdk_conf.Target,
               installation: spdk.Installation) -> bool:
    """Whether a target cannot run as an unprivileged user.

    Huge pages belong to root. The simulator has none.
    """
    return not (target.no_huge or installation.simulated)


def user(target: spdk_conf.Target, installation: spdk.Installation,
         caller: int | None = None) -> int:
    """As which user a target runs.

    SPDK makes and removes its socket, and a lock beside it whose path it
    follows if it is a link. So a target of root's has its socket where
    nobody but root can put anything, and a target that needs no root runs as
    the owner of the directory of its socket.

    :param target: the target.
    :param installation: its programs.
    :param caller: who asks for it; None is the user of this process.
    :returns: the user's number.
    :raises PrivilegeError: if root would work where another user can put a
        link, or the directory belongs to a third user.
    """
    caller = os.geteuid() if caller is None else caller
    where = os.path.dirname(process.socket_path(target) or '')
    try:
        owner = os.stat(where).st_uid
    except OSError as exc:
        raise exceptions.StateError(
            f"{target.name}: {where}, the directory of rpc_address: "
            f"{exc.strerror}; make it, or correct the path") from None
    if not needs_root(target, installation) and (
            owner == caller or owner != 0 and caller == 0
            or os.geteuid() == caller != 0
            and os.access(where, os.W_OK | os.X_OK)):
        return owner if caller == 0 else caller
    _check_only_root(
        target, 'socket',
        where if caller or not _sticky(where) else os.path.dirname(where))
    return 0


def _check_only_root(target: spdk_conf.Target, what: str,
                     where: str) -> None:
    try:
        directories.check_root_only(where)
    except exceptions.PrivilegeError as exc:
        raise exceptions.PrivilegeError(
            f"{target.name} runs as root, and its {what} is not made where "
            f"others than root can put a file: {exc}") from None


def _sticky(where: str) -> bool:
    """Whether it is a directory like /tmp.

    Root may name one itself; nobody else can have root go there.
    """
    return bool(os.stat(where).st_mode & 0o1000)


def vhost_dir(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> str | None:
    """The directory of the sockets of vhost's controllers; made if needed.

    One of its own: the name of a controller is that of its socket.
    """
    if target.application != 'vhost':
        return None
    return directories.ensure(os.path.join(_home(conf, target), 'vhost'),
                              what='[spdk] run_path')


def _cores(conf: cfg.ConfigOpts, target: spdk_conf.Target,
           installation: spdk.Installation) -> frozenset[int] | None:
    if not installation.simulated:
        return cpu.of_target(conf, target, place=place(conf))
    if target.core_mask:
        return cpu.parse(target.core_mask, f'[{target.name}] core_mask')
    return None


def _huge_dir(conf: cfg.ConfigOpts, target: spdk_conf.Target,
              installation: spdk.Installation) -> str | None:
    if not needs_root(target, installation):
        return None
    size_kb = hugepages.chosen_size_kb(conf)
    mount = hugetlbfs.mount_for(size_kb, target.memory_mb)
    # DPDK takes the first of a size, whether it can be used or not.
    first = next((one for one in hugetlbfs.mounts()
                  if one.size_kb == size_kb), None)
    return mount.path if mount and (
        conf.spdk.hugepage_size_kb or mount != first) else None


def _working_directory(conf: cfg.ConfigOpts, uid: int) -> str:
    """Where a target's core files go: state_path.

    For one of root's only if nobody else can lead that path elsewhere.
    """
    path = os.path.realpath(conf.spdk.state_path)
    if uid == 0:
        try:
            directories.check_root_only(os.path.dirname(path))
        except exceptions.PrivilegeError as exc:
            LOG.warning('core files of targets go to %s: %s',
                        conf.spdk.run_path, exc)
            return os.path.realpath(conf.spdk.run_path)
    return path


def launch(conf: cfg.ConfigOpts, target: spdk_conf.Target,
           installation: spdk.Installation, *, further: Iterable[str],
           uid: int, gid: int) -> spawn.Program:
    """Execute a target's program.

    :param conf: the configuration.
    :param target: the target.
    :param installation: its programs.
    :param further: further arguments.
    :param uid: the user to run it as: that of :func:`user`.
    :param gid: its group, or -1 for ours.
    :returns: the program, to be polled until the target is ready.
    :raises StartError: if it cannot be executed.
    :raises PrivilegeError: if root would write where another user can put a
        link: systemd opens the log by its path, and SPDK makes the sockets
        of controllers by theirs.
    """
    if uid == 0:
        _check_only_root(target, 'log', _home(conf, target))
    argv = commandline.build(
        target, installation, cores=_cores(conf, target, installation),
        huge_dir=_huge_dir(conf, target, installation),
        vhost_dir=vhost_dir(conf, target))
    argv += further
    LOG.info('%s: starting %s', target.name, ' '.join(argv))
    try:
        return spawn.start(
            argv, log_path(conf, target), _working_directory(conf, uid), gid,
            f'{spawn.UNIT_PREFIX}{target.name}', uid)
    except exceptions.StartError as exc:
        raise exceptions.StartError(target.name, exc.reason) from None
