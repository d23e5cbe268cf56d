# SPDX-License-Identifier: Apache-2.0

"""UNIX sockets of this machine, as ``/proc/net/unix`` tells them."""

#: ``SS_CONNECTED`` of linux/net.h, as the kernel writes it. A connection
#: that waits for ``accept()`` is ``SS_CONNECTING`` still.
_CONNECTED = '03'


def accepted(path: str) -> int:
    """Number of connections that a listening socket has accepted.

    :param path: path of the socket.
    :returns: how many; 0 if the kernel does not tell.
    """
    count = 0
    try:
        with open('/proc/net/unix', errors='replace') as stream:
            for line in stream:
                # Num RefCount Protocol Flags Type St Inode Path
                fields = line.rstrip('\n').split(' ', 7)
                count += fields[-1] == path and fields[5] == _CONNECTED
    except (OSError, IndexError):
        return 0
    return count
