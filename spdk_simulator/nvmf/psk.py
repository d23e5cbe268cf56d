# SPDX-License-Identifier: Apache-2.0

"""Pre-shared keys of TLS in files, as v23.05 to v24.01 take them."""

import base64
import binascii
import os
import re
import zlib

_MOST = 200
_INTERCHANGE = re.compile(rb"NVMeTLSkey-1:(0[0-2]):([^:]+):")
_SIZES = {b"00": (32, 48), b"01": (32,), b"02": (48,)}


def load(path):
    """Read a file that nobody but its owner may read
    (``lib/nvmf/tcp.c``, ``module/bdev/nvme/bdev_nvme_rpc.c``,
    tcp_load_psk()).

    :returns: its bytes, or None if it cannot be used.
    """
    try:
        info = os.stat(path)
        if info.st_mode & 0o177 or info.st_size >= _MOST:
            return None
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError):
        return None


def valid(data):
    """Tell whether bytes are a key in the interchange format
    (``include/spdk_internal/nvme_tcp.h``,
    nvme_tcp_parse_interchange_psk()).
    """
    match = _INTERCHANGE.fullmatch((data or b"").partition(b"\0")[0])
    if not match:
        return False
    try:
        key = base64.b64decode(match[2], validate=True)
    except binascii.Error:
        return False
    return len(key) - 4 in _SIZES[match[1]] \
        and zlib.crc32(key[:-4]) == int.from_bytes(key[-4:], "little")
