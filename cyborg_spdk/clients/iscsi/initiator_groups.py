# SPDX-License-Identifier: Apache-2.0

"""iSCSI initiator groups: who may log in."""

from collections.abc import Iterable

from cyborg_spdk.clients import base
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.iscsi import groups
from cyborg_spdk.clients.iscsi import values
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def get(client: base.Caller) -> list[types.InitiatorGroup]:
    """The initiator groups.

    :returns: list of :class:`~cyborg_spdk.clients.types.InitiatorGroup`.
    """
    return types.InitiatorGroup.parse_list(
        base.call(client, 'iscsi_get_initiator_groups'))


def find(client: base.Caller, tag: int) -> types.InitiatorGroup | None:
    """The initiator group of that number, or None."""
    return groups.tagged(get(client), tag)


def create(client: base.Caller, tag: int, initiators: Iterable[str],
           netmasks: Iterable[str], *, exist_ok: bool = False) -> int:
    """Say which initiators may log in.

    :param tag: number of the group.
    :param initiators: names, as
        :func:`cyborg_spdk.clients.iscsi.values.initiator` takes them.
    :param netmasks: where they may come from, as
        :func:`cyborg_spdk.clients.iscsi.values.netmask` takes it.
    :param exist_ok: do not mind if it exists with the same.
    :returns: the number.
    :raises AlreadyExists: there is a group of that number.
    """
    values.tag(tag)
    names = [values.initiator(name) for name in initiators]
    masks = [values.netmask(mask) for mask in netmasks]
    _check('initiators', names)
    _check('netmasks', masks)
    wanted: errors.Wanted = {
        'initiators': (sorted(names), lambda group: sorted(group.initiators)),
        'netmasks': (sorted(masks), lambda group: sorted(group.netmasks))}
    base.create(
        client, 'iscsi_create_initiator_group', f'initiator group {tag}',
        lambda: find(client, tag), wanted, exist_ok, tag=tag,
        initiators=names, netmasks=masks)
    return tag


def _check(what: str, members: list[str]) -> None:
    if not members:
        validate.refuse(what, members, 'give one at least, or ANY')
    if len(members) > validate.ISCSI_INITIATORS:
        validate.refuse(what, len(members),
                        f'give {validate.ISCSI_INITIATORS} at most')
    # lib/iscsi/init_grp.c: the second one is EEXIST.
    for member in members:
        if members.count(member) > 1:
            validate.refuse(what, member, 'it is there twice')


def add_initiators(client: base.Caller, tag: int,
                   initiators: Iterable[str] = (),
                   netmasks: Iterable[str] = ()) -> bool:
    """Let more initiators in.

    :param tag: number of the group.
    :param initiators: names.
    :param netmasks: where from.
    :returns: True.
    :raises NotFound: there is no such group.
    :raises AlreadyExists: one of them is in it already.
    """
    return _change(client, 'iscsi_initiator_group_add_initiators', tag,
                   initiators, netmasks, False)


def remove_initiators(client: base.Caller, tag: int,
                      initiators: Iterable[str] = (),
                      netmasks: Iterable[str] = ()) -> bool:
    """Let initiators in no more.

    :param tag: number of the group.
    :param initiators: names.
    :param netmasks: where from.
    :returns: True.
    :raises NotFound: there is no such group, or one is not in it.
    """
    return _change(client, 'iscsi_initiator_group_remove_initiators', tag,
                   initiators, netmasks, True)


def _change(client: base.Caller, method: str, tag: int,
            initiators: Iterable[str], netmasks: Iterable[str],
            must_exist: bool) -> bool:
    names = [values.initiator(name) for name in initiators]
    masks = [values.netmask(mask) for mask in netmasks]
    if not names and not masks:
        validate.refuse('initiators', names, 'give an initiator or a '
                        'netmask')
    return base.act(
        client, method, tag=values.tag(tag), initiators=names or None,
        netmasks=masks or None, _about=f'initiator group {tag}',
        _cause=lambda _exc: _unfit(client, tag, names + masks, must_exist))


def _unfit(client: base.Caller, tag: int, members: list[str],
           must_exist: bool) -> errors.Finding | None:
    """Cause: a member is missing, or is there already.

    :param must_exist: whether the members should have been there.
    """
    group = find(client, tag)
    if group is None:
        return exceptions.NotFound, f'initiator group {tag} does not exist'
    for member in members:
        exists = member in group.initiators + group.netmasks
        if exists and not must_exist:
            return exceptions.AlreadyExists, \
                f'{member} is in initiator group {tag} already'
        if must_exist and not exists:
            return exceptions.NotFound, \
                f'{member} is not in initiator group {tag}'
    return None


def delete(client: base.Caller, tag: int, *,
           missing_ok: bool = False) -> bool:
    """Delete an initiator group. Target nodes that use it lose it.

    :param tag: number of the group.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    """
    return groups.delete(client, 'iscsi_delete_initiator_group',
                         f'initiator group {tag}', tag,
                         lambda: find(client, tag), missing_ok)
