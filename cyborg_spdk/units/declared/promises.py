# SPDX-License-Identifier: Apache-2.0

"""What units.yaml promises of units, as traits: TLS, and a class of QoS."""

from collections.abc import Callable
from collections.abc import Container
from collections.abc import Iterable
import dataclasses
import json
import os

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk.units.declared import model
from cyborg_spdk.units import traits
from cyborg_spdk.units import unit as unit_module

LOG = loggers.get(__name__)

_TLS = traits.named('TLS')

_Promises = dict[tuple[str, str], frozenset[str]]

# What the file said, and which file that was: it is read when it changes.
_last: tuple[tuple[str, int, int, int], _Promises] | None = None


def add(conf: cfg.ConfigOpts, target: str,
        units: Iterable[unit_module.Unit],
        tls_alone: Callable[[], Container[str]]
        ) -> tuple[unit_module.Unit, ...]:
    """Units with what is promised of them beside their own traits.

    TLS is promised when the target keeps it: a subsystem that listens
    without it, too, would be a trap for whoever relies on the trait.

    A file that cannot be used promises nothing; whoever makes the declared
    units tells what is wrong with it, and what was reported stays so: see
    :func:`cyborg_spdk.units.traits.lasting`.

    :param conf: the configuration.
    :param target: name of the target whose units they are.
    :param units: as they were read.
    :param tls_alone: tells which subsystems let in with TLS alone; asked
        only where TLS is promised.
    """
    try:
        found = _read(conf)
    except (exceptions.SpdkError, OSError) as exc:
        LOG.debug('units_file: %s', exc)
        found = {}
    if not found:
        return tuple(units)
    kept: list[unit_module.Unit] = []
    secure: Container[str] | None = None
    for one in units:
        address = _address(one.handle)
        names = found.get((target, address), frozenset())
        if names & _TLS:
            secure = tls_alone() if secure is None else secure
            if address not in secure:
                names -= _TLS
        kept.append(dataclasses.replace(one, traits=tuple(sorted(
            {*one.traits, *names}))))
    return tuple(kept)


def _read(conf: cfg.ConfigOpts) -> _Promises:
    global _last
    path = conf.spdk.units_file
    if not path:
        return {}
    status = os.stat(path)
    key = (path, status.st_ino, status.st_mtime_ns, status.st_size)
    if _last is None or _last[0] != key:
        _last = key, {
            (one.target.name, one.address): names
            for one in model.load(conf).units if (names := _promised(one))}
    return _last[1]


def _promised(one: model.Unit) -> frozenset[str]:
    return (_TLS if one.tls else frozenset()) | (
        traits.named('QOS', one.qos_class) if one.qos_class
        else frozenset())


def _address(handle: str) -> str:
    """What a declared unit is known by: NQN, IQN, or the controller."""
    value = json.loads(handle)
    if value.get('nsid', '1') != '1' or value.get('lun', '0') != '0' \
            or 'target' in value:
        # A unit that is declared is alone.
        return ''
    return value.get('nqn') or value.get('iqn') \
        or os.path.basename(value.get('socket', ''))
