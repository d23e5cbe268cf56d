# SPDX-License-Identifier: Apache-2.0

"""Transports of vhost block controllers."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

_GET = 'virtio_blk_get_transports'


def get(client: base.Caller) -> list[str]:
    """Transports of block controllers (v23.01).

    :returns: list of names: ``vhost_user_blk``, ``vfio_user``.
    """
    return [transport.get('name') for transport in base.call(client, _GET)]


def create(client: base.Caller, name: str) -> bool:
    """Create a transport of block controllers (v22.05).

    :param name: ``vhost_user_blk`` or ``vfio_user``.
    :returns: True.
    :raises AlreadyExists: it exists.
    """
    validate.text('transport', name)

    def cause(_exc: exceptions.RpcError) -> errors.Finding:
        if name in get(client):
            return exceptions.AlreadyExists, \
                f'virtio-blk transport {name!r} exists already'
        return exceptions.InvalidParams, \
            f'virtio-blk transport {name!r} is not in this target'

    return base.act(client, 'virtio_blk_create_transport', name=name,
                    _about=f'virtio-blk transport {name!r}', _cause=cause)


def missing(client: base.Caller, name: str | None) -> errors.Finding | None:
    """Cause: the transport was not created."""
    if name is None or not client.rpc.has(_GET) or name in get(client):
        return None
    return exceptions.NotFound, f'virtio-blk transport {name!r} was not ' \
        'created: call virtio_blk_create_transport first'
