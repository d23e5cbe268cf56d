# SPDX-License-Identifier: Apache-2.0

"""The last report, on disk: what Cyborg may still hold on to.

One JSON file for each target in ``[spdk] state_path``. It is written before
the report leaves, to a temporary file that is flushed and renamed: at any
moment the file is the old one or the new one. A file that cannot be
understood is set aside under another name, and said so.
"""

import dataclasses
import json
import os
import re
import time

from cyborg_spdk.drivers.report import entries
from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files
from cyborg_spdk import rpc

_VERSION = 1

_FILE = re.compile(r'report-([a-z0-9][a-z0-9_-]*)\.json\Z')


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
    """

    host: str
    kind: str
    application: str
    reported: dict = dataclasses.field(default_factory=dict)
    dropped: dict = dataclasses.field(default_factory=dict)
    address: str = ''


def address(target):
    """One spelling of where a target listens.

    :param target: :class:`~cyborg_spdk.conf.Target`.
    :returns: str; of two targets it is the same if they are one process, as
        far as can be seen from here.
    :raises InvalidAddress: if it cannot be parsed.
    """
    found = rpc.parse_address(target.rpc_address)
    return os.path.realpath(found.path) if found.scheme == 'unix' \
        else str(found)


def path(directory, target):
    """Path of a target's file.

    :param directory: ``[spdk] state_path``.
    :param target: the target's name.
    """
    return os.path.join(directory, f'report-{target}.json')


def load(name):
    """Read a file.

    :param name: its path.
    :returns: pair of :class:`State`, or None if there is none that can be
        used, and str: what to tell the operator, or None. A damaged file has
        then been renamed.
    :raises StateError: if there is a file and it cannot be read.
    """
    try:
        with open(name, encoding='utf-8') as source:
            text = source.read()
    except FileNotFoundError:
        return None, None
    except UnicodeDecodeError as exc:
        return None, _set_aside(name, exc)
    except OSError as exc:
        raise exceptions.StateError(
            f'the last report to Cyborg cannot be read from {name}: '
            f'{exc.strerror}; give the file to the user of the Cyborg '
            'agent') from exc
    try:
        return _decode(json.loads(text)), None
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        return None, _set_aside(name, exc)


def save(name, state):
    """Write a file so that a crash at any moment leaves a whole one.

    :param name: its path; the directory is made if it is missing.
    :param state: :class:`State`.
    :raises StateError: if it cannot be written, or others may write the
        directory.
    """
    trusted_files.ensure_directory(os.path.dirname(name),
                                   what='[spdk] state_path')
    trusted_files.write_atomically(
        name, json.dumps(_encode(state), sort_keys=True).encode(), 0o640)


def remove(name):
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


def targets(directory):
    """Names of the targets that have a file.

    :param directory: ``[spdk] state_path``.
    :returns: sorted list of str; empty if there is no such directory.
    """
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return sorted(match.group(1) for match in map(_FILE.match, names)
                  if match)


def _set_aside(name, reason):
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


def _encode(state):
    return {'version': _VERSION, 'host': state.host,
            'kind': state.kind, 'application': state.application,
            'address': state.address,
            'reported': [dataclasses.asdict(entry)
                         for entry in state.reported.values()],
            'dropped': [dataclasses.asdict(entry)
                        for entry in state.dropped.values()]}


def _decode(value):
    if value['version'] != _VERSION:
        raise ValueError(f'version {value["version"]!r}')
    # The first releases had no address.
    texts = [value[name] for name in ('host', 'kind', 'application')] + [
        value.get('address', '')]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError('a name is no text')
    return State(*texts[:3], reported=_entries(value['reported']),
                 dropped=_entries(value['dropped']), address=texts[3])


def _entries(value):
    found = {}
    for item in value:
        entry = entries.Entry(
            name=item['name'], handle=item['handle'],
            resource_class=item['resource_class'],
            traits=tuple(item['traits']))
        # What Cyborg would refuse must not come back by way of the disk.
        entries.cyborg_limits.unit(entry)
        found[entry.name] = entry
    return found
