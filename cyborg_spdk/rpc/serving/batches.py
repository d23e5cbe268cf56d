# SPDX-License-Identifier: Apache-2.0

"""Requests that are written together, and where each of them ends."""

from __future__ import annotations

from cyborg_spdk.rpc.protocol import message
from cyborg_spdk.rpc.serving import call as calls

# So a batch cannot have more values than SPDK takes (8,192).
_BATCH_SIZE = 4000


def join(members: list[calls.Call]
         ) -> tuple[list[bytes], list[list[calls.Call]]]:
    """Put neighbours that may share a batch into one.

    :param members: encoded calls, in their order.
    :returns: what to write, one after the other, and the calls in each.
    """
    groups: list[list[calls.Call]] = []
    size = _BATCH_SIZE
    for call in members:
        needed = len(call.data or b"") + 1 if call.batchable else _BATCH_SIZE
        if size + needed > _BATCH_SIZE:
            groups.append([])
            size = 0
        groups[-1].append(call)
        size += needed
    return [_text(group) for group in groups], groups


def _text(group: list[calls.Call]) -> bytes:
    texts = [call.data or b"" for call in group]
    return texts[0] if len(texts) == 1 else message.batch(texts)
