# SPDX-License-Identifier: Apache-2.0

"""What a target can receive, by its release.

A request that is too large is never answered: the target hangs up, and the
replies to other calls are lost with it. So it is refused here.
"""

from __future__ import annotations

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cyborg_spdk.rpc.protocol import version as versions

#: Bytes and JSON values of a request, and of a batch (v16.08 to v26.01).
SMALL = (32 * 1024, 1024)
#: The same since v26.05 (lib/jsonrpc/jsonrpc_internal.h).
LARGE = (256 * 1024, 8192)
#: No request of this many bytes is over any limit.
HARMLESS = 128
_LARGE_SINCE = (26, 5)
_READS_ALL_SINCE = (19, 1)
#: SPDK's parser allows this many objects and arrays inside of each other
#: (lib/json/json_parse.c, all releases).
MAX_NESTING = 64


def of(version: versions.Version | None) -> tuple[int, int]:
    """The limits of a release.

    :param version: :class:`~cyborg_spdk.rpc.protocol.version.Version`, or None
        if it is not known: then those that every release keeps.
    :returns: ``(bytes, JSON values)``.
    """
    return LARGE if has_batches(version) else SMALL


def has_batches(version: versions.Version | None) -> bool:
    """Whether a release takes JSON-RPC batches (v26.05 and later).

    :param version: :class:`~cyborg_spdk.rpc.protocol.version.Version`, or
        None.
    """
    return version is not None and version >= _LARGE_SINCE


def reads_one(version: versions.Version | None) -> bool:
    """Whether a release executes one request each time it reads.

    lib/jsonrpc/jsonrpc_server_tcp.c before v19.01: what came with it stays
    where it is until something more comes in.

    :param version: :class:`~cyborg_spdk.rpc.protocol.version.Version`, or None
        if it is not known: those releases can all be told by their methods.
    """
    return version is not None and version < _READS_ALL_SINCE


def check(method: str, request: bytes, limits: tuple[int, int]) -> None:
    """Refuse a request that the target would answer by hanging up.

    :param method: for the error.
    :param request: the request as bytes.
    :param limits: ``(bytes, JSON values)``.
    :raises RequestTooLarge: naming the limit.
    """
    size, values = limits
    if len(request) > size:
        raise exceptions.RequestTooLarge(method, len(request), size)
    if len(request) > values:
        count = message.value_count(request)
        if count > values:
            raise exceptions.RequestTooLarge(method, count, values,
                                             "JSON values")
    if request.count(b"[") + request.count(b"{") > MAX_NESTING:
        depth = message.nesting(request)
        if depth > MAX_NESTING:
            raise exceptions.RequestTooLarge(method, depth, MAX_NESTING,
                                             "levels of nesting")


def fits(method: str, request: bytes, limits: tuple[int, int]) -> bool:
    """Whether a request is within limits."""
    try:
        check(method, request, limits)
    except exceptions.RequestTooLarge:
        return False
    return True
