# SPDX-License-Identifier: Apache-2.0

"""What a wipe needs of a disk, however it is reached."""

import typing


class Disk(typing.Protocol):
    """A disk that is open: :mod:`nvme_tcp` and its like have one each.

    Commands are in flight between ``submit_...`` and :meth:`complete`, at
    most :attr:`depth` at once. Each method may raise :class:`OSError` when
    the connection fails, and :class:`WipeError` for what the disk refuses.

    :ivar block_size: bytes of data in a block.
    :ivar metadata: further bytes that a block has when it is read.
    :ivar blocks: how many blocks there are.
    :ivar most_zeroes: most blocks of one :meth:`submit_zeroes`.
    :ivar most_read: most blocks of one :meth:`submit_read`.
    :ivar depth: most commands in flight.
    """

    block_size: int
    metadata: int
    blocks: int
    most_zeroes: int
    most_read: int
    depth: int

    def submit_zeroes(self, block: int, count: int) -> None:
        """Ask for zeroes in ``count`` blocks from ``block`` on."""

    def submit_read(self, block: int, count: int) -> None:
        """Ask for the content of ``count`` blocks from ``block`` on."""

    def complete(self) -> bytes:
        """Wait for a command to end, whichever it is; bytes of a read."""

    def flush(self) -> None:
        """Have on the medium what was written; nothing is in flight."""

    def close(self) -> None:
        """End the connection, whatever is in flight."""
