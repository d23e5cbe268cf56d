# SPDX-License-Identifier: Apache-2.0

"""What stays behind when a base goes, and has to go before it can be made.

A vhost-blk controller whose bdev was away stays without one, and a RAID
that lost too many bases stays offline; neither comes back by itself, and
SPDK refuses to make them a second time.
"""

from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import observe
from cyborg_spdk import exceptions
from cyborg_spdk import rpc


def clear_way(client: rpc.Client, now: observe.Observation,
              wanted: list[desired_objects.Object],
              timeout: float) -> list[desired_objects.Object]:
    """Delete what is left of objects that are about to be made.

    :param client: a connection to the target.
    :param now: what it has.
    :param wanted: what is to be made.
    :param timeout: seconds for each call.
    :returns: those that can be made now; why the others cannot is noted.
    """
    return [one for one in wanted if _clear(client, now, one, timeout)]


def _clear(client: rpc.Client, now: observe.Observation,
           one: desired_objects.Object, timeout: float) -> bool:
    if one.kind == 'vhost' and one.name in now.no_bdev:
        if not all(map(now.has, one.stands_on)):
            return True  # Nothing to stand on: it is not made anyway.
        if now.no_bdev[one.name]:
            # Deleting it now would wait for the guest, and fill the log.
            one.why = ('a guest has it open, without its disk; it comes '
                       'back when the guest is stopped')
            return False
        return _delete(client, one, 'vhost_delete_controller',
                       {'ctrlr': one.name}, timeout)
    if one.method == 'bdev_raid_create' and one.name in now.raids:
        if now.raids[one.name].state != 'offline':
            one.why = (f'the RAID is {now.raids[one.name].state}: it waits '
                       'for its bases')
            return False
        if all(map(now.has, one.stands_on)):
            return _delete(client, one, 'bdev_raid_delete',
                           {'name': one.name}, timeout)
    return True


def _delete(client: rpc.Client, one: desired_objects.Object, method: str,
            params: dict[str, str], timeout: float) -> bool:
    try:
        client.call(method, _timeout=timeout, **params)
    except exceptions.NotFound:
        pass
    except exceptions.RpcError as exc:
        one.why = str(exc)
        return False
    return True
