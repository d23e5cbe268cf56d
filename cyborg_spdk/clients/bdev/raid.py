# SPDX-License-Identifier: Apache-2.0

"""RAID bdevs."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: bdev_raid.c, g_raid_level_names, without the short forms. raid5f only in
#: builds that have it; raid1 since v23.01.
LEVELS = ('raid0', 'raid1', 'raid5f', 'concat')
#: raid1.c, raid5f.c: base_bdevs_min.
MEMBERS_LEAST = {'raid1': 2, 'raid5f': 3}
#: bdev_raid.c, g_raid_state_names.
CATEGORIES = ('all', 'online', 'configuring', 'offline')

_CREATE = 'bdev_raid_create'


def get(client: base.Caller, category: str = 'all') -> list[types.Raid]:
    """The RAID bdevs.

    :param category: one of :data:`CATEGORIES`.
    :returns: list of :class:`~cyborg_spdk.clients.types.Raid`. Of one that
        is not online SPDK v22.01 and before tell only the name.
    """
    category = validate.choice('category', category, CATEGORIES)
    reply = base.call(client, 'bdev_raid_get_bdevs', category=category) or []
    if all(isinstance(each, dict) for each in reply):
        return types.Raid.parse_list(reply)
    known = {bdev.name: bdev.own for bdev in bdevs.get(client)}
    return [types.Raid.parse(dict(known.get(name, {}), name=name))
            for name in reply]


def find(client: base.Caller, name: str) -> types.Raid | None:
    """The RAID bdev of that name, or None."""
    return next((raid for raid in get(client) if raid.name == name), None)


def create(client: base.Caller, name: str, raid_level: str,
           base_bdevs: Iterable[str], *, strip_size_kb: int | None = None,
           exist_ok: bool = False, **options: Any) -> str:
    """Create a RAID bdev.

    :param name: its name.
    :param raid_level: one of :data:`LEVELS`.
    :param base_bdevs: names of its members; they are claimed.
    :param strip_size_kb: KiB, a power of two; not for raid1.
    :param exist_ok: do not mind if it exists with these properties.
    :param options: others that the release has: uuid, superblock.
    :returns: its name.
    :raises AlreadyExists: the name is taken.
    :raises NotFound: a member does not exist. SPDK itself would wait for
        it to appear.
    :raises PermissionDenied: a member is claimed.
    """
    validate.text('RAID bdev', name)
    level = validate.choice('raid_level', raid_level, LEVELS)
    members = _members(base_bdevs)
    _check_strip_size(level, strip_size_kb)
    _check_count(level, members)
    if find(client, name) is None:
        _check_exist(client, name, members)

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        findings = (claims.claimed(client, member) for member in members)
        return next(filter(None, findings), None) or (
            type(exc), f'RAID bdev {name!r}: {level} is not in this target, '
            'or its members do not suit')

    wanted: errors.Wanted = {
        'level': (level, lambda raid: raid.raid_level or level),
        'members': (sorted(members),
                    lambda raid: sorted(raid.members or members)),
        'strip size in KiB': (strip_size_kb,
                              lambda raid: raid.strip_size_kb)}
    base.create(
        client, _CREATE, f'RAID bdev {name!r}', lambda: find(client, name),
        wanted, exist_ok, cause, name=name, base_bdevs=members,
        **_level_params(client, name, level, strip_size_kb), **options)
    return name


def _members(base_bdevs: Iterable[str]) -> list[str]:
    """Names of the members, checked."""
    members = [validate.text('bdev', member) for member in base_bdevs]
    if not members:
        validate.refuse('base_bdevs', members, 'give one at least')
    for member in members:
        if members.count(member) > 1:
            validate.refuse('base_bdevs', member, 'it is there twice')
    return members


def _check_strip_size(level: str, strip_size_kb: int | None) -> None:
    if level == 'raid1':
        if strip_size_kb:
            validate.refuse('strip_size_kb', strip_size_kb,
                            'raid1 has no strips; leave it out')
    elif strip_size_kb is None:
        validate.refuse('strip_size_kb', None, f'{level} needs one')
    else:
        validate.power_of_two('strip_size_kb', strip_size_kb, 1)


def _check_count(level: str, members: Sequence[str]) -> None:
    least = MEMBERS_LEAST.get(level, 1)
    if len(members) < least:
        validate.refuse('base_bdevs', members,
                        f'{level} has {least} members at least')


def _check_exist(client: base.Caller, name: str,
                 members: Sequence[str]) -> None:
    known = bdevs.get(client)
    for member in members:
        if bdevs.named(known, member) is None:
            raise errors.missing(
                _CREATE, {'name': name}, f'base bdev {member!r} does not '
                'exist; not sent, since SPDK would wait for it')


def _level_params(client: base.Caller, name: str, level: str,
                  strip_size_kb: int | None) -> dict[str, Any]:
    """Level and strip size in the form of the release."""
    version = client.rpc.version
    if version is None or version >= (20, 1):
        return {'raid_level': level, 'strip_size_kb': strip_size_kb}
    # bdev_raid_rpc.c until v19.10: a number, and raid0 alone.
    if level != 'raid0':
        raise errors.invalid(
            _CREATE, {'name': name}, f'SPDK has {level} since v20.01 at the '
            f'earliest, the target is {version}; it was not sent')
    key = 'strip_size_kb' if version >= (19, 4) else 'strip_size'
    return {'raid_level': 0, key: strip_size_kb}


def delete(client: base.Caller, name: str, *,
           missing_ok: bool = False) -> bool:
    """Delete a RAID bdev; its members are free then.

    :param name: its name.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    """
    validate.text('RAID bdev', name)
    return base.delete(
        client, 'bdev_raid_delete', f'RAID bdev {name!r}',
        lambda: find(client, name) is None, missing_ok, name=name)


def add_base_bdev(client: base.Caller, raid_bdev: str,
                  base_bdev: str) -> bool:
    """Add a member to a RAID bdev that lacks one (v23.09).

    :param raid_bdev: its name.
    :param base_bdev: the new member.
    :returns: True.
    :raises NotFound: the RAID bdev or the member does not exist.
    :raises InvalidParams: the member stands on the RAID bdev: v26.05 takes
        it, and does not end any more.
    """
    validate.text('RAID bdev', raid_bdev)
    validate.text('bdev', base_bdev)
    method = 'bdev_raid_add_base_bdev'
    if client.rpc.has(method):
        _check_no_ring(client, method, raid_bdev, base_bdev)

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        if find(client, raid_bdev) is None:
            return exceptions.NotFound, \
                f'RAID bdev {raid_bdev!r} does not exist'
        return claims.claimed(client, base_bdev) or (
            type(exc), f'RAID bdev {raid_bdev!r} lacks no member, or '
            f'{base_bdev!r} does not suit')

    return base.act(client, method, raid_bdev=raid_bdev,
                    base_bdev=base_bdev, _about=f'RAID bdev {raid_bdev!r}',
                    _cause=cause)


def _check_no_ring(client: base.Caller, method: str, raid_bdev: str,
                   base_bdev: str) -> None:
    """Refuse a member that is, or stands on, the RAID bdev."""
    known = bdevs.get(client)
    member = bdevs.named(known, base_bdev)
    if member is not None and bdevs.named(
            (member, *member.below(known)), raid_bdev) is not None:
        raise errors.invalid(
            method, {'raid_bdev': raid_bdev}, f'bdev {base_bdev!r} stands '
            f'on RAID bdev {raid_bdev!r} itself; it was not sent')


def remove_base_bdev(client: base.Caller, name: str) -> bool:
    """Take a member from its RAID bdev (v23.01).

    :param name: name of the member.
    :returns: True.
    :raises NotFound: it is no member of a RAID bdev.
    """
    validate.text('bdev', name)

    def cause(_exc: exceptions.RpcError) -> errors.Finding | None:
        if any(name in raid.members for raid in get(client)):
            return None
        return exceptions.NotFound, \
            f'bdev {name!r} is no member of a RAID bdev'

    return base.act(client, 'bdev_raid_remove_base_bdev', name=name,
                    _about=f'RAID member {name!r}', _cause=cause)
