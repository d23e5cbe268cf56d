# SPDX-License-Identifier: Apache-2.0

"""Bdevs that are parts of another one."""

from collections.abc import Sequence
import re

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate

_CREATE = 'bdev_split_create'


def create(client: base.Caller, base_bdev: str, split_count: int, *,
           split_size: int | str | None = None, exist_ok: bool = False,
           deferred: bool = False) -> list[str]:
    """Divide a bdev into parts of equal size.

    v26.05 ends (SIGABRT, SIGFPE, SIGSEGV) if the name of a part is taken,
    if there are more parts than blocks, or if the base is called by an
    alias, and does not end any more if the base has no room for one part:
    none of that is sent.

    :param base_bdev: the bdev to divide; it is claimed.
    :param split_count: how many parts; SPDK makes fewer if the base has no
        room for so many of that size.
    :param split_size: size of a part, whole MiB; None divides all.
    :param exist_ok: do not mind if it is divided into such parts.
    :param deferred: do not mind if the base does not exist yet.
    :returns: list of names: ``<base>p0``, ``<base>p1``, ...; empty if the
        base does not exist yet.
    :raises NotFound: the base does not exist.
    :raises AlreadyExists: it is divided already, or the name of a part is
        taken.
    :raises PermissionDenied: another module has claimed the base.
    """
    validate.text('bdev', base_bdev)
    validate.integer('split_count', split_count, 1, 2 ** 32 - 1)
    mebibytes = None
    if split_size is not None:
        split_size = validate.size('split_size', split_size)
        mebibytes = validate.mebibytes('split_size', split_size)
    known = bdevs.get(client)
    whole = bdevs.base_bdev(client, _CREATE, base_bdev, deferred, known)
    if whole is not None:
        base_bdev = whole.name
        count, size = _division(whole, split_count, split_size)
        parts = _existing(base_bdev, known, count, size, exist_ok)
        if parts:
            return parts
    _check_names(base_bdev, split_count, known)
    names: list[str] = base.call(
        client, _CREATE, base_bdev=base_bdev, split_count=split_count,
        split_size_mb=mebibytes, _about=f'parts of bdev {base_bdev!r}',
        _cause=lambda _exc: claims.claimed(client, base_bdev))
    return names


def _division(bdev: types.Bdev, split_count: int,
              split_size: int | None) -> tuple[int, int]:
    """How many parts a bdev is divided into, and their size in bytes.

    vbdev_split.c, vbdev_split_create().

    :param split_size: bytes, or None.
    :raises InvalidValue: it cannot be divided so.
    """
    if split_size is None:
        if split_count > bdev.num_blocks:
            validate.refuse('split_count', split_count, f'bdev {bdev.name!r} '
                            f'has {bdev.num_blocks} blocks')
        return split_count, bdev.num_blocks // split_count * bdev.block_size
    if split_size % bdev.block_size:
        validate.refuse('split_size', split_size, 'it is no multiple of the '
                        f'block size {bdev.block_size} of {bdev.name!r}')
    if split_size > bdev.size:
        validate.refuse('split_size', split_size, f'bdev {bdev.name!r} has '
                        f'{bdev.size} bytes')
    return min(split_count, bdev.size // split_size), split_size


def _existing(base_bdev: str, known: Sequence[types.Bdev], count: int,
              size: int, exist_ok: bool) -> list[str]:
    """Names of the parts that there are, if they are those wanted.

    :returns: list of str; empty if the bdev has not been divided.
    :raises AlreadyExists: it has been divided, and that is not all right.
    """
    parts = _parts(base_bdev, known)
    if parts and not (exist_ok and len(parts) == count
                      and parts[0].size == size):
        raise errors.taken(
            _CREATE, {'base_bdev': base_bdev},
            f'bdev {base_bdev!r} is divided already, into '
            f'{len(parts)} parts of {parts[0].size} bytes')
    return [part.name for part in parts]


def _check_names(base_bdev: str, split_count: int,
                 known: Sequence[types.Bdev]) -> None:
    """Refuse a division if the name of a part is taken."""
    part = re.compile(re.escape(base_bdev) + r'p(\d+)\Z', re.ASCII)
    for bdev in known:
        for word in (bdev.name, *bdev.aliases):
            number = part.match(word)
            if number and int(number[1]) < split_count:
                raise errors.taken(
                    _CREATE, {'base_bdev': base_bdev}, f'bdev {word!r} '
                    f'exists as {bdev.product_name!r}; not sent, since it '
                    'would abort the target')


def _parts(base_bdev: str, known: Sequence[types.Bdev]) -> list[types.Bdev]:
    return [bdev for bdev in known
            if bdev.kind.name == 'split' and base_bdev in bdev.bases]


def delete(client: base.Caller, base_bdev: str, *,
           missing_ok: bool = False) -> bool:
    """Delete all parts of a bdev.

    SPDK answers "true" for a base that does not exist, so the parts are
    looked for first.

    :param base_bdev: the bdev that was divided.
    :param missing_ok: do not mind if it has no parts.
    :returns: True; False if there were none.
    :raises NotFound: there were none and ``missing_ok`` is not set.
    """
    validate.text('bdev', base_bdev)
    method = 'bdev_split_delete'
    whole = bdevs.find(client, base_bdev)
    base_bdev = whole.name if whole is not None else base_bdev
    if not _parts(base_bdev, bdevs.get(client)):
        if missing_ok:
            return False
        raise errors.missing(
            method, {'base_bdev': base_bdev},
            f'bdev {base_bdev!r} does not exist or has no parts')
    return base.delete(
        client, method, f'parts of bdev {base_bdev!r}',
        lambda: not _parts(base_bdev, bdevs.get(client)), missing_ok,
        base_bdev=base_bdev)
