# SPDX-License-Identifier: Apache-2.0

"""Requests and replies (``lib/jsonrpc/jsonrpc_server.c``, ``lib/rpc``)."""

import traceback

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.jsonrpc import wire

_MEMBERS = {"jsonrpc", "method", "params", "id"}

STARTUP_ONLY = (
    "Method may only be called before framework is initialized. "
    "Use --wait-for-rpc command line parameter and then issue this RPC "
    "before the framework_start_init RPC.")
RUNTIME_ONLY = (
    "Method may only be called after framework is initialized "
    "using framework_start_init RPC.")
# Up to v20.07; the states are bits of the mask.
OTHER_STATE = ("Method is allowed in any state in the mask ({:x}), "
               "but current state is ({:x})")
_STARTUP, _RUNTIME = 1, 2


# Bytes that an id may have up to v18.10.
_OLD_ID = 128
# Bytes that SPDK's JSON writer holds back.
_WRITER = 4096


class Raw(bytes):
    """A reply that is sent without a newline."""


class Request:
    """One request that is being answered.

    :ivar method: the method called, or None.
    :ivar id: the id as JSON text.
    :ivar done: whether it was answered.
    :ivar params: the parameters as they came.
    """

    __slots__ = ("sink", "method", "id", "silent", "done", "params")

    def __init__(self, sink):
        self.sink = sink
        self.method = None
        self.params = None
        self.id = "null"
        self.silent = ""
        self.done = False

    def result(self, value):
        """Answer with a result; a notification gets none (from v26.05)."""
        self.done = True
        if self.silent:
            self.sink.reply(self._leftover(value))
            return
        self.sink.reply((f'{{"jsonrpc":"2.0","id":{self.id},"result":'
                         f'{wire.encode(value)}}}').encode("ascii"))

    def _leftover(self, value):
        """What goes out for a notification: nothing up to v19.04 and from
        v26.05 on.

        Releases from v19.07 on drop what their JSON writer has flushed, and
        then flush the rest: the last part of the reply, without its end.
        """
        if self.silent == "skip":
            return b""
        text = (f'{{"jsonrpc":"2.0","id":null,"result":'
                f'{wire.encode(value)}').encode("ascii")
        return Raw(text[(len(text) - 1) // _WRITER * _WRITER:])

    def failed(self, log):
        """Answer, unless that was done, that a fault of ours is in the way.

        :param log: the target's; the fault itself is written there.
        """
        for line in traceback.format_exc().splitlines():
            log.errlog("simulator", 0, self.method or "-", line)
        if not self.done:
            self.error(errors.INTERNAL_ERROR, "Internal error")

    def error(self, code, message):
        """Answer with an error; that goes out for notifications too."""
        self.done = True
        text = wire.encode({"code": code, "message": message})
        self.sink.reply(f'{{"jsonrpc":"2.0","id":{self.id},"error":{text}}}'
                        .encode("ascii"))


class Batch:
    """Collects the replies to an array of requests; sent when all are in."""

    def __init__(self, connection, size, limit):
        self.connection = connection
        self.open = size
        self.room = limit - 1
        self.replies = []

    def reply(self, data):
        """Take one reply, in the order of completion."""
        size = len(data) + bool(self.replies)
        if data and size + 2 <= self.room:
            self.replies.append(data)
            self.room -= size
        self.open -= 1
        if not self.open:
            data = b"[" + b",".join(self.replies) + b"]"
            self.connection.reply(
                wire.Batched(data) if self.replies else b"")


class Dispatcher:
    """Hands requests to the methods of a target.

    :param target: the simulated target.
    :param methods: its :class:`registry.Methods`.
    :param faults: :class:`.faults.Faults`, or None.
    """

    def __init__(self, target, methods, faults=None):
        self.target = target
        self.faults = faults
        self.methods = methods
        self.release = target.release

    def message(self, value, connection):
        """Take one top-level JSON value.

        :param connection: where replies go: has ``reply(bytes)``.
        """
        if isinstance(value, dict):
            self.single(value, connection)
        elif isinstance(value, list) and value and self.release.batches:
            batch = Batch(connection, len(value), self.release.send_limit)
            for item in value:
                self.single(item, batch)
        else:
            Request(connection).error(errors.INVALID_REQUEST,
                                      "Invalid request")

    def single(self, value, sink):
        """Take one request, of a batch or alone."""
        if self.faults is not None:
            sink = self.faults.sink(value, sink)
        request = Request(sink)
        if not self._object(value):
            request.error(errors.INVALID_REQUEST, "Invalid request")
            return
        good = self._call_named(value)
        # Up to v18.10 the id is read whatever else is wrong.
        if good or self.release < 1901:
            good = self._identity(request, value) and good
        params = value.get("params")
        if not isinstance(params, (dict, list)) and "params" in value and (
                params is not None or self.release < 1907):
            good = False
        if not good:
            request.error(errors.INVALID_REQUEST, "Invalid request")
            return
        request.method = value["method"]
        self.call(request, params)

    def _object(self, value):
        """Tell whether a value has the members of a request."""
        return (isinstance(value, dict)
                and not isinstance(value, wire.Duplicates)
                and _MEMBERS.issuperset(value) and "method" in value
                and ("jsonrpc" in value or self.release >= 1807))

    @staticmethod
    def _call_named(value):
        version = value.get("jsonrpc", "2.0")
        return version == "2.0" and type(version) is str \
            and type(value["method"]) is str

    def _identity(self, request, value):
        """Read the id and tell whether it may be one; without one there
        is no reply, see ``spdk_jsonrpc_begin_result()``.
        """
        identity = value.get("id")
        release = self.release
        if identity is None:
            # Up to v18.10 null is an id as any other.
            if "id" not in value or release >= 1901:
                request.silent = "leak" if 1907 <= release < 2605 else "skip"
            return True
        if type(identity) not in (str, wire.Number) or (
                release < 1901 and len(identity.encode()) > _OLD_ID):
            return False
        request.id = wire.encode(identity)
        return True

    def call(self, request, params):
        """Run a request's method and answer it, now or later."""
        method = self.methods.table.get(request.method)
        if method is None:
            request.error(errors.METHOD_NOT_FOUND, "Method not found")
            return
        if method.deprecated and not method.warned:
            method.warned = True
            self.target.log.warnlog(
                "rpc.c", 113, "jsonrpc_handler",
                f"RPC method {method.name} is deprecated.  "
                f"Use {method.deprecated} instead.")
        target = self.target
        callable_ = method.runtime if target.initialized else method.startup
        if not callable_:
            request.error(errors.INVALID_STATE, self._other_state())
            return
        request.params = params
        server = target.server
        server.current = request
        try:
            if method.early is not None:
                method.early(target, params)
            decoded = method.params(params)
            if method.function is None:
                # Known to the release, outside of what is simulated.
                raise errors.CallError(-95, "Operation not supported")
            result = method.function(target, decoded, request)
        except errors.CallError as exc:
            request.error(*errors.of_release(
                exc, method.canonical, target.release))
            return
        except errors.FAULTS:
            request.failed(target.log)
            return
        finally:
            server.current = None
        if result is not registry.PENDING:
            request.result(result)

    def _other_state(self):
        """What is answered to a method of the other state."""
        initialized = self.target.initialized
        if self.release < 2010:
            states = (_STARTUP, _RUNTIME)
            return OTHER_STATE.format(*states[::1 if initialized else -1])
        return STARTUP_ONLY if initialized else RUNTIME_ONLY
