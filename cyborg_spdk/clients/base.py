# SPDX-License-Identifier: Apache-2.0

"""What all clients have in common: calls whose errors tell the cause."""

import copy
import errno
import os

from cyborg_spdk import exceptions

# Errors that already say all there is: the method, the release, the state.
_CLEAR = (exceptions.MethodNotFound, exceptions.NotReady,
          exceptions.TargetStopping, exceptions.InvalidRequest)

# What SPDK says, under codes that say nothing, when a later try may do:
# bdev_set_qos_limit and changes of an NVM subsystem.
_BUSY_TEXTS = ('Resource temporarily unavailable', 'try again later')

# What SPDK says of parameters that it cannot read, under any code.
_UNREAD_TEXTS = ('spdk_json_decode_object failed', 'Failed to decode')

# Parameters whose values are never repeated in an error.
_SECRET = frozenset(('key', 'key2', 'psk', 'secret', 'msecret', 'secrets',
                     'dhchap_key', 'dhchap_ctrlr_key'))


class Client:
    """Base of the clients: an RPC connection, and how calls are made.

    :ivar rpc: the :class:`cyborg_spdk.rpc.Client` that is used.
    :ivar timeout: seconds for each call, or None for that client's own.
    """

    def __init__(self, client, *, timeout=None):
        """Use a connection.

        :param client: what :func:`cyborg_spdk.rpc.connect` returned.
        :param timeout: seconds of wall-clock time for each call; None is
            the connection's own default.
        """
        self.rpc = client
        self.timeout = timeout

    def with_timeout(self, seconds):
        """The same client with another deadline for each of its calls.

        :param seconds: wall-clock time, or None for the default.
        :returns: a new client on the same connection.
        """
        other = copy.copy(self)
        other.timeout = seconds
        return other

    def _call(self, method, /, _about=None, _cause=None, _false_ok=False,
              **params):
        """Make one call; parameters that are None are left out.

        :param _about: the object that the call is about, for the error:
            ``"bdev 'Malloc0'"``.
        :param _cause: callable that is given the error and finds out by
            reading why the call failed; returns (class of the error,
            sentence) or None.
        :param _false_ok: whether the result "false" is none of an error.
        :raises RpcError: with ``detail`` set.
        """
        params = {name: value for name, value in params.items()
                  if value is not None}
        deadline = {} if self.timeout is None else {'_timeout': self.timeout}
        try:
            result = self.rpc.call(method, **deadline, **params)
        except _CLEAR:
            raise
        except exceptions.RpcError as exc:
            raise explained(exc, _about, _cause) from exc
        if result is False and not _false_ok:
            # v22.01 and before: some deletes of what is not there.
            raise explained(exceptions.rpc_error(
                -32603, 'the target answered "false"', method, params),
                _about, _cause)
        return result

    def _delete(self, method, /, _about, _missing, _missing_ok, _cause=None,
                **params):
        """Make a call that deletes; tell "was not there" apart.

        :param _missing: callable that finds out by reading whether the
            object is missing.
        :param _missing_ok: whether that is all right.
        :returns: True if it was deleted, False if it was not there.
        :raises NotFound: it was not there, and that is not all right.
        """
        try:
            self._call(method, **params)
            return True
        except _CLEAR:
            raise
        except exceptions.RpcError as exc:
            if _refused(exc):
                raise
            if _unread(exc):
                raise explained(exc, _about) from exc
            if _quiet(_missing):
                if _missing_ok:
                    return False
                raise fault(exc, exceptions.NotFound,
                            f'{_about} does not exist') from exc
            raise explained(exc, _about, _cause) from exc

    def _create(self, method, /, _about, _existing, _wanted, _exist_ok,
                _cause=None, **params):
        """Make a call that creates; tell an object that exists apart.

        :param _existing: callable that reads the object of that name, or
            None if there is none.
        :param _wanted: properties that it must have to count as the same:
            dict of name to (value, callable that reads it from the
            object).
        :param _exist_ok: whether an object that exists already, with
            those properties, is all right.
        :returns: the result of the call, or None if it existed.
        :raises AlreadyExists: it exists, and that is not all right; or it
            differs, and then a property is named.
        """
        try:
            return self._call(method, **params)
        except _CLEAR:
            raise
        except exceptions.RpcError as exc:
            if _refused(exc):
                raise
            if _unread(exc) or isinstance(exc, (exceptions.NoSpace,
                                                exceptions.Busy)):
                raise explained(exc, _about, _cause) from exc
            found = _quiet(_existing)
            if found is None:
                raise explained(exc, _about, _cause) from exc
            differs = difference(found, _wanted)
            if differs is None and _exist_ok:
                return None
            raise fault(exc, exceptions.AlreadyExists,
                        f'{_about} exists ' + (differs or 'already')
                        ) from exc


