# SPDX-License-Identifier: Apache-2.0

"""RPC names and parameters across SPDK releases, as data.

A caller uses the names of the newest release. What a target has is learnt
from itself (:class:`TargetMethods`), once per connection and only where it
matters: a target that does not know a name says so (-32601) and does nothing,
so a call goes out under its current name at once, and is looked up when it
was refused. Only a call with a parameter that came or went while the method
had its present name waits until the release is known, since SPDK refuses a
call for any parameter that it does not know.
The table is ``methods.json``.
"""

from __future__ import annotations

import functools

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import limits
from cyborg_spdk.rpc.protocol import parameters
from cyborg_spdk.rpc.protocol import refusals
from cyborg_spdk.rpc.protocol import releases
from cyborg_spdk.rpc.protocol import tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from cyborg_spdk.rpc.protocol import version as versions


_SAVE = "it is a command of SPDK's rpc.py, not a method; "
# What rpc.py makes of several calls (spdk/rpc/config.py).
_OF_RPC_PY = {
    "save_config": _SAVE + "use cyborg-spdk target save-config",
    "save_subsystem_config": _SAVE + "use framework_get_config",
    "load_config": _SAVE + "use cyborg-spdk target load-config",
    "load_subsystem_config": _SAVE + "use rpc.py"}


def data() -> tables.Methods:
    """The table of methods."""
    return tables.methods()


@functools.cache
def text_params() -> frozenset[str]:
    """Names of parameters that SPDK takes as text everywhere.

    A command line cannot tell the port ``4420`` from the number; SPDK does.
    """
    return frozenset(data()["text"])


@functools.cache
def _current_names() -> dict[str, str]:
    renamed = data()["renamed"]
    return {former: name for name, formers in renamed.items()
            for former in formers if name not in _all_former(renamed)}


def _all_former(renamed: dict[str, list[str]]) -> set[str]:
    return {former for formers in renamed.values() for former in formers}


def former_names(method: str) -> list[str]:
    """Names that a method had in older releases, the newest first."""
    return data()["renamed"].get(method, [])


def current_name(method: str) -> str:
    """The name in the newest release of a method of any release."""
    return _current_names().get(method, method)


class Description:
    """What is known about a method.

    :ivar name: its name in the newest release that has it.
    :ivar first: the first release that has it, under whatever name.
    :ivar last: the last release that has it, or None: the newest has it.
    :ivar former: ``(name, first release, last release)`` of its names
        before, the newest first.
    :ivar replaced: what to use instead, if it is gone; or None.
    :ivar parameters: list of :class:`.parameters.Parameter`, in SPDK's
        order; None if it does not look at them, or they are not known.
    """

    def __init__(self, name: str) -> None:
        table = data()
        self.name = name
        spans = table["methods"][name]
        self.former = [
            (former, table["methods"][former][0][0],
             table["methods"][former][-1][1])
            for former in former_names(name)]
        self.first = min([spans[0][0], *(one[1] for one in self.former)],
                         key=releases.parse)
        self.last = spans[-1][1]
        self.replaced = table["replaced"].get(name)
        found = parameters.of(name)
        self.parameters = None if found is None else list(found.values())


def describe(method: str) -> Description:
    """Describe a method as all releases have it.

    :param method: its name in any release.
    :raises MethodNotFound: if no release has it, with what was meant.
    """
    known = data()["methods"]
    name = _current_names().get(method, method)
    if name not in known:
        raise exceptions.rpc_error(
            -32601, "Method not found", method, None,
            _OF_RPC_PY.get(method) or _close_names(method, known))
    return Description(name)


def guess_version(names: frozenset[str] | None) -> versions.Version | None:
    """The release of a target that does not tell it (before v19.04).

    :param names: the methods that it serves, or None.
    :returns: the oldest :class:`~cyborg_spdk.rpc.protocol.version.Version`
        that has all of them, or None if there is none.
    """
    if not names:
        return None
    table = data()["methods"]
    ranges = [table[name] for name in names if name in table]
    for release in releases.known():
        if all(any(releases.within(release, *one) for one in some)
               for some in ranges):
            return release
    return None


