# SPDX-License-Identifier: Apache-2.0

"""One call on its way, and who waits for it."""

import collections
import itertools
import threading
import time

from cyborg_spdk import exceptions

#: Seconds of wall-clock time for a call that does not say otherwise.
DEFAULT_TIMEOUT = 30.0
#: The thread that leads watches deadlines; another that waits looks itself
#: only this much later (seconds), in case that one is kept busy.
GRACE = 0.25
# poll(2) takes milliseconds as a C int, which ends after 24.8 days.
_LONGEST = 24 * 86400

_ids = itertools.count(1)


def seconds(timeout):
    """Check a timeout.

    :param timeout: seconds, also infinite; or None for the default.
    :returns: seconds, 24 days at most.
    :raises InvalidValue: if it is neither.
    """
    if timeout is None:
        return DEFAULT_TIMEOUT
    if isinstance(timeout, (int, float)) and timeout >= 0:
        return min(timeout, _LONGEST)
    raise exceptions.InvalidValue("timeout", timeout,
                                  "give a number of seconds, 0 or more")


class Request(collections.namedtuple("Request", "method params timeout",
                                     defaults=(None, None))):
    """A call to be made, for :meth:`Client.call_many`.

    :ivar method: name of the method, as the newest SPDK has it.
    :ivar params: dict or list of parameters, or None.
    :ivar timeout: seconds of wall-clock time, or None for the default.
    """

    __slots__ = ()


class Call:
    """One call, from the moment it was made to its result or error.

    :ivar id: unique in this process; None for a notification.
    :ivar data: the request as bytes, or None while it is not known how
        the target wants it.
    :ivar deadline: on ``time.monotonic()``.
    :ivar sink: told by ``sink.done(call)``, once.
    :ivar name: the name it was sent under.
    :ivar book: what the name and the data rely on (see methods.Book), or
        None if they fit any release.
    :ivar lost: how often its connection was lost while it was on its way.
    :ivar refused: the target's error for a name that it does not have.
    :ivar internal: it is the channel's own.
    :ivar batchable: it may share a batch with others of its kind.
    :ivar verbatim: sent as it is; its result is the whole reply.
    :ivar size: bytes that it takes of the window.
    """

    __slots__ = ("id", "method", "params", "timeout", "deadline", "data",
                 "sink", "result", "error", "finished", "name", "lost",
                 "book", "refused", "internal", "size", "batchable",
                 "verbatim")

    def __init__(self, method, params, timeout, sink, note=False):
        self.id = None if note else next(_ids)
        self.method = self.name = method
        self.params = params
        self.timeout = timeout
        self.deadline = time.monotonic() + timeout
        self.data = None
        self.sink = sink
        self.result = self.error = self.book = self.refused = None
        self.finished = self.internal = False
        self.batchable = self.verbatim = False
        self.lost = self.size = 0


class Waiter:
    """Sink for one call whose thread waits."""

    __slots__ = ("_lock",)

    def __init__(self):
        self._lock = threading.Lock()
        self._lock.acquire()

    def done(self, call):
        """The call has its result or error."""
        self._lock.release()

    def renew(self):
        """After a fork: nobody in this process waits."""
        self.__init__()

    def wait(self, deadline):
        """Wait; false if the deadline came first."""
        return self._lock.acquire(
            timeout=max(0, deadline - time.monotonic()))


class Group:
    """Sink for many calls whose thread waits for all of them.

    The thread that receives counts, the one that waits sets the target.
    Whichever of the two is second sees what the other did.
    """

    __slots__ = ("_lock", "finished", "_target")

    def __init__(self):
        self._lock = threading.Lock()
        self._lock.acquire()
        self.finished = 0
        self._target = -1

    def done(self, call):
        """One more call has its result or error."""
        self.finished += 1
        if self.finished == self._target:
            self._lock.release()

    def renew(self):
        """After a fork: nobody in this process waits."""
        self.__init__()

    def wait(self, target, deadline):
        """Wait until that many are done; false if the deadline came first.
        """
        self._target = target
        if self.finished == target:
            return True
        return self._lock.acquire(
            timeout=max(0, deadline - time.monotonic()))


class Nobody:
    """Sink for a call that is made to see whether it is answered."""

    __slots__ = ()

    def done(self, call):
        """Nobody waits."""
