# SPDX-License-Identifier: Apache-2.0

"""The log of a target: where it is, how long, and what its end says."""

from collections.abc import Iterable
import os
import re

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import launch
from cyborg_spdk.host.machine import log_file
from cyborg_spdk import loggers

LOG = loggers.get(__name__)

#: See :mod:`cyborg_spdk.host.machine.log_file`.
LIMIT = log_file.LIMIT
KEPT = log_file.KEPT

#: How many lines of its log are told when a target fails to start.
LINES = 8

# What getopt_long() says.
_BAD_OPTION = re.compile(
    r": (unrecognized option|invalid option|option '\S+' (is ambiguous|"
    r"requires an argument|doesn't allow an argument))")

# What DPDK says at every start.
_HARMLESS = re.compile(r'No (available|free) \d+ kB hugepages reported|'
                       r'Detected |Multi-process socket|Selected IOVA|'
                       r'VFIO support|Probe PCI|Using memfd')

# What SPDK says of a cause, and what to do about it (v22.01 to v26.05 say
# the same).
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


path = launch.log_path


def trim(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> None:
    """Keep the log of a target that runs from filling the disk; see
    :func:`cyborg_spdk.host.machine.log_file.trim`.
    """
    name = path(conf, target)
    if not log_file.too_long(name):
        return
    try:
        log_file.trim(name)
    except PermissionError:
        from cyborg_spdk.host import privileged
        try:
            privileged.trim_log(conf, target.name)
        except exceptions.HostError as exc:
            LOG.warning('%s: its log %s is too long: %s', target.name, name,
                        exc)
    except OSError:
        return  # It is gone, or no file: the target has another one.


def remedy(said: Iterable[str]) -> str:
    """What to do about what a target said last; ``""`` if not known.

    :param said: list of str, as :func:`tail` returns it.
    """
    text = '\n'.join(said)
    for pattern, advice in _REMEDIES:
        match = re.search(pattern, text)
        if match:
            return ': ' + advice.format(*match.groups())
    return ''


def tail(path: str, lines: int = LINES) -> list[str]:
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
