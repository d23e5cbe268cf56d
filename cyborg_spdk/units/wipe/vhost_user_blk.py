# SPDX-License-Identifier: Apache-2.0

"""A front end of vhost-user-blk that writes zeroes and reads them back.

Of the vhost-user protocol (QEMU's ``docs/interop/vhost-user.rst``) and
VIRTIO 1.2, 2.7 (split virtqueues) and 5.2 (block device). One queue; SPDK
maps one piece of our memory and finds the ring and the data in it.
"""

import mmap
import os
import select
import socket
import struct

from cyborg_spdk import exceptions

# Requests of vhost-user.
_GET_FEATURES, _SET_FEATURES, _SET_OWNER, _SET_MEM_TABLE = 1, 2, 3, 5
_SET_VRING_NUM, _SET_VRING_ADDR, _SET_VRING_BASE = 8, 9, 10
_SET_VRING_KICK, _SET_VRING_CALL = 12, 13
_GET_PROTOCOL, _SET_PROTOCOL, _SET_VRING_ENABLE, _GET_CONFIG = 15, 16, 18, 24
_VERSION, _NEED_REPLY = 1, 8

_FLUSH_BIT, _WRITE_ZEROES_BIT, _PROTOCOL_BIT, _VERSION_1_BIT = 9, 14, 30, 32
_BLK_SIZE_BIT = 6
# MQ, REPLY_ACK, CONFIG.
_PROTOCOL = 1 << 0 | 1 << 3 | 1 << 9

_IN, _FLUSH, _WRITE_ZEROES = 0, 4, 13
_SECTOR = 512

_NEXT, _WRITE = 1, 2
_ENTRIES = 64
# Where things are in the memory that is shared: the ring, one header and
# status for each command, data. SPDK registers whole pages of 2 MiB.
_AVAILABLE, _USED, _HEADERS = 0x1000, 0x2000, 0x3000
_HEADER = 64
_DATA = 2 << 20
_DATA_EACH = 1 << 20
# Where SPDK is told that it is; no address of this process.
_BASE = 1 << 32


class _Peer:
    """The socket, and the messages on it."""

    def __init__(self, path: str, timeout: float) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.settimeout(timeout)
            self.sock.connect(path)
        except BaseException:
            self.sock.close()
            raise

    def send(self, request: int, body: bytes = b'', flags: int = 0,
             files: tuple[int, ...] = ()) -> None:
        socket.send_fds(self.sock, [struct.pack(
            '<III', request, _VERSION | flags, len(body)) + body], files)

    def receive(self, request: int) -> bytes:
        """The body of an answer."""
        found, _flags, size = struct.unpack('<III', self._exactly(12))
        if found != request or size > 4096:
            raise exceptions.WipeError(
                f'vhost-user: an answer to {found}, not to {request}')
        return self._exactly(size)

    def _exactly(self, count: int) -> bytes:
        found = b''
        while len(found) < count:
            more = self.sock.recv(count - len(found))
            if not more:
                raise ConnectionResetError('the target closed the socket')
            found += more
        return found

    def get(self, request: int, body: bytes = b'') -> bytes:
        self.send(request, body)
        return self.receive(request)

    def set(self, request: int, body: bytes,
            files: tuple[int, ...] = ()) -> None:
        """Send a message, and wait until it was obeyed."""
        self.send(request, body, _NEED_REPLY, files)
        if any(self.receive(request)):
            raise exceptions.WipeError(
                f'vhost-user: the target refuses request {request}')


def answers(path: str, timeout: float) -> bool:
    """Whether somebody serves the protocol at a socket.

    Another session is not disturbed: this is one of its own, which asks for
    the features and ends.

    :param path: the socket.
    :param timeout: seconds to wait for an answer.
    :raises OSError: if nobody listens there.
    """
    peer = _Peer(path, timeout)
    try:
        return bool(peer.get(_GET_FEATURES))
    except (TimeoutError, ConnectionResetError, BrokenPipeError,
            exceptions.WipeError):
        return False
    finally:
        peer.sock.close()


