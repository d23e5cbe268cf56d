# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Requests and replies (``lib/jsonrpc/jsonrpc_server.c``, ``lib/rpc``)."""

from cyborg_spdk.simulator import errors
from cyborg_spdk.simulator import registry
from cyborg_spdk.simulator import wire

_MEMBERS = {"jsonrpc", "method", "params", "id"}

STARTUP_ONLY = (
    "Method may only be called before framework is initialized. "
    "Use --wait-for-rpc command line parameter and then issue this RPC "
    "before the framework_start_init RPC.")
RUNTIME_ONLY = (
    "Method may only be called after framework is initialized "
    "using framework_start_init RPC.")


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
        """What goes out for a notification: nothing from v26.05 on.

        Earlier releases drop what their JSON writer has flushed, and then
        flush the rest: the last part of the reply, without its end.
        """
        if self.silent == "skip":
            return b""
        text = (f'{{"jsonrpc":"2.0","id":null,"result":'
                f'{wire.encode(value)}').encode("ascii")
        return Raw(text[(len(text) - 1) // _WRITER * _WRITER:])

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
        if not self._valid(value):
            request.error(errors.INVALID_REQUEST, "Invalid request")
            return
        identity = value.get("id")
        if identity is None:
            request.silent = "skip" if self.release >= 2605 else "leak"
        else:
            request.id = wire.encode(identity)
        params = value.get("params")
        if params is not None and not isinstance(params, (dict, list)):
            request.error(errors.INVALID_REQUEST, "Invalid request")
            return
        request.method = value["method"]
        self.call(request, params)

    def _valid(self, value):
        if not isinstance(value, dict) or isinstance(value, wire.Duplicates):
            return False
        if not _MEMBERS.issuperset(value) or "method" not in value:
            return False
        if value.get("jsonrpc", "2.0") != "2.0" \
                or type(value.get("jsonrpc", "2.0")) is not str:
            return False
        if "jsonrpc" not in value and self.release < 1807:
            return False
        identity = value.get("id")
        return (type(value["method"]) is str
                and (identity is None
                     or type(identity) in (str, wire.Number)))

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
        if target.initialized:
            if not method.runtime:
                request.error(errors.INVALID_STATE, STARTUP_ONLY)
                return
        elif not method.startup:
            request.error(errors.INVALID_STATE, RUNTIME_ONLY)
            return
        request.params = params
        try:
            if method.early is not None:
                method.early(target)
            decoded = method.params(params)
            if method.function is None:
                # Known to the release, outside of what is simulated.
                raise errors.CallError(-95, "Operation not supported")
            result = method.function(target, decoded, request)
        except errors.CallError as exc:
            request.error(*errors.of_release(
                exc, method.canonical, target.release))
            return
        if result is not registry.PENDING:
            request.result(result)
