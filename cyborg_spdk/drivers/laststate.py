# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""The last report, on disk: what Cyborg may still hold on to.

One JSON file for each target in ``[spdk] state_path``. It is written before
the report leaves, to a temporary file that is flushed and renamed: at any
moment the file is the old one or the new one. A file that cannot be
understood is set aside under another name, and said so.
"""

import dataclasses
import json
import os
import stat
import time

from cyborg_spdk import exceptions
from cyborg_spdk.drivers import entries

_VERSION = 1


@dataclasses.dataclass
class State:
    """What is remembered of one target.

    :ivar host: resource provider name that the entries were made for.
    :ivar reported: dict of :class:`~cyborg_spdk.drivers.entries.Entry` by
        name: what the last report had.
    :ivar dropped: the same for what the last reports left out, until
        Placement has forgotten it.
    """

    host: str
    reported: dict = dataclasses.field(default_factory=dict)
    dropped: dict = dataclasses.field(default_factory=dict)


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
    :raises StateError: if it cannot be written.
    """
    text = json.dumps(_encode(state), sort_keys=True)
    temporary = f'{name}.{os.getpid()}.tmp'
    directory = os.path.dirname(name)
    try:
        os.makedirs(directory, mode=0o750, exist_ok=True)
        refuse_shared(directory)
        try:
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC
                | os.O_NOFOLLOW, 0o640)
            with open(descriptor, 'w', encoding='utf-8') as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            os.rename(temporary, name)
        except BaseException:
            if os.path.lexists(temporary):
                os.unlink(temporary)
            raise
        _sync(directory)
    except OSError as exc:
        raise exceptions.StateError(
            f'the last report to Cyborg cannot be written to {name}: '
            f'{exc.strerror}; make [spdk] state_path a directory that the '
            'user of the Cyborg agent can write') from exc


def refuse_shared(directory):
    """Refuse a directory that others than its owner and group can write.

    :raises StateError: if it is one.
    """
    mode = os.stat(directory).st_mode
    if mode & stat.S_IWOTH:
        raise exceptions.StateError(
            f'[spdk] state_path {directory} can be written by everybody '
            f'(mode {stat.S_IMODE(mode):04o}); take that right away: '
            f'chmod o-w {directory}')


def _sync(directory):
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
            'reported': [dataclasses.asdict(entry)
                         for entry in state.reported.values()],
            'dropped': [dataclasses.asdict(entry)
                        for entry in state.dropped.values()]}


def _decode(value):
    if value['version'] != _VERSION:
        raise ValueError(f'version {value["version"]!r}')
    if not isinstance(value['host'], str):
        raise ValueError('no host')
    return State(host=value['host'], reported=_entries(value['reported']),
                 dropped=_entries(value['dropped']))


def _entries(value):
    found = {}
    for item in value:
        entry = entries.Entry(
            name=item['name'], handle=item['handle'],
            resource_class=item['resource_class'],
            traits=tuple(item['traits']))
        # What Cyborg would refuse must not come back by way of the disk.
        entries.validate.unit(entry)
        found[entry.name] = entry
    return found