class Disk:
    """A block controller; see :class:`cyborg_spdk.units.wipe.disk.Disk`.

    :param path: its vhost-user socket.
    :param timeout: seconds to wait for any answer.
    :raises OSError: if nobody is there.
    :raises WipeError: if it cannot write zeroes.
    """

    depth = 16
    block_size = _SECTOR
    metadata = 0
    most_read = _DATA_EACH // _SECTOR

    def __init__(self, path: str, timeout: float = 30.0) -> None:
        self._timeout = timeout
        self._peer = _Peer(path, timeout)
        self._files: list[int] = []
        self._memory: mmap.mmap | None = None
        try:
            self._features()
            self._configuration()
            self._share()
            self._start()
        except BaseException:
            self.close()
            raise
        self._free = list(range(self.depth))
        self._sizes = [0] * self.depth
        self._put = self._seen = 0

    def _features(self) -> None:
        offered, = struct.unpack('<Q', self._peer.get(_GET_FEATURES))
        needed = 1 << _PROTOCOL_BIT | 1 << _VERSION_1_BIT \
            | 1 << _WRITE_ZEROES_BIT
        if needed & ~offered:
            raise exceptions.WipeError(
                'this vhost controller cannot write zeroes (features '
                f'{offered:#x}); SPDK v20.04 and later can')
        self._can_flush = bool(offered & 1 << _FLUSH_BIT)
        protocol, = struct.unpack('<Q', self._peer.get(_GET_PROTOCOL))
        if _PROTOCOL & ~protocol:
            raise exceptions.WipeError(
                f'vhost-user: protocol features {protocol:#x} are too few')
        self._peer.send(_SET_PROTOCOL, struct.pack('<Q', _PROTOCOL))
        self._peer.set(_SET_OWNER, b'')
        self._peer.set(_SET_FEATURES, struct.pack('<Q', offered & (
            needed | 1 << _FLUSH_BIT | 1 << _BLK_SIZE_BIT)))

    def _configuration(self) -> None:
        """VIRTIO 1.2, 5.2.4: capacity, max_write_zeroes_sectors."""
        found = self._peer.get(_GET_CONFIG, struct.pack('<III60x', 0, 60, 0))
        sectors, = struct.unpack_from('<Q', found, 12)
        most, = struct.unpack_from('<I', found, 12 + 48)
        self.blocks, self.most_zeroes = sectors, most or 1

    def _share(self) -> None:
        size = _DATA + self.depth * _DATA_EACH
        memory = os.memfd_create('wipe', os.MFD_CLOEXEC)
        self._files.append(memory)
        os.ftruncate(memory, size)
        self._memory = mmap.mmap(memory, size)
        self._peer.set(_SET_MEM_TABLE, struct.pack(
            '<IIQQQQ', 1, 0, 0, size, _BASE, 0), (memory,))

    def _start(self) -> None:
        for _count in range(2):
            self._files.append(os.eventfd(0, os.EFD_CLOEXEC
                                          | os.EFD_NONBLOCK))
        peer, (kick, call) = self._peer, self._files[1:]
        peer.set(_SET_VRING_NUM, struct.pack('<II', 0, _ENTRIES))
        peer.set(_SET_VRING_BASE, struct.pack('<II', 0, 0))
        peer.set(_SET_VRING_ADDR, struct.pack(
            '<IIQQQQ', 0, 0, _BASE, _BASE + _USED, _BASE + _AVAILABLE, 0))
        peer.set(_SET_VRING_CALL, struct.pack('<Q', 0), (call,))
        peer.set(_SET_VRING_KICK, struct.pack('<Q', 0), (kick,))
        peer.set(_SET_VRING_ENABLE, struct.pack('<II', 0, 1))

    def _submit(self, kind: int, sector: int, payload: bytes = b'',
                wanted: int = 0) -> None:
        """Put a chain into the ring: header, payload or data, status."""
        memory = self._memory
        assert memory is not None
        slot = self._free.pop()
        self._sizes[slot] = wanted
        header = _HEADERS + slot * _HEADER
        struct.pack_into('<IIQ', memory, header, kind, 0, sector)
        memory[header + 16:header + 16 + len(payload)] = payload
        memory[header + 48] = 0xff
        parts = [(header, 16, 0)]
        if payload:
            parts.append((header + 16, len(payload), 0))
        if wanted:
            parts.append((_DATA + slot * _DATA_EACH, wanted, _WRITE))
        parts.append((header + 48, 1, _WRITE))
        for number, (place, size, flags) in enumerate(parts, 3 * slot):
            last = number == 3 * slot + len(parts) - 1
            struct.pack_into('<QIHH', memory, 16 * number, place, size,
                             flags | (0 if last else _NEXT), number + 1)
        struct.pack_into('<H', memory, _AVAILABLE + 4
                         + 2 * (self._put % _ENTRIES), 3 * slot)
        self._put = (self._put + 1) & 0xffff
        # The device looks at this last, so it is written last.
        struct.pack_into('<H', memory, _AVAILABLE + 2, self._put)
        os.eventfd_write(self._files[1], 1)

    def submit_zeroes(self, block: int, count: int) -> None:
        """VIRTIO_BLK_T_WRITE_ZEROES, of one segment."""
        self._submit(_WRITE_ZEROES, 0, struct.pack('<QII', block, count, 0))

    def submit_read(self, block: int, count: int) -> None:
        """VIRTIO_BLK_T_IN."""
        self._submit(_IN, block, wanted=count * _SECTOR)

    def complete(self) -> bytes:
        """Wait for a request to end; the bytes of a read."""
        memory = self._memory
        assert memory is not None
        while struct.unpack_from('<H', memory, _USED + 2)[0] == self._seen:
            self._wait()
        number, = struct.unpack_from('<I', memory, _USED + 4
                                     + 8 * (self._seen % _ENTRIES))
        self._seen = (self._seen + 1) & 0xffff
        slot = number // 3
        self._free.append(slot)
        status = memory[_HEADERS + slot * _HEADER + 48]
        if status:
            raise exceptions.WipeError(
                f'the vhost target answers status {status}')
        begin = _DATA + slot * _DATA_EACH
        return memory[begin:begin + self._sizes[slot]]

    def _wait(self) -> None:
        call, sock = self._files[2], self._peer.sock.fileno()
        poll = select.poll()
        poll.register(call, select.POLLIN)
        poll.register(sock, select.POLLIN)
        ready = [fd for fd, _event in poll.poll(self._timeout * 1000)]
        if not ready:
            raise TimeoutError(f'no answer within {self._timeout:g} s')
        if sock in ready:
            raise ConnectionResetError('the target closed the socket')
        os.eventfd_read(call)

    def flush(self) -> None:
        """VIRTIO_BLK_T_FLUSH, if the device has it."""
        if self._can_flush:
            self._submit(_FLUSH, 0)
            self.complete()

    def close(self) -> None:
        """Let go of the socket: the target ends the session."""
        self._peer.sock.close()
        if self._memory is not None:
            self._memory.close()
        while self._files:
            os.close(self._files.pop())
