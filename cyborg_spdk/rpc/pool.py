# SPDX-License-Identifier: Apache-2.0

"""The clients of this process: shared ones, and ones of their own.

There is one shared client for each address, and so one connection: a target
serves 64 of them in all. Who needs another (not to stand in line behind a
call that transfers much) asks for one of its own; when that is closed, the
next who asks for one gets it, the last closed first.
"""

from __future__ import annotations

import os
import threading

from cyborg_spdk.rpc import address as addresses
from cyborg_spdk.rpc import client as clients

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    import weakref

_lock = threading.Lock()
_shared: dict[addresses.Address, clients.Client] = {}
# Made for the first of them: weakref costs a command time to import.
_own: weakref.WeakSet[clients.Client] | tuple[()] = ()
_unused: list[clients.Client] = []


def connect(address: addresses.AddressLike, *, timeout: float | None = None,
            shared: bool = True) -> clients.Client:
    """The client for an address, with a connection whose peer is there.

    The same object for the same address, in every thread. A connection
    that was kept is checked, and made anew if its peer has gone.

    :param address: text (see :mod:`cyborg_spdk.rpc.address`).
    :param timeout: seconds of wall-clock time to connect; None means 5.
    :param shared: False gives a client of one's own, with a connection of
        its own, until it is closed.
    :returns: :class:`~cyborg_spdk.rpc.client.Client`.
    :raises InvalidAddress: if the address cannot be parsed.
    :raises ConnectError: if nobody can be reached.
    """
    parsed = addresses.parse_address(address)
    with _lock:
        client = _shared_client(parsed) if shared else _own_client(parsed)
    try:
        client.open(timeout)
    except BaseException:
        if not shared:
            client.close()
        raise
    return client


def _shared_client(parsed: addresses.Address) -> clients.Client:
    client = _shared.get(parsed)
    if client is None:
        client = _shared[parsed] = clients.Client(parsed)
    return client


def _own_client(parsed: addresses.Address) -> clients.Client:
    for at in range(len(_unused) - 1, -1, -1):
        if _unused[at].address == str(parsed):
            client = _unused.pop(at)
            break
    else:
        client = clients.Client(parsed)
        client.on_close(_put_back)
    _add_own(client)
    return client


def _add_own(client: clients.Client) -> None:
    global _own
    if isinstance(_own, tuple):
        import weakref
        _own = weakref.WeakSet()
    _own.add(client)


def _put_back(client: clients.Client) -> None:
    with _lock:
        if not isinstance(_own, tuple) and client in _own:
            _own.discard(client)
            _unused.append(client)


def disconnect(address: addresses.AddressLike) -> None:
    """Close the connections to an address, if there are any.

    A client that somebody still holds connects again when it is used.

    :param address: text.
    :raises InvalidAddress: if the address cannot be parsed.
    """
    parsed = addresses.parse_address(address)
    _close(lambda client: client.address == str(parsed))


def disconnect_host(host: str) -> None:
    """Close all connections to a host (tcp and ssh addresses).

    :param host: its name or IP address, as in the addresses;
        ``"localhost"`` stands for the UNIX sockets of this machine, too.
    """
    _close(lambda client: (addresses.parse_address(client.address).host
                           or "localhost") == host)


def disconnect_all() -> None:
    """Close all connections."""
    _close(lambda client: True)


def _close(wanted: Callable[[clients.Client], bool]) -> None:
    with _lock:
        found = [client for client in [*_shared.values(), *_own]
                 if wanted(client)]
    for client in found:
        client.close()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for client in [*_shared.values(), *_own, *_unused]:
        client.after_fork()


os.register_at_fork(after_in_child=_after_fork)
