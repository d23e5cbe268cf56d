# SPDX-License-Identifier: Apache-2.0

"""Wait for file descriptors: ``select.poll``, or what stands in for it.

A service that runs on eventlet (the Cyborg agent before 2025.2 does) takes
``select.poll`` away, since it would stop all green threads; its
``select.select`` lets the others run.
"""

from __future__ import annotations

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from _typeshed import FileDescriptorLike as Fd

    class Poller(Protocol):
        """What is needed of ``select.poll``."""

        def register(self, fd: Fd, events: int, /) -> None: ...
        def modify(self, fd: Fd, events: int, /) -> None: ...
        def unregister(self, fd: Fd, /) -> None: ...
        def poll(self, timeout: float | None = None, /
                 ) -> list[tuple[int, int]]: ...

#: Data can be read, or the peer is gone.
IN = 1
#: Data can be written.
OUT = 4


class _Select:
    """As much of ``select.poll`` as is needed here."""

    def __init__(self) -> None:
        self._events: dict[int, int] = {}

    def register(self, fd: Fd, events: int) -> None:
        """Watch a file descriptor; see ``select.poll``."""
        self._events[fd if isinstance(fd, int) else fd.fileno()] = events

    modify = register

    def unregister(self, fd: Fd) -> None:
        """Watch it no longer; see ``select.poll``."""
        del self._events[fd if isinstance(fd, int) else fd.fileno()]

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        """Wait.

        :param timeout: milliseconds; None means for ever.
        :returns: list of ``(fd, events)``.
        """
        inputs, outputs = ([fd for fd, events in self._events.items()
                            if events & event] for event in (IN, OUT))
        readable, writable, _ = select.select(
            inputs, outputs, [], None if timeout is None else timeout / 1000)
        found = dict.fromkeys(readable, IN)
        for fd in writable:
            found[fd] = found.get(fd, 0) | OUT
        return list(found.items())


def poller() -> Poller:
    """Make an object with ``register``, ``modify`` and ``poll``."""
    return select.poll() if hasattr(select, 'poll') else _Select()
