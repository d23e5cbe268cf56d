# SPDX-License-Identifier: Apache-2.0

"""The targets of a driver, and what is found at each.

Nothing of Cyborg is needed here: ``cyborg-spdk discover`` shows what a
driver would report, also where Cyborg is not installed.
"""

import dataclasses
import time

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.drivers import background
from cyborg_spdk.drivers.report import cyborg_limits
from cyborg_spdk.drivers.report import former_targets
from cyborg_spdk.drivers.report import memory as report_memory
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk import tasks
from cyborg_spdk.units.declared import promises
from cyborg_spdk.units import listeners
from cyborg_spdk.units import reading
from cyborg_spdk.units import unit

LOG = loggers.get(__name__)

#: Seconds that one discover() gives a target to answer, beside
#: ``[spdk] rpc_timeout``. With the driver's START_WAIT it keeps three
#: drivers' turns within the agent's patience.
READ_WAIT = 10.0


@dataclasses.dataclass(frozen=True)
class Survey:
    """What was found at one target.

    :ivar target: :class:`~cyborg_spdk.conf.Target`.
    :ivar contents: :class:`~cyborg_spdk.units.unit.Contents`, or None.
    :ivar error: None, or the :exc:`SpdkError` that came instead.
    """

    target: spdk_conf.Target
    contents: unit.Contents | None = None
    error: exceptions.SpdkError | None = None


def start(conf: cfg.ConfigOpts, *kinds: str) -> None:
    """Begin to start targets that this process has not looked at yet.

    Does not wait, unless ``[spdk] parallel`` is false; never raises.

    :param kinds: kinds of the targets.
    """
    good = [target for kind in kinds for target in targets(conf, kind)
            if isinstance(target, spdk_conf.Target)]
    if good:
        # Else [spdk] parallel itself may be what is wrong.
        tasks.configure(conf)
    for target in good:
        background.start_first(conf, target)


def of_kind(conf: cfg.ConfigOpts, kind: str, start_wait: float,
            reader: str) -> list[Survey]:
    """Read all targets of a kind, starting those that do not run.

    Never raises.

    :param start_wait: seconds to wait for targets that are being started.
    :param reader: who reads: a name that is this reader's alone, and the
        same at each time.
    :returns: in the order of the configuration.
    """
    end = time.monotonic() + start_wait
    start(conf, kind)
    names = []
    for place, target in enumerate(targets(conf, kind)):
        # The same names each time: tasks keeps the last result of each.
        names.append(f'read {reader} {place}')
        tasks.run(names[-1], survey, conf, kind, target, end)
    return tasks.wait(*names)


def targets(conf: cfg.ConfigOpts,
            kind: str) -> list[spdk_conf.Target | Survey]:
    """The targets of a kind: Target, or Survey of what is wrong."""
    try:
        spdk_conf.check(conf)
        wrong: exceptions.SpdkError | None = None
    except exceptions.SpdkError as exc:
        wrong = exc
    found: list[spdk_conf.Target | Survey] = []
    addresses: dict[str, str] = {}
    for name in dict.fromkeys(conf.spdk[f'{kind}_targets']):
        try:
            if wrong:
                raise wrong
            found.append(_target(conf, kind, name, addresses))
        except exceptions.SpdkError as exc:
            found.append(
                Survey(former_targets.nobody(kind, name), error=exc))
    return found


def namesake(conf: cfg.ConfigOpts, kind: str, name: str) -> str | None:
    """The option that has a name before that of its kind, or None."""
    for other in spdk_conf.KINDS[:spdk_conf.KINDS.index(kind)]:
        if name in conf.spdk[f'{other}_targets']:
            return f'[spdk] {other}_targets'
    return None


def _target(conf: cfg.ConfigOpts, kind: str, name: str,
            addresses: dict[str, str]) -> spdk_conf.Target:
    other = namesake(conf, kind, name)
    if other:
        raise exceptions.ConfigurationError(
            f'[spdk] {kind}_targets', name,
            f'{other} names it already; give each target a name of its '
            'own')
    target = spdk_conf.target(conf, kind, name)
    # Else each unit would be refused, and what is free taken away.
    cyborg_limits.symbol(f'[{name}] resource_class', target.resource_class)
    other = addresses.setdefault(report_memory.address(target), name)
    if other != name:
        raise exceptions.ConfigurationError(
            f'[{name}] rpc_address', target.rpc_address,
            f'[{other}] has it too; what is there would be given away '
            'twice')
    return target


def survey(conf: cfg.ConfigOpts, kind: str,
           target: spdk_conf.Target | Survey, end: float) -> Survey:
    """Read one target, when it is there. Never raises.

    :param kind: its kind.
    :param target: the target; what is wrong with one is passed on.
    :param end: until when a start of it is waited for, on the clock of
        ``time.monotonic()``.
    """
    if isinstance(target, Survey):
        return target
    try:
        background.wait(target, end - time.monotonic())
        return Survey(target, contents=_read(conf, kind, target, end))
    except exceptions.SpdkError as exc:
        return Survey(target, error=exc)
    except Exception as exc:
        # A fault of ours, or a reply that no known release sends, must
        # not keep the other devices of the host out of the report.
        LOG.exception('%s: reading', target.name)
        return Survey(target, error=exceptions.ProtocolError(
            target.rpc_address, f'{type(exc).__name__}: {exc}'))


def _read(conf: cfg.ConfigOpts, kind: str, target: spdk_conf.Target,
          end: float) -> unit.Contents:
    try:
        return _ask(conf, kind, target)
    except (exceptions.ConnectError, exceptions.ConnectionLost):
        if not background.start(conf, target):
            raise
    background.wait(target, end - time.monotonic())
    return _ask(conf, kind, target)


def _ask(conf: cfg.ConfigOpts, kind: str,
         target: spdk_conf.Target) -> unit.Contents:
    client = rpc.connect(target.rpc_address,
                         timeout=conf.spdk.connect_timeout)
    timeout = min(conf.spdk.rpc_timeout, READ_WAIT)
    found = reading.read(client, kind, timeout)
    return dataclasses.replace(found, units=promises.add(
        conf, target.name, found.units,
        lambda: listeners.tls_alone(client, timeout)))
