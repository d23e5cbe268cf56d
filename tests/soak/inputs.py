# SPDX-License-Identifier: Apache-2.0

"""What must hold for any bytes: for the fuzzer, and for what it has found.

Each function takes the bytes, and raises if something does not hold.
"""

import contextlib
import functools
import json
import os
import re
import tempfile

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import configuration
from cyborg_spdk.drivers.report import memory
from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import framing
from cyborg_spdk.rpc.protocol import message
from cyborg_spdk.units.declared import model


def _heard(*parts):
    """What is understood of a stream that comes in parts."""
    stream, found, pieces = framing.Frames(), [], []
    for part in parts:
        pieces += stream.feed(part)
    pieces += stream.settle()
    for data, _cut in pieces:
        found += message.decode(data)
    return found


def _said(data):
    """The JSON texts of a stream; None if it has anything else."""
    decoder, text, found = json.JSONDecoder(), data.decode(), []
    while text := text.lstrip(' \t\r\n'):
        if text[0] not in '{[':
            return None
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


def frames(data):
    """What a stream says is understood, wherever it is cut."""
    try:
        expected = _said(data)
    except (ValueError, RecursionError):
        expected = None
    for place in (0, len(data) // 3):
        try:
            found = _heard(data[:place], data[place:])
        except (framing.TooLong, message.NotJson):
            found = None
        assert expected is None or repr(found) == repr(expected), (
            place, found, expected)


def replies(data):
    """What json understands is understood so, and all else is NotJson."""
    try:
        found = list(message.decode(data))
    except message.NotJson:
        found = None
    try:
        expected = json.loads(data.decode())
    except (ValueError, RecursionError):
        return
    # A comparison of NaN is never true.
    assert found is not None, data
    assert repr(found) == repr([expected]), (found, expected)


@functools.cache
def _directory():
    found = tempfile.TemporaryDirectory(prefix='cyborg-spdk-inputs-')
    return found, found.name


@functools.cache
def _conf():
    conf = cfg.ConfigOpts()
    conf([])
    spdk_conf.register(conf)
    conf.set_override('units_file', _written(b''), group='spdk')
    spdk_conf.targets(conf)
    return conf


def _written(data):
    path = os.path.join(_directory()[1], 'file')
    with open(path, 'wb') as stream:
        stream.write(data)
    return path


def units(data):
    """A declaration is read, or refused in one line with its file."""
    conf = _conf()
    path = _written(data)
    try:
        model.load(conf)
    except (exceptions.InvalidValue, exceptions.StateError) as exc:
        text = str(exc)
        assert path in text, text
        assert text.isprintable(), text


def configurations(data):
    """A saved configuration is read, or refused in one line."""
    try:
        found = configuration.parse(data, 'file')
    except configuration.Damaged as exc:
        assert re.match('file: ', str(exc)), exc
        return
    for _subsystem, call in configuration.calls(found):
        assert isinstance(call['method'], str), call
    configuration.parse(configuration.dump(found), 'file')


def reports(data):
    """The last report is read, or set aside with a line that says so."""
    path = _written(data)
    state, told = memory.load(path)
    assert (state is None) == (told is not None), (state, told)
    if state is not None:
        memory.save(path, state)
        again, told = memory.load(path)
        assert again == state, (again, state)
        assert told is None, told
    for name in os.listdir(_directory()[1]):
        with contextlib.suppress(FileNotFoundError):
            if name != 'file':
                os.unlink(os.path.join(_directory()[1], name))


#: The functions by the name of their corpus.
INPUTS = {one.__name__: one for one in (frames, replies, units,
                                        configurations, reports)}
