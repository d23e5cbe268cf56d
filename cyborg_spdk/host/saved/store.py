# SPDX-License-Identifier: Apache-2.0

"""The configuration of a target, kept so that it can be given back.

In ``[spdk] state_path``, for a target called NAME:

``NAME.json``
    what it had when it was last saved, as ``rpc.py save_config`` writes it.
``NAME.json.from``
    from which process that was read, and the checksum of what was written.
``NAME.json.previous``
    what was there before the present process began to be saved, or before
    it lost something.
``NAME.json.rejected-TIME``
    what a target has refused.

A target that came up without its configuration, for whatever reason, must
not wipe out what was saved: its bare state replaces a saved one only if it
comes from the same line of processes. Nor must one that is going down: SPDK
(up to v26.05) serves RPCs until all its subsystems are gone, and what is read
then is a part. So what has become less is read a second time, after a pause,
from the same process. See :func:`save`.
"""

import collections
import dataclasses
import hashlib
import json
import logging
import os
import re
import time

import psutil

from cyborg_spdk import exceptions
from cyborg_spdk.host import locks
from cyborg_spdk.host import process
from cyborg_spdk.host import trusted_files
from cyborg_spdk import rpc

LOG = logging.getLogger(__name__)

#: How many refused configurations of one target are kept.
KEEP_REJECTED = 5

#: Seconds after which a target that has lost something must still be there,
#: and have the same. SPDK goes down in 0.03 to 1.8 s.
CONFIRM = 5.0

#: A target that was started with this may lack some of its configuration.
IGNORE_ERRORS = '--json-ignore-init-errors'

# By target: the process of which it was told last that it lacks something.
_told = {}

# Seconds to wait for another process that saves the same.
_LOCK_TIMEOUT = 60

# Calls that make something, as opposed to those that set options, which
# every target's configuration has.
_MAKES = re.compile(r'(^|_)(create|attach|add|construct|start)(_|$)')

# In its log, a target that refuses its configuration names one of these.
_REFUSED = re.compile(
    r'json_config\.c|JSON config|JSON data|Failed to load subsystems|'
    r'spdk_subsystem_init_from_json|RPC config')


class Damaged(trusted_files.Damaged):
    """A file is no configuration of SPDK."""


def path(conf, target):
    """Path of a target's saved configuration.

    Targets that are one process have one, under the first one's name.
    """
    return os.path.join(conf.spdk.state_path,
                        f'{process.name(conf, target)}.json')


def directory(conf):
    """The directory of what is saved, made if it is missing.

    :returns: its real path.
    :raises StateError: if it cannot be made or trusted.
    """
    return trusted_files.ensure_directory(conf.spdk.state_path,
                                          what='[spdk] state_path')


def read(client, timeout=None):
    """Read a target's configuration from itself.

    :param client: a connection (:func:`cyborg_spdk.rpc.connect`).
    :param timeout: seconds for each of the two rounds of calls; None is
        the connection's own default.
    :returns: dict as in SPDK's ``-c FILE``:
        ``{"subsystems": [{"subsystem": ..., "config": [...]}]}``.
    :raises SpdkError: if it cannot be read as a whole.
    """
    deadline = {} if timeout is None else {'_timeout': timeout}
    names = [entry['subsystem'] for entry in
             client.call('framework_get_subsystems', **deadline)]
    replies = client.call_many(
        [rpc.Request('framework_get_config', {'name': name})
         for name in names], timeout=timeout, raise_errors=True)
    return {'subsystems': [{'subsystem': name, 'config': reply}
                           for name, reply in zip(names, replies,
                                                  strict=True)]}


def calls(config):
    """The calls that a configuration consists of, in order.

    :param config: as :func:`read` returns it.
    :returns: iterator of (name of the subsystem, dict of the call).
    """
    for subsystem in config['subsystems']:
        for entry in subsystem.get('config') or ():
            # v26.05 takes batches: lists of calls.
            for one in entry if isinstance(entry, list) else [entry]:
                yield subsystem.get('subsystem'), one


def objects(config):
    """How many calls of a configuration make something (int)."""
    return sum(1 for _, call in calls(config)
               if _MAKES.search(call.get('method', '')))


def lost(before, after, expected=()):
    """Calls that make something, of one configuration and not of another.

    :param expected: names: a call that has one of them for a value, alone
        or behind a prefix, is not counted.
    :returns: list of their methods.
    """
    kept = collections.Counter(
        json.dumps(call, sort_keys=True) for _, call in calls(after))
    missing = []
    for _, call in calls(before):
        text = json.dumps(call, sort_keys=True)
        if kept[text]:
            kept[text] -= 1
        elif _MAKES.search(call.get('method', '')) and not any(
                _is_about(call.get('params'), name) for name in expected):
            missing.append(call['method'])
    return missing


def _is_about(value, name):
    """Whether a name is in the parameters of a call."""
    if isinstance(value, str):
        # iqn.2016-06.io.spdk:disk1, lvs/lvol
        return value == name or value.endswith((':' + name, '/' + name))
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, list) and any(
        _is_about(one, name) for one in value)


