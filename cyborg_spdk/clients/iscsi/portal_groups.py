# SPDX-License-Identifier: Apache-2.0

"""iSCSI portal groups: where the target listens."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.iscsi import groups
from cyborg_spdk.clients.iscsi import values
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

_CREATE = 'iscsi_create_portal_group'


def get(client: base.Caller) -> list[types.PortalGroup]:
    """The portal groups.

    :returns: list of :class:`~cyborg_spdk.clients.types.PortalGroup`.
    """
    return types.PortalGroup.parse_list(
        base.call(client, 'iscsi_get_portal_groups'))


def find(client: base.Caller, tag: int) -> types.PortalGroup | None:
    """The portal group of that number, or None."""
    return groups.tagged(get(client), tag)


def create(client: base.Caller, tag: int, portals: Iterable[values.Portal],
           *, exist_ok: bool = False, **options: Any) -> int:
    """Listen for iSCSI.

    :param tag: number of the group.
    :param portals: addresses as
        :func:`cyborg_spdk.clients.iscsi.values.portal` takes them.
    :param exist_ok: do not mind if it exists with these portals.
    :param options: others that the release has: private (v20.10), wait
        (v21.01: do not listen before ``iscsi_start_portal_group``).
    :returns: the number.
    :raises AlreadyExists: there is a group of that number, or a portal is
        in another group.
    :raises Busy: SPDK cannot listen there.
    """
    values.tag(tag)
    sent = [values.portal(portal) for portal in portals]
    if not sent:
        validate.refuse('portals', sent, 'give one at least')
    existing = find(client, tag)
    if existing is not None:
        differs = _difference(existing, sent)
        if not differs and exist_ok:
            return tag
        raise errors.taken(
            _CREATE, {'tag': tag}, f'portal group {tag} exists with '
            f'{_places_of(existing) or "no portals"}{differs}')
    _check_free(client, tag, sent)
    base.call(
        client, _CREATE, tag=tag, portals=sent, **options,
        _about=f'portal group {tag}',
        _cause=lambda _exc: (
            exceptions.Busy, f'portal group {tag}: an address is not one of '
            'the target\'s host, or its port is in use'))
    return tag


def _difference(existing: types.PortalGroup,
                portals: Sequence[dict[str, str]]) -> str:
    """What is wanted instead, in words; empty if it is the same."""
    wanted = ', '.join(sorted(_place(portal) for portal in portals))
    return '' if wanted == _places_of(existing) else f', not {wanted}'


def _places_of(group: types.PortalGroup) -> str:
    return ', '.join(sorted(f'{portal.host}:{portal.port}'
                            for portal in group.portals))


def _place(portal: dict[str, str]) -> str:
    return f'{portal["host"]}:{portal["port"]}'


def _check_free(client: base.Caller, tag: int,
                portals: Sequence[dict[str, str]]) -> None:
    """Refuse a portal that is taken: it may crash the target.

    v26.05, portal_grp.c: iscsi_portal_grp_create() does not clear what
    iscsi_portal_grp_release() reads if a portal cannot be made (SIGSEGV,
    seen).
    """
    taken = {f'{portal.host}:{portal.port}': group.tag
             for group in get(client) for portal in group.portals}
    for portal in portals:
        place = _place(portal)
        if place in taken:
            raise errors.taken(
                _CREATE, {'tag': tag}, f'portal {place} is in portal group '
                f'{taken[place]}; not sent, since it would crash the target')
        if portals.count(portal) > 1:
            validate.refuse('portals', place, 'it is there twice')


def start(client: base.Caller, tag: int) -> bool:
    """Let a group listen that was created with ``wait`` (v21.01).

    :param tag: number of the group.
    :returns: True.
    :raises NotFound: there is none.
    """
    return groups.act(client, 'iscsi_start_portal_group',
                      f'portal group {tag}', tag, lambda: find(client, tag))


def delete(client: base.Caller, tag: int, *,
           missing_ok: bool = False) -> bool:
    """Delete a portal group. Target nodes that use it lose it.

    :param tag: number of the group.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    """
    return groups.delete(client, 'iscsi_delete_portal_group',
                         f'portal group {tag}', tag,
                         lambda: find(client, tag), missing_ok)


def set_auth(client: base.Caller, tag: int, **chap: Any) -> bool:
    """Set CHAP for discovery in a portal group (v19.10).

    :param tag: number of the group.
    :param chap: disable_chap, require_chap, mutual_chap, chap_group.
    :returns: True.
    :raises NotFound: there is none.
    """
    return groups.act(client, 'iscsi_portal_group_set_auth',
                      f'portal group {tag}', tag, lambda: find(client, tag),
                      **values.check_chap(chap))
