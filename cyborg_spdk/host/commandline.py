# SPDX-License-Identifier: Apache-2.0

"""The command line of a target, from its options."""

from collections.abc import Iterable
import os
import re

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import cores as cpu
from cyborg_spdk.host.machine import installation as spdk
from cyborg_spdk.host import process
from cyborg_spdk.rpc.protocol import readonly

#: Releases that have --huge-unlink and leave it out by themselves. Without
#: it a target's pages stay taken after its end, until the next one starts.
_UNLINK_BY_OPTION = ((18, 7), (22, 5))
#: Those that share the memory of a target with other processes; SPDK leaves
#: the option out for them, too (env_dpdk/init.c, v22.05).
_SHARE = ('-i', '--shm-id', '-g', '--single-file-segments')

#: The first release that has --rpcs-allowed.
_RPCS_ALLOWED = (23, 1)
#: What a client of ours asks of any target, and a start with --wait-for-rpc.
_ALWAYS = frozenset(('rpc_get_methods', 'spdk_get_version',
                     'framework_start_init', 'framework_wait_init'))

#: Options that the launcher itself sets.
_OURS = {
    'r': 'rpc_address', 'rpc-socket': 'rpc_address',
    'm': 'core_mask', 'cpumask': 'core_mask',
    's': 'memory_mb', 'mem-size': 'memory_mb',
    'c': 'config_file', 'config': 'config_file', 'json': 'config_file',
    'no-huge': 'no_huge', 'interrupt-mode': 'interrupt_mode',
    'huge-dir': '[spdk] hugepage_size_kb',
}


def check_extra_args(target: spdk_conf.Target) -> None:
    """Refuse extra arguments that contradict the options of the target.

    :param target: a :class:`cyborg_spdk.conf.Target`.
    :raises ConfigurationError: it names the argument and the option.
    """
    for argument in target.extra_args:
        match = re.match(r'--([^=]+)|-([a-zA-Z])', argument)
        name = match and (match[1] or match[2])
        if name in _OURS:
            raise exceptions.ConfigurationError(
                f'[{target.name}] extra_args', argument,
                f'set the option {_OURS[name]} instead')
        if '\0' in argument or '\n' in argument:
            raise exceptions.ConfigurationError(
                f'[{target.name}] extra_args', argument,
                'an argument holds no NUL and no line feed')


def build(target: spdk_conf.Target, installation: spdk.Installation, *,
          cores: Iterable[int] | None = None, huge_dir: str | None = None,
          vhost_dir: str | None = None) -> list[str]:
    """Build the command line that starts a target.

    :param target: a :class:`cyborg_spdk.conf.Target`.
    :param installation: the
        :class:`~cyborg_spdk.host.machine.installation.Installation` to use.
    :param cores: the cores (see :mod:`cyborg_spdk.host.machine.cores`); None
        leaves ``-m`` out.
    :param huge_dir: the hugetlbfs to use, or None for SPDK's choice.
    :param vhost_dir: directory of the sockets of vhost's controllers,
        unless ``-S`` in ``extra_args`` names one. None leaves it to SPDK,
        which takes the working directory.
    :returns: list of str; the first is the absolute path of the program.
    :raises NotInstalled: if the program is not there.
    :raises ConfigurationError: for arguments that cannot be.
    """
    check_extra_args(target)
    argv = [os.path.abspath(installation.path(target.application)),
            '-r', process.socket_path(target) or '']
    if cores:
        argv += ['-m', cpu.mask(cores)]
    argv += ['-s', str(target.memory_mb)]
    if target.no_huge:
        argv += ['--no-huge']
    elif huge_dir:
        argv += ['--huge-dir', huge_dir]
    if not target.no_huge and _is_to_unlink(target, installation.release):
        argv += ['--huge-unlink']
    if target.interrupt_mode:
        argv += ['--interrupt-mode']
    if target.rpcs_allowed:
        argv += ['--rpcs-allowed', _allowed(target, installation.release)]
    if vhost_dir and target.application == 'vhost' and not any(
            argument.startswith('-S') for argument in target.extra_args):
        argv += ['-S', vhost_dir]
    return argv + list(target.extra_args)


def _allowed(target: spdk_conf.Target,
             release: tuple[int, int] | None) -> str:
    """The methods that a target's socket takes, for ``--rpcs-allowed``."""
    option = f'[{target.name}] rpcs_allowed'
    if release is not None and release < _RPCS_ALLOWED:
        raise exceptions.ConfigurationError(
            option, ','.join(target.rpcs_allowed),
            f'SPDK v{release[0]}.{release[1]:02} takes all methods; use '
            'v23.01 or newer, or leave it out')
    found: list[str] = []
    for name in target.rpcs_allowed:
        if not re.fullmatch('[a-z0-9_]+', name):
            raise exceptions.ConfigurationError(
                option, name, 'name methods, or "reading"')
        found += sorted(readonly.READ_ONLY | _ALWAYS) if name == 'reading' \
            else [name]
    return ','.join(dict.fromkeys(found))


def _is_to_unlink(target: spdk_conf.Target,
                  release: tuple[int, int] | None) -> bool:
    first, end = _UNLINK_BY_OPTION
    return release is not None and first <= release < end and not any(
        argument.startswith(_SHARE) for argument in target.extra_args)
