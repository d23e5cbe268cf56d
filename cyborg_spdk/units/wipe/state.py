# SPDX-License-Identifier: Apache-2.0

"""Whose data is on a unit: asked, and said, by whoever gives units away.

>>> state.of(conf, target.name, unit).clean
>>> state.begin_use(conf, target, unit.handle, instance_uuid)
>>> state.end_use(conf, target, unit.handle, instance_uuid)

Between the two it is that consumer's, and from the first on it is dirty,
until :func:`cyborg_spdk.units.wipe.run.wipe` has wiped it.
"""

from collections.abc import Iterable
import dataclasses

from oslo_config import cfg

from cyborg_spdk import clients
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units import handles
from cyborg_spdk.units import holders
from cyborg_spdk.units import identity
from cyborg_spdk.units import unit as unit_module
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import progress
from cyborg_spdk.units.wipe import settings


@dataclasses.dataclass(frozen=True)
class State:
    """Whose data is on a unit.

    :ivar clean: whether it may be given to anybody.
    :ivar consumer: whose data it has; None if nobody knows, or nobody's.
    :ivar in_use: whether that one was let in and not taken back yet.
    :ivar known: whether it was ever seen: one that was not is dirty, and is
        not to be reported before it is clean.
    :ivar maker: who let that one in: see :class:`marks.Mark`.
    :ivar cleaning: how far a wipe is that goes on, or None.
    """

    clean: bool
    consumer: str | None = None
    in_use: bool = False
    known: bool = True
    cleaning: progress.Progress | None = None
    maker: str = ''

    @property
    def word(self) -> str:
        """``clean``, ``in use``, ``cleaning`` or ``dirty``."""
        if self.cleaning:
            return 'cleaning'
        if self.in_use:
            return 'in use'
        return 'clean' if self.clean else 'dirty'


def of(conf: cfg.ConfigOpts, target: str, unit: unit_module.Unit) -> State:
    """The state of a unit that was just read. Reads one file.

    :param conf: the configuration.
    :param target: name of its target.
    :param unit: the unit.
    :raises StateError: if its mark cannot be read.
    """
    return _state(conf, target, unit.handle,
                  marks.load(conf, target, unit.handle),
                  _What(unit.identity, unit.born_zero, unit.store))


def of_all(conf: cfg.ConfigOpts, target: str,
           units: Iterable[unit_module.Unit],
           known: Iterable[marks.Mark] | None = None) -> dict[str, State]:
    """The states of the units of one target, by handle.

    :param conf: the configuration.
    :param target: name of the target.
    :param units: its units.
    :param known: the marks of all units; None: they are read.
    :raises StateError: if a mark cannot be read.
    """
    if known is None:
        known = marks.load_all(conf)
    found = {mark.handle: mark for mark in known
             if mark.target == target}
    return {one.handle: _state(conf, target, one.handle,
                               found.get(one.handle),
                               _What(one.identity, one.born_zero, one.store))
            for one in units}


@dataclasses.dataclass(frozen=True)
class _What:
    """What lies behind a unit: see :class:`unit_module.Unit`."""

    identity: str
    born_zero: bool
    store: str | None


def _state(conf: cfg.ConfigOpts, target: str, handle: str,
           mark: marks.Mark | None, what: _What) -> State:
    if mark and mark.in_use:
        return State(False, mark.consumer, in_use=True, maker=mark.maker)
    if settings.of(conf, target, handle,
                   what.store).method == settings.NONE:
        return State(True, mark.consumer if mark else None,
                     known=mark is not None)
    if mark is None:
        return State(what.born_zero, known=what.born_zero)
    if mark.state == marks.CLEANING:
        going = progress.load(conf, target, handle)
        return State(False, mark.consumer, cleaning=going)
    if what.identity and mark.identity != what.identity:
        # Another disk than the one that the mark is about.
        return State(what.born_zero, known=what.born_zero)
    return State(mark.state == marks.CLEAN,
                 None if mark.state == marks.CLEAN else mark.consumer)


