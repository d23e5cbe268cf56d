# SPDX-License-Identifier: Apache-2.0

"""Bytes on connections of their own: what comes back, and how they end."""

import collections
import fcntl
import select
import struct
import termios

from spdk_simulator import release as releases
from tests.simulator.agreement import names
from tests.simulator.agreement import texts
from tests.simulator.recordings import replay

#: Bytes for one request, JSON values in one, connections.
_LIMITS = ((0, 32 * 1024, 1024), (2605, 256 * 1024, 8192))
CONNECTIONS = 64


class Streams:
    """Makes streams.

    :param random: a :class:`random.Random`.
    :param release: the release of both targets, as ``v26.05``.
    :param methods: the methods that they have.
    :ivar alone: whether there may be but one connection at a time: up to
        v18.10 a reply may be lost when another connection goes.
    """

    def __init__(self, random, release, methods):
        self.random = random
        number = int(release[1:3] + release[4:6])
        _, buffer, values = max(item for item in _LIMITS
                                if item[0] <= number)
        self.alone = number < 1901
        self.texts = texts.Texts(random, buffer, values, names.of(
            releases.Release(release), methods))

    def stream(self):
        """One stream (bytes)."""
        items = []
        for _ in range(self.random.randrange(1, 6)):
            items += [self.texts.item(), self.texts.blank()]
        return b''.join(items)

    def plan(self):
        """What is done on several connections.

        :returns: list of (number of the connection, what is sent: bytes,
            None: nothing more, or ``"leave"``).
        """
        number = 1 if self.alone else self.random.choice((1, 1, 1, 2, 4))
        # A late reply could come between two pieces, or behind them.
        whole = number == 1 and self.random.random() < 0.5
        self.texts.late(whole)
        steps = []
        for connection in range(number):
            data = self.stream()
            own = [data] if whole else self._pieces(data)
            if own and self.random.random() < 0.2:
                del own[self.random.randrange(len(own)):]
                steps.append([(connection, item)
                              for item in [*own, 'leave']])
            else:
                steps.append([(connection, item) for item in [*own, None]])
        return self._interleaved(steps)

    def _pieces(self, data):
        cuts = sorted(self.random.randrange(len(data) + 1)
                      for _ in range(self.random.randrange(6)))
        ends = [*cuts, len(data)]
        return [data[begin:end] for begin, end
                in zip([0, *cuts], ends, strict=True) if begin < end]

    def _interleaved(self, steps):
        plan = []
        while steps:
            own = self.random.choice(steps)
            plan.append(own.pop(0))
            if not own:
                steps.remove(own)
        return plan


def play(side, plan):
    """Do what :meth:`Streams.plan` says.

    :returns: list of (number of the connection, what came back, ``"eof"``,
        ``"reset"`` or ``"open"``), for those that were not left; of what was
        sent in pieces, one may or may not reach a target that is closing:
        no difference is made between ``"eof"`` and ``"reset"`` then.
    """
    connections = {}
    pieces = collections.Counter(number for number, data in plan if data)
    try:
        for number, data in plan:
            if number not in connections:
                connections[number] = replay.Connection(side.socket, 10)
            connection = connections[number]
            if data == 'leave':
                connection.close()
                del connections[number]
            elif data is None:
                _finish(connection)
            else:
                connection.send(data)
                _taken(connection)
        return [(number, *_end(connection, pieces[number] > 1))
                for number, connection in sorted(connections.items())]
    finally:
        for connection in connections.values():
            connection.close()


def _finish(connection):
    try:
        connection.socket.shutdown(1)
    except OSError:
        # Closed by the target: the end tells how.
        return


def _taken(connection):
    """Wait until the target has read what was sent, or has closed; what it
    closes for that, it closes at once.
    """
    poll = select.poll()
    poll.register(connection.socket, select.POLLHUP)
    while struct.unpack('i', fcntl.ioctl(
            connection.socket, termios.TIOCOUTQ, b'\0' * 4))[0]:
        if poll.poll(1):
            return
    poll.poll(3)


def _end(connection, several):
    try:
        data, end = connection.end()
    except TimeoutError:
        return connection.buffer, 'open'
    return data, 'closed' if several else end


def crowd(side, random):
    """More connections than are served, of which some leave.

    :param random: a :class:`random.Random`, the same for both sides.
    :returns: list of lists: who was answered, from the beginning and each
        time when some had left.
    """
    crowd = [replay.Connection(side.socket, 10) for _ in range(
        CONNECTIONS + random.randrange(-3, 12))]
    seen = []
    try:
        for number, connection in enumerate(crowd):
            connection.send(b'{"id":%d,"method":"log_get_level"}' % number)
        for _ in range(4):
            _settle(side)
            seen.append([number for number, connection in enumerate(crowd)
                         if connection is not None
                         and _answered(connection)])
            for number in random.sample(range(len(crowd)), 5):
                if crowd[number] is not None:
                    crowd[number].close()
                    crowd[number] = None
    finally:
        for connection in crowd:
            if connection is not None:
                connection.close()
    return seen


def _settle(side):
    """Let a target accept whoever waits: one in each poll."""
    for _ in range(CONNECTIONS):
        side.call('{"id":1,"method":"log_get_level","jsonrpc":"2.0"}')


def _answered(connection):
    poll = select.poll()
    poll.register(connection.socket, select.POLLIN)
    return bool(poll.poll(0))
