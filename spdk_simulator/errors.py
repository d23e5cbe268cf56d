# SPDX-License-Identifier: Apache-2.0

"""What a simulated target answers when a call fails."""

import errno
import os

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
INVALID_STATE = -1
_MAX_ERRNO = 4096


class CallError(Exception):
    """A call is answered with an error object.

    :ivar code: as sent: a JSON-RPC code, or an errno, mostly negative.
    :ivar message: as sent.
    """

    def __init__(self, code, message):
        super().__init__(code, message)
        self.code = code
        self.message = message


def of_release(error, method, release):
    """Code and message of an error as a release tells it.

    Until v19.04 the methods of bdevs answered -32602 whatever was wrong,
    those of lvols and virtio with the system's text; until v19.07 so did
    those of network block devices.

    :param error: a :class:`CallError`.
    :param method: the current name of the method.
    :returns: (code, message).
    """
    of_system = 0 < abs(error.code) < _MAX_ERRNO \
        and error.code != -errno.EOPNOTSUPP
    if not of_system or not method.startswith(
            "nbd_" if 1907 <= release < 1910 else ("bdev_", "nbd_")) \
            or release >= 1910:
        return error.code, error.message
    if method.startswith(("bdev_lvol_", "bdev_virtio_")):
        return INVALID_PARAMS, os.strerror(abs(error.code))
    return INVALID_PARAMS, "Invalid parameters"


def system(number, code=None, message=None):
    """Make the error that SPDK sends for a system error.

    :param number: a positive errno, e.g. ``errno.ENODEV``.
    :param code: the code to send if it is not ``-number``.
    :param message: the text to send if it is not strerror()'s.
    """
    return CallError(-number if code is None else code,
                     message or os.strerror(number))


def invalid_params(message="Invalid parameters"):
    """-32602."""
    return CallError(INVALID_PARAMS, message)


def internal(message="Internal error"):
    """-32603."""
    return CallError(INTERNAL_ERROR, message)


def no_device(code=None):
    """ENODEV."""
    return system(errno.ENODEV, code)


def exists(code=None):
    """EEXIST."""
    return system(errno.EEXIST, code)


def invalid(code=None):
    """EINVAL."""
    return system(errno.EINVAL, code)


def not_permitted(code=None):
    """EPERM."""
    return system(errno.EPERM, code)


#: What only a fault of the simulator itself raises in a method. The request
#: is answered with -32603 then, and the process goes on.
FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError,
          NameError, OSError, RuntimeError, TypeError, ValueError)


class Abort(Exception):
    """The call would have killed a real target with SIGABRT."""
