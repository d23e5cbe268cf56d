# SPDX-License-Identifier: Apache-2.0

"""A host on NVMe/TCP that writes zeroes and reads them back.

Of the NVM Express specifications: Base 1.4, TCP Transport 1.0, Fabrics 1.1.
No digests, one I/O queue, no keep alive. Write Zeroes is never bounded by
MDTS; SPDK takes as many blocks as the field can say.
"""

import collections
import socket
import struct
import uuid

from cyborg_spdk import exceptions

_IC_REQUEST, _IC_RESPONSE, _CAPSULE = 0x00, 0x01, 0x04
_RESPONSE, _C2H_DATA = 0x05, 0x07
# Flag of a C2HData behind which no response comes: all is well.
_SUCCESS = 0x08

_FLUSH, _READ, _WRITE_ZEROES, _IDENTIFY, _FABRICS = 0x00, 2, 8, 6, 0x7f
_PROPERTY_SET, _CONNECT, _PROPERTY_GET = 0, 1, 4
_CC, _CSTS = 0x14, 0x1c
# Entries of 64 and 16 bytes, enabled.
_ENABLE = 0x00460001
_DATA_IN_CAPSULE, _DATA_BY_TRANSPORT = 0x01, 0x5a

_MOST_READ = 128 << 10
_LARGEST_PDU = 4 << 20


class _Queue:
    """One queue: one connection."""

    def __init__(self, place: tuple[str, int], timeout: float) -> None:
        self._sock = socket.create_connection(place, timeout)
        self._source = self._sock.makefile('rb')
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._numbers = collections.deque(range(1, 128))
        self._data: dict[int, bytearray] = {}
        self._send(_IC_REQUEST, struct.pack('<HBBI112x', 0, 0, 0, 0))
        kind, _flags, _header, _rest = self._receive()
        if kind != _IC_RESPONSE:
            raise exceptions.WipeError(f'{place}: no NVMe/TCP target')

    def close(self) -> None:
        self._source.close()
        self._sock.close()

    def _send(self, kind: int, header: bytes, data: bytes = b'') -> None:
        length = 8 + len(header)
        self._sock.sendall(struct.pack(
            '<BBBBI', kind, 0, length, length if data else 0,
            length + len(data)) + header + data)

    def _exactly(self, count: int) -> bytes:
        found = self._source.read(count)
        if len(found) != count:
            raise ConnectionResetError('the target closed the connection')
        return found

    def _receive(self) -> tuple[int, int, bytes, bytes]:
        kind, flags, header, offset, length = struct.unpack(
            '<BBBBI', self._exactly(8))
        if not 8 <= header <= length <= _LARGEST_PDU:
            raise exceptions.WipeError(f'NVMe/TCP: PDU {kind} of {length} '
                                       'bytes makes no sense')
        rest = self._exactly(length - 8)
        return kind, flags, rest[:header - 8], rest[(offset or header) - 8:]

    def submit(self, opcode: int, nsid: int = 0, dwords: tuple[int, ...] = (),
               wanted: int = 0, data: bytes = b'', fabrics: int = 0) -> None:
        """Send a command.

        :param dwords: command dwords from 10 on.
        :param wanted: bytes that it brings.
        :param data: bytes that it takes, in the capsule.
        :param fabrics: type of a fabrics command.
        """
        number = self._numbers.popleft()
        entry = bytearray(64)
        struct.pack_into('<BBHI', entry, 0, opcode, 0x40, number,
                         fabrics if opcode == _FABRICS else nsid)
        struct.pack_into('<I3xB', entry, 32, len(data) or wanted,
                         _DATA_IN_CAPSULE if data else _DATA_BY_TRANSPORT)
        struct.pack_into(f'<{len(dwords)}I', entry, 40, *dwords)
        self._data[number] = bytearray()
        self._send(_CAPSULE, bytes(entry), data)

    def complete(self) -> tuple[int, bytes]:
        """Wait for a command to end.

        :returns: result, data.
        :raises WipeError: if its status is not success.
        """
        while True:
            kind, flags, header, data = self._receive()
            result, status = 0, 0
            if kind == _C2H_DATA:
                number, = struct.unpack_from('<H', header)
                self._data[number] += data
                if not flags & _SUCCESS:
                    continue
            elif kind == _RESPONSE:
                result, number, status = struct.unpack('<Q4xHH', header)
            else:
                raise exceptions.WipeError(f'NVMe/TCP: PDU {kind:#x} came')
            found = self._data.pop(number)
            self._numbers.append(number)
            if status >> 1:
                raise exceptions.WipeError(
                    f'the NVMe-oF target answers status {status >> 1:#x}')
            return result, bytes(found)

    def call(self, opcode: int, nsid: int = 0, dwords: tuple[int, ...] = (),
             wanted: int = 0, data: bytes = b'',
             fabrics: int = 0) -> tuple[int, bytes]:
        self.submit(opcode, nsid, dwords, wanted, data, fabrics)
        return self.complete()

    def connect(self, nqn: str, host: str, number: int, controller: int,
                entries: int) -> int:
        """Become queue ``number`` of a controller; returns its number."""
        data = bytearray(1024)
        struct.pack_into('<16sH', data, 0, uuid.uuid5(
            uuid.NAMESPACE_DNS, host).bytes, controller)
        struct.pack_into('<256s256s', data, 256, nqn.encode(), host.encode())
        result, _data = self.call(
            _FABRICS, dwords=(number << 16, entries - 1, 0),
            data=bytes(data), fabrics=_CONNECT)
        return result & 0xffff


