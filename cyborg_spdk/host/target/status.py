# SPDX-License-Identifier: Apache-2.0

"""What is to be known of each target of this host, read and not changed."""

import dataclasses
from typing import Any

from oslo_config import cfg
import psutil

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import launch
from cyborg_spdk.host import process
from cyborg_spdk.host.target import restarts
from cyborg_spdk import rpc

#: A target answers and is initialised.
READY = 'ready'
#: It has not answered in time: starting, hanging, or its socket is gone.
NO_ANSWER = 'no answer'
#: It waits for ``framework_start_init`` (``--wait-for-rpc``).
WAITING = 'not initialised'
STOPPED = 'stopped'
#: Somebody else is at its socket.
FOREIGN = 'foreign'
#: It cannot be told, e.g. since access is denied.
UNKNOWN = 'unknown'


@dataclasses.dataclass(frozen=True)
class State:
    """One target, as it is now.

    :ivar name: its name in the configuration.
    :ivar application: the program that serves it, or is to.
    :ivar address: its RPC address.
    :ivar state: one of the constants of this module.
    :ivar pid: its process, or None.
    :ivar user: the user of the process (number), or None.
    :ivar seconds: how long it has run, or None.
    :ivar version: what it says of itself, or None.
    :ivar cores: the ``-m`` of its command line, or None.
    :ivar memory_mb: MiB of huge pages that it has, or None.
    :ivar problem: what is wrong and what to do, or None.
    """

    name: str
    application: str
    address: str
    state: str
    pid: int | None = None
    user: int | None = None
    seconds: float | None = None
    version: str | None = None
    cores: str | None = None
    memory_mb: int | None = None
    problem: str | None = None


def look(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> State:
    """Look at one target.

    :param conf: the configuration.
    :param target: a :class:`cyborg_spdk.conf.Target`.
    :returns: :class:`State`. It never raises for what it finds.
    """
    known: dict[str, Any] = {
        'name': target.name, 'application': target.application,
        'address': target.rpc_address}
    try:
        if process.socket_path(target) is not None:
            found = process.find(target)
            if found is None:
                why = _why_stopped(conf, target)
                return State(**known | {'state': STOPPED}
                             | ({'problem': why} if why else {}))
            known |= _process(found)
        return State(**known | _answer(conf, target))
    except exceptions.ForeignProcess as exc:
        return State(**known | {'state': FOREIGN, 'problem': str(exc)})
    except exceptions.SpdkError as exc:
        return State(**known | {'state': UNKNOWN, 'problem': str(exc)})


def _why_stopped(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> str | None:
    history = restarts.read(launch.starts_path(conf),
                            process.name(conf, target))
    if history.held:
        return (f'it is kept down; start it with cyborg-spdk target start '
                f'{target.name}')
    if history.pause():
        return (f'it has died {history.starts} times soon after it was '
                f'started; the next start is due in {history.pause():.0f} s')
    return None


def _process(found: process.TargetProcess) -> dict[str, Any]:
    known: dict[str, Any] = {
        'application': found.application, 'pid': found.pid or None,
        'user': found.uid}
    if found.ticks:
        known['seconds'] = process.age(found)
        known |= _arguments(found.pid)
    return known


def _arguments(pid: int) -> dict[str, Any]:
    from cyborg_spdk.host.machine import proc
    known: dict[str, Any] = {'memory_mb': proc.taken_mb(pid)}
    try:
        cmdline = psutil.Process(pid).cmdline()
    except psutil.Error:
        return known
    for option, value in zip(cmdline, cmdline[1:], strict=False):
        if option in ('-m', '--cpumask'):
            known['cores'] = value
    return known


def _answer(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> dict[str, Any]:
    timeout = conf.spdk.connect_timeout
    try:
        client = rpc.connect(target.rpc_address, timeout=timeout)
        known = {'version': _version(client, timeout)}
    except (exceptions.ConnectError, exceptions.ConnectionLost,
            exceptions.RpcTimeout) as exc:
        return {'state': NO_ANSWER, 'problem': str(exc)}
    try:
        client.call('framework_get_reactors', _timeout=timeout)
    except exceptions.NotReady:
        return known | {'state': WAITING,
                        'problem': 'initialise it with '
                        'framework_start_init'}
    except exceptions.MethodNotFound:
        pass  # Before v20.01; it answers only when it is initialised.
    return known | {'state': READY}


def _version(client: rpc.Client, timeout: float) -> str | None:
    try:
        return client.call('spdk_get_version', _timeout=timeout)['version']
    except exceptions.MethodNotFound:
        # Before v19.04: what its methods give away.
        return f'SPDK {client.version}' if client.version else None
