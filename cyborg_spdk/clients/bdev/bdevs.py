# SPDX-License-Identifier: Apache-2.0

"""Reading block devices, and what is wrong with the one that was named."""

from collections.abc import Iterable
from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def get(client: base.Caller, name: str | None = None) -> list[types.Bdev]:
    """The block devices.

    :param name: name, alias or UUID of the only one wanted; None means
        all.
    :returns: list of :class:`~cyborg_spdk.clients.types.Bdev`, in the
        order in which they were created.
    :raises NotFound: there is none of that name.
    """
    if name is None:
        return types.Bdev.parse_list(base.call(client, 'bdev_get_bdevs'))
    validate.text('bdev', name)
    return types.Bdev.parse_list(base.call(
        client, 'bdev_get_bdevs', name=name, _about=f'bdev {name!r}',
        _cause=lambda _exc: missing(client, name)))


def find(client: base.Caller, name: str) -> types.Bdev | None:
    """The block device of that name, alias or UUID, or None.

    Before v22.05 the UUID is no alias; it is then looked for in the list
    of all.
    """
    try:
        return next(iter(get(client, name)), None)
    except exceptions.NotFound:
        return named(get(client), name)


def named(known: Iterable[types.Bdev], name: str) -> types.Bdev | None:
    """The block device of that name, alias or UUID in a list, or None."""
    return next((bdev for bdev in known if bdev.known_as(name)), None)


def existing(client: base.Caller, name: str) -> types.Bdev:
    """The block device of that name, alias or UUID.

    :raises NotFound: there is none.
    """
    bdev = find(client, name)
    if bdev is None:
        raise errors.missing('bdev_get_bdevs', {'name': name},
                             f'bdev {name!r} does not exist')
    return bdev


def base_bdev(client: base.Caller, method: str, name: str, deferred: bool,
              known: Iterable[types.Bdev] | None = None
              ) -> types.Bdev | None:
    """The bdev that another is to stand on.

    :param method: the call that is to be made.
    :param deferred: whether it may be missing; None is returned then.
    :param known: all that there are, where they have been read.
    :raises NotFound: it does not exist.
    """
    bdev = find(client, name) if known is None else named(known, name)
    if bdev is None and not deferred:
        raise errors.missing(
            method, {'base_bdev_name': name},
            f'base bdev {name!r} does not exist; not sent, since SPDK '
            'would wait for it')
    return bdev


def missing(client: base.Caller, name: str) -> errors.Finding | None:
    """Cause: the bdev does not exist."""
    if named(get(client), name) is None:
        return exceptions.NotFound, f'bdev {name!r} does not exist'
    return None


def not_of_kind(client: base.Caller, name: str,
                kind: str) -> errors.Finding | None:
    """Cause: the bdev is missing, or of another module.

    :param kind: name of the module, as in
        :mod:`cyborg_spdk.clients.types.kinds`.
    """
    bdev = find(client, name)
    if bdev is None:
        return exceptions.NotFound, f'bdev {name!r} does not exist'
    if bdev.kind.name != kind:
        return exceptions.NotFound, f'bdev {name!r} is no {kind} bdev ' \
            f'but a {bdev.product_name!r}'
    return None


def created_name(result: Any) -> str | None:
    """Name of a new bdev: an array of one until v18.04, then a string.

    :param result: what the call that creates it answered.
    """
    if isinstance(result, list):
        return result[0] if result else None
    name: str | None = result
    return name
