# SPDX-License-Identifier: Apache-2.0

"""Entries of a report: a unit under the name that Placement knows it by."""

from collections.abc import Iterable
import dataclasses
import functools
import hashlib
import json
import re

from cyborg_spdk import conf
from cyborg_spdk.drivers.report import cyborg_limits
from cyborg_spdk import exceptions
from cyborg_spdk.units import unit

_OTHER = re.compile(r'[^a-z0-9_-]+')

_DEVICE_DIGITS = 8
_UNIT_DIGITS = 16
#: Longest name of a target; see :func:`cyborg_spdk.conf.target`.
_TARGET_NAME = 63

_TAIL = re.compile(rf'(-[0-9a-f]{{{_DEVICE_DIGITS}}}-)'
                   rf'[0-9a-f]{{{_UNIT_DIGITS}}}\Z')


@dataclasses.dataclass(frozen=True)
class Entry:
    """One deployable, one provider, one attach handle.

    :ivar name: name of the deployable and of its provider.
    :ivar handle: the ``attach_info`` (canonical JSON).
    :ivar resource_class: Placement's class; never changed while reported.
    :ivar traits: sorted tuple of trait names.
    """

    name: str
    handle: str
    resource_class: str
    traits: tuple[str, ...]

    @functools.cached_property
    def digest(self) -> str:
        """Digits of what Placement keeps of it: its class and traits."""
        return _digits(_UNIT_DIGITS, self.resource_class, *self.traits)


def _digits(count: int, *parts: str) -> str:
    text = unit.canonical(parts).encode()
    return hashlib.sha256(text).hexdigest()[:count]


def control_path(host: str, target: str) -> str:
    """``cpid_info`` of a target: Cyborg's key for the device.

    :param host: resource provider name of the host.
    :param target: name of the target in the configuration.
    :returns: canonical JSON; known while the target is down.
    """
    info = unit.canonical({'host': host, 'target': target})
    if len(info.encode()) > cyborg_limits.SHORT_TEXT:
        info = unit.canonical({'host': _digits(_UNIT_DIGITS, host),
                               'target': target})
    return info


def mark(host: str, target: str) -> str:
    """What the names of all entries of one device have in common.

    :returns: str; it is found in the name of no other device's entry.
    """
    return '-' + _digits(_DEVICE_DIGITS, host, target) + '-'


def name(host: str, target: str, handle: str) -> str:
    """Name of a unit's deployable and provider.

    Placement's provider UUID is computed from the name alone, so it has to
    be unique in the whole cloud; spelling out host, target and unit is for
    people, the digits at the end are what makes it so.

    :param host: resource provider name of the host.
    :param target: name of the target in the configuration.
    :param handle: the unit's lasting address (canonical JSON).
    :returns: str of at most 200 characters out of ``[a-z0-9_-]``.
    """
    tail = mark(host, target) + _digits(_UNIT_DIGITS, handle)
    return _head(host, target, handle)[
        :cyborg_limits.PROVIDER_NAME - len(tail)] + tail


def same_unit(name: str, handle: str) -> bool:
    """Whether a provider may be that of a unit, under whatever target.

    :param name: name of the provider.
    :param handle: the unit's lasting address (canonical JSON).
    """
    return name.endswith('-' + _digits(_UNIT_DIGITS, handle))


def _head(host: str, target: str, handle: str) -> str:
    words = [host, target, *_values(handle)]
    return '_'.join(map(_spelt, words))


def _spelt(word: str) -> str:
    return _OTHER.sub('_', word.lower()).strip('_')


def targets_of(host: str, names: Iterable[str]) -> dict[str, str | None]:
    """The targets that providers were reported for, read from their names.

    What is known of a target may get lost with its file; that there was one
    stands in the names of its providers.

    :param host: resource provider name of the host.
    :param names: names of the host's providers, of anybody's drivers.
    :returns: names of targets by the digits that mark them; None where the
        name was cut too short to tell. What is none of ours is left out.
    """
    found: dict[str, str | None] = {}
    head = _spelt(host) + '_'
    for one in names:
        tail = _TAIL.search(one)
        if tail is None or not (
                one.startswith(head) or head.startswith(one[:tail.start()])
                and len(one) == cyborg_limits.PROVIDER_NAME):
            continue
        if found.get(tail.group(1)) is None:
            found[tail.group(1)] = _target_of(host, one[len(head):],
                                              tail.group(1))
    return found


def _target_of(host: str, text: str, digits: str) -> str | None:
    for end in range(1, min(len(text), _TARGET_NAME) + 1):
        if mark(host, text[:end]) == digits:
            return text[:end]
    return None


def _values(handle: str) -> list[str]:
    return [value for _key, value in sorted(json.loads(handle).items())]


def of_units(host: str, target: conf.Target, found: Iterable[unit.Unit],
             more: tuple[str, ...] = ()) -> tuple[
                 dict[str, Entry],
                 list[tuple[unit.Unit, exceptions.InvalidValue]]]:
    """Entries for the units of a target.

    :param host: resource provider name of the host.
    :param target: a :class:`~cyborg_spdk.conf.Target`.
    :param found: the target's units.
    :param more: traits that they have beside their own.
    :returns: pair: dict of :class:`Entry` by name, in the order of the
        units; and list of (unit, :exc:`InvalidValue`) of those that Cyborg
        or Placement would not take.
    """
    entries: dict[str, Entry] = {}
    bad: list[tuple[unit.Unit, exceptions.InvalidValue]] = []
    for one in found:
        entry = Entry(name=name(host, target.name, one.handle),
                      handle=one.handle,
                      resource_class=target.resource_class,
                      traits=tuple(sorted({*one.traits, *more})))
        try:
            cyborg_limits.unit(entry)
        except exceptions.InvalidValue as exc:
            bad.append((one, exc))
        else:
            entries[entry.name] = entry
    return entries, bad
