# SPDX-License-Identifier: Apache-2.0

"""The shared RPC layer: JSON-RPC to SPDK targets.

::

    client = rpc.connect("/var/tmp/spdk.sock")
    client.call("bdev_get_bdevs", name="Malloc0")

It knows JSON-RPC and sockets, and nothing of SPDK's objects.
"""

from __future__ import annotations

from cyborg_spdk.rpc.address import Address
from cyborg_spdk.rpc.address import parse_address
from cyborg_spdk.rpc.client import Client
from cyborg_spdk.rpc.pool import connect
from cyborg_spdk.rpc.pool import disconnect
from cyborg_spdk.rpc.pool import disconnect_all
from cyborg_spdk.rpc.pool import disconnect_host
from cyborg_spdk.rpc.serving.call import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cyborg_spdk.rpc.protocol.version import Version

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


def __getattr__(name: str) -> type[Version]:
    # Costs time to import, and a command makes one call.
    if name == "Version":
        from cyborg_spdk.rpc.protocol import version
        return version.Version
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
