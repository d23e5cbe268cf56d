# SPDX-License-Identifier: Apache-2.0

"""UNIX and TCP sockets, connected, or an error that says what to do."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time

from cyborg_spdk import exceptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cyborg_spdk.rpc import address as addresses

#: Connections that a target serves at a time (lib/jsonrpc, all releases).
MOST_CONNECTIONS = 64
#: Pause between two looks at a listen queue that is full, in seconds.
_FULL_PAUSE = 0.02


def connect_unix(path: str, deadline: float, timeout: float,
                 address: addresses.Address) -> socket.socket:
    """Connect to a UNIX socket.

    :param path: its path.
    :param deadline: when to give up (``time.monotonic()``).
    :param timeout: the same as a duration in seconds, for the message.
    :param address: what errors shall name.
    :returns: a connected socket in non-blocking mode.
    :raises ConnectError: with the reason and the remedy.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(path)
                return sock
            except BlockingIOError as exc:
                # EAGAIN on a UNIX socket: its listen queue is full.
                if time.monotonic() >= deadline:
                    raise exceptions.ConnectError(
                        address, f"its queue stayed full for {timeout:g} s: "
                        "a target serves 64 connections at a time; close "
                        "some, or see whether it hangs",
                        exc.errno) from None
                time.sleep(_FULL_PAUSE)
    except OSError as exc:
        sock.close()
        raise exceptions.ConnectError(
            address, _unix_reason(path, exc), exc.errno) from None
    except BaseException:
        sock.close()
        raise


def _unix_reason(path: str, exc: OSError) -> str:
    if exc.errno == errno.ENOENT:
        return ("there is no such socket: start the target, or correct the "
                "path (its -r option)")
    if exc.errno in (errno.EACCES, errno.EPERM):
        return ("permission denied: run as a user who may write to the "
                "socket, or give it to your group (chgrp, chmod 0660)")
    if exc.errno == errno.ENOTDIR:
        return "a part of the path is not a directory: correct the path"
    if exc.errno == errno.ECONNREFUSED:
        try:
            mode = os.stat(path).st_mode
        except OSError:
            mode = stat.S_IFSOCK
        if not stat.S_ISSOCK(mode):
            return ("it is not a socket: give the path of the target's RPC "
                    "socket (its -r option)")
        return ("nobody listens there: a target that ended left the socket "
                "behind; start the target again")
    if exc.errno == errno.EPROTOTYPE:
        return ("it is a socket of another type: give the path of the "
                "target's RPC socket (its -r option)")
    return os.strerror(exc.errno) if exc.errno else str(exc)


def connect_tcp(address: addresses.Address, timeout: float) -> socket.socket:
    try:
        sock = socket.create_connection((address.host, address.port or 0),
                                        timeout)
    except OSError as exc:
        raise exceptions.ConnectError(
            address, _tcp_reason(exc, timeout), exc.errno) from None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A peer that vanishes without a word is noticed by the kernel.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setblocking(False)
    return sock


def _tcp_reason(exc: OSError, timeout: float) -> str:
    if isinstance(exc, socket.gaierror):
        return f"the host name cannot be resolved ({exc.strerror})"
    if isinstance(exc, TimeoutError):
        return (f"no answer within {timeout:g} s: see whether the host is "
                "up and no firewall is in between")
    if exc.errno == errno.ECONNREFUSED:
        return ("nobody listens there: SPDK after v20.04 has no TCP "
                "listener of its own; start the forwarder, or use ssh://")
    return os.strerror(exc.errno) if exc.errno else str(exc)


def identity(address: addresses.Address) -> tuple[int, int] | None:
    """Which file a UNIX socket's path names at present.

    A target that lost its path lives on; who connects means the new one.

    :param address: an :class:`~cyborg_spdk.rpc.address.Address`.
    :returns: device and inode; None if there is none.
    """
    if address.path is None or address.scheme != "unix":
        return None
    try:
        status = os.stat(address.path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def connections(path: str) -> int:
    """How many connections the process that listens at a path has accepted.

    :param path: of a UNIX socket of this machine.
    :returns: their number; 0 also if the kernel does not tell.
    """
    count = 0
    try:
        with open("/proc/net/unix", "rb") as file:
            for line in file:
                # Num RefCount Protocol Flags Type State Inode Path; state 3
                # is a connection that somebody holds.
                fields = line.rstrip(b"\n").split(None, 7)
                count += fields[5::2] == [b"03", os.fsencode(path)]
    except OSError:
        return 0
    return count


def is_alive(sock: socket.socket) -> bool:
    """Whether the peer of an idle connection is still there.

    :param sock: a connected, non-blocking socket.
    :returns: False if the peer has closed it, or it is broken.
    """
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def peer_credentials(sock: socket.socket) -> tuple[int, int, int] | None:
    """Who listens at the other end of a UNIX socket.

    :param sock: a connected socket.
    :returns: ``(pid, uid, gid)`` of the process when it began to listen,
        or None if it is no UNIX socket.
    """
    if sock.family != socket.AF_UNIX:
        return None
    # Costs time to import, and a call does without.
    import struct
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, uid, gid = struct.unpack("3i", raw)
    return pid, uid, gid
