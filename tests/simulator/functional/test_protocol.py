# SPDX-License-Identifier: Apache-2.0

"""The recorded behaviour of the wire, played to the simulator."""

import json
import re
import socket
import unittest

from spdk_simulator import fixture
from tests.simulator.recordings import replay

_CUT = re.compile(r"^(.*)\.\.\. \((\d+) bytes in all\)$", re.S)
_LEVEL = '{"jsonrpc":"2.0","id":%d,"method":"log_get_level"}'
_LATE = (b'{"jsonrpc":"2.0","id":9,"method":"bdev_get_bdevs",'
         b'"params":{"name":"x","timeout":%d}}')
_HEAD = '{"jsonrpc":"2.0","id":1,"method":"bdev_get_bdevs","params":'
# How long silence is listened to where nothing is to come.
_SILENCE = 0.06


def request_of(exchange):
    """The bytes of a request, in full where the recording was cut."""
    text, note = exchange["request"], exchange["note"]
    cut = _CUT.match(text)
    if cut is None:
        return text.encode("latin-1")
    number = int(re.search(r"\d+", note).group())
    if note.startswith("batch"):
        full = "[" + ",".join(_LEVEL % i for i in range(number)) + "]"
    elif "array values" in note:
        full = _HEAD + '{"x":[' + ",".join(["1"] * number) + "]}}"
    elif "glued" in note:
        full = _LEVEL % 1 * number
    elif "blanks between" in note:
        full = _LEVEL % 1 + " " * 32768 + _LEVEL % 1
    elif "blanks" in note:
        full = " " * 32768 + _LEVEL % 1
    else:
        full = _HEAD + '{"name":"' + "x" * (number - 69 - 4) + '"}}'
        full = _HEAD + '{"name":"' + "x" * (
            number - len(full) + number - 73) + '"}}'
    assert full.startswith(cut.group(1)), (note, full[:90])
    assert len(full) == int(cut.group(2)), (note, len(full))
    return full.encode()


def reply_of(text):
    """A recorded reply with the simulator's version in it."""
    return re.sub(r"(SPDK v[\d.]+) git sha1 [0-9a-f]+", r"\1 simulated",
                  text)


class Wire(unittest.TestCase):
    """What the releases share; has no tests of its own."""

    release = None

    def setUp(self):
        super().setUp()
        self.target = fixture.SimulatedTarget(
            release="v" + self.release, poll_ms=1)
        self.addCleanup(self.target.close)
        self.target.start()

    def connect(self):
        """Open a connection."""
        connection = replay.Connection(self.target.socket)
        self.addCleanup(connection.close)
        return connection

    def exchange(self, name, pattern):
        """The one exchange whose request and note hold a pattern."""
        found = [item for item in replay.load(self.release, name)
                 if re.search(pattern,
                              f"{item['request']} {item['note']}")]
        self.assertEqual(1, len(found), pattern)
        return found[0]

    def receive(self, connection, size):
        """Read as many bytes, or to the end.

        :returns: (bytes, ``"open"``, ``"eof"`` or ``"reset"``).
        """
        while len(connection.buffer) < size:
            try:
                data = connection.socket.recv(1 << 20)
            except ConnectionResetError:
                return connection.buffer, "reset"
            if not data:
                return connection.buffer, "eof"
            connection.buffer += data
        return connection.buffer, "open"

    def assert_silent(self, connection, note):
        """See that nothing comes and the connection stays open."""
        connection.socket.settimeout(_SILENCE)
        try:
            data = connection.socket.recv(1000)
        except TimeoutError:
            return
        finally:
            connection.socket.settimeout(20)
        self.fail(f"{note}: {data!r} came")

    def assert_lines(self, exchange, connection):
        """Compare replies line by line, as JSON, in their order."""
        comparison = replay.Comparison()
        for then in exchange["response"].splitlines():
            now = json.loads(connection.line())
            self.assertEqual([], comparison.differences(
                json.loads(then), now), exchange["note"])


