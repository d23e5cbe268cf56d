# SPDX-License-Identifier: Apache-2.0

"""One reading of a target: pipelined calls in, :class:`units.Contents` out."""

from collections.abc import Collection
from collections.abc import Mapping
import time
from typing import Any

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units import reply_shapes
from cyborg_spdk.units import traits
from cyborg_spdk.units import unit as unit_module

#: What each kind of target is asked, all at once, beside what every kind is.
_CALLS: dict[str, tuple[str, ...]] = {
    'nvmf': ('nvmf_get_subsystems',),
    'vhost': ('vhost_get_controllers',),
    'iscsi': ('iscsi_get_target_nodes', 'iscsi_get_portal_groups'),
}
_BDEVS = 'bdev_get_bdevs'
_ACCEL = 'accel_get_opc_assignments'


def kinds(client: rpc.Client) -> list[str]:
    """Kinds of units that a target can have.

    :returns: some of ``"nvmf"``, ``"vhost"``, ``"iscsi"``.
    """
    return [kind for kind, methods in _CALLS.items()
            if all(map(client.has, methods))]


def read(client: rpc.Client, kind: str,
         timeout: float) -> unit_module.Contents:
    """Read what a target has to give away. Blocks.

    One round of calls; a second one only where the list of bdevs is more
    than SPDK can put into one reply.

    :param kind: ``"nvmf"``, ``"vhost"`` or ``"iscsi"``.
    :param timeout: seconds for all of it.
    :raises SpdkError: if anything that is needed could not be read. A part
        is never returned.
    """
    end = time.monotonic() + timeout
    methods = [*_CALLS[kind], _BDEVS, _ACCEL]
    replies = dict(zip(methods, client.call_many(
        [rpc.Request(method) for method in methods], timeout=timeout),
        strict=True))
    if isinstance(replies[_BDEVS], exceptions.ReplyTooLarge):
        replies[_BDEVS] = _by_name(
            client, _names(client.address, kind, replies),
            end - time.monotonic())
    if isinstance(replies[_ACCEL], exceptions.MethodNotFound):
        # Asked for all the same: to look first whether a target has it would
        # wait for one that hangs for longer than this may take.
        del replies[_ACCEL]
    for method, reply in replies.items():
        if isinstance(reply, Exception):
            raise reply
        reply_shapes.check(client.address, method, reply)
    return _contents(kind, replies, client.version)


def _by_name(client: rpc.Client, names: Collection[str],
             timeout: float) -> Any:
    found = client.call_many(
        [rpc.Request(_BDEVS, {'name': name}) for name in sorted(names)],
        timeout=max(timeout, 0.1))
    for reply in found:
        # A bdev that has just been deleted is not an error.
        if isinstance(reply, Exception) and not isinstance(
                reply, exceptions.NotFound):
            return reply
    return [bdev for reply in found if not isinstance(reply, Exception)
            for bdev in reply]


def _names(address: str, kind: str, replies: Mapping[str, Any]) -> set[str]:
    """Names of the bdevs that units stand on."""
    for method in _CALLS[kind]:
        if isinstance(replies[method], Exception):
            raise replies[method]
        reply_shapes.check(address, method, replies[method])
    bdevs = _Every()
    _units(kind, replies, bdevs, frozenset())
    return bdevs.asked


class _Every(dict[str, Any]):
    """Takes note of every bdev that is asked for, and has none."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        if key:
            self.asked.add(key)
        return default


def _units(kind: str, replies: Mapping[str, Any], bdevs: unit_module.Bdevs,
           accel: frozenset[str]) -> list[unit_module.Unit]:
    if kind == 'nvmf':
        return unit_module.of_subsystems(
            replies['nvmf_get_subsystems'], bdevs, accel)
    if kind == 'vhost':
        return unit_module.of_controllers(
            replies['vhost_get_controllers'], bdevs, accel)
    return unit_module.of_target_nodes(
        replies['iscsi_get_target_nodes'],
        replies['iscsi_get_portal_groups'], bdevs, accel)


def _contents(kind: str, replies: Mapping[str, Any],
              version: object) -> unit_module.Contents:
    accel = replies.get(_ACCEL) or {}
    found = _units(kind, replies, unit_module.index(replies[_BDEVS]),
                   traits.of_accel(accel))
    facts: dict[str, Any] = {
        'accel': accel,
        'capacity': sum(unit.size for unit in found),
        'units': len(found),
        'uuids': {unit.title: unit.uuid for unit in found if unit.uuid},
        'version': str(version) if version else '',
    }
    if kind == 'nvmf':
        listeners = {
            subsystem['nqn']: sorted(map(
                unit_module.listener, subsystem.get('listen_addresses') or ()))
            for subsystem in replies['nvmf_get_subsystems']}
        facts['listeners'] = listeners
        facts['transports'] = sorted({
            text.split()[0] for some in listeners.values() for text in some})
    return unit_module.Contents(units=tuple(found), facts=facts)
