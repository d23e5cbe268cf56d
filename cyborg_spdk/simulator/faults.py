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

"""Faults on demand, so that clients can be tested against them.

``--fault SPEC``, any number of them:

``drop-after=N``
    the connection is closed when it has received N requests, without a
    reply to the last;
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
    the Nth reply (every one) is sent twice;
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

from cyborg_spdk.simulator import cmdline

_NUMBER = {"drop-after": None, "close-mid-reply": 1, "delay": None,
           "garbage": 0, "wrong-id": 0, "duplicate-reply": 0,
           "slow-read": 64}
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
        name, _, value = spec.partition("=")
        if name in _METHOD and value:
            faults.methods.setdefault(name, set()).add(value)
        elif name in _NUMBER and (value.isdigit() or (
                not value and _NUMBER[name] is not None)):
            faults.numbers[name] = int(value) if value else _NUMBER[name]
        else:
            known = ", ".join([*_NUMBER, *_METHOD])
            log.raw(f"simulator: --fault {spec!r}: not understood; there "
                    f"are {known}")
            raise cmdline.Exit(2)
    return faults


class Faults:
    """The faults of one target.

    :ivar numbers: name -> number.
    :ivar methods: name -> methods that it is about.
    """

    def __init__(self):
        self.numbers = {}
        self.methods = {}

    def receive_limit(self, room):
        """How many bytes are read at once."""
        return min(room, self.numbers.get("slow-read") or room)

    def message(self, value, connection, dispatcher):
        """Take one request in the dispatcher's place."""
        connection.requests += 1
        if connection.requests == self.numbers.get("drop-after"):
            connection.broken = True
            return
        method = value.get("method") if isinstance(value, dict) else None
        if method in self.methods.get("crash-on", ()):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.abort()
        sink = connection
        if method in self.methods.get("never-answer", ()):
            sink = _Nobody(connection)
        dispatcher.message(value, sink)

    def reply(self, connection, data):
        """Spoil a reply that is about to be queued.

        :returns: list of what to queue in its place.
        """
        if not data:
            return [data]
        connection.replies += 1
        if self._hit("garbage", connection):
            data = _GARBAGE
        if self._hit("wrong-id", connection):
            data = _ID.sub(b'"id":"nobody sent this"', data, count=1)
        if self._hit("close-mid-reply", connection):
            connection.broken = True
            return [data[:len(data) // 2]]
        if self._hit("duplicate-reply", connection):
            # Two replies to one request in one piece.
            return [data + data]
        return [data]

    def _hit(self, name, connection):
        number = self.numbers.get(name)
        return number is not None and number in (0, connection.replies)

    def delay(self):
        """Seconds that a reply is held back."""
        return self.numbers.get("delay", 0) / 1000


class _Nobody:
    """Takes a reply that never goes out."""

    def __init__(self, connection):
        self.connection = connection

    def reply(self, data):
        """Forget it; the request stays outstanding."""
