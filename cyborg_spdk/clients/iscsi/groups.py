# SPDX-License-Identifier: Apache-2.0

"""What the three kinds of groups have in common: a number."""

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import Protocol
from typing import TypeVar

from cyborg_spdk.clients import base
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.iscsi import values
from cyborg_spdk import exceptions


class Tagged(Protocol):
    """A group."""

    @property
    def tag(self) -> int:
        """Its number."""


_Group = TypeVar('_Group', bound=Tagged)


def tagged(groups: Iterable[_Group], tag: int) -> _Group | None:
    """The group of that number, or None."""
    return next((group for group in groups if group.tag == tag), None)


def act(client: base.Caller, method: str, about: str, tag: int,
        find: Callable[[], Tagged | None], /, **params: Any) -> bool:
    """Make a call on a group.

    :param about: the group, for the error.
    :param find: reads it.
    :returns: True.
    """
    def cause(_exc: exceptions.RpcError) -> errors.Finding | None:
        if find() is None:
            return exceptions.NotFound, f'{about} does not exist'
        return None

    return base.act(client, method, tag=values.tag(tag), **params,
                    _about=about, _cause=cause)


def delete(client: base.Caller, method: str, about: str, tag: int,
           find: Callable[[], Tagged | None], missing_ok: bool) -> bool:
    """Delete a group.

    The parameters are those of :func:`act`.

    :returns: True; False if it was not there.
    """
    return base.delete(client, method, about, lambda: find() is None,
                       missing_ok, tag=values.tag(tag))
