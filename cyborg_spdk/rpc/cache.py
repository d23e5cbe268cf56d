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

"""The clients of this process, one for each address."""

import os
import threading
import weakref

from cyborg_spdk.rpc import address as addresses
from cyborg_spdk.rpc import client as clients

_lock = threading.Lock()
_by_address = {}
_all = weakref.WeakSet()


def connect(address, *, timeout=None):
    """The client for an address, with a connection whose peer is there.

    The same object for the same address, in every thread. A connection
    that was kept is checked, and made anew if its peer has gone.

    :param address: text (see :mod:`cyborg_spdk.rpc.address`).
    :param timeout: seconds of wall-clock time to connect; None means 5.
    :returns: :class:`~cyborg_spdk.rpc.client.Client`.
    :raises InvalidAddress: if the address cannot be parsed.
    :raises ConnectError: if nobody can be reached.
    """
    parsed = addresses.parse_address(address)
    with _lock:
        client = _by_address.get(parsed)
        if client is None:
            client = clients.Client(parsed)
            _all.add(client)
            _by_address[parsed] = client
    client.open(timeout)
    return client


def disconnect(address):
    """Close the connection to an address, if there is one.

    A client that somebody still holds connects again when it is used.

    :param address: text.
    :raises InvalidAddress: if the address cannot be parsed.
    """
    parsed = addresses.parse_address(address)
    with _lock:
        client = _by_address.get(parsed)
    if client is not None:
        client.close()


def disconnect_host(host):
    """Close all connections to a host (tcp and ssh addresses).

    :param host: its name or IP address, as in the addresses;
        ``"localhost"`` stands for the UNIX sockets of this machine, too.
    """
    with _lock:
        found = [client for parsed, client in _by_address.items()
                 if (parsed.host or "localhost") == host]
    for client in found:
        client.close()


def disconnect_all():
    """Close all connections."""
    with _lock:
        found = list(_by_address.values())
    for client in found:
        client.close()


def _after_fork():
    global _lock
    _lock = threading.Lock()
    for client in list(_all):
        client._channel.after_fork()


os.register_at_fork(after_in_child=_after_fork)
