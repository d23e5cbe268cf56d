# SPDX-License-Identifier: Apache-2.0

"""Bdevs that are parts of another one."""

import re

from cyborg_spdk.clients import base
from cyborg_spdk.clients import validate


class BdevSplit:
    """Mixed into :class:`~cyborg_spdk.clients.bdev.layers.BdevLayers`."""

    def bdev_split_create(self, base_bdev, split_count, *, split_size=None,
                          exist_ok=False, deferred=False):
        """Divide a bdev into parts of equal size.

        v26.05 ends (SIGABRT, SIGFPE, SIGSEGV) if the name of a part is
        taken, if there are more parts than blocks, or if the base is called
        by an alias, and does not end any more if the base has no room for
        one part: none of that is sent.

        :param base_bdev: the bdev to divide; it is claimed.
        :param split_count: how many parts; SPDK makes fewer if the base
            has no room for so many of that size.
        :param split_size: size of a part, whole MiB; None divides all.
        :param exist_ok: do not mind if it is divided into such parts.
        :param deferred: do not mind if the base does not exist yet.
        :returns: list of names: ``<base>p0``, ``<base>p1``, ...; empty if
            the base does not exist yet.
        :raises NotFound: the base does not exist.
        :raises AlreadyExists: it is divided already, or the name of a part
            is taken.
        :raises PermissionDenied: another module has claimed the base.
        """
        method = 'bdev_split_create'
        validate.text('bdev', base_bdev)
        validate.integer('split_count', split_count, 1, 2 ** 32 - 1)
        mebibytes = None
        if split_size is not None:
            split_size = validate.size('split_size', split_size)
            mebibytes = validate.mebibytes('split_size', split_size)
        bdevs = self.bdev_get_bdevs()
        self._base_exists(method, base_bdev, deferred, bdevs)
        found = next((one for one in bdevs if one.known_as(base_bdev)), None)
        if found is not None:
            base_bdev = found.name
            count, size = _parts_of(found, split_count, split_size)
            parts = self._parts(base_bdev, bdevs)
            if parts:
                same = len(parts) == count and parts[0].size == size
                if exist_ok and same:
                    return [one.name for one in parts]
                raise base.taken(
                    method, {'base_bdev': base_bdev},
                    f'bdev {base_bdev!r} is divided already, into '
                    f'{len(parts)} parts of {parts[0].size} bytes')
        name = re.compile(re.escape(base_bdev) + r'p(\d+)\Z', re.ASCII)
        for one in bdevs:
            for word in (one.name, *one.aliases):
                number = name.match(word)
                if number and int(number[1]) < split_count:
                    raise base.taken(
                        method, {'base_bdev': base_bdev}, f'bdev {word!r} '
                        f'exists as {one.product_name!r}; not sent, since '
                        'it would abort the target')
        return self._call(
            method, base_bdev=base_bdev, split_count=split_count,
            split_size_mb=mebibytes, _about=f'parts of bdev {base_bdev!r}',
            _cause=lambda _exc: self._claimed(base_bdev))

    def bdev_split_delete(self, base_bdev, *, missing_ok=False):
        """Delete all parts of a bdev.

        SPDK answers "true" for a base that does not exist, so the parts
        are looked for first.

        :param base_bdev: the bdev that was divided.
        :param missing_ok: do not mind if it has no parts.
        :returns: True; False if there were none.
        :raises NotFound: there were none and ``missing_ok`` is not set.
        """
        validate.text('bdev', base_bdev)
        found = self.find_bdev(base_bdev)
        base_bdev = found.name if found is not None else base_bdev
        if not self._parts(base_bdev):
            if missing_ok:
                return False
            raise base.missing(
                'bdev_split_delete', {'base_bdev': base_bdev},
                f'bdev {base_bdev!r} does not exist or has no parts')
        return self._delete(
            'bdev_split_delete', f'parts of bdev {base_bdev!r}',
            lambda: not self._parts(base_bdev), missing_ok,
            base_bdev=base_bdev)

    def _parts(self, base_bdev, bdevs=None):
        if bdevs is None:
            bdevs = self.bdev_get_bdevs()
        return [one for one in bdevs
                if one.kind.name == 'split' and base_bdev in one.bases]


def _parts_of(bdev, split_count, split_size):
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
