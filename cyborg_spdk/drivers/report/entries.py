# SPDX-License-Identifier: Apache-2.0

"""Entries of a report: a unit under the name that Placement knows it by."""

import dataclasses
import hashlib
import json
import re

from cyborg_spdk.drivers.report import cyborg_limits
from cyborg_spdk.units import unit

_OTHER = re.compile(r'[^a-z0-9_-]+')

_DEVICE_DIGITS = 8
_UNIT_DIGITS = 16


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
    traits: tuple


def _digits(count, *parts):
    text = unit.canonical(parts).encode()
    return hashlib.sha256(text).hexdigest()[:count]


def control_path(host, target):
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


def mark(host, target):
    """What the names of all entries of one device have in common.

    :returns: str; it is found in the name of no other device's entry.
    """
    return '-' + _digits(_DEVICE_DIGITS, host, target) + '-'


def name(host, target, handle):
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


def _head(host, target, handle):
    words = [host, target, *_values(handle)]
    return '_'.join(_OTHER.sub('_', word.lower()).strip('_')
                    for word in words)


def _values(handle):
    return [value for _key, value in sorted(json.loads(handle).items())]


def of_units(host, target, found):
    """Entries for the units of a target.

    :param host: resource provider name of the host.
    :param target: a :class:`~cyborg_spdk.conf.Target`.
    :param found: the target's units.
    :returns: pair: dict of :class:`Entry` by name, in the order of the
        units; and list of (unit, :exc:`InvalidValue`) of those that Cyborg
        or Placement would not take.
    """
    entries, bad = {}, []
    for one in found:
        entry = Entry(name=name(host, target.name, one.handle),
                      handle=one.handle,
                      resource_class=target.resource_class,
                      traits=one.traits)
        try:
            cyborg_limits.unit(entry)
        except ValueError as exc:
            bad.append((one, exc))
        else:
            entries[entry.name] = entry
    return entries, bad
