# SPDX-License-Identifier: Apache-2.0

"""Let a consumer use what it was given, and take it back.

>>> attach.attach(client, {'nqn': nqn, 'nsid': '1'}, host_nqn)
>>> attach.detach(client, {'nqn': nqn, 'nsid': '1'}, host_nqn)

The handle is the ``attach_handle_info`` of a bound accelerator request. Both
may be called again: what is so already stays so. Cyborg has no hook for
this; whoever binds the request calls it.

================  ===========================  ============================
handle            consumer                     what is allowed
================  ===========================  ============================
NQN and NSID      NQN of a host                to connect to the subsystem
vhost socket      name of a user (QEMU's)      to connect to the socket
IQN and LUN       IQN of an initiator          to log in to the target node
================  ===========================  ============================
"""

import dataclasses
import json

from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions
from cyborg_spdk.units.attach import iscsi
from cyborg_spdk.units.attach import nvmf
from cyborg_spdk.units.attach import vhost

_KINDS = {('nqn', 'nsid'): ('nvmf', nvmf),
          ('socket',): ('vhost', vhost),
          ('socket', 'target'): ('vhost', vhost),
          ('iqn', 'lun'): ('iscsi', iscsi)}


@dataclasses.dataclass(frozen=True)
class Attachment:
    """How the consumer reaches what it may use now.

    :ivar changed: False if it was so already.
    :ivar reach: where: list of str.
    :ivar warnings: what the operator should know: list of str.
    """

    changed: bool
    reach: list
    warnings: list


def parse(handle):
    """Understand a handle.

    :param handle: dict, or the same as JSON.
    :returns: pair: kind of target, dict.
    :raises InvalidValue: if it is none that a report has.
    """
    if isinstance(handle, str):
        try:
            handle = json.loads(handle)
        except ValueError:
            validate.refuse('attach handle', handle, 'it is not JSON')
    if not isinstance(handle, dict) or not all(
            isinstance(value, str) for value in handle.values()):
        validate.refuse('attach handle', handle,
                        'it is no flat object of strings')
    found = _KINDS.get(tuple(sorted(handle)))
    if found is None:
        validate.refuse('attach handle', json.dumps(handle), 'it has to have '
                        'nqn and nsid, socket (and target), or iqn and lun')
    for name in ('nsid', 'lun', 'target'):
        if not handle.get(name, '0').isdecimal():
            validate.refuse(name, handle[name], 'a number is needed')
    return found[0], handle


def attach(client, handle, consumer, **options):
    """Allow a consumer to use a unit. Idempotent.

    :param client: ``rpc.Client`` of the unit's target.
    :param handle: the unit's attach handle: dict, or JSON.
    :param consumer: who: see the table above.
    :param options: what the kind has beside that: see
        :func:`nvmf.attach`, :func:`vhost.attach`, :func:`iscsi.attach`.
    :returns: :class:`Attachment`.
    :raises NotFound: if there is no such unit.
    :raises InvalidValue: for a value that cannot be used.
    :raises SpdkError: if the target refuses.
    """
    return Attachment(*_call('attach', client, handle, consumer, options))


def detach(client, handle, consumer, **options):
    """Take back what :func:`attach` allowed. Idempotent.

    :param client: ``rpc.Client`` of the unit's target.
    :param handle: the unit's attach handle: dict, or JSON.
    :param consumer: who: see the table above.
    :param options: what the kind has beside that.
    :returns: True if something was taken back, False if there was nothing,
        the unit itself included.
    :raises InvalidValue: for a value that cannot be used.
    :raises SpdkError: if the target refuses.
    """
    return _call('detach', client, handle, consumer, options)


def _call(what, client, handle, consumer, options):
    _kind, handle = parse(handle)
    module = _KINDS[tuple(sorted(handle))][1]
    known = getattr(module, f'{what.upper()}_OPTIONS')
    for name in options:
        if name not in known:
            raise exceptions.InvalidValue(
                'option', name, f'{what} of {", ".join(sorted(handle))} has '
                + (', '.join(known) or 'none'))
    return getattr(module, what)(client, handle, consumer, **options)
