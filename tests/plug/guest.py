# SPDX-License-Identifier: Apache-2.0

"""A guest of 81 bytes: the boot sector of a disk.

It reads the first sector of the second disk, by the firmware's virtio
driver, and writes what begins it to the serial port: a line with its first
16 bytes, or with "-" if there is no such disk. After that it lets go of
every PCI device that it is asked for, as an operating system would (QEMU,
docs/specs/acpi_pci_hotplug.rst).
"""

import os

import fixtures

from tests.functional.fixtures import host

_CODE = bytes.fromhex(
    'fa'          # cli
    '31c0'        # xor ax, ax
    '8ed8'        # mov ds, ax
    '8ec0'        # mov es, ax
    '8ed0'        # mov ss, ax
    'bc007c'      # mov sp, 0x7c00
    'fb'          # sti
    'b80102'      # mov ax, 0x0201      read, one sector
    'bb007e'      # mov bx, 0x7e00
    'b90100'      # mov cx, 1           the first one
    'ba8100'      # mov dx, 0x81        of the second disk
    'cd13'        # int 0x13
    '720d'        # jc there is none
    'be007e'      # mov si, 0x7e00
    'b91000'      # mov cx, 16
    'baf803'      # mov dx, 0x3f8
    'f36e'        # rep outsb
    'eb06'        # jmp the end of the line
    'b02d'        # there is none: mov al, '-'
    'baf803'      # mov dx, 0x3f8
    'ee'          # out dx, al
    'b00a'        # the end of the line: mov al, 10
    'baf803'      # mov dx, 0x3f8
    'ee'          # out dx, al
    'fb'          # again: sti
    'f4'          # hlt
    'ba10ae'      # mov dx, 0xae10      bus 0
    '6631c0'      # xor eax, eax
    '66ef'        # out dx, eax
    'ba04ae'      # mov dx, 0xae04      which slots are to go
    '66ed'        # in eax, dx
    '6685c0'      # test eax, eax
    '74ec'        # jz again
    'ba08ae'      # mov dx, 0xae08      let them go
    '66ef'        # out dx, eax
    'ebe5')       # jmp again

# Where it begins to let go.
_AGAIN = 0x36

_DEVICES = '''
<disk type='file' device='disk'><source file='{disk}'/>
  <driver name='qemu' type='raw'/>
  <target dev='hda' bus='ide'/><boot order='1'/></disk>
<serial type='file'><source path='{serial}'/></serial>'''


class Guest(fixtures.Fixture):
    """The files of one guest.

    :param directory: where to make them; QEMU's user can come there.
    :param reads: whether it reads the disk, and says something.
    :ivar devices: the XML of its devices.
    """

    def __init__(self, directory, reads=True):
        super().__init__()
        self._code = _CODE if reads else _CODE[_AGAIN:]
        self._disk = os.path.join(directory, 'guest.img')
        self._serial = os.path.join(directory, 'guest.out')
        self.devices = _DEVICES.format(disk=self._disk, serial=self._serial)

    def _setUp(self):
        self.make()

    def make(self):
        """Write its disk anew."""
        with open(self._disk, 'wb') as stream:
            stream.write(self._code.ljust(510, b'\0') + b'\x55\xaa')
            stream.truncate(1 << 20)
        os.chmod(self._disk, 0o666)

    def said(self):
        """What it has written since the domain was started."""
        try:
            with open(self._serial, 'rb') as stream:
                return stream.read()
        except FileNotFoundError:
            return b''

    def wait(self):
        """Wait for its line; returns it without its end."""
        host.wait_until(lambda: self.said().endswith(b'\n'), 'the guest')
        return self.said()[:-1]
