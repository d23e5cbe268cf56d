# SPDX-License-Identifier: Apache-2.0

"""One look at a target: what it has is kept, what it lacks is made."""

import dataclasses
import time
import typing

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import judge
from cyborg_spdk.desired import make
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import observe
from cyborg_spdk.desired import plan
from cyborg_spdk.desired import probes
from cyborg_spdk.desired import store
from cyborg_spdk.desired import takeover
from cyborg_spdk.desired import unchanged
from cyborg_spdk.desired import update
from cyborg_spdk import exceptions
from cyborg_spdk.host import process
from cyborg_spdk import loggers
from cyborg_spdk import rpc

LOG = loggers.get(__name__)

#: Seconds after which what was deleted must be away still, from the same
#: process: a target that goes down shows a part of what it has, and does so
#: for 0.03 to 1.8 s.
CONFIRM = 2.5

# By target: what was told of each missing object last.
_told: dict[str, dict[str, str]] = {}


@dataclasses.dataclass
class Result:
    """What became of a look.

    :ivar missing: the objects that are to be there and are not.
    :ivar made: keys of those that were made.
    :ivar changes: :class:`~cyborg_spdk.desired.update.Changes`.
    :ivar written: whether the desired state was written.
    """

    missing: list[desired_objects.Object]
    made: list[str] = dataclasses.field(default_factory=list)
    changes: update.Changes = dataclasses.field(
        default_factory=update.Changes)
    written: bool = False


@dataclasses.dataclass(frozen=True)
class Seen:
    """Which process a look is at.

    :ivar process: its :class:`~cyborg_spdk.host.process.TargetProcess`.
    :ivar identity: its name for ever, or None.
    :ivar last: the look before.
    :ivar when: when it began, in seconds since the boot: what it finds may
        be over a moment later.
    """

    process: process.TargetProcess | None
    identity: str | None
    last: store.Look
    when: float

    @property
    def cursor(self) -> int | None:
        """Id of its next notification, if it was looked at before."""
        return self.last.cursor if self.last.process == self.identity \
            else None


def is_repaired(target: spdk_conf.Target) -> bool:
    """Whether what a target lacks is made by us."""
    return target.start or target.repair


def look(conf: cfg.ConfigOpts, target: spdk_conf.Target, client: rpc.Client, *,
         repair: bool = True, at_once: bool = False,
         expected: typing.Iterable[str] = (), confirm: float = CONFIRM,
         timeout: float | None = None) -> Result:
    """Look at a target; keep what it has, and make what it lacks. Blocks.

    :param conf: the configuration.
    :param target: a :class:`cyborg_spdk.conf.Target` on this host.
    :param client: a connection to it.
    :param repair: make what is missing, if the target's options allow it.
    :param at_once: whatever the pauses are.
    :param expected: names of what the caller has just changed or deleted.
    :param confirm: seconds after which deletions behind our back are looked
        at once more.
    :param timeout: seconds for each round of calls; None is the
        connection's own.
    :returns: :class:`Result`.
    :raises StateError: if the state cannot be read or written.
    :raises SpdkError: if the target cannot be read as a whole, or ended.
    """
    if process.socket_path(target) is None:
        return Result([])  # It is not given anything by this host.
    with store.locked(conf, target, 'look'):
        seen = begin(conf, target)
        answers = observe.ask(client, seen.cursor, timeout)
        digest = answers.digest()
        names = frozenset(expected)
        path = store.path(conf, target)
        if not names and not at_once and _is_unchanged(
                conf, target, path, seen, answers, digest):
            return Result([])
        unchanged.forget(path)
        state = takeover.load(conf, target)
        looked = _looked(target, client, state, seen, answers, names,
                         confirm, timeout)
        if looked is None:
            return Result(state.missing())
        now, changes = looked
        result = Result([], changes=changes)
        if repair and is_repaired(target):
            result.made = repaired(client, state, now, at_once=at_once,
                                   timeout=conf.spdk.rpc_timeout)
        finish(conf, target, state, now, seen, result)
        if not (result.missing or result.made or changes.deleted):
            unchanged.remember(path, seen.identity, digest, now)
    return result


