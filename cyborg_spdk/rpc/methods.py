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

"""RPC names and parameters across SPDK releases, as data.

A caller uses the names of the newest release. What a target has is learnt
from itself (:class:`Book`), and only where that is needed: most methods had
one name since v19.10, and a target that does not know a name says so
(-32601) without doing anything. So a call is sent under its current name at
once, unless it has parameters that are not in every release, and the
releases are looked up when the target refuses the name.
"""

import functools
import json
import os

from cyborg_spdk import exceptions
from cyborg_spdk.rpc import message
from cyborg_spdk.rpc import version as versions

#: Limits of every release up to v26.01: bytes and JSON values of a request.
SMALL_REQUEST = (32 * 1024, 1024)
#: Limits since v26.05 (lib/jsonrpc/jsonrpc_internal.h).
LARGE_REQUEST = (256 * 1024, 8192)
_LARGE_SINCE = versions.Version(26, 5)
#: First release with JSON-RPC batches (a second time).
BATCH_SINCE = versions.Version(26, 5)


@functools.cache
def data():
    """The table of names and parameters (``methods.json``)."""
    path = os.path.join(os.path.dirname(__file__), "methods.json")
    with open(path, encoding="ascii") as file:
        return json.load(file)


def former_names(method):
    """Names that a method had in older releases, the newest first."""
    return data()["renamed"].get(method, ())


def varies(method, params):
    """Whether a call has parameters that depend on the release."""
    if not params or not isinstance(params, dict):
        return False
    table = data()["params"].get(method)
    return bool(table) and not table.keys().isdisjoint(params)


class Book:
    """What one target has.

    :ivar methods: names that it serves (frozenset), or None if it cannot
        tell: before v17.10.
    :ivar version: :class:`~cyborg_spdk.rpc.version.Version`, or None.
    """

    def __init__(self, methods, version):
        self.methods = methods
        self.version = version

    @property
    def has_batches(self):
        """Whether the target takes JSON-RPC batches."""
        return self.version is not None and self.version >= BATCH_SINCE

    def limits(self):
        """``(bytes, JSON values)`` that a request may have."""
        if self.version is not None and self.version >= _LARGE_SINCE:
            return LARGE_REQUEST
        return SMALL_REQUEST

    def name_of(self, method):
        """The name that this target has for a method.

        :param method: its name in the newest release.
        :returns: a name, or None if it has none.
        """
        if self.methods is None or method in self.methods:
            return method
        for name in former_names(method):
            if name in self.methods:
                return name
        return None

    def translate(self, method, params):
        """Name and parameters as this target wants them.

        :param method: name in the newest release.
        :param params: parameters in the newest release, or None.
        :returns: ``(name, params)``.
        :raises MethodNotFound: if the target has no such method.
        :raises InvalidParams: if it has no such parameter.
        """
        name = self.name_of(method)
        if name is None:
            raise exceptions.rpc_error(
                -32601, "Method not found", method, params,
                self.explain(method))
        return name, params

    def has(self, method):
        """Whether the target serves a method, under whatever name."""
        return self.methods is not None and self.name_of(method) is not None

    def supports(self, method, param):
        """Whether the target's method takes a parameter.

        :param method: name in the newest release.
        :param param: name of the parameter there.
        """
        return self.has(method)

    def next_name(self, call):
        """Another name to try for a call whose name was refused.

        Only for a target that cannot list its methods.

        :param call: a :class:`~cyborg_spdk.rpc.call.Call`.
        :returns: a name, or None.
        """
        if self.methods is not None:
            return None
        names = [call.method, *former_names(call.method)]
        at = names.index(call.name) + 1
        return names[at] if at < len(names) else None

    def explain(self, method):
        """Why a target does not have a method, for its error."""
        return "see rpc_get_methods for what it has"


def check_size(method, data_, limits):
    """Refuse a request that the target would answer by hanging up.

    :param method: for the error.
    :param data_: the request as bytes.
    :param limits: ``(bytes, JSON values)``.
    :raises RequestTooLarge: naming the limit.
    """
    size, values = limits
    if len(data_) > size:
        raise exceptions.RequestTooLarge(method, len(data_), size)
    if len(data_) > values:
        count = message.value_count(data_)
        if count > values:
            raise exceptions.RequestTooLarge(method, count, values,
                                             "JSON values")
    if data_.count(b"[") + data_.count(b"{") > message.MAX_NESTING:
        depth = message.nesting(data_)
        if depth > message.MAX_NESTING:
            raise exceptions.RequestTooLarge(
                method, depth, message.MAX_NESTING, "levels of nesting")


def guess_version(names):
    """The release of a target that does not tell it (before v19.04).

    :param names: the methods that it serves, or None.
    :returns: the oldest :class:`~cyborg_spdk.rpc.version.Version` that has
        all of them, or None.
    """
    return None