def parse(data, name):
    """Read a configuration from its bytes.

    :param data: the bytes of the file.
    :param name: its path, for the message.
    :returns: dict as :func:`read` returns it.
    :raises Damaged: if SPDK would not understand it.
    """
    try:
        config = trusted_files.parse_json(data, name)
    except trusted_files.Damaged as exc:
        raise Damaged(str(exc)) from None
    if not isinstance(config, dict) or \
            not isinstance(config.get('subsystems'), list):
        raise Damaged(
            f'{name}: not a configuration of SPDK: it has no list of '
            '"subsystems"; name a file that save_config wrote')
    for subsystem in config['subsystems']:
        if not isinstance(subsystem, dict) or not isinstance(
                subsystem.get('config') or [], list):
            raise Damaged(
                f'{name}: not a configuration of SPDK: {subsystem!r:.60} '
                'is no subsystem; name a file that save_config wrote')
    for where, call in calls(config):
        if not isinstance(call, dict) or \
                not isinstance(call.get('method'), str):
            raise Damaged(
                f'{name}: not a configuration of SPDK: {call!r:.60} in '
                f'{where} is no call; name a file that save_config wrote')
    return config


def dump(config):
    """The bytes to write of a configuration; the same for the same."""
    return json.dumps(config, indent=2).encode() + b'\n'


@dataclasses.dataclass(frozen=True)
class Saved:
    """A saved configuration.

    :ivar path: its file.
    :ivar config: as :func:`read` returns it.
    :ivar data: its bytes.
    :ivar written_from: the process it was read from, as
        :func:`_identity` names it, or None if that is not known.
    """

    path: str
    config: dict
    data: bytes
    written_from: str | None


def load(conf, target):
    """The saved configuration of a target.

    :returns: :class:`Saved`, or None if there is none.
    :raises Damaged: if it is no configuration.
    :raises StateError: if it cannot be read.
    """
    name = path(conf, target)
    data = trusted_files.read(name)
    if data is None:
        return None
    config = parse(data, name)
    written_from = None
    try:
        origin = trusted_files.read_json(name + '.from') or {}
        if origin.get('sha256') == _checksum(data):
            written_from = origin.get('process')
    except (exceptions.StateError, ValueError, AttributeError):
        pass  # Then it is not known.
    return Saved(name, config, data, written_from)


def _checksum(data):
    return hashlib.sha256(data).hexdigest()


def _identity(found):
    """A name of a process for ever: of this boot, whatever the clock says.

    :param found: a :class:`~cyborg_spdk.host.process.TargetProcess`.
    """
    with open('/proc/sys/kernel/random/boot_id') as stream:
        return f'{stream.read().strip()}:{found.pid}:{found.ticks}'


def save(conf, target, client, *, force=False, timeout=None,
         confirm=CONFIRM, expected=()):
    """Save what a target has, if it has changed.

    What was saved is replaced if the target was started with it, or if it
    was saved from this very process, or if the target has something: then
    what was saved is kept as ``.previous``. A target that has nothing and
    was started without the saved configuration (by somebody else, say)
    leaves it alone. Where something that was saved is missing, this waits,
    and nothing is written unless the same process has the same still.

    :param conf: the configuration.
    :param target: a :class:`cyborg_spdk.conf.Target`.
    :param client: a connection to it.
    :param force: replace it whatever the target has: the operator says so.
    :param timeout: as for :func:`read`.
    :param confirm: seconds of that wait.
    :param expected: names of what the caller has just changed or deleted:
        that they are missing needs no confirmation.
    :returns: True if it was written, False if nothing has changed, or it
        was left alone, or the target is not on this host.
    :raises StateError: if it cannot be written; what was saved is kept.
    :raises SpdkError: if the target cannot be read as a whole.
    """
    local = process.socket_path(target) is not None
    if not (local or force):
        return False  # It cannot be given back: we do not start it.
    found = process.find(target)
    config = read(client, timeout)
    data = dump(config)
    if local and (found is None or process.find(target) != found):
        raise exceptions.ConnectionLost(
            target.rpc_address, 'framework_get_config',
            'the target was restarted meanwhile; save again')
    identity = _identity(found) if local else None

    def still():
        return process.find(target) == found and \
            dump(read(client, timeout)) == data and \
            process.find(target) == found

    # Two targets that are one process may be saved at once.
    with locks.hold(directory(conf), os.path.basename(path(conf, target)),
                    _LOCK_TIMEOUT, doing=f'{target.name}: save'):
        return _save(conf, target, found, config, data, identity, force,
                     expected, lambda: time.sleep(confirm) or still())


