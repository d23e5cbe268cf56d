# SPDX-License-Identifier: Apache-2.0

"""Errors that tell the cause, where SPDK tells little or nothing."""

from collections.abc import Callable
from collections.abc import Mapping
import errno
import os
from typing import Any
from typing import TypeVar

from cyborg_spdk import exceptions
from cyborg_spdk import masking

#: What a cause was found to be: the class of the error, and a sentence.
Finding = tuple[type[exceptions.RpcError], str]

#: Finds out by reading why a call failed, or returns None.
Cause = Callable[[exceptions.RpcError], Finding | None]

#: Properties that an object must have to count as the one that is wanted:
#: name to (value, function that reads it from the object).
Wanted = Mapping[str, tuple[Any, Callable[[Any], Any]]]

_Read = TypeVar('_Read')

# What SPDK says, under codes that say nothing, when a later try may do:
# bdev_set_qos_limit and changes of an NVM subsystem.
_BUSY_TEXTS = ('Resource temporarily unavailable', 'try again later')

# What SPDK says of parameters that it cannot read, under any code.
_UNREAD_TEXTS = ('spdk_json_decode_object failed', 'Failed to decode')


def missing(method: str, params: Mapping[str, Any] | None,
            detail: str) -> exceptions.NotFound:
    """The error for what is not there, found out without the call.

    :param method: the call that was not made.
    :param params: its parameters, as far as they matter.
    :param detail: what is not there.
    """
    return exceptions.NotFound(-errno.ENODEV, os.strerror(errno.ENODEV),
                               method, params, detail)


def taken(method: str, params: Mapping[str, Any] | None,
          detail: str) -> exceptions.AlreadyExists:
    """The error for what exists, found out without the call.

    The parameters are those of :func:`missing`.
    """
    return exceptions.AlreadyExists(-errno.EEXIST, os.strerror(errno.EEXIST),
                                    method, params, detail)


def in_use(method: str, params: Mapping[str, Any] | None,
           detail: str) -> exceptions.Busy:
    """The error for what cannot go because something uses it.

    The parameters are those of :func:`missing`.
    """
    return exceptions.Busy(-errno.EBUSY, os.strerror(errno.EBUSY), method,
                           params, detail)


def unsupported(method: str, params: Mapping[str, Any] | None,
                detail: str) -> exceptions.NotSupported:
    """The error for what SPDK cannot do at all.

    The parameters are those of :func:`missing`.
    """
    return exceptions.NotSupported(
        -errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), method, params,
        detail)


def invalid(method: str, params: Mapping[str, Any] | None,
            detail: str) -> exceptions.InvalidParams:
    """The error for what SPDK would refuse, or not survive.

    The parameters are those of :func:`missing`.
    """
    return exceptions.InvalidParams(-32602, 'Invalid parameters', method,
                                    params, detail)


def difference(existing: Any, wanted: Wanted) -> str | None:
    """How an object differs from what is wanted.

    :param existing: the object.
    :param wanted: the properties; a value of None means that any will do.
    :returns: a phrase that names the first property that differs, or None.
    """
    for name, (value, read) in wanted.items():
        if value is None:
            continue
        actual = read(existing)
        if actual != value:
            return f'with {name} {actual!r}, not {value!r}'
    return None


def fault(exc: exceptions.RpcError, cls: type[exceptions.RpcError],
          detail: str | None) -> exceptions.RpcError:
    """An error of another class for the same reply of the target.

    :param exc: the error as it came.
    :param cls: class of the new one.
    :param detail: what was found out.
    """
    return cls(exc.code, exc.message, exc.method, masking.mask(exc.params),
               detail)


def explained(exc: exceptions.RpcError, about: str | None = None,
              cause: Cause | None = None) -> exceptions.RpcError:
    """The error that says what SPDK did not.

    :param exc: the error as it came.
    :param about: the object that the call was about.
    :param cause: finds the cause, or None.
    :returns: an error to raise: the same class with ``about`` in its
        ``detail``, or what ``cause`` found.
    """
    if was_not_sent(exc):
        return fault(exc, type(exc), exc.detail)
    if was_not_read(exc):
        names = ', '.join(exc.params) if exc.params else 'none'
        return fault(exc, exceptions.InvalidParams,
                     f'{about or exc.method}: this release does not take '
                     'the name, type or value of one of the parameters '
                     f'{names}')
    finding = read_quietly(lambda: cause(exc)) if cause is not None else None
    if finding:
        return fault(exc, *finding)
    detail = about
    if about and isinstance(exc, exceptions.NotFound):
        detail = f'{about} does not exist'
    busy = any(text in exc.message for text in _BUSY_TEXTS)
    return fault(exc, exceptions.Busy if busy else type(exc), detail)


def was_not_sent(exc: exceptions.RpcError) -> bool:
    """Whether the RPC layer did not send it at all, and says why.

    A parameter that the release does not have: nothing to look for.
    """
    return bool(exc.detail)


def was_not_read(exc: exceptions.RpcError) -> bool:
    """Whether the target could not read the parameters: it did nothing."""
    return any(text in exc.message for text in _UNREAD_TEXTS)


def read_quietly(read: Callable[[], _Read]) -> _Read | None:
    """Read for a diagnosis: its failure must not hide the first error."""
    try:
        return read()
    except exceptions.SpdkError:
        return None
