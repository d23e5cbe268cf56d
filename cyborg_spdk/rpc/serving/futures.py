# SPDX-License-Identifier: Apache-2.0

"""Futures for calls; apart, since their module costs time to import."""

import concurrent.futures
import threading


class CallFuture(concurrent.futures.Future):
    """Sink for one call: a future that cannot be cancelled.

    A call that is on its way may be executed, so :meth:`cancel` is false.
    """

    def cancel(self):
        """A call cannot be taken back.

        :returns: False.
        """
        return False


class Sink:
    """Hands a call's outcome to its future."""

    __slots__ = ("future",)

    def __init__(self):
        self.future = CallFuture()
        self.future.set_running_or_notify_cancel()

    def done(self, call):
        """The call has its result or error."""
        if call.error is not None:
            self.future.set_exception(call.error)
        else:
            self.future.set_result(call.result)

    def renew(self):
        """After a fork: a thread that is not here may hold its lock."""
        self.future._condition = threading.Condition()
