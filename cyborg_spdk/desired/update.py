# SPDX-License-Identifier: Apache-2.0

"""A desired state after a look at its target. Nothing is asked or sent."""

import dataclasses
import time
import typing

from cyborg_spdk.desired import judge
from cyborg_spdk.desired import kinds
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import observe
from cyborg_spdk.desired import store

#: Parameters of a call that an observation never changes: a RAID or a node
#: is shown with what is left of it.
_SHRINK = {'bdev_raid_create': ('base_bdevs',)}


@dataclasses.dataclass
class Changes:
    """What a look has changed.

    :ivar new: keys of objects that were not known.
    :ivar lost: keys of those that are missing now and were not before.
    :ivar back: keys of those that were missing and are there.
    :ivar deleted: keys of those that leave, or wait to be declared anew.
    """

    new: list[str] = dataclasses.field(default_factory=list)
    lost: list[str] = dataclasses.field(default_factory=list)
    back: list[str] = dataclasses.field(default_factory=list)
    deleted: list[str] = dataclasses.field(default_factory=list)


def apply(state: store.State, now: observe.Observation, process: str | None,
          last: store.Look, *, expected: frozenset[str] = frozenset(),
          given: bool = False) -> Changes:
    """Bring a desired state up to date.

    :param state: it is changed.
    :param now: what was found.
    :param process: the process that was looked at.
    :param last: the look before.
    :param expected: names of what the caller has just deleted.
    :param given: whether the process was just given the state by us: then
        an option that reads otherwise is SPDK's word.
    :returns: :class:`Changes`.
    """
    same = process is not None and process == state.process
    there = _matched(state, now)
    changes = Changes()
    facts = judge.Facts(now, same, _healthy(last, process), expected,
                        _loss_timeout(state),
                        last.devices if last.process == process else {})
    verdicts = judge.Judge(state.objects, facts)
    away = {key: verdicts.reason(key) for key in state.objects
            if key not in there and state.objects[key].is_shown
            and state.objects[key].kind != 'option'}
    for key, seen in there.items():
        _present(state.objects[key], seen, same, given, changes)
    for key, why in away.items():
        _absent(state, key, why, changes)
    known = {seen.key for seen in there.values()}
    for key, one in now.objects.items():
        if key not in known:
            state.objects[key] = dataclasses.replace(one)
            changes.new.append(key)
            _added_base(state, one)
    state.process = process
    return changes


def _matched(state: store.State,
             now: observe.Observation) -> desired_objects.Objects:
    """What is there of each desired object, by the desired key."""
    there = {}
    for key, one in state.objects.items():
        seen = now.find(key)
        if seen is None and one.aliases and one.kind == 'bdev':
            seen = next(filter(None, (
                now.find(f'bdev:{alias}') for alias in one.aliases)), None)
        if seen is not None:
            there[key] = seen
    return there


def _healthy(last: store.Look, process: str | None) -> dict[str, float]:
    if last.process != process:
        return {}
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return {name: now - when for name, when in last.enabled.items()}


def _loss_timeout(state: store.State) -> int:
    option = state.objects.get('option:bdev_nvme_set_options')
    value = option.params.get('ctrlr_loss_timeout_sec') if option else 0
    return value if isinstance(value, int) else 0


def _present(one: desired_objects.Object, seen: desired_objects.Object,
             same: bool, given: bool, changes: Changes) -> None:
    if one.missing_since is not None or one.deleted_since is not None:
        changes.back.append(one.key)
    if not ((same or given) and one.missing_since is None) \
            and is_unset(one, seen):
        if one.missing_since is None:
            one.missing_since = time.time()
            changes.lost.append(one.key)
        one.why = one.why or 'the target was started with another value'
    else:
        found(one)
    one.aliases = seen.aliases or one.aliases
    if seen.method is None:
        # It is on disk now, and comes by itself.
        if one.method is not None:
            one.method, one.params, one.seen = None, {}, None
            one.part_of, one.stands_on = seen.part_of, seen.stands_on
        return
    if one.method is None:
        one.method = seen.method
    _merge(one, seen, same)