class Recorded:
    """The recordings of one release."""

    def test_messages(self):
        for number, exchange in enumerate(
                replay.load(self.release, "protocol")):
            with self.subTest(number=number, note=exchange["note"]):
                connection = replay.Connection(self.target.socket)
                try:
                    self._message(exchange, connection)
                finally:
                    connection.close()

    def _message(self, exchange, connection):
        note = exchange["note"]
        after = re.search(r"connection afterwards: (\w+)", note).group(1)
        connection.send(request_of(exchange))
        then = reply_of(exchange["response"])
        if after != "open":
            data, end = connection.end()
            self.assertEqual((then, after), (data.decode(), end), note)
            return
        cut = _CUT.match(then)
        if cut and "glued" in note:
            number = int(re.search(r"\d+", note).group())
            then = '{"jsonrpc":"2.0","id":1,"result":"NOTICE"}\n' * number
            cut = None
        size = len(then)
        if cut:
            then, size = cut.group(1), int(cut.group(2))
        data, end = self.receive(connection, size)
        self.assertEqual("open", end, note)
        self.assertEqual(size, len(data), note)
        self.assertTrue(data.decode().startswith(then),
                        f"{note}: {data[:300]!r} instead of {then[:300]!r}")
        self.assert_silent(connection, note)

    def test_split_writes(self):
        exchange = self.exchange("protocol-connections", "8 writes")
        connection = self.connect()
        for piece in exchange["request"]:
            connection.send(piece.encode())
            self.assert_silent_unless_last(piece, exchange, connection)
        self.assertEqual(reply_of(exchange["response"]),
                         connection.line().decode())

    def assert_silent_unless_last(self, piece, exchange, connection):
        if piece is not exchange["request"][-1]:
            connection.socket.settimeout(0.01)
            self.assertRaises(TimeoutError, connection.socket.recv, 1)
            connection.socket.settimeout(20)

    def test_part_of_the_next_request(self):
        exchange = self.exchange("protocol-connections",
                                 "one and a third request")
        connection = self.connect()
        for piece, then in zip(exchange["request"], exchange["response"],
                               strict=True):
            connection.send(piece.encode())
            self.assertEqual(reply_of(then), connection.line().decode())

    def test_order_of_replies(self):
        for exchange in replay.load(self.release, "protocol-connections"):
            request = exchange["request"]
            if not isinstance(request, str) \
                    or request.count('"jsonrpc"') < 2:
                continue
            with self.subTest(exchange["note"]):
                connection = self.connect()
                connection.send(request.encode())
                self.assert_lines(exchange, connection)
                self.assert_silent(connection, exchange["note"])

    def test_half_close(self):
        for exchange in replay.load(self.release, "protocol-connections"):
            if not re.search(r"half-close", exchange["note"]):
                continue
            with self.subTest(exchange["note"]):
                connection = self.connect()
                connection.send(exchange["request"].encode())
                connection.socket.shutdown(socket.SHUT_WR)
                data, end = connection.end()
                self.assertEqual(
                    (reply_of(exchange["response"]), "eof"),
                    (data.decode(), end))

    def test_executed_although_closed(self):
        exchange = self.exchange("protocol-connections", "Orphan")
        connection = self.connect()
        connection.send(exchange["request"].partition(
            " then close()")[0].encode())
        connection.close()
        self.assert_appears("Orphan")

    def test_executed_before_garbage(self):
        exchange = self.exchange("protocol-connections", "Ghost")
        connection = self.connect()
        connection.send(exchange["request"].encode())
        self.assertEqual((b"", "eof"), connection.end())
        self.assert_appears("Ghost")

    def assert_appears(self, name):
        """Ask until a bdev is there; each answer takes a poll or two."""
        for _ in range(1000):
            names = [bdev["name"]
                     for bdev in self.target.call("bdev_get_bdevs")]
            if name in names:
                return
        self.fail(f"{name} was not created")

    def test_sixty_five_connections(self):
        request = {"jsonrpc": "2.0", "id": 999,
                   "method": "spdk_get_version"}
        connections = [self.connect() for _ in range(64)]
        for connection in connections:
            self.assertEqual(999, connection.call(request)["id"])
        late = self.connect()
        late.send(json.dumps(request).encode())
        self.assert_silent(late, "the 65th connection")
        connections[5].close()
        self.assertEqual(999, json.loads(late.line())["id"])

    def test_pollers_take_turns_backwards(self):
        connection = self.connect()
        connection.send(b"".join(
            b'{"id":%d,"method":"bdev_wait_for_examine"}' % number
            for number in range(3)))
        self.assertEqual([2, 1, 0], [json.loads(connection.line())["id"]
                                     for _ in range(3)])

    def test_places_that_are_lost(self):
        # A connection closed for an error keeps its place for ever, if
        # something was still being worked at.
        for _ in range(3):
            connection = self.connect()
            connection.send(
                b'{"jsonrpc":"2.0","id":1,"method":"bdev_wait_for_examine"}}')
            self.assertEqual((b"", "eof"), connection.end())
        connections = [self.connect() for _ in range(62)]
        for connection in connections:
            connection.send(b'{"id":5,"method":"log_get_level"}')
        for connection in connections[:61]:
            self.assertEqual(5, json.loads(connection.line())["id"])
        self.assert_silent(connections[61], "the 62nd connection")

    def test_wrong_behind_what_is_right(self):
        # What ends within a word is waited for, what cannot be is not.
        good = b'{"id":5,"method":"log_get_level"}'
        line = b'{"jsonrpc":"2.0","id":5,"result":"NOTICE"}\n'
        odd = (b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,'
               b'"message":"Invalid request"}}\n')
        for tail, then in ((b"1 2 3-", line + odd * 3), (b" nx", line),
                           (b"1.5e3.", b""), (b"1.5.5", b""),
                           (b"01-", line + odd * 2), (b'"\xc3', b""),
                           (b" nuxx", b""), (b'"\\u00', line)):
            with self.subTest(tail):
                connection = self.connect()
                connection.send(good + tail)
                connection.socket.shutdown(socket.SHUT_WR)
                self.assertEqual((then, "eof"), connection.end())

    def test_backlog(self):
        connections = [self.connect() for _ in range(64)]
        for connection in connections:
            connection.call({"id": 1, "jsonrpc": "2.0",
                             "method": "log_get_level"})
        waiting = []
        self.addCleanup(lambda: [sock.close() for sock in waiting])
        for _ in range(520):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            waiting.append(sock)
            sock.setblocking(False)
            try:
                sock.connect(self.target.socket)
            except BlockingIOError:
                break
        self.assertEqual(514, len(waiting))


