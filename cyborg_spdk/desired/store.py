# SPDX-License-Identifier: Apache-2.0

"""The desired state of one target on disk.

In ``[spdk] state_path``, for a target called NAME:

``NAME.desired.json``
    its objects, one to a line (mode 0600), and in which process they were
    seen last.
``NAME.desired.json.previous``
    what was there before something left it.
``NAME.secrets.json``
    keys and passwords of the objects (mode 0600), apart from them, and
    without a generation before: what is deleted there is gone.
``NAME.desired.json.damaged-TIME``
    what could not be read.

In ``starts`` in ``[spdk] state_path``; it need not survive a reboot:

``NAME.look``
    how far the last look had come: :class:`Look`.
"""

import collections.abc
import contextlib
import dataclasses
import json
import os
import re
import time
import typing

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk import exceptions
from cyborg_spdk.host import launch
from cyborg_spdk.host import locks
from cyborg_spdk.host import process
from cyborg_spdk.host import trusted_files
from cyborg_spdk import loggers
from cyborg_spdk.units import crypto_keys

LOG = loggers.get(__name__)

#: Of the format of the file.
VERSION = 1

#: Parameters that are kept apart, by method.
SECRETS = {
    'accel_crypto_key_create': ('key', 'key2'),
    'bdev_crypto_create': ('key', 'key2'),
    'iscsi_create_auth_group': ('secrets',),
}

#: How many damaged files of one target are kept.
KEEP_DAMAGED = 5

_encode = json.JSONEncoder(separators=(',', ':')).encode

# Seconds to wait for another process that is at the same.
_LOCK_TIMEOUT = 120

_FIELDS = {field.name: field.default
           for field in dataclasses.fields(desired_objects.Object)}


@dataclasses.dataclass
class Look:
    """What the last look leaves for the next one.

    :ivar process: which process was looked at, for ever.
    :ivar cursor: id of its next notification.
    :ivar enabled: by controller: when all its paths were seen to serve, in
        seconds since the boot.
    :ivar devices: of PCI addresses of controllers: which device was there.
    """

    process: str | None = None
    cursor: int | None = None
    enabled: dict[str, float] = dataclasses.field(default_factory=dict)
    devices: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class State:
    """The desired state of a target.

    :ivar path: its file.
    :ivar objects: dict by key, in the order in which they are to be made.
    :ivar process: in which process they were seen last, or None.
    :ivar exists: whether there was a file: else nothing is known yet.
    """

    path: str
    objects: desired_objects.Objects = dataclasses.field(
        default_factory=dict)
    process: str | None = None
    exists: bool = False

    def size(self) -> int:
        """How many objects there are that a call of their own makes."""
        return sum(one.method is not None and one.kind not in (
            'option', 'lun', 'raid-base') for one in self.objects.values())

    def missing(self) -> list[desired_objects.Object]:
        """The objects that are to be there and are not."""
        return [one for one in self.objects.values()
                if one.missing_since is not None
                and one.deleted_since is None]


