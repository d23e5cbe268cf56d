# SPDX-License-Identifier: Apache-2.0

"""I/O statistics of block devices."""

from collections.abc import Iterable
from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

_METHOD = 'bdev_get_iostat'


def get(client: base.Caller,
        names: Iterable[str] | None = None) -> reported.Json:
    """I/O statistics of block devices.

    :param names: names of those wanted; None means all.
    :returns: dict of ``tick_rate`` (ticks of a second), ``ticks`` and
        ``bdevs``: a list with one dict of counters for each.
    :raises NotFound: one of them does not exist.
    """
    if names is None:
        return _as_object(base.call(client, _METHOD))
    names = [validate.text('bdev', name) for name in names]
    if not names:
        validate.refuse('names', names, 'give one at least, or None')
    if client.rpc.supports(_METHOD, 'names'):
        return _call(client, names, f'bdevs {", ".join(names)}', names=names)
    # Before v26.01: one at a time.
    replies = [_call(client, [name], f'bdev {name!r}', name=name)
               for name in names]
    return dict(replies[-1], bdevs=[
        bdev for reply in replies for bdev in reply['bdevs']])


def _call(client: base.Caller, wanted: list[str], about: str,
          **params: Any) -> reported.Json:
    def cause(_exc: exceptions.RpcError) -> errors.Finding | None:
        findings = (bdevs.missing(client, name) for name in wanted)
        return next(filter(None, findings), None)

    return _as_object(base.call(client, _METHOD, _about=about, _cause=cause,
                                **params))


def _as_object(reply: Any) -> reported.Json:
    # v18.07 to v19.04 answered with an array: the rate first.
    if isinstance(reply, list):
        rates = [each for each in reply if 'tick_rate' in each]
        return dict(rates[0] if rates else {},
                    bdevs=[each for each in reply if 'name' in each])
    statistics: reported.Json = reply
    return statistics