def begin(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> Seen:
    """Which process is looked at, and what is known of it."""
    when = time.clock_gettime(time.CLOCK_BOOTTIME)
    found = process.find(target)
    return Seen(found, store.identity(found),
                store.last_look(conf, target), when)


def _is_unchanged(conf: typing.Any, target: spdk_conf.Target, path: str,
                  seen: Seen, answers: observe.Answers,
                  digest: bytes) -> bool:
    """Whether all is as this process has left it, and noted."""
    if seen.identity is None or seen.identity != seen.last.process \
            or not target.save_config:
        return False
    controllers = unchanged.controllers(path, seen.last, answers, digest)
    if controllers is None:
        return False
    _same(target, seen.process)
    if controllers:
        # For how long one has been lost is counted from here.
        store.remember(conf, target, dataclasses.replace(
            seen.last, enabled=_enabled(controllers, seen)))
    return True


def _looked(target: spdk_conf.Target, client: rpc.Client,
            state: store.State, seen: Seen, answers: observe.Answers,
            names: frozenset[str], confirm: float,
            timeout: float | None) -> tuple[
                observe.Observation, update.Changes] | None:
    """Bring the state up to date; None if the target is going down."""
    now = observe.understand(answers, seen.cursor)
    _same(target, seen.process)
    first = _copied(state)
    changes = update.apply(first, now, seen.identity, seen.last,
                           expected=names)
    if _unexpected(state, changes.deleted, names):
        time.sleep(confirm)
        now = observe.look(client, seen.cursor, timeout)
        _same(target, seen.process)
        deleted, first = set(changes.deleted), _copied(state)
        changes = update.apply(first, now, seen.identity, seen.last,
                               expected=names)
        if set(changes.deleted) != deleted:
            LOG.info('%s: it is changing, or going down; what it has is not '
                     'kept now', target.name)
            return None
    state.objects, state.process = first.objects, first.process
    return now, changes


def _copied(state: store.State) -> store.State:
    return store.State(state.path, {
        key: dataclasses.replace(one)
        for key, one in state.objects.items()}, state.process, state.exists)


def _unexpected(state: store.State, deleted: list[str],
                names: frozenset[str]) -> bool:
    return any(not any(judge.is_about(state.objects[key], name)
                       for name in names) for key in deleted)


def _same(target: spdk_conf.Target,
          found: process.TargetProcess | None) -> None:
    if found is None or process.find(target) != found:
        raise exceptions.ConnectionLost(
            target.rpc_address, 'framework_get_config',
            'the target was restarted meanwhile; look again')


def repaired(client: rpc.Client, state: store.State,
             now: observe.Observation, *, at_once: bool,
             timeout: float) -> list[str]:
    """Make what is missing and due.

    :param client: a connection to the target.
    :param state: what became of each object is noted in it.
    :param now: what the target has.
    :param at_once: whatever the pauses are.
    :param timeout: seconds for one call.
    :returns: keys of what was made.
    """
    missing = state.missing()
    if not missing:
        return []
    blocked = probes.blocked([one for one in missing if one.blocked])
    wanted = plan.due(missing, blocked, at_once=at_once)
    maker = make.Maker(client, state, now, timeout)
    if wanted:
        maker.make(wanted)
    return maker.made


def finish(conf: cfg.ConfigOpts, target: spdk_conf.Target, state: store.State,
           now: observe.Observation, seen: Seen, result: Result) -> None:
    """Write down what was found, and tell what has changed.

    :param result: it is completed.
    """
    result.missing = state.missing()
    if target.save_config:
        result.written = store.save(state)
    store.remember(conf, target, store.Look(
        seen.identity, now.cursor,
        _enabled(now.controllers, seen),
        _devices(now, seen)))
    tell(target, result)


def _enabled(controllers: dict[str, list[bool]],
             seen: Seen) -> dict[str, float]:
    before = seen.last.enabled if seen.last.process == seen.identity else {}
    found = {}
    for name, paths in controllers.items():
        if all(paths):
            found[name] = seen.when
        elif name in before:
            found[name] = before[name]
    # Of one that is gone it is to be known for how long.
    return {**before, **found}


def _devices(now: observe.Observation, seen: Seen) -> dict[str, int]:
    """Which devices the controllers on PCI are.

    Of one that the last look had, too, it stays that one: another may be
    plugged in at its address before SPDK has noticed that it went.
    """
    before = seen.last.devices if seen.last.process == seen.identity else {}
    found = {str(one.params.get('traddr')): probes.device(
        one.params.get('traddr')) for one in now.objects.values()
        if one.kind == 'nvme'
        and str(one.params.get('trtype')).upper() == 'PCIE'}
    return {address: before.get(address, number)
            for address, number in found.items() if number is not None}


def tell(target: spdk_conf.Target, result: Result) -> None:
    """Log what has changed, each thing once."""
    told = _told.setdefault(target.name, {})
    fresh = [one for one in result.missing if told.get(one.key) != one.why]
    for one in fresh[:10]:
        LOG.warning(
            '%s: %s is missing: %s; it is made again when that is over, or '
            'drop it with cyborg-spdk target forget %s %s', target.name,
            judge.said(one.key), one.why, target.name, one.key)
    if len(fresh) > 10:
        LOG.warning('%s: %d more are missing; cyborg-spdk target diff %s '
                    'shows them', target.name, len(fresh) - 10, target.name)
    told.clear()
    told.update({one.key: one.why or '' for one in result.missing})
    if result.made:
        LOG.info('%s: made %s', target.name,
                 ', '.join(map(judge.said, result.made[:20]))
                 + (f' and {len(result.made) - 20} more'
                    if len(result.made) > 20 else ''))
    if result.changes.deleted:
        LOG.info('%s: deleted, and not to be made again: %s', target.name,
                 ', '.join(map(judge.said, result.changes.deleted[:20])))
