# SPDX-License-Identifier: Apache-2.0

"""Zeroes over a whole disk, within a bound, and the proof of them."""

import collections.abc
import contextlib
import dataclasses
import time

from cyborg_spdk import exceptions
from cyborg_spdk.units.wipe import disk as disk_module

#: Called with the bytes that are done and the bytes of all.
Progress = collections.abc.Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Bound:
    """How much of the target a wipe may take.

    Other units of the same target share its reactors: with 1 to 4 commands
    of 1 to 4 MiB in flight their reads stay below half a millisecond at the
    median, with more the wipe is two to three times as fast.

    :ivar depth: commands in flight.
    :ivar size: bytes of each.
    :ivar rate: bytes in a second, or None for no such limit.
    """

    depth: int = 2
    size: int = 4 << 20
    rate: int | None = None


#: What is quickest where nobody is disturbed.
UNBOUNDED = Bound(depth=8, size=64 << 20)


@contextlib.contextmanager
def _told(what: str) -> collections.abc.Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as exc:
        raise exceptions.WipeError(f'{what}: {exc}') from exc


def zero(disk: disk_module.Disk, bound: Bound, progress: Progress) -> None:
    """Write zeroes from block 0 to the end. Blocks.

    :param disk: where.
    :param bound: how fast at most.
    :param progress: told after each command.
    :raises WipeError: if one command fails; what is behind it is as it was.
    """
    most = max(1, min(bound.size // disk.block_size, disk.most_zeroes))
    pace = _Pace(bound.rate)
    with _told('writing zeroes'):
        for done in _each(disk, min(bound.depth, disk.depth), most,
                          disk.submit_zeroes, lambda _data: None):
            progress(done * disk.block_size, disk.blocks * disk.block_size)
            pace.wait(done * disk.block_size)
        disk.flush()


def check(disk: disk_module.Disk, bound: Bound, progress: Progress) -> None:
    """Read the whole disk and see that it is zero. Blocks.

    :param disk: where: over a new connection, not the one that wrote.
    :param bound: how fast at most.
    :param progress: told after each command.
    :raises WipeError: at the first byte that is not, or if it cannot be
        read.
    """
    each = disk.block_size + disk.metadata
    zeroes = bytes(each * disk.most_read)

    def look(data: bytes) -> None:
        if disk.metadata:
            # It may be protection information, which is not zero.
            data = b''.join(data[at:at + disk.block_size]
                            for at in range(0, len(data), each))
        if data != zeroes[:len(data)]:
            raise exceptions.WipeError(
                'old data was read after all was written with zeroes')

    pace = _Pace(bound.rate)
    # Reads are smaller: as many bytes in flight as in the wipe, about.
    depth = min(disk.depth, max(bound.depth, 8))
    with _told('reading the zeroes back'):
        for done in _each(disk, depth, disk.most_read, disk.submit_read,
                          look):
            progress(done * disk.block_size, disk.blocks * disk.block_size)
            pace.wait(done * disk.block_size)


def _each(disk: disk_module.Disk, depth: int, most: int,
          submit: collections.abc.Callable[[int, int], None],
          look: collections.abc.Callable[[bytes], None],
          ) -> collections.abc.Iterator[int]:
    """Do one thing for all blocks; yields how many are asked for."""
    each = disk.block_size + disk.metadata
    position = ended = 0
    sizes: collections.deque[int] = collections.deque()
    while ended < disk.blocks:
        while position < disk.blocks and len(sizes) < depth:
            count = min(most, disk.blocks - position)
            submit(position, count)
            sizes.append(count)
            position += count
        data = disk.complete()
        # Which one has ended does not matter, only how many blocks it had.
        count = len(data) // each if data else sizes[0]
        if count not in sizes:
            raise exceptions.WipeError(f'{len(data)} bytes came unasked')
        sizes.remove(count)
        look(data)
        ended += count
        yield ended


class _Pace:
    """Waits so long that a rate is kept on the average."""

    def __init__(self, rate: int | None) -> None:
        self._rate = rate
        self._begin = time.monotonic()

    def wait(self, done: int) -> None:
        if self._rate:
            early = self._begin + done / self._rate - time.monotonic()
            if early > 0:
                time.sleep(early)
