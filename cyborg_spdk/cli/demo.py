# SPDX-License-Identifier: Apache-2.0

"""Two simulated targets with something to give away, for a demonstration.

The simulator is a program: it is run, never imported. Everything is below
one private directory and is gone afterwards, also after Ctrl-C.
"""

from collections.abc import Iterator
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from typing import Any
from typing import NoReturn

from oslo_config import cfg

from cyborg_spdk import clients
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host.target import lifecycle
from cyborg_spdk import rpc
from cyborg_spdk import tasks

#: The simulated targets, by kind.
TARGETS = {'nvmf': 'spdk_nvmf', 'vhost': 'spdk_vhost'}

#: UNIX socket paths have 107 characters at most; this leaves enough.
_LONGEST_DIRECTORY = 60

_MIB = 1 << 20


@contextlib.contextmanager
def simulation(conf: cfg.ConfigOpts) -> Iterator[None]:
    """Let the configuration describe two simulated targets, and stop them.

    Whoever loads the drivers inside starts them.

    :param conf: the ``oslo_config.cfg.ConfigOpts``; what it says of SPDK is
        overridden.
    :raises SpdkError: if the simulator cannot be laid out.
    """
    with _signals():
        directory = _directory()
        targets: list[spdk_conf.Target] = []
        try:
            _install(os.path.join(directory, 'spdk'))
            _override(conf, directory)
            # Only what lives in our directory will ever be stopped: before
            # this line the configuration may name the host's own targets.
            targets = spdk_conf.targets(conf)
            yield
        finally:
            with _undisturbed():
                # One that is just being started would be missed.
                with contextlib.suppress(exceptions.SpdkError):
                    tasks.wait_all(timeout=10)
                for target in targets:
                    rpc.disconnect(target.rpc_address)
                    lifecycle.stop(conf, target, kill=True)
                shutil.rmtree(directory, ignore_errors=True)


def populate(conf: cfg.ConfigOpts) -> None:
    """Give the running targets something to give away.

    :param conf: the ``oslo_config.cfg.ConfigOpts``, inside
        :func:`simulation`.
    :raises SpdkError: if a call fails.
    """
    addresses = {target.kind: target.rpc_address
                 for target in spdk_conf.targets(conf)}
    disk = os.path.join(conf.spdk.state_path, 'disk.img')
    with open(disk, 'wb') as out:
        out.truncate(32 * _MIB)
    _populate_nvmf(clients.NvmfTgt(rpc.connect(addresses['nvmf'])), disk)
    _populate_vhost(clients.VhostTgt(rpc.connect(addresses['vhost'])))


def _populate_nvmf(target: clients.NvmfTgt, disk: str) -> None:
    target.bdev_malloc_create('Malloc0', 64 * _MIB, 512)
    target.bdev_malloc_create('Malloc1', 64 * _MIB, 4096)
    target.bdev_null_create('Null0', 1024 * _MIB, 512)
    target.bdev_aio_create(disk, 'Aio0', 512)
    target.nvmf_create_transport('TCP')
    for number, bdevs in ((1, ['Malloc0', 'Malloc1']),
                          (2, ['Null0', 'Aio0'])):
        target.construct_nvmf_subsystem(
            f'nqn.2016-06.io.spdk:cnode{number}',
            [{'trtype': 'TCP', 'adrfam': 'IPv4', 'traddr': '127.0.0.1',
              'trsvcid': str(_free_port())}],
            [], f'SPDK{number:016d}', bdevs)


def _free_port() -> int:
    # 4420 may belong to a real target of this host, or to another
    # demonstration.
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port: int = probe.getsockname()[1]
        return port


def _populate_vhost(target: clients.VhostTgt) -> None:
    for name in ('Malloc0', 'Malloc1', 'Malloc2'):
        target.bdev_malloc_create(name, 64 * _MIB, 512)
    target.vhost_create_blk_controller('blk.0', 'Malloc0')
    target.vhost_create_scsi_controller('scsi.0')
    for number, name in enumerate(('Malloc1', 'Malloc2')):
        target.vhost_scsi_controller_add_target('scsi.0', number, name)


def _directory() -> str:
    directory = tempfile.mkdtemp(prefix='cyborg-spdk-')
    if len(directory) > _LONGEST_DIRECTORY:
        os.rmdir(directory)
        # A private directory of a random name, wherever it is.
        directory = tempfile.mkdtemp(prefix='cyborg-spdk-',
                                     dir='/tmp')  # nosec B108
    for name in ('run', 'state'):
        os.mkdir(os.path.join(directory, name), 0o700)
    return directory


def _install(directory: str) -> None:
    done = subprocess.run(
        [sys.executable, '-m', 'spdk_simulator', 'install', directory],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise exceptions.HostError(
            'the simulator cannot be laid out in '
            f'{directory}: {" | ".join(done.stderr.split(os.linesep)[-3:])}')


def _override(conf: cfg.ConfigOpts, directory: str) -> None:
    for name, value in {
            'spdk_dir': os.path.join(directory, 'spdk'),
            'run_path': os.path.join(directory, 'run'),
            'state_path': os.path.join(directory, 'state'),
            'nvmf_targets': [TARGETS['nvmf']],
            'vhost_targets': [TARGETS['vhost']],
            'iscsi_targets': []}.items():
        conf.set_override(name, value, group=spdk_conf.GROUP)
    for kind, name in TARGETS.items():
        opts = spdk_conf.target_opts(kind)
        conf.register_opts(opts, group=name)
        for opt in opts:
            conf.set_override(opt.name, opt.default, group=name)
    conf.set_override('extra_args', ['-S', os.path.join(directory, 'run')],
                      group=TARGETS['vhost'])


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end as Ctrl-C does: by way of every finally."""
    def leave(number: int, _frame: Any) -> NoReturn:
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not interrupt the cleaning up."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN)
              for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
