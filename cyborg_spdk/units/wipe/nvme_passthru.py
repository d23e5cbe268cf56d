# SPDX-License-Identifier: Apache-2.0

"""NVMe commands that a target sends to the controllers it has attached.

By ``bdev_nvme_send_cmd``, which every application has: for a whole
namespace, without any export. NVM Express Base 1.4: Identify 5.15, Format
NVM 5.23, Sanitize 5.24, Write Zeroes 6.16; byte offsets are its figures'.
"""

import base64
import dataclasses
import struct
import time
from typing import Any

from cyborg_spdk.clients import types
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units.wipe import zero

_SEND = 'bdev_nvme_send_cmd'
_FLUSH, _READ, _IDENTIFY, _WRITE_ZEROES = 0x00, 0x02, 0x06, 0x08
_GET_LOG, _FORMAT, _SANITIZE = 0x02, 0x80, 0x84
_SANITIZE_STATUS = 0x81

#: Seconds that an erase of the whole medium may take.
_LONG = 6 * 3600
_EACH = 128 << 10


@dataclasses.dataclass(frozen=True)
class Abilities:
    """What a controller can do to its medium.

    :ivar format: whether it has Format NVM.
    :ivar all_at_once: whether that erases all its namespaces.
    :ivar sanitize: action of Sanitize: 2 block erase, 4 crypto erase, 3
        overwrite; 0 is none.
    :ivar namespaces: how many it can have.
    """

    format: bool
    all_at_once: bool
    sanitize: int
    namespaces: int


class Namespace:
    """A namespace of an attached controller.

    :param client: the client of the target.
    :param bdev: its bdev; bdev_nvme.c names it ``<controller>n<nsid>``.
    :raises WipeError: if it is none.
    """

    def __init__(self, client: rpc.Client, bdev: types.Bdev) -> None:
        name, _, number = bdev.name.rpartition('n')
        if not isinstance(bdev.driver_specific.get('nvme'), list) or \
                not number.isdecimal():
            raise exceptions.WipeError(
                f'{bdev.name} is no whole NVMe namespace; use wipe: zeroes')
        self._client = client
        self._bdev = bdev
        self._controller, self._nsid = name, int(number)

    def _send(self, kind: str, opcode: int, nsid: int,
              dwords: tuple[int, ...] = (), wanted: int = 0,
              timeout: float = 60.0) -> bytes:
        command = bytearray(64)
        struct.pack_into('<BxxxI', command, 0, opcode, nsid)
        struct.pack_into(f'<{len(dwords)}I', command, 40, *dwords)
        params: dict[str, Any] = {
            'name': self._controller, 'cmd_type': kind,
            'data_direction': 'c2h' if wanted else 'h2c',
            'cmdbuf': base64.urlsafe_b64encode(command).decode(),
            'timeout_ms': int(timeout * 1000)}
        if wanted:
            params['data_len'] = wanted
        reply = self._client.call(_SEND, _timeout=timeout + 10, **params)
        status, = struct.unpack_from('<H', base64.urlsafe_b64decode(
            reply['cpl']), 14)
        if status >> 1:
            raise exceptions.WipeError(
                f'{self._bdev.name}: NVMe command {opcode:#04x} ends with '
                f'status {status >> 1 & 0x7ff:#x}')
        return base64.urlsafe_b64decode(reply['data']) if wanted else b''

    def read(self, block: int, count: int) -> bytes:
        """Read blocks."""
        each = _EACH // self._bdev.block_size
        found = b''
        while count:
            some = min(each, count)
            found += self._send(
                'io', _READ, self._nsid, (block & 0xffffffff, block >> 32,
                                          some - 1),
                some * self._bdev.block_size)
            block, count = block + some, count - some
        return found

    def zero(self, bound: zero.Bound, progress: zero.Progress) -> None:
        """Write zeroes from block 0 to the end, one command at a time."""
        size, total = self._bdev.block_size, self._bdev.num_blocks
        most = max(1, min(bound.size // size, 1 << 16))
        begin, block = time.monotonic(), 0
        while block < total:
            some = min(most, total - block)
            self._send('io', _WRITE_ZEROES, self._nsid, (
                block & 0xffffffff, block >> 32, some - 1))
            block += some
            progress(block * size, total * size)
            if bound.rate:
                early = begin + block * size / bound.rate - time.monotonic()
                time.sleep(max(0.0, early))
        self._send('io', _FLUSH, self._nsid)

    def abilities(self) -> Abilities:
        """What the controller says that it can do."""
        data = self._send('admin', _IDENTIFY, 0, (1,), 4096)
        oacs, = struct.unpack_from('<H', data, 256)
        sanicap, = struct.unpack_from('<I', data, 328)
        count, = struct.unpack_from('<I', data, 516)
        action = next((code for bit, code in ((1, 2), (0, 4), (2, 3))
                       if sanicap & 1 << bit), 0)
        return Abilities(bool(oacs & 2), bool(data[524] & 3), action, count)

    def format(self) -> None:
        """Format NVM with a user data erase, as it is formatted now.

        :raises WipeError: if the controller cannot, or would erase other
            namespaces too.
        """
        able = self.abilities()
        if not able.format:
            raise exceptions.WipeError(
                f'{self._bdev.name}: its controller has no Format NVM; use '
                'wipe: zeroes')
        self._alone(able.all_at_once, 'Format NVM')
        data = self._send('admin', _IDENTIFY, self._nsid, (0,), 4096)
        flbas, dps = data[26], data[29]
        # LBAF, MSET, PI, PIL as they are; SES 1: user data erase.
        self._send('admin', _FORMAT, self._nsid, (
            flbas & 0xf | flbas & 0x10 | (dps & 7) << 5
            | (dps >> 3 & 1) << 8 | 1 << 9,), timeout=_LONG)

    def sanitize(self) -> None:
        """Sanitize the NVM subsystem, by the best way that it has.

        :raises WipeError: if it cannot, fails, or has other namespaces.
        """
        able = self.abilities()
        if not able.sanitize:
            raise exceptions.WipeError(
                f'{self._bdev.name}: its controller has no Sanitize; use '
                'wipe: zeroes')
        self._alone(True, 'Sanitize')
        self._send('admin', _SANITIZE, 0, (able.sanitize | 1 << 4, 0))
        end = time.monotonic() + _LONG
        while True:
            log = self._send('admin', _GET_LOG, 0xffffffff,
                             (_SANITIZE_STATUS | 127 << 16,), 512)
            state = struct.unpack_from('<H', log, 2)[0] & 7
            if state in (1, 4):
                return
            if state != 2 or time.monotonic() > end:
                raise exceptions.WipeError(
                    f'{self._bdev.name}: Sanitize failed, state {state}')
            time.sleep(1.0)

    def _alone(self, all_at_once: bool, what: str) -> None:
        """Refuse to erase what is not this namespace."""
        if not all_at_once:
            return
        others = [one['name'] for one in self._client.call('bdev_get_bdevs')
                  if one['name'].rpartition('n')[0] == self._controller
                  and one['name'] != self._bdev.name]
        if others:
            raise exceptions.WipeError(
                f'{what} of {self._bdev.name} would erase {others[0]} too; '
                'use wipe: zeroes')
