# SPDX-License-Identifier: Apache-2.0

"""Checks of values before they are sent, with the limits that SPDK has.

SPDK answers most bad values with "Invalid parameters" and tells the reason
only in its log. What can be known here is therefore refused here, by an
:class:`~cyborg_spdk.exceptions.InvalidValue` that names the value and what
would be accepted. The limits are those of SPDK v26.05; where they differed
before, the widest one applies, and the target has the last word.
"""

from collections.abc import Sequence
import ipaddress
import re
from typing import Any
from typing import NoReturn
import uuid as uuid_module

from cyborg_spdk import exceptions

#: include/spdk/nvmf_spec.h: SPDK_NVMF_NQN_MIN_LEN, SPDK_NVMF_NQN_MAX_LEN.
NQN_MIN, NQN_MAX = 11, 223
#: include/spdk/nvme_spec.h: SPDK_NVME_CTRLR_SN_LEN, SPDK_NVME_CTRLR_MN_LEN.
SERIAL_MAX, MODEL_MAX = 20, 40
#: include/spdk/nvmf_spec.h: SPDK_NVMF_TRADDR_MAX_LEN (256 with the NUL).
TRADDR_MAX = 255
#: include/spdk/lvol.h: SPDK_LVS_NAME_MAX, SPDK_LVOL_NAME_MAX (64 with it).
LVOL_NAME_MAX = 63
#: include/spdk/nvmf.h: NVMF_TGT_NAME_MAX_LENGTH (256 with the NUL).
TARGET_NAME_MAX = 255
#: include/spdk/nvmf_spec.h: SPDK_NVMF_ADMIN_LABEL_MIN_LEN, ..._MAX_LEN.
LABEL_MIN, LABEL_MAX = 4, 256
#: lib/nvmf/nvmf_internal.h: NVMF_MIN_CNTLID, NVMF_MAX_CNTLID.
CNTLID_MIN, CNTLID_MAX = 1, 0xffef
#: unix(7): sun_path has 108 bytes, with the NUL.
SOCKET_PATH_MAX = 107
#: lib/vhost/vhost_internal.h: SPDK_VHOST_SCSI_CTRLR_MAX_DEVS.
VHOST_SCSI_TARGETS = 8
#: lib/scsi/scsi_internal.h: SPDK_SCSI_DEV_MAX_LUN.
SCSI_LUNS = 256
#: schema.json: LUNs that a call can create a target node with.
ISCSI_LUNS = 64
#: lib/iscsi/iscsi.h: MAX_INITIATOR, MAX_NETMASK.
ISCSI_INITIATORS = 256
#: lib/iscsi/iscsi.h: MAX_TARGET_NAME, MAX_INITIATOR_NAME.
ISCSI_NAME_MAX = 223
#: include/spdk/nvmf_spec.h: SPDK_NVMF_DISCOVERY_NQN.
DISCOVERY_NQN = 'nqn.2014-08.org.nvmexpress.discovery'

# lib/util/string.c, spdk_parse_capacity(): the units are powers of 1024
# whether they are written with an "i" or not, and so they are here.
_UNITS = {'': 1, 'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30, 't': 1 << 40,
          'p': 1 << 50}
_SIZE = re.compile(r'\s*(\d+(?:\.\d+)?)\s*(?:([kmgtp])i?)?b?\s*\Z',
                   re.ASCII | re.I)
_UUID_NQN = 'nqn.2014-08.org.nvmexpress:uuid:'
_LABEL = re.compile(r'[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?\Z')
_NQN = re.compile(r'nqn\.\d{4}-\d{2}\.([^:]*):(.+)\Z',
                  re.ASCII | re.S)


def refuse(name: str, value: object, reason: str) -> NoReturn:
    """Raise the error for a value that cannot be used.

    :raises InvalidValue: always.
    """
    raise exceptions.InvalidValue(name, value, reason)