def path(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> str:
    """Path of a target's desired state.

    Targets that are one process have one, under the first one's name.
    """
    return os.path.join(conf.spdk.state_path,
                        f'{process.name(conf, target)}.desired.json')


def directory(conf: cfg.ConfigOpts) -> str:
    """The directory of what is kept, made if it is missing.

    :returns: its real path.
    :raises StateError: if it cannot be made or trusted.
    """
    return trusted_files.ensure_directory(conf.spdk.state_path,
                                          what='[spdk] state_path')


@contextlib.contextmanager
def locked(conf: cfg.ConfigOpts, target: spdk_conf.Target,
           doing: str) -> collections.abc.Iterator[None]:
    """Hold the lock of a target's desired state.

    :param doing: what for, for the message.
    :raises StateError: if it cannot be had in time.
    """
    with locks.hold(directory(conf), os.path.basename(path(conf, target)),
                    _LOCK_TIMEOUT, doing=f'{target.name}: {doing}'):
        yield


def load(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> State:
    """Read the desired state of a target.

    A damaged file is set aside, and the one before it is read.

    :returns: :class:`State`; an empty one if there is none.
    :raises StateError: if there is one that cannot be read.
    """
    name = path(conf, target)
    for number, file in enumerate((name, name + '.previous')):
        data = trusted_files.read(file)
        if data is None:
            # Only where the first one was damaged the second one counts.
            break
        try:
            state = _parse(data, name)
            _add_secrets(state)
        except (ValueError, TypeError, KeyError, AttributeError,
                RecursionError) as exc:
            LOG.error('%s: %s is damaged (%s) and is set aside%s',
                      target.name, file, exc, '' if number else
                      '; what was there before it is taken')
            _set_aside(file)
            continue
        return state
    return State(name)


def _parse(data: bytes, name: str) -> State:
    value = json.loads(data)
    if value['version'] > VERSION:
        raise exceptions.StateError(
            f'{name}: a newer release of cyborg-spdk wrote it (version '
            f'{value["version"]}); install that one, or move it away')
    found = {}
    for record in value['objects']:
        record['part_of'] = record.get('part_of')
        for field in ('stands_on', 'aliases'):
            record[field] = tuple(record.get(field) or ())
        one = desired_objects.Object(**record)
        if not isinstance(one.key, str) or not isinstance(one.params, dict):
            raise ValueError('an object has no key or no parameters')
        found[one.key] = one
    return State(name, found, value.get('process'), True)


def secrets_path(name: str) -> str:
    """Path of the secrets of a desired state, by the path of that."""
    return name.removesuffix('.desired.json') + '.secrets.json'


def _read_secrets(name: str) -> dict[str, dict[str, typing.Any]]:
    try:
        value = json.loads(trusted_files.read(secrets_path(name)) or b'{}')
        return value if isinstance(value, dict) else {}
    except (ValueError, RecursionError):
        return {}


def _add_secrets(state: State) -> None:
    if not any(one.method in SECRETS for one in state.objects.values()):
        return
    secrets = _read_secrets(state.path)
    for key, one in state.objects.items():
        if one.method in SECRETS:
            one.params |= _of_a_unit(state.path, one) or secrets.get(key, {})


def _of_a_unit(name: str, one: desired_objects.Object) -> dict[
        str, typing.Any] | None:
    """The key of an encrypted unit: kept by that alone, in its own file.

    A wipe makes it anew; a second copy would be the old one.
    """
    if one.method != 'accel_crypto_key_create':
        return None
    return crypto_keys.load(os.path.dirname(name), one.name)


def _split(one: desired_objects.Object) -> tuple[
        dict[str, typing.Any], dict[str, typing.Any]]:
    """The record of an object, and its secrets."""
    record = {name: value for name, value in vars(one).items()
              if name in ('key', 'method', 'params', 'level')
              or value != _FIELDS[name]}
    names = SECRETS.get(one.method or '', ())
    hidden = {name: one.params[name] for name in names if name in one.params}
    for field in ('params', 'seen'):
        if names and record.get(field):
            record[field] = {name: value for name, value in
                             record[field].items() if name not in names}
    return record, hidden


def dump(state: State) -> tuple[bytes, dict[str, typing.Any]]:
    """The bytes of a state's file, and its secrets by key."""
    lines, secrets = [], {}
    for key, one in state.objects.items():
        record, hidden = _split(one)
        lines.append(_encode(record))
        if hidden and _of_a_unit(state.path, one) is None:
            secrets[key] = hidden
    head = json.dumps({'version': VERSION, 'process': state.process})
    return (head[:-1] + ', "objects": [\n' + ',\n'.join(lines)
            + '\n]}\n').encode(), secrets


def save(state: State) -> bool:
    """Write a state, if it has changed. The lock has to be held.

    :returns: whether it was written.
    :raises StateError: if it cannot be; what was there is kept.
    """
    data, secrets = dump(state)
    before = trusted_files.read(state.path)
    known = _read_secrets(state.path)
    if before == data and known == secrets:
        return False
    # A key is on disk before what needs it, and gone after it.
    if {**known, **secrets} != known:
        _write_secrets(state.path, {**known, **secrets})
    else:
        trusted_files.clear(secrets_path(state.path))
    if before is not None and _keys(before) - set(state.objects):
        trusted_files.write_atomically(state.path + '.previous', before)
    trusted_files.write_atomically(state.path, data)
    if set(known) - set(secrets):
        _write_secrets(state.path, secrets)
    state.exists = True
    return True


def _write_secrets(name: str, secrets: dict[str, typing.Any]) -> None:
    trusted_files.write_atomically(secrets_path(name), json.dumps(
        secrets, indent=1, sort_keys=True).encode())


def _keys(data: bytes) -> set[str]:
    return {json.loads(key) for key in
            re.findall(r'^\{"key":("(?:[^"\\]|\\.)*")', data.decode(),
                       re.MULTILINE)}


def _set_aside(name: str) -> None:
    stem = name.removesuffix('.previous')
    stamp = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())
    aside = f'{stem}.damaged-{stamp}'
    number = 1
    while os.path.lexists(aside):
        number += 1
        aside = f'{stem}.damaged-{stamp}-{number}'
    try:
        os.rename(name, aside)
    except OSError as exc:
        raise exceptions.StateError(
            f'{name}: cannot be renamed: {exc.strerror}; move it away '
            'yourself') from None
    for old in damaged(stem)[:-KEEP_DAMAGED]:
        os.unlink(old)


def damaged(name: str) -> list[str]:
    """Paths of what could not be read of a state's file, oldest first."""
    directory, stem = os.path.split(name)
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return sorted(os.path.join(directory, entry) for entry in names
                  if entry.startswith(stem + '.damaged-'))


def identity(found: process.TargetProcess | None) -> str | None:
    """A name of a process for ever: of this boot, whatever the clock says.

    :param found: a :class:`~cyborg_spdk.host.process.TargetProcess`.
    """
    if found is None or not found.pid:
        return None
    with open('/proc/sys/kernel/random/boot_id') as stream:
        return f'{stream.read().strip()}:{found.pid}:{found.ticks}'


def _look_path(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> str:
    return os.path.join(launch.starts_path(conf),
                        f'{process.name(conf, target)}.look')


def last_look(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> Look:
    """The last look at a target; an empty one if nothing is known."""
    try:
        return Look(**json.loads(
            trusted_files.read(_look_path(conf, target)) or b'{}'))
    except (exceptions.StateError, ValueError, TypeError, RecursionError):
        return Look()


def remember(conf: cfg.ConfigOpts, target: spdk_conf.Target,
             look: Look) -> None:
    """Keep a look for the next one, until the next boot."""
    directory(conf)
    trusted_files.ensure_directory(launch.starts_path(conf),
                                   what='[spdk] state_path')
    trusted_files.write_atomically(
        _look_path(conf, target),
        json.dumps(dataclasses.asdict(look)).encode(), durable=False)
