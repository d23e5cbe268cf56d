# SPDX-License-Identifier: Apache-2.0

"""The wipe of a unit, in the order in which a crash does no harm.

A crash at any moment leaves the unit dirty, and the next wipe begins at
block 0. It is clean when zeroes were written from block 0 to the end, are on
the medium, and were read back over a new connection.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import itertools
import time

from oslo_config import cfg

from cyborg_spdk import clients
from cyborg_spdk.clients import types
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import locks
from cyborg_spdk.host import trusted_files
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk.units import handles
from cyborg_spdk.units import holders
from cyborg_spdk.units import identity
from cyborg_spdk.units import reading
from cyborg_spdk.units import reservation
from cyborg_spdk.units import unit as unit_module
from cyborg_spdk.units.wipe import disk as disk_module
from cyborg_spdk.units.wipe import entrance
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import nvme_passthru
from cyborg_spdk.units.wipe import persist
from cyborg_spdk.units.wipe import progress
from cyborg_spdk.units.wipe import rekey
from cyborg_spdk.units.wipe import release
from cyborg_spdk.units.wipe import settings
from cyborg_spdk.units.wipe import suitable
from cyborg_spdk.units.wipe import zero

LOG = loggers.get(__name__)

# Seconds to wait for one of the places in which a wipe may go on.
_TURN = 0.2

#: Called about twice a second.
Listener = Callable[[progress.Progress], None]


@dataclasses.dataclass(frozen=True)
class Done:
    """A wipe that was completed.

    :ivar size: bytes of the unit.
    :ivar seconds: how long it took, the check included.
    :ivar method: one of :data:`~cyborg_spdk.units.wipe.settings.METHODS`.
    """

    size: int
    seconds: float
    method: str


@dataclasses.dataclass
class _Wipe:
    """One wipe, and what its steps need."""

    conf: cfg.ConfigOpts
    client: rpc.Client
    kind: str
    parts: Mapping[str, str]
    mark: marks.Mark
    known: bool
    settings: settings.Settings

    @property
    def name(self) -> str:
        return self.mark.handle

    def save(self, **values: object) -> None:
        self.mark = self.mark.changed(**values)
        marks.save(self.conf, self.mark)

    def note(self, trace: entrance.Trace) -> None:
        """A trace is on the disk before it is in the target."""
        self.save(traces=(*self.mark.traces, trace))

    def tidy(self) -> None:
        """Take out what this wipe, or one that crashed, has put in."""
        if self.mark.traces:
            entrance.leave(self.client, self.parts, self.mark.traces)
            self.save(traces=())


@dataclasses.dataclass
class Held:
    """A unit that was wiped, and that nobody gets yet.

    :ivar done: the wipe.
    :ivar gone: to be set by who holds it, once it is deleted.
    """

    done: Done
    gone: bool = False


def wipe(conf: cfg.ConfigOpts, target: spdk_conf.Target,
         handle: handles.AnyHandle, *,
         listener: Listener | None = None,
         waiting: str | None = None,
         certain: bool = False) -> Done:
    """Wipe a unit. Blocks until it is clean, or has failed.

    :param conf: the configuration.
    :param target: the unit's target.
    :param handle: the unit's handle.
    :param listener: told how far it is.
    :param waiting: UUID of an instance that it may be allocated to: one
        that was not let in yet, so that none of the data is that one's.
    :param certain: nobody has asked for it: wipe only the disk that the
        note is about, and only if Placement knows the unit and says that
        it is free.
    :returns: what was done.
    :raises NotFound: if there is no such unit.
    :raises WipeError: if it is in use or allocated, if a wipe would not
        clean it, or if it failed; it is dirty then, and says so.
    :raises PlacementError: if Placement cannot be asked whether it is free.
    :raises StateError: if another process is busy with it, or the note
        cannot be written.
    """
    with held(conf, target, handle, listener=listener, waiting=waiting,
              certain=certain) as found:
        return found.done


@contextlib.contextmanager
def held(conf: cfg.ConfigOpts, target: spdk_conf.Target,
         handle: handles.AnyHandle, *,
         listener: Listener | None = None,
         waiting: str | None = None,
         certain: bool = False,
         unwiped: bool = False) -> Iterator[Held]:
    """Wipe a unit, and hold it for what has to be done before anybody gets it.

    Inside it has its lock, it is reserved in Placement, and its mark says
    that it is not clean: if the block fails, or its process ends, then it
    is wiped again before it is anybody's. It is clean after the block, or
    forgotten if the block has deleted it.

    :param conf: the configuration.
    :param target: the unit's target.
    :param handle: the unit's handle.
    :param listener: as for :func:`wipe`, which also says what is raised.
    :param waiting: likewise.
    :param certain: likewise.
    :param unwiped: hold a unit whose pool says ``wipe: none``, with what is
        on it, instead of refusing.
    """
    kind, parts = handles.parse(handle)
    name = handles.text(parts)
    client = rpc.connect(target.rpc_address,
                         timeout=conf.spdk.connect_timeout)
    begin = time.monotonic()
    with _slot(conf, target.name), marks.locked(
            conf, target.name, name, f'wipe of {name}'):
        mark = marks.load(conf, target.name, name)
        job = _Wipe(conf, client, kind, parts,
                    mark or marks.Mark(target.name, name),
                    mark is not None, settings.of(conf, target.name, name))
        with _typed(name):
            job.tidy()
            size = _steps(job, target, listener, waiting, certain, unwiped)
        wiped = job.settings.method != settings.NONE
        found = Held(Done(size, time.monotonic() - begin,
                          job.settings.method))
        if wiped:
            LOG.info('%s: %s was wiped: %d MiB in %.1f s', target.name, name,
                     size >> 20, found.done.seconds)
        yield found
        if found.gone:
            # Its provider stays reserved, until the next report drops it.
            marks.forget(conf, target.name, name)
            return
        if wiped:
            job.save(state=marks.CLEAN, consumer=None)
        release.after_a_wipe(conf, target, job.mark)


@contextlib.contextmanager
def _typed(name: str) -> Iterator[None]:
    """What fails in a wipe is told with the unit's name, as one error."""
    try:
        yield
    except exceptions.WipeError as exc:
        if name in str(exc):
            raise
        raise exceptions.WipeError(f'{name}: {exc}') from exc
    except OSError as exc:
        raise exceptions.WipeError(f'{name}: {exc}') from exc