def is_unset(one: desired_objects.Object,
             seen: desired_objects.Object) -> bool:
    """Whether an option has another value than it is to have."""
    return one.kind == 'option' and any(
        name in seen.params and seen.params[name] != value
        for name, value in one.params.items())


def found(one: desired_objects.Object) -> None:
    """Note that an object is there."""
    one.missing_since = one.why = one.deleted_since = None
    one.tries, one.next_try, one.blocked = 0, 0.0, False


def _merge(one: desired_objects.Object, seen: desired_objects.Object,
           same: bool) -> None:
    before = one.params if one.seen is None else one.seen
    skipped = _SHRINK.get(one.method or '', ())
    params = _filled(one.params, seen.params,
                     one.release in (None, seen.release))
    if same:
        for name, value in seen.params.items():
            # What has changed in one process, somebody has changed.
            if name in before and before[name] != value \
                    and name not in skipped:
                params[name] = value
    if params != one.params:
        one.params = params
        one.release = one.release or seen.release
        made = kinds.made_by(str(one.method), params)
        one.part_of, one.stands_on = made.part_of, made.stands_on
    one.seen = None if _same(one.params, seen.params, skipped) \
        else seen.params


def _same(params: kinds.Params, seen: kinds.Params,
          skipped: tuple[str, ...]) -> bool:
    return params == seen or (bool(skipped) and (
        {name: value for name, value in params.items()
         if name not in skipped}
        == {name: value for name, value in seen.items()
            if name not in skipped}))


#: What SPDK chooses and an initiator, or another bdev, knows it by.
_IDENTITY = frozenset({'uuid', 'nguid', 'eui64', 'nsid', 'hostnqn',
                       'serial_number', 'model_number'})


def _filled(params: kinds.Params, seen: kinds.Params,
            wholly: bool) -> kinds.Params:
    """With what was left to SPDK, and it has chosen: UUIDs first.

    :param wholly: whether the call is of this very release. The defaults
        of another one are not taken into it: a third may refuse them.
    """
    filled: dict[str, typing.Any] = dict(params)
    for name, value in seen.items():
        if name not in filled:
            if wholly or name in _IDENTITY:
                filled[name] = value
        elif isinstance(value, dict) and isinstance(filled[name], dict):
            filled[name] = _filled(filled[name], value, wholly)
    return filled


def _absent(state: store.State, key: str, why: str | None,
            changes: Changes) -> None:
    one = state.objects[key]
    if why is not None:
        if one.missing_since is None:
            one.missing_since = time.time()
            one.why = why
            one.seen = {}
            changes.lost.append(key)
        return
    if one.deleted_since is not None:
        return
    changes.deleted.append(key)
    if one.kind == 'raid-base':
        _removed_base(state, one)
    if one.origin == desired_objects.DECLARED:
        one.deleted_since = time.time()
        one.missing_since = one.why = None
    else:
        del state.objects[key]


def _removed_base(state: store.State, base: desired_objects.Object) -> None:
    raid = state.objects.get(str(base.part_of))
    if raid is not None and raid.method == 'bdev_raid_create':
        raid.params = {**raid.params, 'base_bdevs': [
            name for name in kinds.raid_bases(raid.params)
            if name != base.params['base_bdev']]}


def _added_base(state: store.State, base: desired_objects.Object) -> None:
    raid = state.objects.get(str(base.part_of))
    if base.kind == 'raid-base' and raid is not None \
            and raid.method == 'bdev_raid_create':
        names = kinds.raid_bases(raid.params)
        if base.params['base_bdev'] not in names:
            raid.params = {**raid.params, 'base_bdevs': [
                *names, base.params['base_bdev']]}