def integer(name: str, value: Any, low: int | None = None,
            high: int | None = None) -> int:
    """A whole number within limits; bool is none.

    :param low: smallest value that is accepted, or None.
    :param high: largest value that is accepted, or None.
    :returns: the value as int.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        refuse(name, value, 'give a whole number')
    if (low is not None and value < low) or (
            high is not None and value > high):
        limits = f'{low} to {high}' if high is not None else f'{low} or more'
        refuse(name, value, f'give {limits}')
    return value


def choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """One of a few words, as SPDK spells it.

    :param choices: the words; compared without regard to case.
    :returns: the word in the spelling of ``choices``.
    """
    for word in choices:
        if isinstance(value, str) and value.lower() == word.lower():
            return word
    refuse(name, value, 'give one of ' + ', '.join(choices))


def text(name: str, value: Any, limit: int | None = None) -> str:
    """A string that is not empty and that SPDK can hold as a C string.

    :param limit: most bytes of UTF-8 that are accepted, or None.
    :returns: the value.
    """
    if not isinstance(value, str) or not value:
        refuse(name, value, 'give a string that is not empty')
    if '\0' in value:
        refuse(name, value, 'a NUL character cannot be sent')
    try:
        length = len(value.encode('utf-8'))
    except UnicodeEncodeError:
        refuse(name, value, 'it cannot be written in UTF-8')
    if limit is not None and length > limit:
        refuse(name, value, f'{length} bytes are too long; give {limit} at '
               'most')
    return value


def size(name: str, value: int | str) -> int:
    """A size in bytes.

    :param value: an int in bytes, or a string with a unit: ``"64MiB"``,
        ``"64M"``, ``"1.5g"``, ``"4096"``. All units are powers of 1024, as
        SPDK's own are.
    :returns: int, at least 1.
    """
    if isinstance(value, str):
        match = _SIZE.match(value)
        if not match:
            refuse(name, value, 'give bytes, or a number with a unit such '
                   'as "64MiB" or "1G"')
        whole, _, fraction = match[1].partition('.')
        unit = _UNITS[(match[2] or '').lower()]
        scale = 10 ** len(fraction)
        number = int(whole + fraction) * unit
        if number % scale:
            refuse(name, value, 'it is no whole number of bytes')
        value = number // scale
    return integer(name, value, 1, 2 ** 64 - 1)


def blocks(name: str, value: int | str, block_size: int) -> int:
    """How many blocks a size is.

    :param value: a size as :func:`size` takes it.
    :param block_size: bytes of one block.
    :returns: int, at least 1.
    """
    count = size(name, value)
    if count % block_size:
        refuse(name, value, f'it is no multiple of the block size '
               f'{block_size}')
    return count // block_size


def mebibytes(name: str, value: int | str) -> int:
    """A size as SPDK wants it where it counts in MiB.

    :param value: a size as :func:`size` takes it.
    :returns: int, in MiB.
    """
    return blocks(name, value, 1 << 20)


def block_size(value: int, name: str = 'block_size') -> int:
    """A block size of malloc, null and their like.

    bdev_malloc.c and bdev_null.c refuse what is no multiple of 512.
    """
    integer(name, value, 512, 2 ** 32 - 1)
    if value % 512:
        refuse(name, value, 'give a multiple of 512')
    return value


def power_of_two(name: str, value: int, low: int) -> int:
    """A power of two from ``low`` on (bdev_aio.c for its block size)."""
    integer(name, value, low, 2 ** 32 - 1)
    if value & (value - 1):
        refuse(name, value, f'give a power of two, {low} or more')
    return value


def uuid(name: str, value: 'str | uuid_module.UUID') -> str:
    """A UUID in its usual form.

    :param value: str or :class:`uuid.UUID`.
    :returns: str, lower case with hyphens.
    """
    try:
        return str(uuid_module.UUID(str(value)))
    except ValueError:
        refuse(name, value, 'give a UUID such as '
               '6cbf7a3e-4b1d-4c4a-9f0e-2f7f1d3b0a11')


def hexadecimal(name: str, value: Any, digits: int) -> str:
    """A string of exactly so many hexadecimal digits (NGUID, EUI64)."""
    if not isinstance(value, str) or not re.fullmatch(
            f'[0-9A-Fa-f]{{{digits}}}', value):
        refuse(name, value, f'give {digits} hexadecimal digits')
    return value.upper()


def nqn(value: str, name: str = 'NQN') -> str:
    """An NVMe qualified name, by the rules of SPDK.

    lib/nvmf/subsystem.c, nvmf_nqn_is_valid(): 11 to 223 bytes;
    ``nqn.YYYY-MM.reverse.domain:anything``, the labels of the domain as in
    RFC 1034; or the UUID form; or the discovery NQN.

    :returns: the value.
    """
    text(name, value, NQN_MAX)
    if value == DISCOVERY_NQN:
        return value
    if value.startswith(_UUID_NQN):
        rest = value[len(_UUID_NQN):]
        if len(rest) != 36:
            refuse(name, value, 'a UUID of 36 characters must follow '
                   f'{_UUID_NQN}')
        uuid(name, rest)
        return value
    match = _NQN.match(value)
    if not match or len(value.encode()) < NQN_MIN:
        refuse(name, value, 'give nqn.YYYY-MM.reverse.domain:name, for '
               'example nqn.2016-06.io.spdk:cnode1')
    for label in match[1].split('.'):
        if not _LABEL.match(label) or len(label) > 63:
            refuse(name, value, f'{label!r} is no label of a domain: use '
                   'letters, digits and hyphens, first a letter, 63 at most')
    return value


def printable(name: str, value: str, limit: int, least: int = 1) -> str:
    """Printable ASCII of limited length: serial and model numbers, labels.

    lib/nvmf/subsystem.c, nvmf_valid_ascii_string().

    :param limit: most characters that are accepted.
    :param least: fewest characters that are accepted.
    """
    text(name, value, limit)
    if len(value) < least:
        refuse(name, value, f'give {least} characters at least')
    if not all(' ' <= character <= '~' for character in value):
        refuse(name, value, 'use printable ASCII characters only')
    return value


def port(name: str, value: int | str) -> str:
    """A TCP port.

    :param value: int or str of digits.
    :returns: str: SPDK takes ports as strings only.
    """
    digits = str(value)
    if isinstance(value, bool) or not (
            digits.isascii() and digits.isdigit()) or not (
            0 < int(digits) < 65536):
        refuse(name, value, 'give a port from 1 to 65535')
    return str(int(digits))


def ip_address(name: str, value: Any
               ) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IPv4 or IPv6 address, without brackets.

    :returns: :class:`ipaddress.IPv4Address` or its IPv6 sister.
    """
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        refuse(name, value, 'give an IPv4 or IPv6 address')


def object_name(name: str, value: str, limit: int = LVOL_NAME_MAX) -> str:
    """A name of an lvol or of its store: no slash, which joins the two."""
    text(name, value, limit)
    if '/' in value:
        refuse(name, value, '"/" separates store and lvol; leave it out')
    return value


def file_name(name: str, value: str) -> str:
    """A plain file name: what a vhost controller's socket is called.

    A path of a socket has 107 bytes at most; SPDK makes one that nobody can
    connect to of a longer one.
    """
    text(name, value, SOCKET_PATH_MAX)
    if '/' in value or value in ('.', '..'):
        refuse(name, value, 'it becomes a file name: use no "/"')
    return value
