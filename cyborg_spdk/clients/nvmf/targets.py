# SPDX-License-Identifier: Apache-2.0

"""NVMe-oF targets: one application can hold several, each by its name."""

import copy
from typing import Any
from typing import Protocol
from typing import TypeVar

from cyborg_spdk.clients import base
from cyborg_spdk.clients.nvmf import calls
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate

#: Name of the target that SPDK's own applications make
#: (module/event/subsystems/nvmf/nvmf_tgt.c).
DEFAULT_TARGET = 'nvmf_tgt'


class _Named(Protocol):
    tgt_name: str | None


_Client = TypeVar('_Client', bound=_Named)


def for_target(client: _Client, tgt_name: str | None) -> _Client:
    """The same client for another NVMe-oF target of the application.

    :param tgt_name: its name; None means the only one.
    :returns: a new client on the same connection.
    """
    other = copy.copy(client)
    other.tgt_name = None if tgt_name is None else validate.text(
        'tgt_name', tgt_name, validate.TARGET_NAME_MAX)
    return other


def get_names(client: base.Caller) -> list[str]:
    """Names of the NVMe-oF targets of the application (v19.10).

    :returns: list of str.
    """
    return list(base.call(client, 'nvmf_get_targets') or ())


def create(client: base.Caller, name: str, *,
           max_subsystems: int | None = None, exist_ok: bool = False,
           **options: Any) -> str:
    """Create a further NVMe-oF target (v19.10).

    It has no discovery subsystem. SPDK's own applications serve hosts of
    the one that they made themselves; this is for applications that give
    theirs poll groups. From then on every call needs to say which target it
    is about: ``for_target()``.

    :param name: its name, 255 bytes at most.
    :param max_subsystems: how many subsystems it can have; None means
        SPDK's default.
    :param exist_ok: do not mind if there is one of that name.
    :param options: others that the release has: discovery_filter,
        dup_host_policy.
    :returns: its name.
    :raises AlreadyExists: there is one, and ``exist_ok`` is not set.
    """
    validate.text('target', name, validate.TARGET_NAME_MAX)
    if max_subsystems is not None:
        validate.integer('max_subsystems', max_subsystems, 1, 2 ** 32 - 1)
    base.create(
        client, 'nvmf_create_target', f'NVMe-oF target {name!r}',
        lambda: name if name in get_names(client) else None, {}, exist_ok,
        name=name, max_subsystems=max_subsystems, **options)
    return name


def delete(client: base.Caller, name: str, *,
           missing_ok: bool = False) -> bool:
    """Delete an NVMe-oF target that was created (v19.10).

    Its subsystems go with it. The one that the application made itself is
    not deleted: the application goes on using it.

    :param name: its name.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises InvalidValue: it is the application's own.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    """
    validate.text('target', name, validate.TARGET_NAME_MAX)
    if name == DEFAULT_TARGET:
        validate.refuse('target', name, 'the application made it and goes '
                        'on using it: end the application')
    return base.delete(
        client, 'nvmf_delete_target', f'NVMe-oF target {name!r}',
        lambda: name not in get_names(client), missing_ok, name=name)


def get_stats(client: calls.Caller) -> reported.Json:
    """Statistics of the NVMe-oF target (v19.07).

    :returns: dict of ``tick_rate`` and ``poll_groups``.
    """
    statistics: reported.Json = calls.call(client, 'nvmf_get_stats')
    return statistics
