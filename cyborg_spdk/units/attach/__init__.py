# SPDX-License-Identifier: Apache-2.0

"""Let a consumer use what it was given, and take it back.

>>> attach.attach(conf, target, {'nqn': nqn, 'nsid': '1'}, host_nqn)
>>> attach.detach(conf, target, {'nqn': nqn, 'nsid': '1'}, host_nqn)

The handle is the ``attach_handle_info`` of a bound accelerator request. Both
may be called again: what is so already stays so. What they report was looked
up after the change.

================  ===========================  ============================
handle            consumer                     what is allowed
================  ===========================  ============================
NQN and NSID      NQN of a host                to connect to the subsystem
vhost socket      name of a user (QEMU's)      to connect to the socket
IQN and LUN       IQN of an initiator          to log in to the target node
================  ===========================  ============================

A unit is dirty from :func:`attach` on, and is given to nobody else before it
is wiped. :func:`allow` and :func:`forbid` do the same in the target and keep
no account of it: for who does that himself.
"""

from typing import Any

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units.attach.consumer import attach
from cyborg_spdk.units.attach.consumer import detach
from cyborg_spdk.units.attach.consumer import KINDS
from cyborg_spdk.units.attach.made import Attachment
from cyborg_spdk.units.attach.made import Detachment
from cyborg_spdk.units import handles

__all__ = ('attach', 'detach', 'allow', 'forbid', 'Attachment', 'Detachment')


def allow(client: rpc.Client, handle: handles.AnyHandle, consumer: str,
          **options: Any) -> Attachment:
    """Allow a consumer to use a unit. Idempotent.

    :param client: ``rpc.Client`` of the unit's target.
    :param handle: the unit's attach handle: dict, or JSON.
    :param consumer: who: see the table above.
    :param options: what the kind has beside that: see :func:`nvmf.allow`,
        :func:`vhost.allow`, :func:`iscsi.allow`.
    :returns: :class:`Attachment`.
    :raises NotFound: if there is no such unit.
    :raises InvalidValue: for a value that cannot be used.
    :raises SpdkError: if the target refuses.
    """
    kind, parts = handles.parse(handle)
    _check('allow', kind, KINDS[kind].ATTACH_OPTIONS, options)
    found: Attachment = KINDS[kind].allow(client, parts, consumer,
                                          **options)
    return found


def forbid(client: rpc.Client, handle: handles.AnyHandle, consumer: str,
           **options: Any) -> bool:
    """Take back what :func:`allow` allowed. Idempotent.

    :param client: ``rpc.Client`` of the unit's target.
    :param handle: the unit's attach handle: dict, or JSON.
    :param consumer: who: see the table above.
    :param options: what the kind has beside that.
    :returns: True if something was taken back, False if there was nothing.
    :raises NotFound: if there is no such unit.
    :raises Busy: if the consumer is still connected.
    :raises InvalidValue: for a value that cannot be used.
    :raises SpdkError: if the target refuses.
    """
    kind, parts = handles.parse(handle)
    _check('forbid', kind, KINDS[kind].DETACH_OPTIONS, options)
    return bool(KINDS[kind].forbid(client, parts, consumer, **options))


def _check(what: str, kind: str, known: tuple[str, ...],
           options: dict[str, Any]) -> None:
    for name in options:
        if name not in known:
            raise exceptions.InvalidValue(
                'option', name, f'{what} of {kind} has '
                + (', '.join(known) or 'none'))
