# SPDX-License-Identifier: Apache-2.0

"""The socket that a target answers on (``lib/rpc/rpc.c``)."""

import fcntl
import os
import socket

_PATH_MAX = 107
_PORT = "5260"


class Failed(Exception):
    """There is no socket; why was logged."""


def listen(release, address, log):
    """Make the socket of an address.

    :param address: a path or, up to v20.04, ``host:port`` as well.
    :returns: (the bound socket, descriptor of the lock file or -1).
    :raises Failed: for whatever reason.
    """
    if release < 2007 and not address.startswith("/"):
        return _tcp(address, log), -1
    if len(os.fsencode(address)) > _PATH_MAX:
        log.errlog("rpc.c", 158, "spdk_rpc_server_listen",
                   "RPC Listen address Unix socket path too long")
        raise Failed
    if release < 1804:
        # Without a lock there is no telling whether it is in use.
        if os.path.exists(address):
            log.errlog("rpc.c", 88, "spdk_rpc_listen",
                       "RPC Unix domain socket path already exists.")
            raise Failed
        return _bind(address, log), -1
    fd = _lock(address, log)
    try:
        if not os.path.isdir(address) and os.path.lexists(address):
            os.unlink(address)
        return _bind(address, log), fd
    except (OSError, Failed):
        os.close(fd)
        os.unlink(address + ".lock")
        raise Failed from None


def _lock(address, log):
    """Take the lock file of a path; returns its descriptor."""
    try:
        fd = os.open(address + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        log.errlog("rpc.c", 179, "spdk_rpc_server_listen",
                   f"Cannot open lock file {address}.lock: "
                   f"{os.strerror(exc.errno)}")
        raise Failed from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        log.errlog("rpc.c", 186, "spdk_rpc_server_listen",
                   f"RPC Unix domain socket path {address} in use. "
                   "Specify another.")
        raise Failed from None
    return fd


def _bind(address, log, family=socket.AF_UNIX):
    """Bind a socket to an address of a family."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as exc:
        sock.close()
        log.errlog("jsonrpc_server_tcp.c", 61, "spdk_jsonrpc_server_listen",
                   "could not bind JSON-RPC server: "
                   f"{os.strerror(exc.errno)}")
        log.errlog("rpc.c", 202, "spdk_rpc_server_listen",
                   "spdk_jsonrpc_server_listen() failed")
        raise Failed from None
    return sock


def _tcp(address, log):
    """Bind to ``host:port``, ``[host]:port`` or a host alone."""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = address.partition(":")
    try:
        found = socket.getaddrinfo(host, port or _PORT,
                                   type=socket.SOCK_STREAM)
    except OSError:
        log.errlog("rpc.c", 219, "spdk_rpc_listen",
                   f"Unable to look up RPC listen address '{address}'")
        raise Failed from None
    family, _, _, _, where = found[0]
    return _bind(where, log, family)