def _steps(job: _Wipe, target: spdk_conf.Target,
           listener: Listener | None, waiting: str | None,
           certain: bool, unwiped: bool) -> int:
    bdev, bdevs, held_by = _look(job)
    raw = unit_module.index([one.raw for one in bdevs])
    job.settings = settings.of(
        job.conf, target.name, job.name,
        identity.store(raw[bdev.name], raw.get))
    nothing = job.settings.method == settings.NONE
    suitable.check_free(job.name, held_by)
    if not nothing:
        suitable.check(job.name, bdev, bdevs, held_by)
    _not_elsewhere(job, bdev)
    if certain:
        _same_disk(job, identity.of(raw[bdev.name], raw.get))
    if job.known and not job.mark.reserved:
        # So that it is let go by somebody, whatever becomes of this.
        job.save(reserved=True)
    reservation.hold(job.conf, target, job.name, waiting, certain=certain)
    if nothing and unwiped:
        return int(bdev.size)
    if nothing:
        raise exceptions.WipeError(
            f'{job.name} is given on as it is: wipe is none')
    job.save(state=marks.CLEANING, reserved=True,
             identity=identity.of(raw[bdev.name], raw.get))
    _new_key(job, bdev)
    with progress.telling(job.conf, target.name, job.name,
                          listener) as teller, _unlimited(job, bdev):
        _write(job, bdev, teller.step('zeroes'))
        persist.persist(bdev, bdevs)
        _pass(job, bdev, zero.check, teller.step('check'))
    return int(bdev.size)


def _same_disk(job: _Wipe, there: str) -> None:
    """Refuse another disk than the one that the note is about."""
    if job.mark.identity != there:
        raise exceptions.WipeError(
            f'{job.name}: the disk behind it is {there} now, and what was '
            f'used was {job.mark.identity or "another"}; wipe it by command, '
            'if its data may go')


