# SPDX-License-Identifier: Apache-2.0

"""SPDK's own form of a configuration: what ``save_config`` writes.

Read as ``-c FILE`` reads it (``lib/init/json_config.c``, ``lib/json``):
comments, whatever follows the value, ``config: null``, batches (arrays of
calls, v26.05) and the names of former releases are all taken.
"""

import collections.abc
import json
import re
import typing

from cyborg_spdk import exceptions
from cyborg_spdk import rpc

Config = dict[str, typing.Any]
Call = dict[str, typing.Any]

# A string as it is, or a comment. One that has no end is none.
_COMMENT = re.compile(
    r'("[^"\\]*(?:\\.[^"\\]*)*"?)|//[^\r\n]*|/\*.*?\*/', re.DOTALL)

#: Calls that wait and make nothing.
WAITS = frozenset({'bdev_wait_for_examine', 'wait_for_bdev_examine',
                   'framework_wait_init', 'framework_start_init'})


class Damaged(exceptions.StateError):
    """A file is no configuration of SPDK."""


def read(client: rpc.Client, timeout: float | None = None) -> Config:
    """Read a target's configuration from itself. Two rounds of calls.

    :param client: a connection (:func:`cyborg_spdk.rpc.connect`).
    :param timeout: seconds for each of the two rounds; None is the
        connection's own default.
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


def calls(config: Config) -> collections.abc.Iterator[tuple[str, Call]]:
    """The calls of a configuration, in order.

    :param config: as :func:`read` returns it.
    :returns: iterator of (name of the subsystem, the call).
    """
    for subsystem in config.get('subsystems') or ():
        for entry in subsystem.get('config') or ():
            for call in entry if isinstance(entry, list) else [entry]:
                yield subsystem.get('subsystem'), call


def parse(data: bytes, name: str) -> Config:
    """Read a configuration from its bytes.

    :param data: the bytes of the file.
    :param name: its path, for the message.
    :returns: dict as :func:`read` returns it.
    :raises Damaged: if SPDK would not understand it.
    """
    config = _value(data, name)
    if not isinstance(config, dict):
        raise _no_configuration(name, 'it is not enclosed in {}')
    subsystems = config.setdefault('subsystems', [])
    if not isinstance(subsystems, list):
        raise _no_configuration(name, '"subsystems" is no list')
    for subsystem in subsystems:
        if not isinstance(subsystem, dict) or not isinstance(
                subsystem.get('config'), list | None):
            raise _no_configuration(name,
                                    f'{subsystem!r:.60} is no subsystem')
    for where, call in calls(config):
        if not _is_call(call):
            raise _no_configuration(name,
                                    f'{call!r:.60} in {where} is no call')
    return config


def _is_call(call: typing.Any) -> bool:
    return isinstance(call, dict) and isinstance(call.get('method'), str) \
        and isinstance(call.get('params') or {}, dict)


def _no_configuration(name: str, reason: str) -> Damaged:
    return Damaged(f'{name}: not a configuration of SPDK: {reason}; name a '
                   'file that save_config wrote')


def _value(data: bytes, name: str) -> typing.Any:
    try:
        text = _COMMENT.sub(lambda match: match.group(1) or ' ',
                            data.decode())
        # What follows the value is not looked at; SPDK does not, either.
        value, _end = json.JSONDecoder(
            parse_constant=_constant).raw_decode(text.lstrip(' \t\r\n'))
    except RecursionError:
        raise Damaged(f'{name}: nested too deeply; correct the file, or '
                      'name another') from None
    except ValueError as exc:
        raise Damaged(f'{name}: not JSON: {exc}; correct the file, or name '
                      'another') from None
    return value


def _constant(name: str) -> typing.NoReturn:
    raise ValueError(f'{name} is no JSON')


def dump(config: Config) -> bytes:
    """The bytes to write of a configuration; the same for the same."""
    return json.dumps(config, indent=2).encode() + b'\n'
