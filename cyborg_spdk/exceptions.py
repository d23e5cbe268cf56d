# SPDX-License-Identifier: Apache-2.0

"""Every error of this project, in one tree.

::

    SpdkError                     something about SPDK went wrong
    +-- InvalidValue              a value was refused before anything was done
    |   +-- InvalidAddress        an RPC address that cannot be parsed
    |   +-- ConfigurationError    an option's value cannot be used
    +-- ConnectError              nobody could be reached at the address
    +-- ConnectionLost            the peer went away; nothing was executed
    |   +-- OutcomeUnknown        ... or it may have been: find out yourself
    +-- RpcTimeout                no reply before the deadline
    +-- ProtocolError             the peer does not speak JSON-RPC
    +-- RequestTooLarge           refused before it was sent
    +-- ReplyTooLarge             the target cut its reply at 32 MiB
    +-- RpcError                  the target answered with an error
    |   +-- MethodNotFound        no such method in this release or program
    |   +-- InvalidRequest        the request as a whole was refused
    |   +-- InvalidParams         the parameters were refused
    |   +-- NotReady              not in this state of the framework
    |   +-- PermissionDenied      EPERM, EACCES
    |   +-- NotFound              ENODEV, ENOENT
    |   +-- AlreadyExists         EEXIST, EALREADY
    |   +-- Busy                  EBUSY, EAGAIN
    |   +-- NoSpace               ENOSPC, ENOMEM
    |   +-- NotSupported          EOPNOTSUPP
    |   +-- TargetStopping        ESHUTDOWN
    |   +-- InternalError         -32603 and nothing better known
    +-- HostError                 this machine, not the target
    |   +-- NotInstalled          no SPDK where it was looked for
    |   +-- NotRunning            no target, and none may be started
    |   +-- ForeignProcess        the socket or the core is somebody else's
    |   +-- StartError            the target ended before it was ready
    |   +-- StopError             the target did not end in time
    |   +-- HugepageError         not enough huge pages, or not mounted
    |   +-- PrivilegeError        this needs root and there is no way to it
    |   +-- StateError            a state file cannot be read or written
    |       +-- Locked            another process or thread is at it
    +-- PlacementError            Placement gave no answer, or refused
    |   +-- PlacementNotConfigured  nothing says how to reach it
    +-- HypervisorError           libvirt, or a domain, would not
    +-- WipeError                 a unit was not wiped, and stays dirty
    +-- DirtyUnit                 a unit still has another consumer's data
    +-- AnothersUse               who let a consumer in has to take it back
    +-- TaskError                 a named background task failed

One class for each thing that a caller may want to handle. ``str()`` of each
is one line that names the value and the remedy, fit for an operator.
"""

from __future__ import annotations

import errno as errnos
import os

from cyborg_spdk import masking
from cyborg_spdk import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class SpdkError(Exception):
    """Base of all errors that this project raises on purpose.

    ``args`` are what it was made with, so that it can be made again: by
    ``pickle``, and by oslo.privsep for an error in the privileged helper.
    """

    def __str__(self) -> str:
        # A name that a target told, or an operator has typed, may be in it.
        return text.printable(self._text())

    def __repr__(self) -> str:
        # Not what it was made with: that may hold a secret.
        return f"{type(self).__name__}({str(self)!r})"

    def _text(self) -> str:
        return super().__str__()


class InvalidValue(SpdkError, ValueError):
    """A value was refused before anything was done with it.

    :ivar name: what the value was meant to be, e.g. ``"block_size"``.
    :ivar value: the value as given; None if there was none.
    """

    def __init__(self, name: str, value: Any, reason: str) -> None:
        self.name = name
        self.value = value
        self.reason = reason
        super().__init__(name, value, reason)

    def _text(self) -> str:
        if self.value is None:
            return f"{self.name}: {self.reason}"
        shown = masking.mask(self.value, self.name)
        return f"{self.name} {shown!r}: {self.reason}"


class InvalidAddress(InvalidValue):
    """An RPC address that cannot be parsed."""

    def __init__(self, value: Any, reason: str) -> None:
        super().__init__("RPC address", value, reason)
        self.args = (value, reason)


