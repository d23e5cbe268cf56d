# SPDX-License-Identifier: Apache-2.0

"""Sockets on other machines, through OpenSSH.

There is one control master for each user, host and port; each remote socket
is a forward of it to a socket in a private directory (mode 0700). Forwards
and masters go at disconnect and at exit, and what a crash of this process
left behind goes when the next one starts to use ssh.

The user's own OpenSSH configuration, keys and known hosts apply; nothing is
ever asked for. ``CYBORG_SPDK_SSH`` may hold another command than ``ssh``,
with options, for example ``ssh -F /etc/cyborg/ssh_config``; it is split as a
shell would and never given to one.
"""

from __future__ import annotations

import errno
import functools
import multiprocessing.util
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
import time

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import framing
from cyborg_spdk.rpc.protocol import message
from cyborg_spdk.rpc.transport import sockets
from cyborg_spdk.rpc.transport import ssh_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from cyborg_spdk.rpc import address as addresses

    #: User, host and port that a control master is for.
    Key = tuple[str | None, str | None, int | None]

#: Environment variable with the command to use instead of ``ssh``.
COMMAND_VARIABLE = "CYBORG_SPDK_SSH"

_POLL = 0.02
# Seconds for what involves only the master on this machine.
_CONTROL_TIMEOUT = 5.0

# What a user may have in the configuration and what would change how a
# master lives and what it says, or have it do more than it is for: forwards
# of the user's own, a command.
_OVERRIDDEN = ("-o", "ControlPersist=no", "-o", "ClearAllForwardings=yes",
               "-o", "RemoteCommand=none", "-o", "PermitLocalCommand=no",
               "-o", "LogLevel=INFO", "-o", "StreamLocalBindMask=0177")
# Who speaks to a master needs nothing of the configuration, and would ask
# for the forwards that are in it.
_UNCONFIGURED = ("-F", "/dev/null", "-o", "StreamLocalBindMask=0177")
# Since OpenSSH 8.7; an older one refuses to start for it.
_FORKS_SINCE = (8, 7)
_NO_FORK = ("-o", "ForkAfterAuthentication=no")
# ssh makes a socket with 17 more characters first.
_LONGEST_BASE = 107 - len("/cyborg-spdk-ssh-12345678/master") - 17

_lock = threading.Lock()
_masters: dict[Key, Master] = {}
_prepared = False

# What ssh says last, and what helps.
_REMEDIES = (
    ("Permission denied", "give it a key that needs no password (ssh-agent, "
     "~/.ssh/config)"),
    ("Host key verification failed", "connect once by hand with ssh, to "
     "accept the host's key"),
    ("Could not resolve hostname", "correct the host name"),
    ("Connection refused", "see whether sshd runs there, and the port"),
    ("too long for Unix domain socket", "set TMPDIR to a directory with a "
     "shorter path"),
    ("timed out", "see whether the host is up and no firewall is in "
     "between"),
)


def connect(address: addresses.Address, deadline: float, timeout: float
            ) -> socket.socket:
    """Connect to a remote socket; blocks.

    :param address: an :class:`~cyborg_spdk.rpc.address.Address`.
    :param deadline: when to give up (``time.monotonic()``).
    :param timeout: the same as a duration in seconds, for messages.
    :returns: a connected socket in non-blocking mode. Somebody answered at
        its other end.
    :raises ConnectError: with the reason and the remedy.
    """
    master = _master(address)
    with master.lock:
        master.start(address, deadline, timeout)
        path = master.forward(address)
    sock = sockets.connect_unix(path, deadline, timeout, address)
    try:
        _probe(sock, address, deadline, timeout, master)
    except BaseException:
        sock.close()
        raise
    return sock


def release(address: addresses.Address) -> None:
    """End the forward of an address, and the master with the last one.

    :param address: an :class:`~cyborg_spdk.rpc.address.Address`.
    """
    with _lock:
        master = _masters.get(_key(address))
    if master is not None:
        with master.lock:
            master.cancel(address)


def _key(address: addresses.Address) -> Key:
    return address.user, address.host, address.port


def _master(address: addresses.Address) -> Master:
    global _prepared
    with _lock:
        if not _prepared:
            _prepared = True
            # Unlike atexit, at the end of a worker process, too.
            multiprocessing.util.Finalize(None, _stop_all, exitpriority=1)
            ssh_directory.remove(_base_directory(), _command())
        return _masters.setdefault(_key(address), Master(_key(address)))


def _stop_all() -> None:
    with _lock:
        masters = list(_masters.values())
    for master in masters:
        with master.lock:
            master.stop()


def _after_fork() -> None:
    # What is here belongs to the parent.
    global _lock, _prepared
    _lock = threading.Lock()
    _prepared = False
    _masters.clear()


os.register_at_fork(after_in_child=_after_fork)


def _base_directory() -> str:
    """Where the private directories are: a path that leaves room for names.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [tempfile.gettempdir(), "/tmp"]  # noqa: S108
    if os.path.isabs(runtime) and ssh_directory.is_private(runtime):
        places.insert(0, runtime)
    for place in places:
        if len(os.fsencode(place)) <= _LONGEST_BASE \
                and os.access(place, os.W_OK | os.X_OK):
            return place
    return places[0]


def _plain_command() -> list[str]:
    return shlex.split(os.environ.get(COMMAND_VARIABLE, "")) or ["ssh"]


def _command() -> list[str]:
    """The command, with what overrides the user's configuration."""
    command = _plain_command()
    known = _version(tuple(command)) >= _FORKS_SINCE
    return [*command, *_OVERRIDDEN, *(_NO_FORK if known else ())]


