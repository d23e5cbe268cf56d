# SPDX-License-Identifier: Apache-2.0

"""What is to be made now, and in which rounds of calls. Pure decisions."""

import collections.abc
import time

from cyborg_spdk.desired import kinds
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import observe

#: The first pause after an object could not be made, in seconds; each next
#: one is twice as long.
FIRST_PAUSE = 5.0
#: The longest one.
LONGEST_PAUSE = 300.0


def pause(tries: int) -> float:
    """Seconds until an object is tried again.

    :param tries: how often it could not be made.
    """
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(max(tries - 1, 0), 10))


class There:
    """What is there, and what becomes there while objects are made.

    :param now: the look that the plan stands on.
    :param objects: the desired ones.
    """

    def __init__(self, now: observe.Observation,
                 objects: desired_objects.Objects):
        self._now = now
        self._objects = objects
        self._made: set[str] = set()
        self._stems = {key.partition('@')[0] for key in now.objects}
        self._aliases = {f'bdev:{alias}': key
                         for key, one in objects.items()
                         for alias in one.aliases}

    def add(self, key: str) -> None:
        """Note that an object was made."""
        self._made.add(key)
        self._stems.add(key.partition('@')[0])

    def has(self, key: str) -> bool:
        """Whether something is there."""
        return key in self._made or self._now.has(key) or (
            key.startswith('nvme:') and key in self._stems) or \
            self._aliases.get(key) in self._made

    def lacking(self, one: desired_objects.Object,
                planned: collections.abc.Container[str] = ()) -> str | None:
        """Key of what an object needs, is known, and is not there.

        :param planned: keys of what is made together with it.
        """
        for key in (*filter(None, (one.part_of,)), *one.stands_on):
            if not key.startswith('file:') and not self.has(key) \
                    and key not in planned and (
                        key in self._objects or key in self._aliases):
                return key
        return None


def due(objects: collections.abc.Iterable[desired_objects.Object],
        blocked: set[str], *, at_once: bool) -> list[
            desired_objects.Object]:
    """The missing objects that are to be tried now.

    :param objects: those that are missing.
    :param blocked: keys of those in whose way something stands
        (:func:`cyborg_spdk.desired.probes.blocked`).
    :param at_once: whatever the pauses are: the target has just begun, or
        the operator says so.
    """
    now = time.time()
    found = []
    for one in objects:
        if one.method is None:
            continue
        # A clock that was set back makes no pause longer.
        waits = now < one.next_try <= now + LONGEST_PAUSE
        freed = one.blocked and one.key not in blocked
        if at_once or freed or not waits:
            found.append(one)
    return found


def rounds(objects: list[desired_objects.Object]) -> list[
        list[desired_objects.Object]]:
    """Objects in rounds: those of one may be on their way together.

    What stands on an attach, a RAID or an examination has to wait for it;
    what SPDK does at once (subsystem, namespace, host, listener, in that
    order) goes out together.

    :param objects: what is to be made, in any order.
    """
    levels: dict[int, list[desired_objects.Object]] = {}
    for one in objects:
        levels.setdefault(one.level, []).append(one)
    found = [levels.get(kinds.OPTION, []), levels.get(kinds.KEY, []),
             levels.get(kinds.BASE, []),
             *_by_depth(levels.get(kinds.UPPER, [])),
             [one for level in (kinds.CONTAINER, kinds.MEMBER,
                                kinds.LISTENER)
              for one in levels.get(level, [])],
             levels.get(kinds.LAST, [])]
    return [some for some in found if some]


def _by_depth(objects: list[desired_objects.Object]) -> list[
        list[desired_objects.Object]]:
    """Bdevs on bdevs: the lower ones first."""
    left = {one.key: one for one in objects}
    found = []
    while left:
        first = [one for one in left.values()
                 if not any(below != one.key and below in left
                            for below in one.stands_on)]
        if not first:
            first = list(left.values())  # A circle: SPDK refuses it.
        found.append(first)
        for one in first:
            del left[one.key]
    return found


def refusal(one: desired_objects.Object,
            now: observe.Observation) -> str | None:
    """Why a call is not to be sent: it would kill the target. Else None.

    ``iscsi_create_portal_group`` with a portal that another group has ends
    v26.01 and later (SIGSEGV); ``bdev_passthru_create`` with a name that is
    taken, or its base's, ends every release (SIGABRT).
    """
    if one.method == 'iscsi_create_portal_group':
        taken = {_portal(portal): other.name
                 for other in now.objects.values()
                 if other.kind == 'portal-group'
                 for portal in other.params.get('portals') or ()}
        for portal in one.params.get('portals') or ():
            group = taken.get(_portal(portal))
            if group is not None:
                return (f'portal {portal.get("host")}:{portal.get("port")} '
                        f'is in portal group {group}; delete that one, or '
                        'forget this one')
    if one.method == 'bdev_passthru_create':
        if not one.name or one.name == one.params.get('base_bdev_name'):
            return 'its name is that of its base; forget it'
        if one.name in now.names:
            return 'another bdev has its name; rename or delete that one'
    return None


def _portal(portal: kinds.Params) -> tuple[str, str]:
    return str(portal.get('host')), str(portal.get('port') or '3260')