class TargetMethods:
    """What one target has.

    :ivar methods: names that it serves (frozenset), or None if it cannot
        tell: before v17.10, or with ``--rpcs-allowed``.
    :ivar version: :class:`~cyborg_spdk.rpc.protocol.version.Version`, or None.
    :ivar has_batches: whether it takes JSON-RPC batches.
    :ivar reads_one: whether it executes one request each time it reads.
    :ivar limits: ``(bytes, JSON values)`` that a request may have.
    """

    def __init__(self, methods: frozenset[str] | None,
                 version: versions.Version | None) -> None:
        self.methods = methods
        self.version = version
        self.has_batches = limits.has_batches(version)
        self.reads_one = limits.reads_one(version)
        self.limits = limits.of(version)
        # Names of methods that were found right without parameters.
        self._bare: dict[str, str] = {}

    def name_of(self, method: str) -> str | None:
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

    def has(self, method: str) -> bool:
        """Whether the target serves a method, under whatever name."""
        return self.methods is not None and self.name_of(method) is not None

    def supports(self, method: str, param: str) -> bool:
        """Whether the target's method takes a parameter.

        A build on the way to a release is taken for that one here.

        :param method: name in the newest release.
        :param param: name of the parameter there; ``name.member`` for a
            member of one that is an object.
        """
        if not self.has(method):
            return False
        one = (parameters.of(method) or {}).get(param)
        return one is None or self.version is None or \
            one.is_there(releases.settled(self.version))

    def translate(self, method: str, params: Any) -> tuple[str, Any]:
        """Name and parameters as this target wants them.

        :param method: name in the newest release.
        :param params: parameters in the newest release, or None.
        :returns: ``(name, params)``.
        :raises MethodNotFound: if the target has no such method.
        :raises InvalidParams: if it has no such parameter, needs another, or
            one is of the wrong type.
        """
        if params is None and method in self._bare:
            return self._bare[method], None
        name = self.name_of(method)
        if name is None:
            raise exceptions.rpc_error(-32601, "Method not found", method,
                                       params, self.explain(method))
        reason = refusals.problem(method, params, self.version)
        if reason is not None:
            raise exceptions.rpc_error(-32602, "Invalid parameters", method,
                                       params, f"{reason}; it was not sent")
        if params is None:
            self._bare[method] = name
        return name, self._former_params(method, params)

    def _former_params(self, method: str, params: Any) -> Any:
        table = data()["param_names"].get(method)
        if not table or not isinstance(params, dict) \
                or self.version is None:
            return params
        renamed = {}
        for param, value in params.items():
            for former, first, last in table.get(param, ()):
                if releases.within(
                        releases.settled(self.version), first, last):
                    param = former
            renamed[param] = value
        return renamed

    def next_name(self, method: str, refused: str) -> str | None:
        """Another name to try for a call whose name was refused.

        Only for a target that cannot list its methods.

        :param method: its name in the newest release.
        :param refused: the name that was refused.
        :returns: a name, or None.
        """
        if self.methods is not None:
            return None
        names = [method, *former_names(method)]
        at = names.index(refused) + 1
        return names[at] if at < len(names) else None

    def explain(self, method: str) -> str:
        """Why a target does not have a method, for its error.

        :param method: name in any release.
        :returns: what has it or what took its place (str).
        """
        table = data()
        ranges = table["methods"].get(method)
        if ranges is not None and method in table["replaced"]:
            return f"no SPDK after {ranges[-1][1]} has it; " \
                + table["replaced"][method]
        current = _current_names().get(method)
        if current is not None and (self.methods is None
                                    or current in self.methods):
            return f"it is called {current} now"
        if ranges is None:
            return _OF_RPC_PY.get(method) or _close_names(
                method, self.methods or table["methods"])
        first, last = ranges[0][0], ranges[-1][1]
        for name in former_names(method):
            first = min(first, table["methods"][name][0][0],
                        key=releases.parse)
        release = self.version
        if release is not None and release < releases.parse(first):
            return f"SPDK has it since {first}, the target is {release}"
        if last is not None and (release is None
                                 or release > releases.parse(last)):
            return f"SPDK dropped it after {last}"
        return ("this program does not serve it, or --rpcs-allowed leaves "
                "it out")


def _close_names(method: str, names: Iterable[str]) -> str:
    # Costs time to import, and only a mistake needs it.
    import difflib
    close = difflib.get_close_matches(method, names, 1)
    if close:
        return f"did you mean {close[0]}?"
    return "no SPDK release has it; see rpc_get_methods"