@functools.cache
def _version(command: tuple[str, ...]) -> tuple[int, int]:
    """The release of OpenSSH; ``(0, 0)`` if it does not tell."""
    try:
        done = subprocess.run([*command, "-V"], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=_CONTROL_TIMEOUT,
                              check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    found = re.search(rb"OpenSSH_(\d+)\.(\d+)", done.stderr + done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


class Master:
    """The control master of one user, host and port.

    :ivar lock: to be held around every method.
    """

    def __init__(self, key: Key) -> None:
        self.lock = threading.Lock()
        self._user, host, self._port = key
        self._host = host or ""
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: str | None = None
        self._forwards: dict[str | None, str] = {}
        self._count = 0

    def start(self, address: addresses.Address, deadline: float,
              timeout: float) -> None:
        """Start it, unless it runs."""
        if self._process is not None:
            if self._process.poll() is None:
                return
            self.stop()
        self._directory = ssh_directory.make(_base_directory())
        seconds = max(1, round(timeout))
        command = [
            *_command(), "-N", "-T", "-o", "BatchMode=yes",
            "-o", "ControlMaster=yes",
            "-o", f"ControlPath={self._control()}",
            "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3",
            "-o", f"ConnectTimeout={seconds}"]
        if self._user:
            command += ["-l", self._user]
        if self._port:
            command += ["-p", str(self._port)]
        with open(self._log(), "wb") as log:
            try:
                self._process = subprocess.Popen(
                    [*command, "--", self._host], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=log,
                    start_new_session=True)
            except OSError as exc:
                self.stop()
                raise exceptions.ConnectError(
                    address, f"{command[0]} cannot be run "
                    f"({exc.strerror}): install OpenSSH's client",
                    exc.errno) from None
        ssh_directory.note_process(self._directory, self._process.pid)
        while not os.path.exists(self._control()):
            ended = self._process.poll() is not None
            if ended or time.monotonic() >= deadline:
                said = self.last_words()
                self.stop()
                raise exceptions.ConnectError(
                    address, _reason(said, self._host) if ended or said
                    else f"ssh was not through within {timeout:g} s")
            time.sleep(_POLL)

    def forward(self, address: addresses.Address) -> str:
        """Forward a remote socket, unless it is.

        :returns: path of the local socket.
        """
        path = self._forwards.get(address.path)
        if path is not None:
            return path
        self._count += 1
        path = self._path(f"{self._count}.sock")
        result = self._control_command("forward", address.path or "", path)
        if result is None or result.returncode:
            said = "it gave no answer" if result is None \
                else _last_line(result.stderr)
            raise exceptions.ConnectError(
                address, f"ssh cannot forward the socket: {said}")
        self._forwards[address.path] = path
        return path

    def cancel(self, address: addresses.Address) -> None:
        """End a forward; the master ends with the last one."""
        path = self._forwards.pop(address.path, None)
        if not self._forwards:
            self.stop()
        elif path is not None:
            self._control_command("cancel", address.path or "", path)
            _unlink(path)

    def _control_command(self, what: str, remote: str, local: str
                         ) -> subprocess.CompletedProcess[bytes] | None:
        # ssh splits at colons and expands per cents.
        spec = ":".join(
            part.replace("\\", "\\\\").replace(":", "\\:")
            .replace("%", "%%") for part in (local, remote))
        try:
            return subprocess.run(
                [*_plain_command(), *_UNCONFIGURED, "-S", self._control(),
                 "-O", what, "-L", spec, "--", self._host],
                stdin=subprocess.DEVNULL, capture_output=True,
                timeout=_CONTROL_TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None

    def stop(self) -> None:
        """End it, and remove what it had."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_CONTROL_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._directory is not None:
            # One that went into the background all the same.
            ssh_directory.end_master(self._directory, _command())
            shutil.rmtree(self._directory, ignore_errors=True)
        self._directory = None
        self._forwards.clear()

    def last_words(self) -> str:
        """The last line that it wrote to its log, or ``""``."""
        try:
            with open(self._log(), "rb") as log:
                return _last_line(log.read())
        except OSError:
            return ""

    def _control(self) -> str:
        return self._path("master")

    def _log(self) -> str:
        return self._path("log")

    def _path(self, name: str) -> str:
        return os.path.join(self._directory or "/nonexistent", name)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _last_line(data: bytes) -> str:
    lines = data.decode("utf-8", "replace").split("\n")
    lines = [line.strip() for line in lines if line.strip()]
    return lines[-1] if lines else ""


def _reason(said: str, host: str) -> str:
    for text, remedy in _REMEDIES:
        if text in said:
            return f"{said}: {remedy}"
    return f"{said or 'ssh ended without a word'}: try ssh {host} by hand"


def _probe(sock: socket.socket, address: addresses.Address, deadline: float,
           timeout: float, master: Master) -> None:
    # ssh accepts on the local socket whatever is at the other end. A call
    # that changes nothing shows whether somebody is.
    sock.setblocking(True)
    frames = framing.Frames()
    try:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        sock.sendall(message.encode("spdk_get_version", None, 0))
        while True:
            sock.settimeout(max(0.01, deadline - time.monotonic()))
            data = sock.recv(65536)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "")
            if frames.feed(data):
                break
    except TimeoutError:
        raise exceptions.ConnectError(
            address, f"ssh is through, but nobody answered within "
            f"{timeout:g} s: see whether the target hangs, or has 64 "
            "connections already") from None
    except OSError as exc:
        said = master.last_words()
        raise exceptions.ConnectError(
            address, "ssh is through, but nobody listens at "
            f"{address.path} there, or {address.user or 'this user'} may "
            "not use it: start the target, or correct the path"
            + (f" ({said})" if said else ""), exc.errno) from None
    sock.setblocking(False)
