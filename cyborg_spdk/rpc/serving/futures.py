# SPDX-License-Identifier: Apache-2.0

"""Futures for calls; apart, since their module costs time to import."""

from __future__ import annotations

import concurrent.futures
import threading
from typing import Any

from cyborg_spdk.rpc.serving import call as calls


class CallFuture(concurrent.futures.Future[Any]):
    """The outcome of one call: a future that cannot be cancelled.

    A call that is on its way may be executed, so :meth:`cancel` is false.
    """

    def cancel(self) -> bool:
        """A call cannot be taken back.

        :returns: False.
        """
        return False


class Receiver:
    """Hands a call's outcome to its future."""

    __slots__ = ("future",)

    def __init__(self) -> None:
        self.future = CallFuture()
        self.future.set_running_or_notify_cancel()

    def done(self, operation: calls.Operation) -> None:
        """The call has its result or error."""
        if operation.error is not None:
            self.future.set_exception(operation.error)
        else:
            self.future.set_result(operation.result)

    def renew(self) -> None:
        """After a fork: a thread that is not here may hold its lock."""
        self.future._condition = threading.Condition()
