# SPDX-License-Identifier: Apache-2.0

"""What a target has: asked for where a call depends on it; no I/O."""

from __future__ import annotations

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.serving import call as calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from collections import deque
    from typing import Any

    from cyborg_spdk.rpc.protocol import catalogue

#: Seconds of wall-clock time for it.
_TIMEOUT = 30.0

# What to ask, in order, until one is answered with a result.
# include_aliases: v19.10 and later; get_rpc_methods: v17.10 to v19.07.1;
# without either the target is older.
_QUESTIONS: dict[str, list[tuple[str, dict[str, bool] | None]]] = {
    "methods": [("rpc_get_methods", {"include_aliases": True}),
                ("rpc_get_methods", None),
                ("get_rpc_methods", None)],
    "version": [("spdk_get_version", None), ("get_spdk_version", None)],
}


class Discovery:
    """What the target of one connection has, and who waits for it.

    :param queue: operations to be looked at next, from its left.
    :param finish: function that ends an operation: with the operation, its
        result, and an error or None.

    :ivar target: what it has (``TargetMethods``), or None while nobody
        asked.
    :ivar waiting: operations that wait for that.
    """

    def __init__(
            self, queue: deque[calls.Operation],
            finish: Callable[[calls.Operation, Any, BaseException | None],
                             None]) -> None:
        self.target: catalogue.TargetMethods | None = None
        self.waiting: list[calls.Operation] = []
        self._queue = queue
        self._finish = finish
        self._questions: _Questions | None = None

    def forget(self) -> list[calls.Operation]:
        """The connection is gone.

        :returns: the operations that waited.
        """
        waiting, self.waiting = self.waiting, []
        self.target = self._questions = None
        return waiting

    def is_encoded(self, operation: calls.Operation, now: float) -> bool:
        """Encode a call for this target.

        :param now: ``time.monotonic()``.
        :returns: false if it has to wait, or has ended.
        """
        if self.target is None or isinstance(operation, calls.Learn):
            self.wait(operation, now)
            return False
        assert isinstance(operation, calls.Call)
        try:
            operation.encode(self.target)
        except exceptions.SpdkError as exc:
            self._finish(operation, None, exc)
            return False
        return True

    def wait(self, operation: calls.Operation, now: float) -> None:
        """Let an operation wait until the target is known.

        :param now: ``time.monotonic()``.
        """
        if self.target is not None:
            self._finish(operation, self.target, None)
            return
        self.waiting.append(operation)
        if self._questions is None:
            self._questions = _Questions(now, self._ask, self._learnt)
            self._questions.begin()

    def refused(self, call: calls.Call, error: exceptions.RpcError,
                now: float) -> None:
        """The target does not know the name of a call: try another.

        :param error: what it said.
        :param now: ``time.monotonic()``.
        """
        call.refused = error
        if self.target is None:
            self.wait(call, now)
            return
        name = self.target.next_name(call.method, call.name)
        if name is None:
            error.detail = self.target.explain(call.method)
            self._finish(call, None, error)
            return
        call.encode(self.target, name)
        self._queue.appendleft(call)

    def _ask(self, questions: list[calls.Call]) -> None:
        self._queue.extendleft(reversed(questions))

    def _learnt(self, asked: _Questions,
                target: catalogue.TargetMethods | None,
                error: exceptions.SpdkError | None) -> None:
        if asked is not self._questions:
            return
        waiting = self.forget()
        self.target = target
        again = []
        for operation in waiting:
            if operation.finished:
                continue
            if target is None or isinstance(operation, calls.Learn):
                self._finish(operation, target, error)
            elif self._may_be_sent(operation, target):
                again.append(operation)
        self._queue.extendleft(reversed(again))

    def _may_be_sent(self, call: Any,
                     target: catalogue.TargetMethods) -> bool:
        if not self.is_encoded(call, 0.0):
            return False
        if call.refused is not None and call.name == call.method:
            call.refused.detail = target.explain(call.method)
            self._finish(call, None, call.refused)
            return False
        return True


class _Questions:
    """Asks a target, step by step.

    :param now: ``time.monotonic()``.
    :param send: function that sends a list of calls.
    :param done: called once, with this, the ``TargetMethods`` and None; or
        with this, None and an error.
    """

    def __init__(
            self, now: float, send: Callable[[list[calls.Call]], None],
            done: Callable[[_Questions, catalogue.TargetMethods | None,
                            exceptions.SpdkError | None], None]) -> None:
        self._deadline = now + _TIMEOUT
        self._send = send
        self._done = done
        self._left = {about: asked[:] for about, asked in _QUESTIONS.items()}
        self._answers: dict[str, Any] = {}

    def begin(self) -> None:
        """Send the first two, both at once."""
        self._send([self._next(about) for about in self._left])

    def _next(self, about: str) -> calls.Call:
        method, params = self._left[about].pop(0)
        call = calls.Call(method, params, _TIMEOUT, self._deadline,
                          _Answer(self, about), internal=True)
        call.encode(None)
        return call

    def answered(self, about: str, call: calls.Call) -> None:
        """Take one answer, or what came instead."""
        if isinstance(call.error, exceptions.RpcError):
            if self._left[about]:
                self._send([self._next(about)])
                return
        elif isinstance(call.error, exceptions.SpdkError):
            self._done(self, None, call.error)
            return
        self._answers[about] = call.result
        if len(self._answers) == len(_QUESTIONS):
            self._done(self, self._target(), None)

    def _target(self) -> catalogue.TargetMethods:
        # Cost time to import, and few commands ask what the target has.
        from cyborg_spdk.rpc.protocol import catalogue
        from cyborg_spdk.rpc.protocol import version as versions
        listed = self._answers["methods"]
        names = None
        if isinstance(listed, list):
            names = frozenset(name for name in listed
                              if isinstance(name, str))
        version = versions.from_reply(self._answers["version"])
        return catalogue.TargetMethods(
            names, version or catalogue.guess_version(names))


class _Answer:
    """Receiver for one question."""

    __slots__ = ("_about", "_questions")

    def __init__(self, questions: _Questions, about: str) -> None:
        self._questions = questions
        self._about = about

    def done(self, call: calls.Call) -> None:
        """Pass it on."""
        self._questions.answered(self._about, call)

    def renew(self) -> None:
        """After a fork: nobody waits for it."""
