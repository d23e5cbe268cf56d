# SPDX-License-Identifier: Apache-2.0

"""An iSCSI initiator that writes zeroes and reads them back.

RFC 7143, one session of one connection, without digests and CHAP; SBC-3 for
READ(16) and WRITE(16). Zeroes go as data: SPDK writes WRITE SAME(16) block
by block, which is slower, and UNMAP does not promise zeroes.
"""

import socket
import struct

from cyborg_spdk import exceptions

_NOP_OUT, _COMMAND, _LOGIN, _DATA_OUT, _LOGOUT = 0x00, 0x01, 0x03, 0x05, 0x06
_NOP_IN, _RESPONSE, _LOGIN_RESPONSE = 0x20, 0x21, 0x23
_DATA_IN, _LOGOUT_RESPONSE, _R2T = 0x25, 0x26, 0x31
_IMMEDIATE, _FINAL, _READ, _WRITE, _SIMPLE = 0x40, 0x80, 0x40, 0x20, 0x01
_NONE = 0xffffffff

_KEYS = {'HeaderDigest': 'None', 'DataDigest': 'None',
         'InitialR2T': 'Yes', 'ImmediateData': 'No',
         'MaxRecvDataSegmentLength': '262144', 'MaxBurstLength': '262144',
         'FirstBurstLength': '65536', 'MaxOutstandingR2T': '1',
         'MaxConnections': '1', 'DefaultTime2Wait': '2',
         'DefaultTime2Retain': '0', 'DataPDUInOrder': 'Yes',
         'DataSequenceInOrder': 'Yes', 'ErrorRecoveryLevel': '0'}

_MOST = 128 << 10
_ZEROES = memoryview(bytes(_MOST))


class _Session:
    """A session: its numbers, and the PDUs on its connection."""

    def __init__(self, place: tuple[str, int], timeout: float) -> None:
        self._sock = socket.create_connection(place, timeout)
        self._source = self._sock.makefile('rb')
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.command_number = 0
        self._status_number = 0
        self._last_allowed = 0
        self.longest = 8192

    def close(self) -> None:
        self._source.close()
        self._sock.close()

    def send(self, head: bytes, data: bytes | memoryview = b'') -> None:
        """Send a PDU; the length of its data is put into the head."""
        pad = bytes(-len(data) % 4)
        self._sock.sendall(b''.join((
            head[:4], struct.pack('>I', len(data)), head[8:], data, pad)))

    def receive(self) -> tuple[bytes, bytes]:
        """The next PDU: head and data; pings are answered."""
        while True:
            head = self._exactly(48)
            size = int.from_bytes(head[5:8], 'big')
            data = self._exactly(size + -size % 4)[:size]
            kind = head[0] & 0x3f
            if kind in (_RESPONSE, _LOGIN_RESPONSE, _LOGOUT_RESPONSE) or \
                    kind == _DATA_IN and head[1] & 1:
                number, = struct.unpack_from('>I', head, 24)
                self._status_number = number + 1 & _NONE
            _expected, self._last_allowed = struct.unpack_from('>II', head,
                                                               28)
            if kind != _NOP_IN:
                return head, data
            self._pong(head)

    def _pong(self, ping: bytes) -> None:
        tag, = struct.unpack_from('>I', ping, 20)
        if tag != _NONE:
            self.send(struct.pack('>BBHI8sIIII16x', _NOP_OUT | _IMMEDIATE,
                                  _FINAL, 0, 0, ping[8:16], _NONE, tag,
                                  self.command_number, self._status_number))

    def _exactly(self, count: int) -> bytes:
        found = self._source.read(count)
        if len(found) != count:
            raise ConnectionResetError('the target closed the connection')
        return found

    @property
    def full(self) -> bool:
        """Whether the target takes no further command at present."""
        ahead = self._last_allowed - self.command_number & _NONE
        return ahead > 1 << 31

    def login(self, initiator: str, node: str) -> None:
        """Come to the full feature phase."""
        self._login(0, 1, {'InitiatorName': initiator, 'TargetName': node,
                           'SessionType': 'Normal', 'AuthMethod': 'None'})
        answer = self._login(1, 3, _KEYS)
        self.longest = min(_MOST, int(
            answer.get('MaxRecvDataSegmentLength', self.longest)))
        self.command_number = 1

    def _login(self, stage: int, following: int,
               keys: dict[str, str]) -> dict[str, str]:
        text = ''.join(f'{name}={value}\0' for name, value in keys.items())
        self.send(struct.pack(
            '>BBBBI6sHIHHII16x', _LOGIN | _IMMEDIATE,
            _FINAL | stage << 2 | following, 0, 0, 0, b'\x80\0\0\0\0\1', 0,
            0, 0, 0, 1, self._status_number), text.encode())
        head, data = self.receive()
        if head[0] & 0x3f != _LOGIN_RESPONSE or head[36]:
            raise exceptions.WipeError(
                f'login at {keys.get("TargetName", "the target")} is '
                f'refused: status {head[36]:#x}{head[37]:02x}')
        if not head[1] & _FINAL:
            raise exceptions.WipeError('the iSCSI target wants to '
                                       'negotiate what is not known here')
        return dict(one.split('=', 1) for one in data.decode(
            'utf-8', 'replace').split('\0') if '=' in one)

    def command(self, lun: int, tag: int, block: bytes, size: int,
                direction: int) -> None:
        """Send a SCSI command."""
        self.send(struct.pack(
            '>BBHIHHIIIII16s', _COMMAND, _FINAL | direction | _SIMPLE, 0, 0,
            lun, 0, 0, tag, size, self.command_number, self._status_number,
            block))
        self.command_number = self.command_number + 1 & _NONE

    def data_out(self, request: bytes) -> None:
        """Send the zeroes that a ready-to-transfer asks for."""
        tag, transfer = struct.unpack_from('>II', request, 16)
        offset, wanted = struct.unpack_from('>II', request, 40)
        sent = number = 0
        while sent < wanted:
            size = min(self.longest, wanted - sent)
            final = _FINAL if sent + size == wanted else 0
            self.send(struct.pack(
                '>BBHI8sII4xI4xII4x', _DATA_OUT, final, 0, 0, request[8:16],
                tag, transfer, self._status_number, number, offset + sent),
                _ZEROES[:size])
            sent, number = sent + size, number + 1

    def logout(self) -> None:
        """End the session in order; what is in flight is not waited for."""
        self.send(struct.pack(
            '>BBHI8xIIII16x', _LOGOUT | _IMMEDIATE, _FINAL, 0, 0, _NONE - 1,
            0, self.command_number, self._status_number))
        while self.receive()[0][0] & 0x3f != _LOGOUT_RESPONSE:
            pass


