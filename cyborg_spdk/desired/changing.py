# SPDX-License-Identifier: Apache-2.0

"""Change on purpose what a target is to have."""

import collections.abc
import dataclasses
import datetime

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import configuration
from cyborg_spdk.desired import judge
from cyborg_spdk.desired import keep
from cyborg_spdk.desired import kinds
from cyborg_spdk.desired import make
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import observe
from cyborg_spdk.desired import plan
from cyborg_spdk.desired import store
from cyborg_spdk.desired import takeover
from cyborg_spdk.desired import update
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.rpc.protocol import catalogue

#: States of a :class:`Difference`.
MISSING = 'missing'
CHANGED = 'changed'
EXTRA = 'not kept'
DELETED = 'deleted'

_Calls = collections.abc.Iterable[tuple[str, kinds.Params | None]]


@dataclasses.dataclass(frozen=True)
class Difference:
    """How one object differs.

    :ivar key: of the object.
    :ivar state: one of the constants of this module.
    :ivar since: seconds since the epoch, or None.
    :ivar why: why, or None.
    """

    key: str
    state: str
    since: float | None = None
    why: str | None = None

    def since_text(self) -> str | None:
        """Since when, in UTC (ISO 8601), or None."""
        if self.since is None:
            return None
        return datetime.datetime.fromtimestamp(
            int(self.since), datetime.timezone.utc).strftime(
                '%Y-%m-%dT%H:%M:%SZ')


@dataclasses.dataclass
class Loaded:
    """What became of a configuration that was given to a target.

    :ivar made: how many calls were made.
    :ivar left_out: methods that only a target takes that is not yet
        initialised.
    :ivar unknown: parameters and methods that the release does not know.
    :ivar failed: list of (method, reason).
    """

    made: int = 0
    left_out: list[str] = dataclasses.field(default_factory=list)
    unknown: list[str] = dataclasses.field(default_factory=list)
    failed: list[tuple[str, str]] = dataclasses.field(default_factory=list)


def declare(conf: cfg.ConfigOpts, target: spdk_conf.Target, calls: _Calls, *,
            again: collections.abc.Container[str] = ()) -> tuple[
                list[str], list[str]]:
    """Say which objects a target is to have, whatever was seen in it.

    They are made by the next :func:`cyborg_spdk.desired.keep.look` or
    start, in the order of dependence. Nothing is sent here.

    :param calls: pairs of method and parameters, all that are declared for
        this target. What lies on disk (lvol stores, volumes) is not
        declared: it comes with its disk.
    :param again: keys of objects that are to be made again although they
        were deleted behind our back.
    :returns: keys that are new, and keys that are declared no more: those
        are kept no longer where they are missing; what is there stays until
        the caller deletes it.
    :raises InvalidValue: for a call that no configuration of SPDK has.
    :raises StateError: if the state cannot be read or written.
    """
    wanted = desired_objects.of_calls(calls)
    for one in wanted.values():
        if not one.is_shown:
            raise exceptions.InvalidValue(
                'declared object', one.method, 'a configuration of SPDK '
                'does not have it, or its name is left to SPDK')
        one.origin = desired_objects.DECLARED
    with store.locked(conf, target, 'declare'):
        state = takeover.load(conf, target)
        new = _declared(state, wanted, again)
        gone = [key for key, one in state.objects.items()
                if one.origin == desired_objects.DECLARED
                and key not in wanted]
        for key in gone:
            one = state.objects[key]
            if one.missing_since is None and one.deleted_since is None:
                one.origin = desired_objects.KEPT
            else:
                del state.objects[key]
        store.save(state)
    return new, gone


def _declared(state: store.State, wanted: desired_objects.Objects,
              again: collections.abc.Container[str]) -> list[str]:
    new = []
    for key, one in wanted.items():
        there = state.objects.get(key)
        if there is None:
            one.missing_since = datetime.datetime.now().timestamp()
            one.why = 'not made yet'
            state.objects[key] = one
            new.append(key)
            continue
        there.origin = desired_objects.DECLARED
        if there.deleted_since is not None and key in again:
            there.missing_since, there.deleted_since = \
                there.deleted_since, None
            there.why = 'not made yet'
            new.append(key)
    return new


def forget(conf: cfg.ConfigOpts, target: spdk_conf.Target,
           names: collections.abc.Iterable[str] | None) -> list[str]:
    """Drop objects that are missing from what a target is to have.

    What is part of them, or stands on them, and is missing, too, goes with
    them.

    :param names: keys, or names alone; None means all that is missing.
    :returns: keys of what was dropped.
    :raises InvalidValue: for one that is not missing.
    """
    with store.locked(conf, target, 'forget'):
        state = takeover.load(conf, target)
        missing = {key: one for key, one in state.objects.items()
                   if one.missing_since is not None
                   or one.deleted_since is not None}
        dropped = dict(missing) if names is None else {}
        for name in names or ():
            found = {key: one for key, one in missing.items()
                     if name in (key, one.name, *one.aliases)}
            if not found:
                raise exceptions.InvalidValue(
                    'object', name, f'{target.name} lacks no such object; '
                    'see cyborg-spdk target diff')
            dropped |= found
        _with_dependents(dropped, missing)
        for key in dropped:
            del state.objects[key]
        store.save(state)
    return list(dropped)


