# SPDX-License-Identifier: Apache-2.0

"""Plays recorded exchanges to a target and compares the replies.

What the target determines must be equal, in the same order of members:
results, error codes, messages. What it does not (UUIDs, ticks, counters,
PIDs) must be of the same type; UUIDs must moreover correspond one to one.
"""

import json
import os
import re
import socket

DIRECTORY = os.path.dirname(os.path.abspath(__file__))
RELEASES = ("22.01", "24.01", "26.05")
SCRATCH = "/var/tmp/scratch"
VHOST = "/var/tmp/vhost"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NGUID = re.compile(r"[0-9A-F]{32}")
_COUNTERS = frozenset((
    "ticks", "tick_rate", "busy", "idle", "elapsed", "pid", "tid", "irq",
    "sys", "usr", "run_count", "busy_count", "tsc_rate", "bytes_read",
    "num_read_ops", "bytes_written", "num_write_ops", "admin_qpairs",
    "io_qpairs", "completed_nvme_io"))
_LATENCY = re.compile(r"(max_|min_)?[a-z]+_latency_ticks")
# Files of the target's host, and ports that the kernel picks.
_FREE_TEXT = re.compile(r"/dev/shm/\w+_trace\.pid\d+")


def load(release, name):
    """Read one file of exchanges."""
    path = os.path.join(DIRECTORY, release, name + ".json")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class Comparison:
    """Compares replies; remembers which UUID stands for which.

    :param replace: text in the recording -> text now (paths, ports).
    """

    def __init__(self, replace=None):
        self.now = {}
        self.then = {}
        self.replace = dict(replace or {})

    def translate(self, value):
        """Turn a recorded request into one that fits the target now."""
        if isinstance(value, dict):
            return {key: self.translate(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.translate(item) for item in value]
        if isinstance(value, str):
            return self._text(value)
        return value

    def _text(self, value):
        for old, new in self.replace.items():
            if value == old or (old.startswith("/")
                                and value.startswith(old)):
                value = new + value[len(old):]
        return _UUID.sub(lambda found: self.now.get(found.group(),
                                                    found.group()), value)

    def differences(self, then, now, path="", key=None):
        """List where a reply differs from the recorded one."""
        if isinstance(then, dict) and isinstance(now, dict):
            return self._objects(then, now, path)
        if isinstance(then, list) and isinstance(now, list):
            if len(then) != len(now):
                return [f"{path}: {len(then)} elements recorded, "
                        f"{len(now)} now: {short(then)} / {short(now)}"]
            found = []
            for index, (old, new) in enumerate(zip(then, now, strict=True)):
                found += self.differences(old, new, f"{path}[{index}]")
            return found
        if type(then) is not type(now):
            return [f"{path}: {short(then)} recorded, {short(now)} now"]
        if key in _COUNTERS or (key and _LATENCY.fullmatch(key)):
            return []
        if isinstance(then, str):
            return self._strings(then, now, path, key)
        if then != now:
            return [f"{path}: {short(then)} recorded, {short(now)} now"]
        return []

    def _objects(self, then, now, path):
        if list(then) != list(now):
            return [f"{path}: members {list(then)} recorded, "
                    f"{list(now)} now"]
        found = []
        for name, old in then.items():
            found += self.differences(old, now[name], f"{path}.{name}",
                                      name)
        return found

    def _strings(self, then, now, path, key):
        if key == "version" and re.match(r"SPDK v[\d.]+ ", then):
            same = then.split()[:2] == now.split()[:2]
            return [] if same else [f"{path}: {then} recorded, {now} now"]
        if _FREE_TEXT.fullmatch(then) and _FREE_TEXT.fullmatch(now):
            return []
        if path.endswith(".peer_address.trsvcid") and now.isdigit():
            return []
        old = _UUID.findall(then) + _NGUID.findall(then)
        new = _UUID.findall(now) + _NGUID.findall(now)
        blank = [_NGUID.sub("", _UUID.sub("", text))
                 for text in (self._text(then), now)]
        if blank[0] == blank[1] and len(old) == len(new) and all(
                map(self._same, old, new)):
            return []
        return [f"{path}: {short(then)} recorded, {short(now)} now"]

    def _same(self, old, new):
        """Tell whether two UUIDs correspond, also written as NGUIDs."""
        old, new = (text.replace("-", "").lower() for text in (old, new))
        known = self.now.get(self._dashes(old))
        if known is None and self._dashes(new) not in self.then:
            self.now[self._dashes(old)] = self._dashes(new)
            self.then[self._dashes(new)] = self._dashes(old)
            return True
        return known == self._dashes(new)

    @staticmethod
    def _dashes(text):
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20],
                         text[20:]))


def short(value):
    """A value for a message."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) < 160 else text[:160] + "..."


class Connection:
    """A client that does nothing of its own accord."""

    def __init__(self, path, timeout=20.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = b""

    def close(self):
        """Close it."""
        self.socket.close()

    def send(self, data):
        """Send bytes; a target that closes meanwhile is no error."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def line(self):
        """Read one line.

        :returns: the line, or None at the end of the connection.
        """
        while b"\n" not in self.buffer:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def end(self):
        """Read to the end of the connection.

        :returns: (what came, ``"eof"`` or ``"reset"``).
        """
        while True:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                return self.buffer, "reset"
            if not data:
                return self.buffer, "eof"
            self.buffer += data

    def call(self, request):
        """Send one request and read the reply.

        :returns: the reply, or None at the end of the connection.
        """
        self.send(json.dumps(request).encode())
        line = self.line()
        return None if line is None else json.loads(line)


def play(connection, exchanges, comparison):
    """Play exchanges of one connection in order.

    :returns: list of (index, note, differences).
    """
    found = []
    for index, exchange in enumerate(exchanges):
        request = comparison.translate(exchange["request"])
        reply = connection.call(request)
        then = exchange["response"]
        if isinstance(then, dict) and isinstance(reply, dict):
            then = {key: value for key, value in then.items()
                    if key not in ("jsonrpc", "id")}
            reply = {key: value for key, value in reply.items()
                     if key not in ("jsonrpc", "id")}
        problems = comparison.differences(then, reply)
        if problems:
            found.append((index, exchange["note"], request, problems))
    return found


def report(found):
    """Write differences so that one can work with them."""
    lines = []
    for index, note, request, problems in found:
        lines.append(f"exchange {index} ({note[:120]})")
        lines.append(f"    {short(request)}")
        lines += [f"    {problem}" for problem in problems[:6]]
    return "\n".join(lines)