class Disk:
    """A namespace; see :class:`cyborg_spdk.units.wipe.disk.Disk`.

    :param place: address and port of a listener without TLS.
    :param nqn: NQN of the subsystem.
    :param nsid: number of the namespace.
    :param host: NQN of a host that is let in without a key.
    :param timeout: seconds to wait for any answer.
    :raises OSError: if nobody is there.
    :raises WipeError: if the host is not let in, or there is no namespace.
    """

    depth = 64

    def __init__(self, place: tuple[str, int], nqn: str, nsid: int,
                 host: str, timeout: float = 30.0) -> None:
        self._nsid = nsid
        self._queues = [_Queue(place, timeout)]
        try:
            controller = self._queues[0].connect(nqn, host, 0, 0xffff, 32)
            self._enable()
            self._identify()
            self._queues.append(_Queue(place, timeout))
            self._queues[1].connect(nqn, host, 1, controller, self.depth + 1)
        except BaseException:
            self.close()
            raise
        self.most_zeroes = 1 << 16

    def _enable(self) -> None:
        admin = self._queues[0]
        admin.call(_FABRICS, fabrics=_PROPERTY_SET,
                   dwords=(0, _CC, _ENABLE, 0))
        while True:
            status = admin.call(_FABRICS, fabrics=_PROPERTY_GET,
                                dwords=(0, _CSTS))[0]
            if status & 2:
                raise exceptions.WipeError('the NVMe-oF controller reports '
                                           'a fatal status')
            if status & 1:
                return

    def _identify(self) -> None:
        _result, data = self._queues[0].call(_IDENTIFY, self._nsid, (0,),
                                             wanted=4096)
        self.blocks, = struct.unpack_from('<Q', data)
        if not self.blocks:
            raise exceptions.WipeError(f'there is no namespace {self._nsid}')
        extra, size = struct.unpack_from('<HB', data,
                                         128 + 4 * (data[26] & 0xf))
        self.block_size = 1 << size
        # Bit 4 of FLBAS: metadata comes at the end of each block's data.
        self.metadata = extra if data[26] & 0x10 else 0
        self.most_read = _MOST_READ // (self.block_size + self.metadata)

    def submit_zeroes(self, block: int, count: int) -> None:
        """Write Zeroes."""
        self._queues[1].submit(_WRITE_ZEROES, self._nsid, (
            block & 0xffffffff, block >> 32, count - 1))

    def submit_read(self, block: int, count: int) -> None:
        """Read."""
        self._queues[1].submit(
            _READ, self._nsid, (block & 0xffffffff, block >> 32, count - 1),
            wanted=count * (self.block_size + self.metadata))

    def complete(self) -> bytes:
        """Wait for a command to end; the bytes of a Read."""
        return self._queues[1].complete()[1]

    def flush(self) -> None:
        """Flush."""
        self._queues[1].call(_FLUSH, self._nsid)

    def close(self) -> None:
        """End both connections."""
        for queue in self._queues:
            queue.close()
