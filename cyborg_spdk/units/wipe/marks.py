# SPDX-License-Identifier: Apache-2.0

"""Marks on disk: whose data is on a unit.

One file for each unit that was ever seen, in ``units`` below ``[spdk]
state_path``. A mark is written and flushed before a consumer is let in, and
says "clean" only after a wipe that was completed and proved. No mark means
that nobody knows.
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import json
import os
import time

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk.host import locks
from cyborg_spdk.host import trusted_files
from cyborg_spdk.units import handles

#: Who lets consumers in: the command and library, and the service.
ATTACH, PLUG = 'attach', 'plug'

CLEAN, DIRTY, CLEANING = 'clean', 'dirty', 'cleaning'

_VERSION = 1
_LIMIT = 64 << 10
_DIRECTORY = 'units'
_WHAT = '[spdk] state_path'

#: Seconds to wait for somebody who is busy with the same unit.
PATIENCE = 10.0


@dataclasses.dataclass(frozen=True)
class Mark:
    """What is known of one unit.

    :ivar target: name of its target.
    :ivar handle: its handle, as :func:`handles.text` spells it.
    :ivar identity: what it was then: see :mod:`cyborg_spdk.units.identity`.
    :ivar state: :data:`CLEAN`, :data:`DIRTY` or :data:`CLEANING`: a wipe has
        begun.
    :ivar consumer: whose data it has, or had last; None if nobody knows.
    :ivar in_use: whether that one was let in and not taken back yet.
    :ivar generation: how many consumers it has had.
    :ivar since: when this was written (seconds of the epoch).
    :ivar traces: what a wipe has put into the target, and has to take out:
        pairs of its kind and its name.
    :ivar limits: QoS limits that a wipe has lifted, and has to put back.
    :ivar before: QoS limits that there were before the consumer's own.
    :ivar maker: who let the consumer in, and takes that back: ``attach``,
        ``plug``, or another name; empty if nobody said.
    :ivar reserved: whether Placement may have it reserved for this, so that
        the reservation is to be taken back once the unit is clean.
    """

    target: str
    handle: str
    identity: str = ''
    state: str = DIRTY
    consumer: str | None = None
    in_use: bool = False
    generation: int = 0
    since: float = 0.0
    traces: tuple[tuple[str, str], ...] = ()
    limits: tuple[tuple[str, int], ...] = ()
    before: tuple[tuple[str, int], ...] = ()
    reserved: bool = False
    maker: str = ''

    def changed(self, **values: object) -> 'Mark':
        """The same with other values, of now."""
        return dataclasses.replace(self, since=time.time(),
                                   **values)  # type: ignore[arg-type]


def directory(conf: cfg.ConfigOpts) -> str:
    """The directory of the marks; it is made if it is missing.

    :param conf: the configuration.
    :raises StateError: if it cannot be made or not be trusted.
    """
    above = trusted_files.ensure_directory(conf.spdk.state_path, what=_WHAT)
    return str(trusted_files.ensure_directory(
        os.path.join(above, _DIRECTORY), what=_WHAT))


def path(conf: cfg.ConfigOpts) -> str:
    """Where the marks are, whether there are any or not.

    :param conf: the configuration.
    """
    return os.path.join(conf.spdk.state_path, _DIRECTORY)


def _path(conf: cfg.ConfigOpts, target: str, handle: str) -> str:
    return os.path.join(path(conf),
                        f'{handles.digest(target, handle)}.json')


def load(conf: cfg.ConfigOpts, target: str,
         handle: handles.AnyHandle) -> Mark | None:
    """The mark of a unit, or None.

    A file that makes no sense is none: then nobody knows.

    :param conf: the configuration.
    :param target: name of the target.
    :param handle: the unit's handle.
    :raises StateError: if there is a file and it cannot be read.
    """
    text = handles.text(handle)
    found = read_file(_path(conf, target, text))
    return found if found and (found.target, found.handle) == (
        target, text) else None


def load_all(conf: cfg.ConfigOpts) -> list[Mark]:
    """The marks of all units of this host.

    :param conf: the configuration.
    :raises StateError: if one cannot be read.
    """
    above = path(conf)
    try:
        names = sorted(os.listdir(above))
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise exceptions.StateError(f'{above}: cannot be read: '
                                    f'{exc.strerror}') from None
    found = [read_file(os.path.join(above, name)) for name in names
             if name.endswith('.json')]
    return [mark for mark in found if mark]


def read_file(path: str) -> Mark | None:
    """The mark in a file; None if there is none, or it makes no sense.

    :param path: the file.
    :raises StateError: if it cannot be read.
    """
    data = trusted_files.read(path, limit=_LIMIT)
    if data is None:
        return None
    try:
        return _decode(trusted_files.parse_json(data, path))
    except (trusted_files.Damaged, ValueError, TypeError, KeyError,
            AttributeError):
        return None


def _decode(value: dict[str, object]) -> Mark:
    if value.pop('version') != _VERSION:
        raise ValueError('another version')
    for name in ('traces', 'limits', 'before'):
        pairs = value[name]
        if not isinstance(pairs, list):
            raise ValueError(f'{name} is no list')
        value[name] = tuple((str(one[0]), one[1]) for one in pairs)
    mark = Mark(**value)  # type: ignore[arg-type]
    if mark.state not in (CLEAN, DIRTY, CLEANING):
        raise ValueError(f'state {mark.state!r}')
    return mark


def save(conf: cfg.ConfigOpts, mark: Mark) -> None:
    """Write a mark; it is on the disk when this returns.

    :param conf: the configuration.
    :param mark: the mark.
    :raises StateError: if it cannot be written; the old one is still there.
    """
    directory(conf)
    trusted_files.write_atomically(
        _path(conf, mark.target, mark.handle),
        json.dumps({'version': _VERSION, **dataclasses.asdict(mark)},
                   sort_keys=True).encode())


def forget(conf: cfg.ConfigOpts, target: str,
           handle: handles.AnyHandle) -> None:
    """Take a mark away: of a unit that is no more.

    :param conf: the configuration.
    :param target: name of the target.
    :param handle: the unit's handle.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_path(conf, target, handles.text(handle)))


@contextlib.contextmanager
def locked(conf: cfg.ConfigOpts, target: str, handle: handles.AnyHandle,
           doing: str, timeout: float = PATIENCE) -> Iterator[None]:
    """Hold the lock of a unit: attach, detach, plug and wipe take it.

    :param conf: the configuration.
    :param target: name of the target.
    :param handle: the unit's handle.
    :param doing: what it is needed for, for the message.
    :param timeout: seconds to wait for it.
    :raises StateError: if somebody else has it for so long.
    """
    path = trusted_files.ensure_directory(conf.spdk.run_path,
                                          what='[spdk] run_path')
    with locks.hold(path, f'unit-{handles.digest(target, handle)}', timeout,
                    doing=doing):
        yield
