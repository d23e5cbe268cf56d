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

"""The shared RPC layer: JSON-RPC to SPDK targets.

::

    client = rpc.connect("/var/tmp/spdk.sock")
    client.call("bdev_get_bdevs", name="Malloc0")

It knows JSON-RPC and sockets, and nothing of SPDK's objects.
"""

from cyborg_spdk.rpc.address import Address
from cyborg_spdk.rpc.address import parse_address
from cyborg_spdk.rpc.cache import connect
from cyborg_spdk.rpc.cache import disconnect
from cyborg_spdk.rpc.cache import disconnect_all
from cyborg_spdk.rpc.cache import disconnect_host
from cyborg_spdk.rpc.call import Request
from cyborg_spdk.rpc.client import Client
from cyborg_spdk.rpc.version import Version

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
