# SPDX-License-Identifier: Apache-2.0

"""Groups of CHAP secrets of iSCSI (v18.10).

A secret is never logged, nor repeated in an error.
"""

from collections.abc import Iterable
from collections.abc import Mapping

from cyborg_spdk.clients import base
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.iscsi import groups
from cyborg_spdk.clients.iscsi import values
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def get(client: base.Caller) -> list[types.AuthGroup]:
    """The groups of CHAP secrets, without the secrets (v18.10).

    :returns: list of :class:`~cyborg_spdk.clients.types.AuthGroup`.
    """
    return types.AuthGroup.parse_list(
        base.call(client, 'iscsi_get_auth_groups'))


def find(client: base.Caller, tag: int) -> types.AuthGroup | None:
    """The group of CHAP secrets of that number, or None."""
    return groups.tagged(get(client), tag)


def create(client: base.Caller, tag: int,
           secrets: Iterable[Mapping[str, str]] = (), *,
           exist_ok: bool = False) -> int:
    """Create a group of CHAP secrets (v18.10).

    :param tag: number of the group, from 1 on: 0 means no group.
    :param secrets: list of dict: ``user``, ``secret`` and for the other
        direction ``muser``, ``msecret``.
    :param exist_ok: do not mind if it exists with these users. Their
        secrets are not compared.
    :returns: the number.
    :raises AlreadyExists: there is a group of that number.
    """
    validate.integer('tag', tag, 1, values.TAG_MAX)
    sent = [values.secret_of(**secret) for secret in secrets]
    users = sorted(secret['user'] for secret in sent)
    for user in users:
        if users.count(user) > 1:
            validate.refuse('user', user, 'it is there twice')
    base.create(
        client, 'iscsi_create_auth_group', f'auth group {tag}',
        lambda: find(client, tag),
        {'users': (users, lambda group: sorted(group.users))}, exist_ok,
        tag=tag, secrets=sent or None)
    return tag


def add_secret(client: base.Caller, tag: int, user: str, secret: str, *,
               muser: str | None = None, msecret: str | None = None) -> bool:
    """Add a secret to a group (v18.10).

    :param tag: number of the group.
    :param user: whose it is.
    :param secret: never logged nor repeated in an error.
    :param muser: user for the other direction.
    :param msecret: its secret.
    :returns: True.
    :raises NotFound: there is no such group.
    :raises AlreadyExists: the user has a secret there.
    """
    def cause(_exc: exceptions.RpcError) -> errors.Finding | None:
        group = find(client, tag)
        if group is None:
            return exceptions.NotFound, f'auth group {tag} does not exist'
        if user in group.users:
            return exceptions.AlreadyExists, \
                f'auth group {tag} has a secret of {user!r} already'
        return None

    return base.act(
        client, 'iscsi_auth_group_add_secret', tag=values.tag(tag),
        _about=f'secret of {user!r} in auth group {tag}', _cause=cause,
        **values.secret_of(user, secret, muser, msecret))


def remove_secret(client: base.Caller, tag: int, user: str, *,
                  missing_ok: bool = False) -> bool:
    """Remove a secret from a group (v18.10).

    :param tag: number of the group.
    :param user: whose it is.
    :param missing_ok: do not mind if there is none; the group itself must
        exist.
    :returns: True; False if it was not there.
    :raises NotFound: no such group, or no secret of that user in it.
    """
    def missing() -> bool:
        group = find(client, tag)
        return group is not None and user not in group.users

    def cause(_exc: exceptions.RpcError) -> errors.Finding:
        return exceptions.NotFound, f'auth group {tag} does not exist'

    return base.delete(
        client, 'iscsi_auth_group_remove_secret',
        f'secret of {user!r} in auth group {tag}', missing, missing_ok,
        cause, tag=values.tag(tag), user=user)


def delete(client: base.Caller, tag: int, *,
           missing_ok: bool = False) -> bool:
    """Delete a group of CHAP secrets (v18.10).

    :param tag: number of the group.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    """
    return groups.delete(client, 'iscsi_delete_auth_group',
                         f'auth group {tag}', tag, lambda: find(client, tag),
                         missing_ok)
