# SPDX-License-Identifier: Apache-2.0

"""The shared RPC layer: JSON-RPC to SPDK targets.

::

    client = rpc.connect("/var/tmp/spdk.sock")
    client.call("bdev_get_bdevs", name="Malloc0")

It knows JSON-RPC and sockets, and nothing of SPDK's objects.
"""

from cyborg_spdk.rpc.address import Address
from cyborg_spdk.rpc.address import parse_address
from cyborg_spdk.rpc.client import Client
from cyborg_spdk.rpc.pool import connect
from cyborg_spdk.rpc.pool import disconnect
from cyborg_spdk.rpc.pool import disconnect_all
from cyborg_spdk.rpc.pool import disconnect_host
from cyborg_spdk.rpc.protocol.version import Version
from cyborg_spdk.rpc.serving.call import Request

__all__ = (
    "connect",
    "disconnect",
    "disconnect_host",
    "disconnect_all",
    "Client",
    "Request",
    "Version",
    "Address",
    "parse_address",
)