class ConfigurationError(InvalidValue):
    """An option whose value cannot be used.

    :ivar name: the option as ``[group] name``.
    """


class ConnectError(SpdkError):
    """Nobody could be reached at an address.

    :ivar address: the address as text.
    :ivar reason: why, and what to do.
    :ivar errno: the system's error number, or None.
    """

    def __init__(self, address: object, reason: str,
                 errno: int | None = None) -> None:
        self.address = str(address)
        self.reason = reason
        self.errno = errno
        super().__init__(self.address, reason, errno)

    def _text(self) -> str:
        return f"cannot connect to {self.address}: {self.reason}"


class ConnectionLost(SpdkError):
    """The connection ended before the call was executed.

    :ivar address: the address as text.
    :ivar method: the method of the call, or None.
    """

    def __init__(self, address: object, method: str | None = None,
                 reason: str = "the target closed it") -> None:
        self.address = str(address)
        self.method = method
        self.reason = reason
        super().__init__(self.address, method, reason)

    def _text(self) -> str:
        call = f" during {self.method}" if self.method else ""
        return f"connection to {self.address} lost{call}: {self.reason}"


class OutcomeUnknown(ConnectionLost):
    """The request was written and never answered: it may have been applied.

    Only the caller can find out, by reading the target's state.
    """

    def __init__(self, address: object, method: str | None,
                 reason: str = "the target closed it") -> None:
        super().__init__(address, method, f"{reason}; it may or may not have "
                         "been applied: read the target's state")
        self.args = (self.address, method, reason)


class RpcTimeout(SpdkError):
    """No reply came before the deadline (wall clock).

    :ivar timeout: the deadline, in seconds from the call.
    """

    def __init__(self, address: object, method: str | None, timeout: float,
                 hint: str = "it may still be executed") -> None:
        self.address = str(address)
        self.method = method
        self.timeout = timeout
        self.hint = hint
        super().__init__(self.address, method, timeout, hint)

    def _text(self) -> str:
        return (f"{self.method} on {self.address}: no reply within "
                f"{self.timeout:g} s; {self.hint}")


class ProtocolError(SpdkError):
    """The peer sent what is not a JSON-RPC reply.

    :ivar data: the first bytes that made no sense.
    """

    def __init__(self, address: object, reason: str,
                 data: bytes | bytearray = b"") -> None:
        self.address = str(address)
        self.reason = reason
        self.data = bytes(data[:200])
        super().__init__(self.address, reason, self.data)

    def _text(self) -> str:
        return (f"{self.address} does not speak SPDK's JSON-RPC: "
                f"{self.reason}" + (f": {self.data!r}" if self.data else ""))


class RequestTooLarge(SpdkError):
    """The request exceeds what the target can receive; it was not sent.

    :ivar size: what the request has.
    :ivar limit: what the target takes.
    :ivar unit: ``"bytes"`` or ``"JSON values"``.
    """

    def __init__(self, method: str, size: int, limit: int,
                 unit: str = "bytes") -> None:
        self.method = method
        self.size = size
        self.limit = limit
        self.unit = unit
        super().__init__(method, size, limit, unit)

    def _text(self) -> str:
        return (f"{self.method}: the request has {self.size} {self.unit}, "
                f"the target takes {self.limit}; it was not sent")


class ReplyTooLarge(SpdkError):
    """The target cut its reply (at 32 MiB); the rest does not exist."""

    def __init__(self, method: str, size: int) -> None:
        self.method = method
        self.size = size
        super().__init__(method, size)

    def _text(self) -> str:
        return (f"{self.method}: the target cut its reply at {self.size} "
                "bytes; ask for single objects by name instead")


