# SPDX-License-Identifier: Apache-2.0

"""The host's network interfaces (``lib/net``, until v21.01)."""

import fcntl
import socket
import struct

_SIOCGIFADDR = 0x8915
_NAME = 16


def _address(name):
    """The IPv4 address of an interface, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("256s", name.encode()[:_NAME - 1])
        try:
            reply = fcntl.ioctl(sock, _SIOCGIFADDR, request)
        except OSError:
            return None
    return socket.inet_ntoa(reply[20:24])


class Interfaces:
    """The interfaces, with the addresses that were added and deleted.

    A real target has the kernel do it. The simulator changes nothing on its
    host, and tells what there would be.
    """

    def __init__(self):
        self.added = {}
        self.deleted = {}

    @staticmethod
    def names():
        """dict: index -> name."""
        return dict(socket.if_nameindex())

    def addresses(self, index):
        """The IPv4 addresses of an interface (list of str)."""
        own = _address(self.names()[index])
        found = ([own] if own else []) + self.added.get(index, [])
        return [address for address in found
                if address not in self.deleted.get(index, ())]

    def add(self, index, address):
        """Add an address, if it is not there."""
        if address in self.deleted.get(index, ()):
            self.deleted[index].remove(address)
        elif address not in self.addresses(index):
            self.added.setdefault(index, []).append(address)

    def delete(self, index, address):
        """Delete an address, if it is there."""
        if address in self.added.get(index, ()):
            self.added[index].remove(address)
        elif address in self.addresses(index):
            self.deleted.setdefault(index, []).append(address)
