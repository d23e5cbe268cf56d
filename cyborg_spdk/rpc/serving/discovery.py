# SPDX-License-Identifier: Apache-2.0

"""Finding out which methods a target has and which release it is."""

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import catalogue
from cyborg_spdk.rpc.protocol import version as versions
from cyborg_spdk.rpc.serving import call as calls

#: Seconds of wall-clock time for it.
_TIMEOUT = 30.0

# What to ask, in order, until one is answered with a result.
# include_aliases: v19.10 and later; get_rpc_methods: v17.10 to v19.07.1;
# without either the target is older.
_LISTS = [("rpc_get_methods", {"include_aliases": True}),
          ("rpc_get_methods", None),
          ("get_rpc_methods", None)]
_VERSIONS = [("spdk_get_version", None), ("get_spdk_version", None)]


class Learner:
    """Asks a target, step by step; no I/O.

    :param send: function that sends a list of calls.
    :param done: called with a
        :class:`~cyborg_spdk.rpc.protocol.catalogue.Book` and None, or
        None and an error, once.
    """

    def __init__(self, send, done):
        self._send = send
        self._done_with = done
        self._left = {"list": _LISTS[:], "version": _VERSIONS[:]}
        self._found = {}

    def begin(self):
        """Send the first two, both at once."""
        self._send([self._next("list"), self._next("version")])

    def _next(self, what):
        method, params = self._left[what].pop(0)
        call = calls.Call(method, params, _TIMEOUT, _Answer(self, what))
        call.internal = True
        return call

    def answer(self, what, call):
        """Take one answer."""
        if isinstance(call.error, exceptions.RpcError):
            if self._left[what]:
                self._send([self._next(what)])
                return
        elif call.error is not None:
            self._done_with(None, call.error)
            return
        self._found[what] = call.result
        if len(self._found) == 2:
            self._done_with(self._book(), None)

    def _book(self):
        names = self._found["list"]
        if isinstance(names, list):
            names = frozenset(name for name in names
                              if isinstance(name, str))
        else:
            names = None
        version = versions.from_reply(self._found["version"])
        return catalogue.Book(names, version or catalogue.guess_version(names))


class _Answer:
    """Sink for one of the learner's calls."""

    __slots__ = ("_learner", "_what")

    def __init__(self, learner, what):
        self._learner = learner
        self._what = what

    def done(self, call):
        """Pass it on."""
        self._learner.answer(self._what, call)
