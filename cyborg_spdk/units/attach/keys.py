# SPDX-License-Identifier: Apache-2.0

"""Keys of hosts: made, kept in files that are nobody else's, never shown.

A key that is made here is in ``keys`` below ``[spdk] state_path``, in a file
of mode 0600 that belongs to the target's user: SPDK wants that. The host
needs the same key; the operator brings it the file.
"""

import base64
import contextlib
import hashlib
import os
import secrets
import struct
import zlib

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files
from cyborg_spdk import rpc

#: Keys of a host, and what each is for: to prove who the host is, to prove
#: who the target is (the other direction), and for TLS.
DHCHAP, DHCHAP_CTRLR, PSK = KINDS = ('dhchap_key', 'dhchap_ctrlr_key', 'psk')

_WHAT = '[spdk] state_path'
_DIRECTORY = 'keys'


def text(kind: str) -> str:
    """A new key of 32 bytes, as nvme-cli writes it, without a line feed.

    NVMe Base 2.0, 8.13.5.8 (secret representation); NVMe TCP Transport 1.0c,
    3.6.1.5 (PSK interchange format, hash SHA-256): the key and its CRC-32,
    little endian, in base 64.

    :param kind: one of :data:`KINDS`.
    """
    key = secrets.token_bytes(32)
    body = base64.b64encode(key + struct.pack('<I', zlib.crc32(key))).decode()
    return f'NVMeTLSkey-1:01:{body}:' if kind == PSK else f'DHHC-1:01:{body}:'


def directory(conf: cfg.ConfigOpts) -> str:
    """The directory of the keys; it is made if it is missing.

    :param conf: the configuration.
    """
    above = trusted_files.ensure_directory(conf.spdk.state_path, what=_WHAT)
    return str(trusted_files.ensure_directory(
        os.path.join(above, _DIRECTORY), what=_WHAT))


def make(conf: cfg.ConfigOpts, client: rpc.Client, kind: str, nqn: str,
         host: str) -> str:
    """Make a key of a host, in a file of its own.

    :param conf: the configuration.
    :param client: the client of the target, on this machine.
    :param kind: one of :data:`KINDS`.
    :param nqn: the subsystem.
    :param host: NQN of the host.
    :returns: path of the file.
    :raises StateError: if it cannot be written.
    """
    path = os.path.join(
        directory(conf),
        f'{_stem(kind, nqn, host)}{secrets.token_hex(4)}.key')
    trusted_files.write_atomically(path, text(kind).encode())
    peer = client.peer()
    if peer and os.geteuid() == 0:
        os.chown(path, peer[1], peer[2], follow_symlinks=False)
    return path


def _stem(kind: str, nqn: str, host: str) -> str:
    digits = hashlib.sha256(f'{nqn}\0{host}'.encode()).hexdigest()[:24]
    return f'{kind}-{digits}-'


def made(conf: cfg.ConfigOpts, kind: str, nqn: str, host: str) -> list[str]:
    """Paths of the keys of a host that were made here.

    :param conf: the configuration.
    :param kind: one of :data:`KINDS`.
    :param nqn: the subsystem.
    :param host: NQN of the host.
    """
    above = os.path.join(conf.spdk.state_path, _DIRECTORY)
    try:
        names = sorted(os.listdir(above))
    except OSError:
        return []
    return [os.path.join(above, name) for name in names
            if name.startswith(_stem(kind, nqn, host))
            and name.endswith('.key')]


def remove(path: str) -> None:
    """Take the file of a key away, with what it holds.

    :param path: its path.
    """
    with contextlib.suppress(FileNotFoundError):
        try:
            fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.pwrite(fd, bytes(os.fstat(fd).st_size), 0)
                os.fsync(fd)
            finally:
                os.close(fd)
            os.unlink(path)
        except FileNotFoundError:
            raise
        except OSError as exc:
            raise exceptions.StateError(
                f'{path}: cannot be removed: {exc.strerror}') from None


def name(path: str, nqn: str, host: str) -> str:
    """Name of a key in the target's keyring: another for each file.

    :param path: its file.
    :param nqn: the subsystem.
    :param host: NQN of the host.
    """
    digits = hashlib.sha256(f'{nqn}\0{host}\0{path}'.encode()).hexdigest()
    return f'cyborg-{digits[:32]}'