def missing(method, params, detail):
    """The error for what is not there, found out without the call.

    :param method: the call that was not made.
    :param params: its parameters, as far as they matter.
    :param detail: what is not there (str).
    """
    return exceptions.NotFound(-errno.ENODEV, os.strerror(errno.ENODEV),
                               method, params, detail)


def taken(method, params, detail):
    """The error for what exists, found out without the call.

    The parameters are those of :func:`missing`.
    """
    return exceptions.AlreadyExists(-errno.EEXIST, os.strerror(errno.EEXIST),
                                    method, params, detail)


def in_use(method, params, detail):
    """The error for what cannot go because something uses it.

    The parameters are those of :func:`missing`.
    """
    return exceptions.Busy(-errno.EBUSY, os.strerror(errno.EBUSY), method,
                           params, detail)


def unsupported(method, params, detail):
    """The error for what SPDK cannot do at all.

    The parameters are those of :func:`missing`.
    """
    return exceptions.NotSupported(
        -errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), method, params,
        detail)


def difference(found, wanted):
    """How an object differs from what is wanted.

    :param found: the object.
    :param wanted: dict of property to (value, reader); a value of None
        means that any will do.
    :returns: a phrase that names the first property that differs, or None.
    """
    for name, (value, reader) in wanted.items():
        if value is None:
            continue
        have = reader(found)
        if have != value:
            return f'with {name} {have!r}, not {value!r}'
    return None


def fault(exc, cls, detail):
    """An error of another class for the same reply of the target.

    :param exc: the :class:`~cyborg_spdk.exceptions.RpcError` as it came.
    :param cls: class of the new one.
    :param detail: what was found out.
    """
    params = exc.params
    if isinstance(params, dict):
        params = {name: '***' if name in _SECRET else value
                  for name, value in params.items()}
    return cls(exc.code, exc.message, exc.method, params, detail)


def explained(exc, about=None, cause=None):
    """The error that says what SPDK did not.

    :param exc: the error as it came.
    :param about: the object that the call was about.
    :param cause: callable that finds the cause, or None.
    :returns: an error to raise: the same class with ``about`` in its
        ``detail``, or what ``cause`` found.
    """
    if _refused(exc):
        return fault(exc, type(exc), exc.detail)
    if _unread(exc):
        names = ', '.join(exc.params) if exc.params else 'none'
        return fault(exc, exceptions.InvalidParams,
                     f'{about or exc.method}: this release does not take '
                     'the name, type or value of one of the parameters '
                     f'{names}')
    found = _quiet(lambda: cause(exc)) if cause is not None else None
    if found:
        return fault(exc, *found)
    detail = about
    if about and isinstance(exc, exceptions.NotFound):
        detail = f'{about} does not exist'
    busy = any(one in exc.message for one in _BUSY_TEXTS)
    return fault(exc, exceptions.Busy if busy else type(exc), detail)


def _refused(exc):
    """Whether the RPC layer did not send it at all, and says why.

    A parameter that the release does not have: nothing to look for.
    """
    return bool(exc.detail)


def _unread(exc):
    """Whether the target could not read the parameters: it did nothing."""
    return any(one in exc.message for one in _UNREAD_TEXTS)


def _quiet(read):
    """Read for a diagnosis: its failure must not hide the first error."""
    try:
        return read()
    except exceptions.SpdkError:
        return None
