# SPDX-License-Identifier: Apache-2.0

"""What a wipe has written is on the medium, not in a cache."""

import os
import stat

from cyborg_spdk.clients import types
from cyborg_spdk import exceptions


def persist(bdev: types.Bdev, bdevs: list[types.Bdev]) -> None:
    """Flush the files and devices that a bdev stands on. Blocks.

    Where SPDK's bdev has no flush (an lvol, uring) that of the unit's export
    does nothing.

    :param bdev: the unit's bdev.
    :param bdevs: all bdevs of the target, which is on this host.
    :raises WipeError: if one cannot be flushed.
    """
    if bdev.supported_io_types.get('flush') and bdev.product_name not in (
            'passthru', 'crypto', 'Split Disk'):
        # The export's own flush has reached it.
        return
    for one in (bdev, *bdev.below(bdevs)):
        name = one.own.get('filename')
        if isinstance(name, str):
            _sync(name)


def _sync(path: str) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        # Another user's: the kernel writes all back, and flushes.
        os.sync()
        return
    except FileNotFoundError:
        # It was unlinked while the target has it open: gone with it.
        return
    except OSError as exc:
        raise exceptions.WipeError(f'{path} cannot be flushed: '
                                   f'{exc.strerror}') from None
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISREG(mode) or stat.S_ISBLK(mode):
            os.fsync(fd)
    except OSError as exc:
        raise exceptions.WipeError(f'{path} cannot be flushed: '
                                   f'{exc.strerror}') from None
    finally:
        os.close(fd)
