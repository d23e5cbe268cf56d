# SPDX-License-Identifier: Apache-2.0

"""Bdevs that hand everything on to another."""

from collections.abc import Sequence
from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate

_CREATE = 'bdev_passthru_create'


def create(client: base.Caller, name: str, base_bdev_name: str, *,
           exist_ok: bool = False, **options: Any) -> str:
    """Create a bdev that hands everything on to another.

    SPDK aborts as a whole if the name is taken, empty, that of the base, or
    if the new bdev closes a ring of passthru bdevs (seen on v24.01 and
    v26.05), at once or when a base appears that it waited for: all of that
    is refused before it is sent. SPDK does not tell which passthru bdevs
    wait, so a base that does not exist is refused here, while other bdevs
    may be made in advance.

    :param name: its name.
    :param base_bdev_name: the bdev that it stands on and claims.
    :param exist_ok: do not mind if it exists on that base.
    :param options: others that the release has: uuid.
    :returns: its name.
    :raises InvalidValue: the name is empty, or that of the base.
    :raises AlreadyExists: the name, or the UUID, is taken.
    :raises NotFound: the base does not exist.
    :raises PermissionDenied: another module has claimed the base.
    """
    validate.text('bdev', name)
    validate.text('bdev', base_bdev_name)
    if name == base_bdev_name:
        validate.refuse('passthru bdev', name, 'it cannot stand on itself: '
                        'that would abort the target')
    known = bdevs.get(client)
    if exist_ok and _exists(known, name, base_bdev_name):
        return name
    for word in (name, options.get('uuid')):
        _check_free(known, name, word)
    bdevs.base_bdev(client, _CREATE, base_bdev_name, False, known)
    created: str = base.call(
        client, _CREATE, name=name, base_bdev_name=base_bdev_name,
        _about=f'bdev {name!r}',
        _cause=lambda _exc: claims.claimed(client, base_bdev_name),
        **options)
    return created


def _exists(known: Sequence[types.Bdev], name: str,
            base_bdev_name: str) -> bool:
    """Whether there is such a bdev already."""
    below = bdevs.named(known, base_bdev_name)
    bdev = bdevs.named(known, name)
    return below is not None and bdev is not None and bdev.name == name \
        and bdev.product_name == 'passthru' and bdev.bases == (below.name,)


def _check_free(known: Sequence[types.Bdev], name: str,
                word: str | None) -> None:
    """Refuse a name or UUID that a bdev has.

    :param word: the name or UUID.
    """
    bdev = bdevs.named(known, word) if word else None
    if bdev is None:
        return
    where = f' on {", ".join(bdev.bases)}' if bdev.bases else ''
    raise errors.taken(
        _CREATE, {'name': name},
        f'bdev {word!r} exists as {bdev.product_name!r}{where}; not sent, '
        'since it would abort the target')