class Disk:
    """A LUN; see :class:`cyborg_spdk.units.wipe.disk.Disk`.

    :param place: address and port of a portal.
    :param node: IQN of the target node.
    :param lun: number of the LUN.
    :param initiator: IQN of an initiator that may log in without CHAP.
    :param timeout: seconds to wait for any answer.
    :raises OSError: if nobody is there.
    :raises WipeError: if the login is refused, or there is no LUN.
    """

    depth = 32
    metadata = 0

    def __init__(self, place: tuple[str, int], node: str, lun: int,
                 initiator: str, timeout: float = 30.0) -> None:
        self._lun = lun
        self._data: dict[int, bytearray] = {}
        self._ended: list[bytes] = []
        self._tag = 0
        self._session = _Session(place, timeout)
        try:
            self._session.login(initiator, node)
            # READ CAPACITY(16): the last block, and its length.
            last, self.block_size = struct.unpack_from('>QI', self._call(
                struct.pack('>BB8xI2x', 0x9e, 0x10, 32), 32))
        except BaseException:
            self._session.close()
            raise
        self.blocks = last + 1
        self.most_zeroes = self.most_read = _MOST // self.block_size

    def _submit(self, block: bytes, size: int, direction: int) -> None:
        while self._session.full:
            self._pump()
        self._tag = self._tag + 1 & 0x7fffffff
        self._data[self._tag] = bytearray()
        self._session.command(self._lun, self._tag, block, size, direction)

    def submit_zeroes(self, block: int, count: int) -> None:
        """WRITE(16)."""
        self._submit(struct.pack('>BBQIBB', 0x8a, 0, block, count, 0, 0),
                     count * self.block_size, _WRITE)

    def submit_read(self, block: int, count: int) -> None:
        """READ(16)."""
        self._submit(struct.pack('>BBQIBB', 0x88, 0, block, count, 0, 0),
                     count * self.block_size, _READ)

    def _pump(self) -> None:
        """Take one PDU."""
        head, data = self._session.receive()
        kind = head[0] & 0x3f
        tag, = struct.unpack_from('>I', head, 16)
        if kind == _R2T and tag in self._data:
            self._session.data_out(head)
        elif kind == _DATA_IN and tag in self._data:
            self._data[tag] += data
            if head[1] & 1:
                self._end(tag, head[3])
        elif kind == _RESPONSE and tag in self._data:
            self._end(tag, head[3] or head[2], data)
        else:
            raise exceptions.WipeError(f'iSCSI: PDU {kind:#x} came')

    def _end(self, tag: int, status: int, sense: bytes = b'') -> None:
        found = bytes(self._data.pop(tag))
        if status:
            key = f', sense {sense[2:20].hex()}' if sense else ''
            raise exceptions.WipeError(
                f'the iSCSI target answers status {status:#x}{key}')
        self._ended.append(found)

    def complete(self) -> bytes:
        """Wait for a command to end; the bytes of a read."""
        while not self._ended:
            self._pump()
        return self._ended.pop(0)

    def _call(self, block: bytes, size: int = 0) -> bytes:
        self._submit(block, size, _READ if size else 0)
        return self.complete()

    def flush(self) -> None:
        """SYNCHRONIZE CACHE(10), of all blocks."""
        self._call(struct.pack('>B9x', 0x35))

    def close(self) -> None:
        """Log out, so that the node can go, and end the connection."""
        try:
            if not self._data:
                self._session.logout()
        except (OSError, exceptions.WipeError):
            pass
        finally:
            self._session.close()
