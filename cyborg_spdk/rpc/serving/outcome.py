# SPDX-License-Identifier: Apache-2.0

"""What becomes of an operation that gets no reply: one true error each."""

from __future__ import annotations

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import readonly
from cyborg_spdk.rpc.serving import call as calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cyborg_spdk.rpc import address as addresses


class Outcome:
    """Makes the errors of one address.

    :param address: for their texts.
    """

    def __init__(self, address: addresses.Address | str) -> None:
        self.address = address

    def of_unwritten(self, operation: calls.Operation,
                     reason: str) -> exceptions.ConnectionLost:
        """Not written to its last byte: it cannot have been executed."""
        return exceptions.ConnectionLost(self.address, operation.method,
                                         reason)

    def of_written(self, call: calls.Call, reason: str,
                   cause: exceptions.ProtocolError | None = None
                   ) -> exceptions.SpdkError:
        """Written, and its connection is gone.

        :param cause: what was wrong with what the peer said, or None.
        """
        if not readonly.is_read_only(call.method, call.params):
            error = exceptions.OutcomeUnknown(self.address, call.method,
                                              reason)
            error.__cause__ = cause
            return error
        return cause or self.of_unwritten(call, reason)

    def of_late(self, operation: calls.Operation) -> exceptions.RpcTimeout:
        """Its deadline has come before it was sent."""
        return self._timeout(operation, "it was not sent")

    def of_unanswered(self, call: calls.Call,
                      answered: bool) -> exceptions.RpcTimeout:
        """Its deadline has come, and it was sent.

        :param answered: whether anything came over its connection.
        """
        hint = "it may still be executed"
        if not answered:
            hint += ("; nothing ever came over this connection: the target "
                     "hangs, or serves 64 connections already (close one of "
                     "them, then)")
        return self._timeout(call, hint)

    def _timeout(self, operation: calls.Operation,
                 hint: str) -> exceptions.RpcTimeout:
        return exceptions.RpcTimeout(self.address, operation.method,
                                     operation.timeout, hint)
