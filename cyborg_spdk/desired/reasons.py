# SPDX-License-Identifier: Apache-2.0

"""Why an object could not be made: SPDK's word, and what it does not say.

SPDK answers ``Invalid parameters`` for quite different causes; what can be
seen from outside is added.
"""

from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import plan
from cyborg_spdk.desired import probes
from cyborg_spdk import exceptions


def explain(one: desired_objects.Object, error: Exception,
            there: plan.There) -> str:
    """Why an object could not be made.

    :param one: the object.
    :param error: what came of its call.
    :param there: what the target has.
    :returns: one line.
    """
    text = str(error)
    if not isinstance(error, exceptions.RpcError):
        return text
    for below in one.stands_on:
        kind, _, name = below.partition(':')
        if kind == 'bdev' and not there.has(below):
            return f'{text}: there is no bdev {name}'
        if kind == 'key' and not there.has(below):
            return f'{text}: there is no key {name}'
    if one.kind in ('listener', 'portal-group') and probes.blocked([one]):
        return (f'{text}: {place(one)} is no address of this host, or '
                'somebody else has its port')
    return text


def place(one: desired_objects.Object) -> str:
    """Where a listener or a portal group is to listen."""
    if one.kind == 'listener':
        return one.name.rpartition('/')[2].partition(':')[2]
    return ', '.join(f'{portal.get("host")}:{portal.get("port")}'
                     for portal in one.params.get('portals') or ())
