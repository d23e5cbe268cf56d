# SPDX-License-Identifier: Apache-2.0

"""What has changed between two looks at the targets of a host."""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
from typing import Any

from cyborg_spdk.service.metrics import cache
from cyborg_spdk.service.metrics import of_units
from cyborg_spdk.units import stats

#: Something that is watched: what it is (``target``, ``unit``, ``size``,
#: ``object``, ``host``, ``hosts`` or ``plug``), its target, its name.
Key = tuple[str, str, str]

#: What is known, by what is watched.
Snapshot = Mapping[Key, str]

#: Word for what there is none of.
NONE = 'none'


@dataclasses.dataclass(frozen=True)
class Change:
    """Something that has changed.

    :ivar what: what it is; see :data:`Key`.
    :ivar target: name of its target.
    :ivar name: its name, or ''.
    :ivar before: how it was, or :data:`NONE`.
    :ivar after: how it is, or :data:`NONE`.
    """

    what: str
    target: str
    name: str
    before: str
    after: str


def snapshot(readings: Iterable[cache.Cached],
             plugs: Iterable[Mapping[str, Any]] | None,
             before: Snapshot) -> dict[Key, str]:
    """What is known now.

    :param readings: the last readings of the targets.
    :param plugs: what the duty plug knows, or None if that is not known.
    :param before: what was known; of what cannot be looked at now that is
        all there is.
    """
    found: dict[Key, str] = {}
    for one in readings:
        name = one.target.name
        found['target', name, ''] = 'answers' if one.reading else (
            one.error or 'does not answer')
        if one.reading is None:
            found.update((key, value) for key, value in before.items()
                         if key[1] == name and key[0] not in (
                             'target', 'plug'))
        else:
            found.update(_of_target(one))
    if plugs is None:
        found.update((key, value) for key, value in before.items()
                     if key[0] == 'plug')
    else:
        found.update(
            (('plug', plug['target'],
              f'{plug["unit"]} {plug["instance"]}'), ' '.join(filter(None, (
                  plug['state'], plug['device'], plug['why']))))
            for plug in plugs)
    return found


def _of_target(one: cache.Cached) -> dict[Key, str]:
    target, reading = one.target.name, one.reading
    if reading is None:
        return {}
    found: dict[Key, str] = {}
    for unit in reading.look.contents.units:
        found['unit', target, unit.title] = of_units.word(
            unit, reading.states.get(unit.handle))
        found['size', target, unit.title] = str(unit.size)
        hosts = stats.hosts_of(reading.look, unit.handle)
        if hosts is not None and not reading.look.controllers:
            found['hosts', target, unit.title] = str(hosts)
    for nqn, controllers in reading.look.controllers.items():
        for controller in controllers:
            found['host', target,
                  f'{nqn} {controller.get("hostnqn")}'] = 'connected'
    for lost in reading.missing:
        found['object', target, lost.key] = \
            f'missing: {lost.why}' if lost.why else 'missing'
    return found


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """What has changed, in a stable order.

    :param before: the earlier snapshot.
    :param after: the later one.
    """
    return [Change(*key, before.get(key, NONE), after.get(key, NONE))
            for key in sorted({*before, *after})
            if before.get(key) != after.get(key)]
