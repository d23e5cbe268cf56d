# SPDX-License-Identifier: Apache-2.0

"""What callers ask for: a call, or what the target has."""

from __future__ import annotations

import collections
import itertools
import threading
import time

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import checks
from cyborg_spdk.rpc.protocol import limits
from cyborg_spdk.rpc.protocol import message

# Importing typing would cost a command line more than anything here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple
    from typing import Protocol

    from cyborg_spdk.rpc.protocol import catalogue

    class Receiver(Protocol):
        """Who is told, once, when an operation has its result or error."""

        def done(self, operation: Any) -> None:
            """It has; called by the thread that serves."""

        def renew(self) -> None:
            """After a fork: no thread of this process waits."""

    class _Request(NamedTuple):
        method: str
        params: Any = None
        timeout: float | None = None
else:
    _Request = collections.namedtuple("Request", "method params timeout",
                                      defaults=(None, None))

#: Seconds of wall-clock time for a call that does not say otherwise.
DEFAULT_TIMEOUT = 30.0
#: The thread that leads watches deadlines; another that waits looks itself
#: only this much later (seconds), in case that one is kept busy.
GRACE = 0.25
# poll(2) takes milliseconds as a C int, which ends after 24.8 days.
_LONGEST = 24 * 86400

_ids = itertools.count(1)


def seconds(timeout: float | None) -> float:
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


class Request(_Request):
    """A call to be made, for :meth:`Client.call_many`.

    :ivar method: name of the method, as the newest SPDK has it.
    :ivar params: dict or list of parameters, or None.
    :ivar timeout: seconds of wall-clock time, or None for the default.
    """

    __slots__ = ()


class Operation:
    """What :class:`Call` and :class:`Learn` have in common.

    Whoever makes one writes what it asks for. From the moment that it is
    queued on, only the :class:`~cyborg_spdk.rpc.serving.exchange.Exchange`
    writes to it.

    :ivar method: for errors.
    :ivar timeout: seconds, for errors.
    :ivar deadline: when it ends at the latest (``time.monotonic()``).
    :ivar receiver: told once when it ends.
    :ivar result: what came of it, when it is finished.
    :ivar error: the exception instead, or None.
    :ivar finished: whether it has one of the two.
    :ivar lost: how often its connection was lost under it.
    :ivar internal: whether it is the connection's own.
    :ivar size: bytes that it takes of the window.
    :ivar data: the request as bytes, or None while it is not known how
        the target wants it. Written by :meth:`Call.encode` only.
    :ivar basis: what the bytes rely on (``TargetMethods``), or None if they
        fit any target. Likewise.
    """

    __slots__ = ("method", "timeout", "deadline", "receiver", "result",
                 "error", "finished", "lost", "internal", "size", "data",
                 "basis")

    method: str
    timeout: float
    deadline: float
    receiver: Receiver
    result: Any
    error: BaseException | None
    finished: bool
    lost: int
    internal: bool
    size: int
    data: bytes | None
    basis: catalogue.TargetMethods | None


class Learn(Operation):
    """Find out what the target has; the result is a ``TargetMethods``.

    :param timeout: seconds, for errors.
    :param deadline: when it ends at the latest (``time.monotonic()``).
    :param receiver: told when it ends.
    """

    __slots__ = ()

    def __init__(self, timeout: float, deadline: float,
                 receiver: Receiver) -> None:
        self.method = "rpc_get_methods"
        self.timeout = timeout
        self.deadline = deadline
        self.receiver = receiver
        self.result = self.error = self.data = self.basis = None
        self.finished = self.internal = False
        self.lost = self.size = 0


class Call(Operation):
    """One call, from the moment it was made to its result or error.

    :param method: its name in the newest release.
    :param params: dict or list, or None.
    :param timeout: seconds, for errors.
    :param deadline: when it ends at the latest (``time.monotonic()``).
    :param receiver: told when it ends.
    :param notification: it has no id, and ends when it is written.
    :param verbatim: it is sent as it is; the result is the whole reply.
    :param batchable: it may share a batch with others of its kind.
    :param internal: it is the connection's own.

    :ivar id: unique in this process; None for a notification.
    :ivar name: the name it is sent under. Written by :meth:`encode` only.
    :ivar refused: the target's error for a name that it does not have.
    """

    __slots__ = ("id", "params", "name", "refused", "batchable", "verbatim")

    def __init__(self, method: str, params: Any, timeout: float,
                 deadline: float, receiver: Receiver, *,
                 notification: bool = False, verbatim: bool = False,
                 batchable: bool = False, internal: bool = False) -> None:
        self.id = None if notification else next(_ids)
        self.method = self.name = method
        self.params = params
        self.timeout = timeout
        self.deadline = deadline
        self.receiver = receiver
        self.verbatim = verbatim
        self.batchable = batchable
        self.internal = internal
        self.refused: exceptions.RpcError | None = None
        self.result = self.error = self.data = self.basis = None
        self.finished = False
        self.lost = self.size = 0

    def encode(self, target: catalogue.TargetMethods | None,
               name: str | None = None) -> None:
        """Write the request, as far as the target is known.

        :param target: what the target has, or None if that is not known;
            :attr:`data` stays None then if it depends on that.
        :param name: the name to send it under, if the one in the newest
            release was refused.
        :raises SpdkError: if it can never be sent.
        """
        params, varies = self.params, False
        self.name = name or self.method
        as_it_is = self.verbatim or self.internal
        if not as_it_is:
            varies = checks.varies_without(self.method) if params is None \
                else checks.varies(self.method, params)
        if target is not None and not as_it_is and name is None:
            self.name, params = target.translate(self.method, params)
        data = message.encode(self.name, params, self.id)
        self.basis = target if varies or self.name != self.method else None
        if len(data) > limits.HARMLESS:
            if target is not None:
                limits.check(self.method, data, target.limits)
            elif not limits.fits(self.method, data, limits.SMALL):
                limits.check(self.method, data, limits.LARGE)
                varies = True
        # What depends on the release waits until that is known.
        self.data = data if target is not None or not varies else None
        if not self.size:
            self.size = len(data)


class Waiter:
    """Receiver for one operation whose thread waits."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def done(self, operation: Operation) -> None:
        """The operation has its result or error."""
        self._lock.release()

    def renew(self) -> None:
        """After a fork: no thread of this process waits."""
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, deadline: float) -> bool:
        """Wait until it is done.

        :param deadline: when to give up (``time.monotonic()``).
        :returns: false if that came first.
        """
        return self._lock.acquire(
            timeout=max(0, deadline - time.monotonic()))


class Nobody:
    """Receiver for a call that is made to see whether it is answered."""

    __slots__ = ()

    def done(self, operation: Operation) -> None:
        """Nobody waits."""

    def renew(self) -> None:
        """Nobody waits."""
