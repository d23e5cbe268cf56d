# SPDX-License-Identifier: Apache-2.0

"""What stays behind when a base goes, and has to go before it can be made.

A vhost-blk controller whose bdev was away stays without one, and a RAID
that lost too many bases stays offline; neither comes back by itself, and
SPDK refuses to make them a second time. And a target node cannot be made
without its LUN 0, though it can live without: a bdev of ours stands in for
it, and goes at once.
"""

import contextlib

from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import observe
from cyborg_spdk import exceptions
from cyborg_spdk import rpc


def clear_way(client: rpc.Client, now: observe.Observation,
              one: desired_objects.Object, timeout: float) -> str | None:
    """Delete what is left of an object that is about to be made.

    :param client: a connection to the target.
    :param now: what it had.
    :param one: the object; what it stands on is there.
    :param timeout: seconds for the call.
    :returns: why it cannot be made now; None if it can.
    """
    if one.kind == 'vhost' and one.name in now.no_bdev:
        if now.no_bdev[one.name]:
            # Deleting it now would wait for the guest, and fill the log.
            return ('a guest has it open, without its disk; it comes back '
                    'when the guest is stopped')
        return _delete(client, 'vhost_delete_controller',
                       {'ctrlr': one.name}, timeout)
    if one.method == 'bdev_raid_create' and one.name in now.raids:
        state = now.raids[one.name].state
        if state != 'offline':
            return f'the RAID is {state}: it waits for its bases'
        return _delete(client, 'bdev_raid_delete', {'name': one.name},
                       timeout)
    return None


def _delete(client: rpc.Client, method: str, params: dict[str, str],
            timeout: float) -> str | None:
    try:
        client.call(method, _timeout=timeout, **params)
    except exceptions.NotFound:
        pass
    except exceptions.RpcError as exc:
        return str(exc)
    return None


def stand_in(client: rpc.Client, node: desired_objects.Object,
             timeout: float) -> str:
    """Make a bdev that stands in for the LUN 0 of a node.

    :returns: its name, for :func:`dismiss`.
    :raises RpcError: if it cannot be made.
    """
    name = f'{observe.STAND_IN}{node.name}'
    with contextlib.suppress(exceptions.AlreadyExists):
        client.call('bdev_null_create', name=name, num_blocks=2048,
                    block_size=512, _timeout=timeout)
    return name


def dismiss(client: rpc.Client, name: str, timeout: float) -> None:
    """Delete a bdev that stood in; its LUN goes with it."""
    with contextlib.suppress(exceptions.RpcError):
        client.call('bdev_null_delete', name=name, _timeout=timeout)
