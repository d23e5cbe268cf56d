# SPDX-License-Identifier: Apache-2.0

"""The last report, on disk: what Cyborg may still hold on to.

One JSON file for each target in ``[spdk] state_path``. It is written before
the report leaves, to a temporary file that is flushed and renamed: at any
moment the file is the old one or the new one. A file that cannot be
understood is set aside under another name, and said so. Which targets have
one is kept apart, twice: see
:mod:`~cyborg_spdk.drivers.report.reported_targets`.
"""

from collections.abc import Iterable
import dataclasses
import json
import os
import re
import time
from typing import Any

from cyborg_spdk import conf
from cyborg_spdk.drivers.report import cyborg_limits
from cyborg_spdk.drivers.report import entries
from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files
from cyborg_spdk import rpc

_VERSION = 1

#: How many units are remembered that nothing is known of any more.
MOST_UNSURE = 1000

_DAMAGES = (ValueError, TypeError, KeyError, AttributeError, RecursionError)

_FILE = re.compile(
    r'report-([a-z0-9][a-z0-9_-]*)\.json(\.damaged-[0-9T]+)?\Z')


@dataclasses.dataclass(frozen=True)
class Full:
    """The last report of a target that was not a stub.

    :ivar at: seconds since the epoch.
    :ivar digest: digits of what it said beside the units.
    :ivar times: how many such reports there were since something changed.
    """

    at: float
    digest: str
    times: int


@dataclasses.dataclass
class State:
    """What is remembered of one target.

    :ivar host: resource provider name that the entries were made for.
    :ivar kind: the target's kind.
    :ivar application: the program that serves it.
    :ivar reported: dict of
        :class:`~cyborg_spdk.drivers.report.entries.Entry` by name: what
        the last report had.
    :ivar dropped: the same for what the last reports left out, until
        Placement has forgotten it.
    :ivar address: where it listens, as :func:`address` spells it; empty if
        that is not known.
    :ivar confirmed: what Placement was seen to have as it was reported: by
        name, the provider's generation then and the entry's ``digest``.
    :ivar full: the last report in full; None if that is not known.
    :ivar unsure: dict of entries by name that were left out while Placement
        had no provider of them: see
        :class:`~cyborg_spdk.drivers.report.plan.Plan`.
    """

    host: str
    kind: str
    application: str
    reported: dict[str, entries.Entry] = dataclasses.field(
        default_factory=dict)
    dropped: dict[str, entries.Entry] = dataclasses.field(
        default_factory=dict)
    address: str = ''
    confirmed: dict[str, tuple[int, str]] = dataclasses.field(
        default_factory=dict)
    full: Full | None = None
    unsure: dict[str, entries.Entry] = dataclasses.field(
        default_factory=dict)


def address(target: conf.Target) -> str:
    """One spelling of where a target listens.

    :returns: of two targets it is the same if they are one process, as far
        as can be seen from here.
    :raises InvalidAddress: if it cannot be parsed.
    """
    found = rpc.parse_address(target.rpc_address)
    return os.path.realpath(found.path or '') if found.scheme == 'unix' \
        else str(found)


def path(directory: str, target: str) -> str:
    """Path of a target's file.

    :param directory: ``[spdk] state_path``.
    :param target: the target's name.
    """
    return os.path.join(directory, f'report-{target}.json')


def load(name: str) -> tuple[State | None, str | None]:
    """Read a file.

    :param name: its path.
    :returns: pair: None instead of a :class:`State` if there is none that
        can be used; and what to tell the operator, or None. A damaged file
        has then been renamed.
    :raises StateError: if there is a file and it cannot be read.
    """
    try:
        data = trusted_files.read(name)
    except exceptions.StateError as exc:
        raise exceptions.StateError(
            f'the last report to Cyborg: {exc}; give the file to the user of '
            'the Cyborg agent') from exc
    if data is None:
        return None, None
    try:
        return _decode(json.loads(data.decode())), None
    except _DAMAGES as exc:
        return None, _set_aside(name, exc)


def peek(name: str) -> State | None:
    """Read a file, and leave it as it is.

    :param name: its path.
    :returns: None if there is none that can be used.
    """
    try:
        data = trusted_files.read(name)
        return None if data is None else _decode(json.loads(data.decode()))
    except (exceptions.StateError, *_DAMAGES):
        return None


def save(name: str, state: State) -> None:
    """Write a file so that a crash at any moment leaves a whole one.

    :param name: its path; the directory is made if it is missing.
    :raises StateError: if it cannot be written, or others may write the
        directory.
    """
    trusted_files.ensure_directory(os.path.dirname(name),
                                   what='[spdk] state_path')
    trusted_files.write_atomically(
        name, json.dumps(_encode(state), sort_keys=True).encode(), 0o640)


def remove(name: str) -> None:
    """Remove a file that is not needed any more.

    :param name: its path.
    :raises StateError: if it cannot be removed.
    """
    try:
        os.unlink(name)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise exceptions.StateError(
            f'{name} cannot be removed: {exc.strerror}') from exc


def targets(directory: str) -> list[str]:
    """Names of the targets that have a file, or had one that was damaged.

    :param directory: ``[spdk] state_path``.
    :returns: sorted; empty if there is no such directory.
    """
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return sorted({match.group(1) for match in map(_FILE.match, names)
                   if match})


def _set_aside(name: str, reason: Exception) -> str:
    aside = f'{name}.damaged-{time.strftime("%Y%m%dT%H%M%S")}'
    try:
        os.rename(name, aside)
    except OSError as exc:
        raise exceptions.StateError(
            f'the last report to Cyborg in {name} is damaged ({reason}) and '
            f'cannot be set aside: {exc.strerror}') from exc
    return (f'the last report to Cyborg in {name} was damaged ({reason}) and '
            f'is now {aside}; what Placement still has allocated on this '
            'target is not touched')


def _encode(state: State) -> dict[str, Any]:
    value = {'version': _VERSION, **{
        name: getattr(state, name) for name in (
            'host', 'kind', 'application', 'address', 'confirmed')}}
    for name in ('reported', 'dropped', 'unsure'):
        value[name] = [dataclasses.asdict(entry)
                       for entry in getattr(state, name).values()]
    if state.full:
        value['full'] = dataclasses.asdict(state.full)
    return value


def _decode(value: dict[str, Any]) -> State:
    if value['version'] != _VERSION:
        raise ValueError(f'version {value["version"]!r}')
    # The first releases had no address, and none of what follows it.
    host, kind, application, where = texts = [
        value[name] for name in ('host', 'kind', 'application')] + [
        value.get('address', '')]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError('a name is no text')
    full = value.get('full')
    return State(
        host, kind, application, reported=_entries(value['reported']),
        dropped=_entries(value['dropped']),
        # The newest of very many: each matters if it comes back only.
        unsure=dict(list(_entries(value.get('unsure', ())).items())[
            -MOST_UNSURE:]), address=where,
        confirmed={str(name): (int(generation), str(digest))
                   for name, (generation, digest) in value.get(
                       'confirmed', {}).items()},
        full=Full(float(full['at']), str(full['digest']),
                  int(full['times'])) if full else None)


def _entries(value: Iterable[dict[str, Any]]) -> dict[str, entries.Entry]:
    found = {}
    for item in value:
        entry = entries.Entry(
            name=item['name'], handle=item['handle'],
            resource_class=item['resource_class'],
            traits=tuple(item['traits']))
        # What Cyborg would refuse must not come back by way of the disk.
        cyborg_limits.unit(entry)
        found[entry.name] = entry
    return found
