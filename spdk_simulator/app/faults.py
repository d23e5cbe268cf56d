# SPDX-License-Identifier: Apache-2.0

"""Faults on demand, so that clients can be tested against them.

``--fault SPEC``, any number of them:

``drop-after=N``
    the connection is closed when it has received N requests, without a
    reply to the last; a batch counts as one;
``close-mid-reply[=N]``
    the Nth reply of a connection (the first) is cut in half and the
    connection closed;
``delay=MS``
    every reply is held back;
``garbage[=N]``
    the Nth reply (every one) is replaced by bytes that are no JSON;
``wrong-id[=N]``
    the Nth reply (every one) has an id that nobody sent;
``duplicate-reply[=N]``
    the Nth reply (every one) is sent twice; these three may be repeated
    with other numbers;
``never-answer=METHOD``
    the method is executed and never answered;
``crash-on=METHOD``
    the process aborts when the method is called;
``slow-read=BYTES``
    requests are read a few bytes in each poll, and replies are sent so.
"""

import os
import re
import resource

from spdk_simulator.app import cmdline

# Without a number: which reply it is about (every one), or how many bytes.
_EVERY = "every"
_DEFAULTS = {"drop-after": None, "close-mid-reply": 1, "delay": None,
             "garbage": _EVERY, "wrong-id": _EVERY,
             "duplicate-reply": _EVERY, "slow-read": 64}
_METHOD = ("never-answer", "crash-on")
_GARBAGE = b'\x00\xff}{"jsonrpc":\n'
_ID = re.compile(rb'"id":("(?:[^"\\]|\\.)*"|[^,}]*)')


def parse(specs, log):
    """Read ``--fault`` options.

    :param specs: list of texts.
    :returns: a :class:`Faults`, or None without any.
    :raises cmdline.Exit: one is not understood.
    """
    if not specs:
        return None
    faults = Faults()
    for spec in specs:
        name, given, value = spec.partition("=")
        if name in _METHOD and value:
            faults.methods.setdefault(name, set()).add(value)
        elif name in _DEFAULTS and _is_number(name, given, value):
            faults.numbers.setdefault(name, []).append(
                int(value) if given else _DEFAULTS[name])
        else:
            known = ", ".join([*_DEFAULTS, *_METHOD])
            log.raw(f"simulator: --fault {spec!r}: not understood; there "
                    f"are {known}")
            raise cmdline.Exit(2)
    return faults


def _is_number(name, given, value):
    if not given:
        return _DEFAULTS[name] is not None
    # Requests and replies are counted from 1.
    return value.isascii() and value.isdigit() \
        and (int(value) > 0 or name == "delay")


class Faults:
    """The faults of one target.

    :ivar numbers: name -> list of numbers, as they were given.
    :ivar methods: name -> methods that it is about.
    """

    def __init__(self):
        self.numbers = {}
        self.methods = {}

    def _last(self, name, default):
        return self.numbers.get(name, [default])[-1]

    def receive_limit(self, room):
        """How many bytes are read at once."""
        return min(room, self._last("slow-read", room))

    def drops(self, connection):
        """Count a request of a connection.

        :returns: whether the connection is to be closed instead.
        """
        connection.requests += 1
        return connection.requests in self.numbers.get("drop-after", ())

    def sink(self, value, sink):
        """Look at one request, of a batch or alone.

        :param sink: where its reply goes.
        :returns: where it is to go.
        """
        method = value.get("method") if isinstance(value, dict) else None
        if type(method) is not str:
            return sink
        if method in self.methods.get("crash-on", ()):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.abort()
        if method in self.methods.get("never-answer", ()):
            return _Nobody()
        return sink

    def reply(self, connection, data):
        """Spoil a reply that is about to be queued.

        :returns: (what to queue in its place, whether the connection is
            closed behind it).
        """
        if not data:
            return data, False
        connection.replies += 1
        if self._hit("garbage", connection):
            data = _GARBAGE
        if self._hit("wrong-id", connection):
            data = _ID.sub(b'"id":"nobody sent this"', data, count=1)
        if self._hit("close-mid-reply", connection):
            return data[:len(data) // 2], True
        if self._hit("duplicate-reply", connection):
            # Two replies to one request in one piece.
            return data + data, False
        return data, False

    def _hit(self, name, connection):
        numbers = self.numbers.get(name, ())
        return _EVERY in numbers or connection.replies in numbers

    def delay(self):
        """Seconds that a reply is held back."""
        return self._last("delay", 0) / 1000


class _Nobody:
    """Takes a reply that never goes out."""

    def reply(self, data):
        """Forget it; the request stays outstanding."""
