# SPDX-License-Identifier: Apache-2.0

"""UNIX sockets of this machine, as ``/proc/net/unix`` tells them."""

import dataclasses

# Columns of /proc/net/unix: Num RefCount Protocol Flags Type St Inode Path.
_FLAGS, _STATE, _PATH = 3, 5, 7
# net/unix/af_unix.c: __SO_ACCEPTCON; linux/net.h: SS_CONNECTED.
_LISTENS, _CONNECTED = 1 << 16, 3

_TABLE = '/proc/net/unix'


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the kernel knows of a socket's path.

    :ivar listening: whether somebody listens there. False also for one of
        another network namespace: then nothing is known.
    :ivar connections: how many connections its owner has taken; one that
        waits for ``accept()`` does not count.
    """

    listening: bool
    connections: int


def look(path: str, table: str = _TABLE) -> Seen:
    """Ask the kernel. Reads one file.

    :param path: path of a socket, as its owner has bound it.
    :param table: the kernel's table.
    """
    listening, connections = False, 0
    try:
        with open(table, encoding='utf-8', errors='surrogateescape') as lines:
            for line in lines:
                words = line.rstrip('\n').split(None, _PATH)
                if len(words) <= _PATH or words[_PATH] != path:
                    continue
                if int(words[_FLAGS], 16) & _LISTENS:
                    listening = True
                elif int(words[_STATE], 16) == _CONNECTED:
                    connections += 1
    except (OSError, ValueError):
        return Seen(False, 0)
    return Seen(listening, connections)


def accepted(path: str) -> int:
    """Number of connections that a listening socket has accepted.

    :param path: path of the socket.
    :returns: how many; 0 if the kernel does not tell.
    """
    return look(path).connections