def _not_elsewhere(job: _Wipe, bdev: types.Bdev) -> None:
    """Refuse a bdev that is exported as another unit, too.

    vhost and iSCSI do not claim a bdev for themselves: somebody may be using
    it by the other way.
    """
    for kind in reading.kinds(job.client):
        for unit in reading.read(job.client, kind,
                                 job.conf.spdk.rpc_timeout).units:
            if unit.bdev == bdev.name and unit.handle != job.name:
                raise exceptions.WipeError(
                    f'{job.name}: its disk {bdev.name} is exported as '
                    f'{unit.title}, too; take one of the two away')


def _new_key(job: _Wipe, bdev: types.Bdev) -> None:
    key = rekey.key_of(job.conf, bdev)
    if key:
        rekey.rekey(job.conf, job.client, job.name, bdev, key)


def _write(job: _Wipe, bdev: types.Bdev, tell: zero.Progress) -> None:
    """Zeroes everywhere, by the method of the unit."""
    method, bound = job.settings.method, job.settings.bound
    if method == settings.ZEROES:
        _pass(job, bdev, zero.zero, tell)
        return
    namespace = nvme_passthru.Namespace(job.client, bdev)
    if method == settings.FORMAT:
        namespace.format()
    elif method == settings.SANITIZE:
        namespace.sanitize()
    # What an erase leaves need not be zero.
    namespace.zero(bound, tell)


def _look(job: _Wipe) -> tuple[types.Bdev, list[types.Bdev],
                               holders.Holders]:
    """The unit's bdev, all bdevs, and who holds it."""
    if job.mark.in_use:
        raise exceptions.WipeError(
            f'{job.mark.consumer} has {job.name}; detach it first')
    found = holders.look(job.client, job.kind, job.parts)
    bdevs = clients.BdevClient(job.client).bdev_get_bdevs()
    bdev = suitable.find(found.bdev, bdevs, job.name)
    return bdev, bdevs, found


def _pass(job: _Wipe, bdev: types.Bdev,
          work: Callable[[disk_module.Disk, zero.Bound, zero.Progress], None],
          tell: zero.Progress) -> None:
    """Go in, go over the whole disk, go out."""
    try:
        disk = entrance.enter(job.client, job.kind, job.parts, bdev, job.note)
        try:
            size = disk.blocks * disk.block_size
            if size != bdev.size:
                raise exceptions.WipeError(
                    f'it has {size} bytes, its disk {bdev.size}')
            work(disk, job.settings.bound, tell)
        finally:
            disk.close()
    finally:
        job.tidy()


@contextlib.contextmanager
def _unlimited(job: _Wipe, bdev: types.Bdev) -> Iterator[None]:
    """Lift the QoS limits of a bdev meanwhile.

    Write Zeroes is not throttled, reads and writes are.
    """
    target = clients.BdevClient(job.client)
    limits = {name: value for name, value
              in bdev.assigned_rate_limits.items() if value}
    if limits and not job.mark.limits:
        job.save(limits=tuple(sorted(limits.items())))
    if limits:
        target.bdev_set_qos_limit(bdev.name, **dict.fromkeys(limits, 0))
    try:
        yield
    finally:
        if job.mark.limits:
            target.bdev_set_qos_limit(bdev.name, **dict(job.mark.limits))
            job.save(limits=())


@contextlib.contextmanager
def _slot(conf: cfg.ConfigOpts, target: str) -> Iterator[None]:
    """Wait until few enough wipes of this target go on, in any process."""
    path = trusted_files.ensure_directory(conf.spdk.run_path,
                                          what='[spdk] run_path')
    for number in itertools.cycle(range(conf.spdk.wipe_parallel)):
        with contextlib.ExitStack() as stack:
            begin = time.monotonic()
            try:
                stack.enter_context(locks.hold(
                    path, f'wipe-{target}-{number}', _TURN,
                    doing=f'wipe on {target}'))
            except exceptions.StateError:
                if time.monotonic() - begin < _TURN:
                    # Not taken: the lock cannot be had at all.
                    raise
                continue
            yield
            return