def begin_use(conf: cfg.ConfigOpts, target: spdk_conf.Target,
              handle: handles.AnyHandle, consumer: str, *,
              lasting: bool = True, maker: str = '',
              timeout: float = marks.PATIENCE) -> bool:
    """Note that a consumer is about to be let in. Blocks.

    To be called, and to have returned, before anything lets it in: the note
    is on the disk then.

    :param conf: the configuration.
    :param target: the unit's target.
    :param handle: the unit's handle.
    :param consumer: who: the UUID of an instance, or another name that
        nobody else ever has.
    :param lasting: whether that name is nobody else's. If not (the user
        that QEMU runs as) then it is another consumer after
        :func:`end_use`, although the name is the same.
    :param maker: who lets it in; nobody else takes that back.
    :param timeout: seconds to wait for somebody who is busy with the unit.
    :returns: False if it was noted already.
    :raises NotFound: if there is no such unit.
    :raises DirtyUnit: if another consumer's data may be on it, or it is
        another's.
    :raises StateError: if it cannot be noted: nobody may be let in then; or
        if the unit is being wiped.
    """
    kind, parts = handles.parse(handle)
    text = handles.text(parts)
    with marks.locked(conf, target.name, text, f'use of {text}', timeout):
        what = _look(conf, target, kind, parts)
        mark = marks.load(conf, target.name, text)
        found = _state(conf, target.name, text, mark, what)
        # Where a wipe has begun the data may be half gone: it is nobody's.
        same = found.consumer == consumer and (found.in_use or lasting) \
            and not (mark and mark.state == marks.CLEANING)
        if not found.clean and not same:
            raise exceptions.DirtyUnit(text, found.consumer, found.in_use)
        if found.in_use:
            return False
        mark = mark or marks.Mark(target.name, text)
        marks.save(conf, mark.changed(
            identity=what.identity, state=marks.DIRTY, consumer=consumer,
            in_use=True, reserved=True, maker=maker,
            generation=mark.generation + (not same)))
        return True


def _look(conf: cfg.ConfigOpts, target: spdk_conf.Target, kind: str,
          parts: dict[str, str]) -> _What:
    client = rpc.connect(target.rpc_address,
                         timeout=conf.spdk.connect_timeout)
    held = holders.look(client, kind, parts)
    if held.bdev is None:
        raise exceptions.NotFound(
            -19, 'No such device', 'bdev_get_bdevs', None,
            f'{handles.text(parts)} has no disk behind it at present')
    raw = [one.raw for one in clients.BdevClient(client).bdev_get_bdevs()]
    bdevs = unit_module.index(raw)
    if held.bdev not in bdevs:
        raise exceptions.NotFound(-19, 'No such device', 'bdev_get_bdevs',
                                  None, f'bdev {held.bdev} has gone')
    bdev = bdevs[held.bdev]
    return _What(identity.of(bdev, bdevs.get), identity.born_zero(bdev),
                 identity.store(bdev, bdevs.get))


def end_use(conf: cfg.ConfigOpts, target: spdk_conf.Target,
            handle: handles.AnyHandle, consumer: str | None = None, *,
            maker: str = '') -> bool:
    """Note that a consumer was taken its access back. Blocks.

    To be called after nothing lets it in any more. The unit stays dirty.

    :param conf: the configuration.
    :param target: the unit's target.
    :param handle: the unit's handle.
    :param consumer: who; None means whoever it was.
    :param maker: who has let it in.
    :returns: False if it was not that one's.
    :raises AnothersUse: if somebody else has.
    :raises StateError: if it cannot be noted, or the unit is being wiped.
    """
    text = handles.text(handle)
    with marks.locked(conf, target.name, text, f'end of the use of {text}'):
        mark = marks.load(conf, target.name, text)
        if mark is None or not mark.in_use or consumer not in (
                None, mark.consumer):
            return False
        check_maker(mark, maker)
        marks.save(conf, mark.changed(in_use=False, maker=''))
        return True


def check_maker(mark: marks.Mark, maker: str) -> None:
    """Refuse to take back what somebody else has let in.

    :param mark: the mark of a unit in use.
    :param maker: who asks.
    :raises AnothersUse: if it was somebody else; not if nobody said who.
    """
    if mark.maker not in ('', maker):
        raise exceptions.AnothersUse(mark.handle, mark.consumer, mark.maker)


def note_clean(conf: cfg.ConfigOpts, target: str, handle: str,
               what: str) -> None:
    """Note that a unit has nobody's data: it was made with zeroes.

    :param conf: the configuration.
    :param target: name of its target.
    :param handle: its handle.
    :param what: its identity.
    """
    text = handles.text(handle)
    with marks.locked(conf, target, text, f'first note of {text}'):
        mark = marks.load(conf, target, text) or marks.Mark(target, text)
        if not mark.in_use:
            marks.save(conf, mark.changed(identity=what, state=marks.CLEAN,
                                          consumer=None))


def note_dirty(conf: cfg.ConfigOpts, target: str, handle: str) -> None:
    """Note that a unit that nobody has is about to get somebody's data.

    :param conf: the configuration.
    :param target: name of its target.
    :param handle: its handle.
    :raises DirtyUnit: if somebody has it by now.
    :raises StateError: if it cannot be noted.
    """
    text = handles.text(handle)
    with marks.locked(conf, target, text, f'growth of {text}'):
        mark = marks.load(conf, target, text)
        if mark and mark.in_use:
            raise exceptions.DirtyUnit(text, mark.consumer, True)
        if mark and mark.state == marks.CLEAN:
            marks.save(conf, mark.changed(state=marks.DIRTY))
