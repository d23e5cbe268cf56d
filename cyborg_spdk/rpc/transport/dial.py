# SPDX-License-Identifier: Apache-2.0

"""From an address of any kind to a connected socket."""

from __future__ import annotations

import time

from cyborg_spdk.rpc.transport import sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from cyborg_spdk.rpc import address as addresses


def connect(address: addresses.Address, timeout: float) -> socket.socket:
    """Connect to an address; blocks.

    :param address: an :class:`~cyborg_spdk.rpc.address.Address`.
    :param timeout: seconds of wall-clock time.
    :returns: a connected socket in non-blocking mode.
    :raises ConnectError: with the reason and the remedy.
    """
    deadline = time.monotonic() + timeout
    if address.scheme == "unix":
        return sockets.connect_unix(address.path or "", deadline, timeout,
                                    address)
    if address.scheme == "tcp":
        return sockets.connect_tcp(address, timeout)
    # Costs time to import and is seldom needed.
    from cyborg_spdk.rpc.transport import ssh
    return ssh.connect(address, deadline, timeout)


def release(address: addresses.Address) -> None:
    """Let go of what serves an address beside its connection.

    :param address: an :class:`~cyborg_spdk.rpc.address.Address`.
    """
    if address.scheme == "ssh":
        from cyborg_spdk.rpc.transport import ssh
        ssh.release(address)