def _save(conf, target, found, config, data, identity, force, expected,
          confirmed):
    try:
        saved = load(conf, target)
    except Damaged as exc:
        LOG.warning('%s: the saved configuration is damaged: %s',
                    target.name, exc)
        set_aside(conf, target)
        saved = None
    if saved is None:
        _write(conf, target, data, identity)
        return True
    if saved.data == data:
        if saved.written_from != identity:
            _write_origin(saved.path, data, identity)
        return False
    same = identity is not None and saved.written_from == identity
    cmdline = _cmdline(found)
    missing = lost(saved.config, config)
    if not (same or force or _started_with(cmdline, saved.path)) and \
            not objects(config) and objects(saved.config):
        _keep(target, saved, identity, 'it has nothing and was not started '
              'with its saved configuration')
        return False
    if missing and not force and IGNORE_ERRORS in cmdline:
        _keep(target, saved, identity, 'it could not be given all of its '
              f'saved configuration ({", ".join(sorted(set(missing)))})')
        return False
    if lost(saved.config, config, expected) and not force \
            and not confirmed():
        LOG.info('%s: it is changing, or going down; its configuration is '
                 'not saved now', target.name)
        return False
    if missing or not same:
        trusted_files.write_atomically(saved.path + '.previous', saved.data)
    _write(conf, target, data, identity)
    return True


def _keep(target, saved, identity, why):
    """Tell, once for each process, that what was saved is kept."""
    if _told.get(target.name) == identity:
        return
    _told[target.name] = identity
    LOG.warning(
        '%s: %s, %s, which is kept; restart it with cyborg-spdk target '
        'restart %s to give it back, or replace it with cyborg-spdk target '
        'save-config %s', target.name, why, saved.path, target.name,
        target.name)


def replace(conf, target, config):
    """Put another configuration in the place of the saved one.

    What was saved is kept as ``.previous``.

    :param conf: the configuration.
    :param target: a :class:`cyborg_spdk.conf.Target` that does not run.
    :param config: as :func:`read` returns it.
    :raises StateError: if it cannot be written; what was saved is kept.
    """
    directory(conf)
    name = path(conf, target)
    before = trusted_files.read(name)
    if before is not None:
        trusted_files.write_atomically(name + '.previous', before)
    _write(conf, target, dump(config), None)


def _write(conf, target, data, identity):
    name = path(conf, target)
    trusted_files.write_atomically(name, data)
    _write_origin(name, data, identity)
    LOG.info('%s: saved its configuration to %s', target.name, name)


def _write_origin(name, data, identity):
    trusted_files.write_atomically(name + '.from', json.dumps(
        {'process': identity, 'sha256': _checksum(data)}).encode())


def _cmdline(found):
    try:
        return psutil.Process(found.pid).cmdline()
    except (AttributeError, psutil.Error):
        return []


def _started_with(cmdline, name):
    """Whether a process was started with a file as its configuration."""
    return any(option in ('-c', '--config', '--json') and value == name
               for option, value in zip(cmdline, cmdline[1:], strict=False))


def for_start(conf, target):
    """The configuration to start a target with.

    :returns: (path, saved): path of the file, or None for none; and
        whether it is the saved one. A damaged saved one is set aside.
    :raises StateError: if there is a saved one that cannot be read: the
        target is not to come up without it for that.
    :raises ConfigurationError: if ``config_file`` is not there.
    """
    if target.save_config:
        try:
            if load(conf, target) is not None:
                return path(conf, target), True
        except Damaged as exc:
            LOG.error('%s: the saved configuration is damaged: %s',
                      target.name, exc)
            set_aside(conf, target)
    if target.config_file:
        if not os.path.isfile(target.config_file):
            raise exceptions.ConfigurationError(
                f'[{target.name}] config_file', target.config_file,
                'there is no such file; correct the path')
        return os.path.abspath(target.config_file), False
    return None, False


def port_taken(log_tail):
    """Whether a configuration was refused since a port is taken.

    That is not its fault, and passes.

    :param log_tail: list of str.
    """
    return any('Address already in use' in line for line in log_tail)


def refused(log_tail):
    """Whether the last lines of its log say that a target has refused its
    configuration.

    :param log_tail: list of str.
    """
    return any(_REFUSED.search(line) for line in log_tail)


def set_aside(conf, target):
    """Rename a saved configuration that cannot be used.

    :returns: its new path, or None if there was none.
    :raises StateError: if it cannot be renamed.
    """
    name = path(conf, target)
    stamp = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())
    aside = f'{name}.rejected-{stamp}'
    number = 1
    while os.path.lexists(aside):
        number += 1
        aside = f'{name}.rejected-{stamp}-{number}'
    try:
        os.rename(name, aside)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise exceptions.StateError(
            f"{name}: cannot be renamed: {exc.strerror}; move it away "
            "yourself") from None
    for old in rejected(conf, target)[:-KEEP_REJECTED]:
        os.unlink(old)
    return aside


def rejected(conf, target):
    """Paths of the configurations that a target has refused, oldest
    first.
    """
    prefix = os.path.basename(path(conf, target)) + '.rejected-'
    try:
        names = os.listdir(conf.spdk.state_path)
    except OSError:
        return []
    found = [os.path.join(conf.spdk.state_path, name) for name in names
             if name.startswith(prefix)]
    return sorted(found, key=lambda name: os.stat(name).st_mtime_ns)