def _with_dependents(dropped: desired_objects.Objects,
                     missing: desired_objects.Objects) -> None:
    while True:
        names = {alias for key, one in dropped.items() for alias in (
            key, key.partition('@')[0],
            *(f'bdev:{alias}' for alias in one.aliases))}
        more = {key: one for key, one in missing.items()
                if key not in dropped and (
                    one.part_of in names
                    or not names.isdisjoint(one.stands_on))}
        if not more:
            return
        dropped |= more


def adopt(conf: cfg.ConfigOpts, target: spdk_conf.Target,
          client: rpc.Client) -> bool:
    """Take what a target has for all that it is to have.

    :returns: whether that is a change.
    """
    now = observe.look(client, None, conf.spdk.rpc_timeout)
    with store.locked(conf, target, 'save'):
        state = takeover.load(conf, target)
        for one in state.objects.values():
            there = now.find(one.key)
            if there is not None:
                there.origin = one.origin
        seen = keep.begin(conf, target)
        state.objects, state.process = now.objects, seen.identity
        written = store.save(state)
        store.remember(conf, target, store.Look(seen.identity, now.cursor))
    return written


def replace(conf: cfg.ConfigOpts, target: spdk_conf.Target,
            config: configuration.Config) -> None:
    """Put a configuration in the place of what a target is to have.

    :param target: a :class:`cyborg_spdk.conf.Target` that does not run.
    """
    with store.locked(conf, target, 'load'):
        state = takeover.load(conf, target)
        declared = {key: one for key, one in state.objects.items()
                    if one.origin == desired_objects.DECLARED}
        state.objects = {**desired_objects.of_config(config), **declared}
        state.process = None
        store.save(state)


def load(conf: cfg.ConfigOpts, client: rpc.Client,
         config: configuration.Config, *, keep_going: bool) -> Loaded:
    """Give a configuration to a target that runs, in order of dependence.

    :param client: a connection to it.
    :param keep_going: make the other objects although one has failed.
    :returns: :class:`Loaded`.
    :raises SpdkError: if the connection fails; what was made stays made.
    """
    now = observe.look(client, None, conf.spdk.rpc_timeout)
    state = store.State('', desired_objects.of_config(config))
    maker = make.Maker(client, state, now, conf.spdk.rpc_timeout)
    done = Loaded()
    startup = _startup_only(client)
    wanted = []
    for one in list(state.objects.values()):
        if one.method in startup:
            done.left_out.append(str(one.method))
        elif one.kind not in ('lun', 'raid-base'):
            one.missing_since, one.why = 1.0, ''
            wanted.append(one)
    for some in plan.rounds(wanted):
        maker.make([one for one in some if not _is_there(one, now)])
        failed = [(str(one.method), str(one.why)) for one in some
                  if one.missing_since is not None]
        done.failed += failed
        if failed and not keep_going:
            break
    done.made += len(maker.made)
    done.unknown = sorted(maker.fitter.left_out)
    return done


def _is_there(one: desired_objects.Object, now: observe.Observation) -> bool:
    """Whether a call would make what there is; some kill a target so."""
    if one.kind == 'option' or not now.has(one.key):
        return False
    one.why = f'{judge.said(one.key)} is there already'
    return True


def _startup_only(client: rpc.Client) -> set[str]:
    """Methods that the target takes no more, by their newest names."""
    # Deprecated names are of no state: only the current ones tell.
    runtime = map(catalogue.current_name,
                  client.call('rpc_get_methods', current=True))
    return set(map(catalogue.current_name, client.methods)) - set(runtime)


def diff(conf: cfg.ConfigOpts, target: spdk_conf.Target,
         client: rpc.Client) -> list[Difference]:
    """How what a target has differs from what it is to have.

    Nothing is changed, also not what is kept.

    :returns: list of :class:`Difference`, missing ones first.
    """
    with store.locked(conf, target, 'diff'):
        state = takeover.load(conf, target)
        seen = keep.begin(conf, target)
        now = observe.look(client, seen.cursor, conf.spdk.rpc_timeout)
        before = dict(state.objects)
        changes = update.apply(state, now, seen.identity, seen.last)
    found = [Difference(one.key, MISSING, one.missing_since, one.why)
             for one in state.missing()]
    found += [Difference(key, DELETED, None, 'it was deleted on purpose')
              for key in changes.deleted]
    found += [Difference(key, DELETED, one.deleted_since,
                         'it is declared, and was deleted on purpose')
              for key, one in before.items()
              if one.deleted_since is not None
              and key not in changes.deleted]
    found += [Difference(key, CHANGED, None, _changed(one))
              for key, one in state.objects.items()
              if one.seen and one.missing_since is None and _changed(one)]
    return found + [Difference(key, EXTRA) for key in changes.new]


def _changed(one: desired_objects.Object) -> str:
    names = [name for name, value in (one.seen or {}).items()
             if name in one.params and one.params[name] != value]
    return ', '.join(
        f'{name} is {(one.seen or {})[name]!r}, not {one.params[name]!r}'
        for name in names)