class RpcError(SpdkError):
    """The target answered with an error object.

    :ivar code: JSON-RPC code, or a negative errno, as sent.
    :ivar message: the target's text.
    :ivar method: the method called.
    :ivar params: its parameters, or None.
    :ivar detail: what was found out about the cause, or None.
    """

    def __init__(self, code: int, message: str, method: str | None = None,
                 params: Any = None, detail: str | None = None) -> None:
        self.code = code
        self.message = message
        self.method = method
        self.params = params
        self.detail = detail
        super().__init__(code, message, method, params, detail)

    def _text(self) -> str:
        said = f"{self.method or 'request'}: {self.message.strip()} " \
               f"(code {self.code})"
        return f"{said}: {self.detail}" if self.detail else said


class MethodNotFound(RpcError):
    """-32601: not in this release, this program, or ``--rpcs-allowed``."""


class InvalidRequest(RpcError):
    """-32600: the request as a whole was refused."""


class InvalidParams(RpcError):
    """-32602, EINVAL: parameters refused; often SPDK's only word."""


class NotReady(RpcError):
    """-1 with SPDK's text on the framework's state (startup or runtime)."""


class PermissionDenied(RpcError):
    """EPERM or EACCES; for a bdev: somebody has claimed it."""


class NotFound(RpcError):
    """ENODEV, ENOENT: the object is not there."""


class AlreadyExists(RpcError):
    """EEXIST, EALREADY: an object of that name is there."""


class Busy(RpcError):
    """EBUSY, EAGAIN: try again later."""


class NoSpace(RpcError):
    """ENOSPC, ENOMEM: no room on the store or in memory."""


class NotSupported(RpcError):
    """EOPNOTSUPP: the object cannot do that."""


class TargetStopping(RpcError):
    """ESHUTDOWN: the target is going down."""


class InternalError(RpcError):
    """-32603 and nothing better known."""


_BY_CODE: dict[int, type[RpcError]] = {
    -32601: MethodNotFound,
    -32600: InvalidRequest,
    -32602: InvalidParams,
    -32603: InternalError,
    -errnos.EINVAL: InvalidParams,
    -errnos.EPERM: PermissionDenied,
    -errnos.EACCES: PermissionDenied,
    -errnos.ENODEV: NotFound,
    -errnos.ENOENT: NotFound,
    -errnos.EEXIST: AlreadyExists,
    -errnos.EALREADY: AlreadyExists,
    -errnos.EBUSY: Busy,
    -errnos.EAGAIN: Busy,
    -errnos.ENOSPC: NoSpace,
    -errnos.ENOMEM: NoSpace,
    -errnos.EOPNOTSUPP: NotSupported,
    -errnos.ESHUTDOWN: TargetStopping,
}

# SPDK answers -32602 or -32603 for some system errors and puts strerror()
# into the text (vhost: every failure). The text then says more.
_BY_TEXT = {
    os.strerror(-code): cls for code, cls in _BY_CODE.items() if code > -32000
}

# lib/rpc/rpc.c, sent with code -1 (which is also -EPERM): "Method may only be
# called after/before framework is initialized ..."; v18.07 to v20.07: "Method
# is allowed in any state in the mask (2), but current state is (1)".
_STATE_TEXTS = ("Method may only be called",
                "Method is allowed in any state in the mask")


def rpc_error(code: int, message: str, method: str | None = None,
              params: Any = None, detail: str | None = None) -> RpcError:
    """Make the :class:`RpcError` that fits an error object of a target.

    :param code: the ``code`` member (int).
    :param message: the ``message`` member (str).
    :param method: the method that was called.
    :param params: its parameters.
    :param detail: what is known about the cause beyond SPDK's own text.
    :returns: an instance of the class that fits best.
    """
    cls = _BY_CODE.get(code, RpcError)
    if code == -1 and message.startswith(_STATE_TEXTS):
        cls = NotReady
    elif cls in (InvalidParams, InternalError, RpcError):
        # Some releases send errno positive (bdev_raid_delete: 19).
        cls = _BY_TEXT.get(message.strip(), _BY_CODE.get(-code, cls))
    return cls(code, message, method, params, detail)


class HostError(SpdkError):
    """Something about this machine, not about a target's answer."""


