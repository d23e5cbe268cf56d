# SPDX-License-Identifier: Apache-2.0

"""A consumer comes and goes: access, marks, keys, limits, in safe order.

In: the mark is on the disk, the unit is reserved in Placement, then the
target lets the consumer in. Out: the target lets it in no more and it is
gone, then the mark says so. The unit is dirty in between and afterwards.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import types
from typing import Any

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units.attach import iscsi
from cyborg_spdk.units.attach import keys
from cyborg_spdk.units.attach import made
from cyborg_spdk.units.attach import nvmf
from cyborg_spdk.units.attach import qos
from cyborg_spdk.units.attach import vhost
from cyborg_spdk.units import handles
from cyborg_spdk.units import holders
from cyborg_spdk.units import reservation
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import run
from cyborg_spdk.units.wipe import state

#: Modules by the kind of the handle.
KINDS: dict[str, types.ModuleType] = {'nvmf': nvmf, 'vhost': vhost,
                                      'iscsi': iscsi}

#: Options that have a key made: of which kind it is, and the option that
#: names a file with one.
_MADE = {'dhchap': (keys.DHCHAP, 'key_file'),
         'mutual': (keys.DHCHAP_CTRLR, 'ctrlr_key_file'),
         'tls': (keys.PSK, 'psk_file')}


@dataclasses.dataclass(frozen=True)
class _Unit:
    """A unit, and all that is needed to work on it."""

    conf: cfg.ConfigOpts
    target: spdk_conf.Target
    client: rpc.Client
    kind: str
    parts: Mapping[str, str]
    name: str


def _unit(conf: cfg.ConfigOpts, target: spdk_conf.Target,
          handle: handles.AnyHandle) -> _Unit:
    kind, parts = handles.parse(handle)
    if kind != target.kind:
        raise exceptions.InvalidValue(
            'target', target.name, f'it is of kind {target.kind}, and the '
            f'unit of kind {kind}')
    client = rpc.connect(target.rpc_address,
                         timeout=conf.spdk.connect_timeout)
    return _Unit(conf, target, client, kind, parts, handles.text(parts))


def attach(conf: cfg.ConfigOpts, target: spdk_conf.Target,
           handle: handles.AnyHandle, consumer: str, *,
           owner: str | None = None, maker: str = marks.ATTACH,
           wipe_first: bool = False,
           make_keys: tuple[str, ...] = (), rotate_keys: bool = False,
           limits: Mapping[str, int] | None = None,
           **options: Any) -> made.Attachment:
    """Let a consumer use a unit. Idempotent. Blocks.

    :param conf: the configuration.
    :param target: the unit's target.
    :param handle: the unit's attach handle: dict, or JSON.
    :param consumer: whom the target lets in: NQN of a host, IQN of an
        initiator, name of QEMU's user.
    :param owner: whose data it is: the UUID of an instance, for example.
        None means the consumer itself; but a user of this machine is not
        the same consumer again after a detach.
    :param maker: who lets it in: what :func:`detach` has to say, too.
    :param wipe_first: wipe a unit that has another consumer's data, instead
        of refusing. That takes its time.
    :param make_keys: keys to make for the host (nvmf): ``dhchap``,
        ``mutual`` (the other direction), ``tls``. One that was made before
        is used again.
    :param rotate_keys: make new keys of DH-HMAC-CHAP all the same, for a
        host that may be connected.
    :param limits: QoS limits: see :data:`qos.NAMES`. They end at the
        detach.
    :param options: what the kind has beside that: see :func:`nvmf.allow`,
        :func:`vhost.allow`, :func:`iscsi.allow`.
    :returns: :class:`~cyborg_spdk.units.attach.made.Attachment`.
    :raises NotFound: if there is no such unit.
    :raises DirtyUnit: if it has another's data, or is another's.
    :raises StateError: if that it is dirty from now on cannot be noted.
    :raises InvalidValue: for a value that cannot be used.
    :raises SpdkError: if the target refuses.
    """
    unit = _unit(conf, target, handle)
    _check_options(unit.kind, options, make_keys)
    changed = unit.kind == 'vhost' and bool(options.get('bdev')) and \
        vhost.create(unit.client, unit.parts, options['bdev'])
    if unit.kind == 'vhost':
        vhost.check(unit.client, unit.parts)
    who = owner or consumer
    lasting = owner is not None or unit.kind != 'vhost'
    with _noted(unit, who, lasting, maker, wipe_first):
        warning = reservation.reserve(conf, target, unit.name)
        if unit.kind == 'vhost':
            options['ours'] = (conf.spdk.run_path,)
        files = _make_keys(unit, consumer, make_keys, rotate_keys)
        attached: made.Attachment = KINDS[unit.kind].allow(
            unit.client, unit.parts, consumer, **options,
            **{_MADE[name][1]: path for name, path in files.items()})
    _remove_keys(unit, consumer, files)
    if limits:
        changed |= _limit(unit, limits)
    return dataclasses.replace(
        attached, changed=attached.changed or changed, keys=files,
        warnings=[*attached.warnings, *([warning] if warning else [])])


def _check_options(kind: str, options: Mapping[str, Any],
                   make_keys: tuple[str, ...]) -> None:
    known = KINDS[kind].ATTACH_OPTIONS
    for name in options:
        if name not in known:
            raise exceptions.InvalidValue(
                'option', name, f'attach of {kind} has '
                + ', '.join(known))
    for name in make_keys:
        if kind != 'nvmf' or name not in _MADE:
            raise exceptions.InvalidValue(
                'key', name, 'keys are for nvmf: ' + ', '.join(_MADE))
        if _MADE[name][1] in options:
            raise exceptions.InvalidValue(
                'key', name, 'a file with it was named too; use one of both')


@contextlib.contextmanager
def _noted(unit: _Unit, who: str, lasting: bool, maker: str,
           wipe_first: bool) -> Iterator[None]:
    """Whose unit it is stands on the disk while that one is let in."""
    before = marks.load(unit.conf, unit.target.name, unit.name)
    try:
        new = state.begin_use(unit.conf, unit.target, unit.name, who,
                              lasting=lasting, maker=maker)
    except exceptions.DirtyUnit as exc:
        if exc.in_use or not wipe_first:
            raise
        run.wipe(unit.conf, unit.target, unit.name)
        before = marks.load(unit.conf, unit.target.name, unit.name)
        new = state.begin_use(unit.conf, unit.target, unit.name, who,
                              lasting=lasting, maker=maker)
    try:
        yield
    except (exceptions.InvalidValue, exceptions.NotFound,
            exceptions.HostError):
        # Refused before anything was changed, if nobody may use it now.
        if new:
            _take_note_back(unit, before)
        raise


def _take_note_back(unit: _Unit, before: marks.Mark | None) -> None:
    with contextlib.suppress(exceptions.SpdkError):
        held = holders.look(unit.client, unit.kind, unit.parts)
        if held.allowed or held.connected:
            return
        with marks.locked(unit.conf, unit.target.name, unit.name,
                          f'attach of {unit.name}'):
            if before is None:
                marks.forget(unit.conf, unit.target.name, unit.name)
            else:
                marks.save(unit.conf, before)


def _make_keys(unit: _Unit, host: str, names: tuple[str, ...],
               rotate: bool) -> dict[str, str]:
    """Paths of the keys of a host, by the names of :data:`_MADE`."""
    found = {}
    for name in names:
        kind = _MADE[name][0]
        there = keys.made(unit.conf, kind, unit.parts['nqn'], host)
        if there and not (rotate and kind != keys.PSK):
            found[name] = there[-1]
        else:
            found[name] = keys.make(unit.conf, unit.client, kind,
                                    unit.parts['nqn'], host)
    return found


def _remove_keys(unit: _Unit, host: str, files: Mapping[str, str]) -> None:
    """Take away what other keys of the same kind there are."""
    for name, path in files.items():
        for old in keys.made(unit.conf, _MADE[name][0], unit.parts['nqn'],
                             host):
            if old != path:
                keys.remove(old)


def _limit(unit: _Unit, limits: Mapping[str, int]) -> bool:
    held = holders.look(unit.client, unit.kind, unit.parts)
    if held.bdev is None:
        raise exceptions.NotFound(-19, 'No such device', 'bdev_get_bdevs',
                                  None, f'{unit.name} has no disk behind it')
    changed = qos.change(unit.client, held.bdev, limits)
    with marks.locked(unit.conf, unit.target.name, unit.name,
                      f'limits of {unit.name}'):
        mark = marks.load(unit.conf, unit.target.name, unit.name)
        if mark and not mark.before and changed.before != changed.now:
            marks.save(unit.conf, mark.changed(
                before=tuple(sorted(changed.before.items()))))
    return changed.before != changed.now


def detach(conf: cfg.ConfigOpts, target: spdk_conf.Target,
           handle: handles.AnyHandle, consumer: str, *,
           owner: str | None = None, maker: str = marks.ATTACH,
           **options: Any) -> made.Detachment:
    """Take back what :func:`attach` allowed. Idempotent. Blocks.

    :param conf: the configuration.
    :param target: the unit's target.
    :param handle: the unit's attach handle: dict, or JSON.
    :param consumer: who: as it was given to :func:`attach`.
    :param owner: likewise.
    :param maker: who has let it in.
    :param options: ``delete`` for vhost: see :func:`vhost.forbid`.
    :returns: :class:`~cyborg_spdk.units.attach.made.Detachment`.
    :raises NotFound: if there is no such unit, or that consumer never had
        it.
    :raises AnothersUse: if another maker has let it in; nothing is changed.
    :raises Busy: if it is still connected; it has no right to it then, and
        has it until that ends.
    :raises InvalidValue: for a value that cannot be used.
    :raises SpdkError: if the target refuses.
    """
    unit = _unit(conf, target, handle)
    for name in options:
        if name not in KINDS[unit.kind].DETACH_OPTIONS:
            raise exceptions.InvalidValue(
                'option', name, f'detach of {unit.kind} has no such')
    mark = marks.load(conf, target.name, unit.name)
    known = mark is not None and mark.consumer in (owner or consumer,
                                                   consumer)
    if mark is not None and mark.in_use:
        # Also of another consumer: vhost lets all in by the same user.
        state.check_maker(mark, maker)
    try:
        found = KINDS[unit.kind].forbid(unit.client, unit.parts, consumer,
                                        **options)
    except exceptions.NotFound:
        # Deleted while it was attached: that consumer has it no more.
        if not known:
            raise
        found = False
    if not found and not known:
        raise exceptions.NotFound(
            -2, 'No such consumer', 'detach', None,
            f'{consumer} had no right to {unit.name}')
    if mark is not None and known:
        _unlimit(unit, mark)
    ended = state.end_use(conf, target, unit.name,
                          mark.consumer if mark and known else consumer,
                          maker=maker)
    if unit.kind == 'nvmf':
        for kind in keys.KINDS:
            for path in keys.made(conf, kind, unit.parts['nqn'], consumer):
                keys.remove(path)
    return made.Detachment(found or ended, _left_over(unit, consumer))


def _unlimit(unit: _Unit, mark: marks.Mark) -> None:
    """Put the QoS limits back that there were before the attach."""
    if not mark.before:
        return
    with contextlib.suppress(exceptions.NotFound):
        held = holders.look(unit.client, unit.kind, unit.parts)
        if held.bdev:
            qos.change(unit.client, held.bdev, dict(mark.before))
    with marks.locked(unit.conf, unit.target.name, unit.name,
                      f'limits of {unit.name}'):
        now = marks.load(unit.conf, unit.target.name, unit.name)
        if now:
            marks.save(unit.conf, now.changed(before=()))


def _left_over(unit: _Unit, consumer: str) -> list[str]:
    """Who may use the unit all the same."""
    try:
        held = holders.look(unit.client, unit.kind, unit.parts)
    except exceptions.NotFound:
        return []
    return [f'{one} may still use {unit.name}' for one in held.allowed
            if one != consumer]