class Wire2201(Recorded, Wire):
    """v22.01."""

    release = "22.01"


class Wire2401(Recorded, Wire):
    """v24.01."""

    release = "24.01"


class Wire2605(Recorded, Wire):
    """v26.05."""

    release = "26.05"

    def test_late_replies_to_a_half_closed_connection(self):
        for data, number in ((_LATE, 0), (b"[" + _LATE + b"]", 1)):
            with self.subTest(data):
                connection = self.connect()
                connection.send(data.replace(b"%d", b"100"))
                connection.socket.shutdown(socket.SHUT_WR)
                found, end = connection.end()
                self.assertEqual(("eof", number), (end, found.count(b"-110")))

    def test_oversized_reply(self):
        connection = self.connect()
        for number in range(90):
            connection.send(json.dumps({
                "jsonrpc": "2.0", "id": number, "method": "bdev_null_create",
                "params": {"name": f"{number}" + "y" * 200_000,
                           "num_blocks": 8, "block_size": 512}}).encode())
            self.assertIn(b"result", connection.line())
        reader = self.connect()
        reader.send(b'{"jsonrpc":"2.0","id":1,"method":"bdev_get_bdevs"}')
        reader.send(b'{"jsonrpc":"2.0","id":2,"method":"log_get_level"}')
        tail = b'{"jsonrpc":"2.0","id":2,"result":"NOTICE"}\n'
        whole = len(self.target.raw(
            b'{"jsonrpc":"2.0","id":1,"method":"bdev_get_bdevs"}'))
        size = min(whole, 32 * 2 ** 20)
        data, end = self.receive(reader, size + len(tail))
        self.assertEqual("open", end)
        self.assertEqual(size + len(tail), len(data))
        self.assertTrue(data.endswith(tail))

    def test_reader_that_leaves(self):
        for number in range(60):
            self.target.call("bdev_null_create",
                             name=f"L{number}" + "y" * 100_000,
                             num_blocks=8, block_size=512)
        leaving, idle = self.connect(), self.connect()
        for connection in (leaving, idle):
            connection.send(b'{"jsonrpc":"2.0","id":1,'
                            b'"method":"bdev_get_bdevs"}')
        data, _ = self.receive(leaving, 1000)
        self.assertTrue(data.startswith(b'{"jsonrpc":"2.0","id":1,"result"'))
        leaving.close()
        self.assertEqual("NOTICE", self.target.call("log_get_level"))
        names = [bdev["name"] for bdev
                 in json.loads(idle.line())["result"]]
        self.assertEqual(60, len(names))
