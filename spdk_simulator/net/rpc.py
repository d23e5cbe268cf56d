# SPDX-License-Identifier: Apache-2.0

"""``net_*``: the host's network interfaces (``lib/net``, until v21.01)."""

import socket

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry


@registry.method("net_get_interfaces")
def get_interfaces(target, params, request):
    """List the interfaces with their IPv4 addresses."""
    return [{"name": name, "ifc_index": index,
             "ip_addr": target.net.addresses(index)}
            for index, name in target.net.names().items()]


def _parsed(target, params):
    """Read interface and address, as inet_addr() does.

    :raises errors.CallError: -32602 for an unknown interface, -1 since
        v20.01.
    """
    if params["ifc_index"] not in target.net.names():
        if target.release >= 2001:
            raise errors.CallError(
                errors.INVALID_STATE,
                f"Interface {params['ifc_index']} not available")
        raise errors.invalid_params()
    try:
        number = socket.inet_aton(params["ip_address"])
    except OSError:
        number = b"\xff\xff\xff\xff"
    return params["ifc_index"], socket.inet_ntoa(number)


@registry.method("net_interface_add_ip_address")
def add_address(target, params, request):
    """Add an address; nobody looks at what the kernel says."""
    index, address = _parsed(target, params)
    if target.release >= 2001 and address in target.net.addresses(index):
        raise errors.invalid_params(
            f"IP address {params['ip_address']} is already added to "
            f"interface {index}")
    target.net.add(index, address)
    return True


@registry.method("net_interface_delete_ip_address")
def delete_address(target, params, request):
    """Delete an address; nobody looks at what the kernel says."""
    index, address = _parsed(target, params)
    if target.release >= 2001 \
            and address not in target.net.addresses(index):
        raise errors.invalid_params(
            f"IP address {params['ip_address']} is not found in interface "
            f"{index}")
    target.net.delete(index, address)
    return True
