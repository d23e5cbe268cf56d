# SPDX-License-Identifier: Apache-2.0

"""What is on a file or a disk before it is taken.

Not which file system: anything but zeroes in the first and the last MiB is
somebody's. Partition tables, file systems, RAID, LVM and LUKS, and SPDK's
own stores have their marks there.
"""

import dataclasses
import os
import stat

from cyborg_spdk.clients import types
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import disks as machine_disks
from cyborg_spdk import rpc
from cyborg_spdk.units.declared import model
from cyborg_spdk.units.wipe import nvme_passthru

_LOOKED_AT = 1 << 20


@dataclasses.dataclass(frozen=True)
class Content:
    """What was found.

    :ivar exists: whether the file or device is there.
    :ivar size: bytes.
    :ivar foreign: what is on it, for people; None if nothing.
    :ivar used: who of this host uses it, for people; None if nobody. Such a
        disk is not taken, whatever the operator allows.
    """

    exists: bool
    size: int = 0
    foreign: str | None = None
    used: str | None = None


def user(disk: model.Disk) -> str | None:
    """Who of this host uses a file or device: not SPDK, which just opens it.

    :param disk: the disk.
    :returns: for people, or None.
    """
    if disk.kind == 'file':
        return next(iter(machine_disks.users_of_file(disk.place)), None)
    for name in machine_disks.of_device(disk.place):
        for used in machine_disks.users(name):
            return used
    if machine_disks.is_taken(disk.place):
        return f'{disk.place} is held by the kernel or a process'
    return None


def look(disk: model.Disk) -> Content:
    """Look at a file or device of this host. Blocks.

    :param disk: the disk.
    :raises HostError: if it cannot be read.
    """
    wanted = stat.S_ISREG if disk.kind == 'file' else stat.S_ISBLK
    try:
        fd = os.open(disk.place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
                     | (os.O_NOFOLLOW if disk.kind == 'file' else 0))
    except FileNotFoundError:
        return Content(False)
    except OSError as exc:
        raise exceptions.HostError(
            f'{disk.place}: {exc.strerror}; run this as root, or correct '
            'units_file') from None
    try:
        if not wanted(os.fstat(fd).st_mode):
            return Content(True, 0, f'it is no {disk.kind}')
        size = os.lseek(fd, 0, os.SEEK_END)
        used = user(disk)
        for begin in (0, max(0, size - _LOOKED_AT)):
            data = os.pread(fd, _LOOKED_AT, begin)
            at = _first(data)
            if at is not None:
                return Content(True, size, f'data at byte {begin + at}',
                               used)
        return Content(True, size, used=used)
    except OSError as exc:
        raise exceptions.HostError(f'{disk.place}: {exc.strerror}') from None
    finally:
        os.close(fd)


def look_nvme(client: rpc.Client, bdev: types.Bdev) -> Content:
    """Look at a namespace that a target has attached. Blocks.

    :param client: the client of the target.
    :param bdev: its bdev.
    """
    namespace = nvme_passthru.Namespace(client, bdev)
    count = _LOOKED_AT // bdev.block_size
    for begin in (0, max(0, bdev.num_blocks - count)):
        at = _first(namespace.read(begin, min(count, bdev.num_blocks)))
        if at is not None:
            return Content(True, bdev.size, 'data at byte '
                           f'{begin * bdev.block_size + at}')
    return Content(True, bdev.size)


def _first(data: bytes) -> int | None:
    """Position of the first byte that is not zero."""
    rest = data.lstrip(b'\0')
    return len(data) - len(rest) if rest else None


def make(disk: model.Disk) -> None:
    """Make the file of a disk, with all its space. Blocks.

    :param disk: the disk; its size is known.
    :raises HostError: if it cannot be made.
    """
    assert disk.size is not None
    try:
        fd = os.open(disk.place, os.O_RDWR | os.O_CREAT | os.O_EXCL
                     | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, disk.size)
            os.fsync(fd)
        except OSError:
            os.unlink(disk.place)
            raise
        finally:
            os.close(fd)
    except OSError as exc:
        raise exceptions.HostError(
            f'{disk.place} cannot be made with {disk.size >> 20} MiB: '
            f'{exc.strerror}') from None
