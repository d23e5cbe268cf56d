# SPDX-License-Identifier: Apache-2.0

"""What is being done with a target just now, for whoever waits for it."""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib

#: Called with the name of a target and what is being done, in the thread
#: that does it; it must return at once.
Listener = Callable[[str, str], None]

_listeners: list[Listener] = []


def tell(target: str, doing: str) -> None:
    """Say what begins now.

    :param target: name of the target.
    :param doing: a few words, for example ``"reserving huge pages"``.
    """
    for listener in tuple(_listeners):
        listener(target, doing)


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have a function told, from all threads of the process.

    :param listener: see :data:`Listener`.
    """
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
