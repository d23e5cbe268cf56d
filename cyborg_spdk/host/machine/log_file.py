# SPDX-License-Identifier: Apache-2.0

"""The file that a program writes its log to, kept from filling the disk."""

import os
import stat

from cyborg_spdk.host import directories
from cyborg_spdk.host import trusted_files

#: Bytes at which the log of a program that runs is begun anew, and how many
#: of them are kept.
LIMIT = 32 << 20
KEPT = 4 << 20


def too_long(path: str) -> bool:
    """Whether a log has more than :data:`LIMIT` bytes."""
    try:
        return os.lstat(path).st_size > LIMIT
    except OSError:
        return False


def trim(path: str) -> None:
    """Keep the log of a program that runs from filling the disk.

    If it is longer than :data:`LIMIT`, its end becomes the log before
    (PATH.1) and it begins anew; programs write at its end, wherever that is.

    :param path: the log.
    :raises OSError: if it is not ours to change.
    """
    with directories.opened(os.path.dirname(path)) as directory:
        fd = os.open(os.path.basename(path), os.O_RDWR | os.O_NONBLOCK
                     | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    with open(fd, 'r+b') as stream:
        status = os.fstat(fd)
        # Another name of it would be a file of somebody else's.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or \
                status.st_size <= LIMIT:
            return
        stream.seek(status.st_size - KEPT)
        trusted_files.write_atomically(path + '.1', stream.read(KEPT), 0o640,
                                       durable=False)
        stream.truncate(0)
