# SPDX-License-Identifier: Apache-2.0

"""Calls about one NVMe-oF target of an application.

An application can hold several (v19.10), each by its name; a call that does
not name one is about the only one that there is.
"""

from collections.abc import Callable
import re
from typing import Any
from typing import Protocol

from cyborg_spdk.clients import base
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.types import reported
from cyborg_spdk import exceptions

# v26.05 and before; v26.09.
_NO_TARGET = re.compile(r"Unable to find (a )?target|"
                        r"NVMf target '.*' not found|No default NVMf target")


class Caller(base.Caller, Protocol):
    """What an operation on an NVMe-oF target needs of a client."""

    @property
    def tgt_name(self) -> str | None:
        """Name of the NVMe-oF target; None means the only one."""


def call(client: Caller, method: str, /, _about: str | None = None,
         _cause: errors.Cause | None = None, **params: Any) -> Any:
    """See :func:`cyborg_spdk.clients.base.call`; names the target.

    :raises NotSupported: this SPDK has one target only.
    """
    return base.call(client, method, _about=_about,
                     _cause=_or_wrong_target(client, _cause),
                     **_target(client, method), **params)


def act(client: Caller, method: str, /, _about: str | None = None,
        _cause: errors.Cause | None = None, **params: Any) -> bool:
    """See :func:`cyborg_spdk.clients.base.act`; names the target."""
    call(client, method, _about=_about, _cause=_cause, **params)
    return True


def create(client: Caller, method: str, /, _about: str,
           _existing: Callable[[], Any], _wanted: errors.Wanted,
           _exist_ok: bool, _cause: errors.Cause | None = None,
           **params: Any) -> Any:
    """See :func:`cyborg_spdk.clients.base.create`; names the target."""
    return base.create(client, method, _about, _existing, _wanted, _exist_ok,
                       _or_wrong_target(client, _cause),
                       **_target(client, method), **params)


def delete(client: Caller, method: str, /, _about: str,
           _missing: Callable[[], bool], _missing_ok: bool,
           _cause: errors.Cause | None = None, **params: Any) -> bool:
    """See :func:`cyborg_spdk.clients.base.delete`; names the target."""
    return base.delete(client, method, _about, _missing, _missing_ok,
                       _or_wrong_target(client, _cause),
                       **_target(client, method), **params)


def _target(client: Caller, method: str) -> reported.Json:
    """The parameter that names the target, where one was named."""
    if client.tgt_name is None:
        return {}
    if not client.rpc.has('nvmf_get_targets'):
        raise errors.unsupported(
            method, {'tgt_name': client.tgt_name},
            'this SPDK has one NVMe-oF target without a name: tgt_name '
            'needs v19.10')
    return {'tgt_name': client.tgt_name}


def _or_wrong_target(client: Caller,
                     cause: errors.Cause | None) -> errors.Cause:
    """A cause, or before it that the target is not there."""
    def combined(exc: exceptions.RpcError) -> errors.Finding | None:
        return _wrong_target(client, exc) or (cause(exc) if cause else None)

    return combined


def _wrong_target(client: Caller,
                  exc: exceptions.RpcError) -> errors.Finding | None:
    """Cause: no such target; or several, and none was named.

    Never NotFound: the object that was asked for may well exist.
    """
    if not _NO_TARGET.search(exc.message):
        return None
    names = ', '.join(base.call(client, 'nvmf_get_targets') or ())
    if client.tgt_name is not None:
        return exceptions.InvalidParams, f'NVMe-oF target ' \
            f'{client.tgt_name!r} does not exist: there are {names}'
    return exceptions.InvalidParams, 'the application has several NVMe-oF ' \
        f'targets ({names}): say which one, by for_target()'