class NotInstalled(HostError):
    """SPDK, or one of its programs, is not where it was looked for.

    :ivar places: the places that were looked at, in order (list of str).
    """

    def __init__(self, what: str, places: Iterable[str],
                 remedy: str) -> None:
        self.what = what
        self.places = list(places)
        self.remedy = remedy
        super().__init__(what, self.places, remedy)

    def _text(self) -> str:
        return (f"{self.what} not found; looked at: "
                f"{', '.join(self.places)}; {self.remedy}")


class NotRunning(HostError):
    """The target does not run, and the configuration forbids a start."""


class ForeignProcess(HostError):
    """A socket or a core that is needed belongs to somebody else.

    It is never touched.
    """


class StartError(HostError):
    """A target ended, or did not answer, before it was ready.

    :ivar target: its name in the configuration.
    :ivar exit_code: its exit status as SPDK gave it, or None.
    :ivar log_tail: the last lines that it wrote (list of str).
    """

    def __init__(self, target: str, reason: str,
                 exit_code: int | None = None,
                 log_tail: Iterable[str] = ()) -> None:
        self.target = target
        self.reason = reason
        self.exit_code = exit_code
        self.log_tail = list(log_tail)
        super().__init__(target, reason, exit_code, self.log_tail)

    def _text(self) -> str:
        said = f"{self.target}: could not be started: {self.reason}"
        if self.exit_code is not None:
            said += f" (exit code {self.exit_code})"
        if self.log_tail:
            said += "; it last said: " + " | ".join(self.log_tail)
        return said


class StopError(HostError):
    """A target did not end before the deadline."""


class HugepageError(HostError):
    """Huge pages that are needed could not be had."""


class PrivilegeError(HostError):
    """An act that needs root, and no way to it."""


class StateError(HostError):
    """A state file cannot be read or written."""


class Locked(StateError):
    """Another process or thread is at it, for longer than was waited."""


class PlacementError(SpdkError):
    """Placement gave no answer, or refused a change; nothing is known.

    :ivar status: HTTP status of the answer; None if there was none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class PlacementNotConfigured(PlacementError):
    """There is nothing in ``[placement]`` to reach it by."""


class HypervisorError(SpdkError):
    """libvirt did not answer, or a unit cannot be plugged into a domain.

    :ivar code: libvirt's error code (``VIR_ERR_...``), or None.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        self.code = code
        super().__init__(message, code)

    def _text(self) -> str:
        return str(self.args[0])


class SilentTarget(HypervisorError):
    """A target listens on a vhost-user socket, and does not answer there."""


class WipeError(SpdkError):
    """A unit could not be wiped, or not be proved to be zero.

    It stays dirty; the next wipe begins at block 0.
    """


class DirtyUnit(SpdkError):
    """A unit is another consumer's, or has its data: it is not given away.

    :ivar unit: its attach handle.
    :ivar consumer: who used it last, or None if nobody knows.
    :ivar in_use: whether that one may use it still.
    """

    def __init__(self, unit: str, consumer: str | None,
                 in_use: bool = False) -> None:
        self.unit = unit
        self.consumer = consumer
        self.in_use = in_use
        if in_use:
            text = f"{unit} is {consumer}'s; detach it from that one first"
        else:
            data = f'the data of {consumer}' if consumer else \
                'what its disk had on it before'
            text = (f'{unit} has {data}; wipe it first: '
                    f"cyborg-spdk units wipe '{unit}'")
        super().__init__(text)


class AnothersUse(SpdkError):
    """A consumer was let in by somebody else, who has to take that back.

    :ivar unit: the unit's attach handle.
    :ivar maker: who let it in.
    """

    def __init__(self, unit: str, consumer: str | None, maker: str) -> None:
        self.unit = unit
        self.maker = maker
        super().__init__(
            f'{unit}: {maker} has let {consumer} in, and takes that back; to '
            f'do it in its place: cyborg-spdk detach --made-by {maker}')


class TaskError(SpdkError):
    """A named background task failed; ``__cause__`` is its exception.

    :ivar name: the task's name.
    """

    def __init__(self, name: str, cause: object) -> None:
        self.name = name
        super().__init__(name, cause)

    def _text(self) -> str:
        return f"task {self.name}: {self.args[1]}"
