# SPDX-License-Identifier: Apache-2.0

"""What is wrong with the parameters of a call, before it is sent.

SPDK refuses a call for any parameter that it does not know, that is missing
or of another type, mostly with two words that say nothing of which one it
was (``spdk_json_decode_object()`` in ``lib/json/json_util.c``).
"""

from __future__ import annotations

import functools

from cyborg_spdk import masking
from cyborg_spdk.rpc.protocol import parameters
from cyborg_spdk.rpc.protocol import releases
from cyborg_spdk.rpc.protocol import tables

# Importing typing would cost a command line more than anything here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from cyborg_spdk.rpc.protocol import version as versions

    Found = dict[str, parameters.Parameter]
    Releases = tuple[versions.Version, ...]

# What Python has for a type of the tables. None is left to the target.
_TYPES: dict[str, frozenset[type]] = {
    "string": frozenset({str, type(None)}),
    "boolean": frozenset({bool, type(None)}),
    "number": frozenset({int, float, type(None)}),
    "array": frozenset({list, tuple, type(None)}),
    "object": frozenset({dict, type(None)})}
_ANY = frozenset().union(*_TYPES.values())
_NONE: frozenset[type] = frozenset()
_WORDS = {"string": "a text", "boolean": "true or false",
          "object": "an object", "array": "a list", "number": "a number"}


def names(params: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Parameters of a call, and members of the objects among them.

    :param params: the parameters.
    :returns: names as those of
        :class:`~cyborg_spdk.rpc.protocol.parameters.Parameter`, with their
        values.
    """
    for prefix, one in _objects(params):
        for name, value in one.items():
            yield prefix + name, value


class _Rules:
    """What a call must be like, prepared for a quick look.

    :ivar types: name -> types that its value may have.
    :ivar needed: parameters that must be given.
    :ivar inner: object or list of objects -> prefix of its members' names,
        and those that must be given.
    """

    def __init__(self, there: list[parameters.Parameter],
                 needed: set[str]) -> None:
        self.types = {one.name: _TYPES.get(one.shape, _ANY) for one in there}
        self.needed = frozenset(
            name for name in needed if "." not in name)
        members: dict[str, set[str]] = {}
        for name in self.types:
            outer, dot, _ = name.rpartition(".")
            if dot:
                members.setdefault(outer, set())
        for name in needed:
            outer, dot, member = name.rpartition(".")
            if dot:
                members.setdefault(outer, set()).add(member)
        self.inner = {outer.removesuffix("[]"): (outer + ".", names)
                      for outer, names in members.items()}

    def fit(self, params: dict[str, Any]) -> bool:
        """Whether a call is surely right."""
        types, inner = self.types, self.inner
        for name, value in params.items():
            if type(value) not in types.get(name, _NONE):
                return False
            if name in inner and not self._fit_inside(name, value):
                return False
        return self.needed <= params.keys()

    def _fit_inside(self, name: str, value: Any) -> bool:
        prefix, needed = self.inner[name]
        for one in (value,) if isinstance(value, dict) else value or ():
            if not isinstance(one, dict) or not needed <= one.keys():
                return False
            for member, part in one.items():
                if type(part) not in self.types.get(prefix + member, _NONE):
                    return False
        return True


@functools.cache
def _always(method: str) -> _Rules | None:
    """What is right for every release with this name.

    What the newest release needs must be there: a call without it waits
    until it is known that the target does not need it.
    """
    table = tables.takes(method)
    found = parameters.of(method)
    if table is None or found is None:
        return None
    begin = releases.parse(table["since"])
    newest = releases.known()[-1]
    return _Rules(
        [one for one in found.values() if one.last is None and (
            one.first is None or releases.parse(one.first) <= begin)],
        {name for name, one in found.items() if one.is_needed(newest)})


@functools.cache
def _rules(method: str, version: versions.Version | None) -> _Rules | None:
    """What is right for a target of a release."""
    found = parameters.of(method)
    if found is None:
        return None
    taken = _taken(version)
    return _Rules(
        [one for one in found.values() if any(map(one.is_there, taken))],
        {name for name, one in found.items()
         if all(map(one.is_needed, taken))})


def _taken(version: versions.Version | None) -> Releases:
    """The releases that count for a target."""
    return releases.known() if version is None \
        else releases.candidates(version)


def varies(method: str, params: Any) -> bool:
    """Whether it depends on the release if a call is right, or it is wrong.

    :param method: its name in the newest release.
    :param params: parameters, or None.
    """
    rules = _always(method)
    return rules is not None and (params is None or isinstance(params, dict)) \
        and not rules.fit(params or {})


@functools.cache
def varies_without(method: str) -> bool:
    """The same for a call without parameters.

    :param method: its name in the newest release.
    """
    # A command that gives nothing to what takes nothing needs no releases.
    table = tables.takes(method)
    return table is not None and bool(table["takes"]) \
        and varies(method, None)


def _is_of_unknown(name: str, found: Found) -> bool:
    """Whether it is part of something that the table does not look into."""
    outer, dot, _ = name.partition(".")
    return bool(dot) and not any(
        one.startswith(outer + dot) for one in found)


def _is_wrong(found: Found, name: str, value: Any) -> bool:
    kinds = _TYPES.get(found[name].shape) if name in found else None
    if kinds is None or isinstance(value, bool):
        return kinds is not None and bool not in kinds
    return not isinstance(value, tuple(kinds))


def problem(method: str, params: Any,
            version: versions.Version | None) -> str | None:
    """Why a target would refuse the parameters of a call.

    :param method: its name in the newest release.
    :param params: its parameters with their names there, or None.
    :param version: the release of the target, or None if that is not known:
        then only what no release takes is refused.
    :returns: which parameter, and what was meant; None if the call is right
        as far as the table goes.
    """
    rules = _rules(method, version)
    if rules is None or not (params is None or isinstance(params, dict)) \
            or rules.fit(params or {}):
        return None
    found, taken = parameters.of(method) or {}, _taken(version)
    newer = version is not None and releases.is_newer(version)
    for name, value in names(params or {}):
        reason = None
        if name not in found:
            if not newer and not _is_of_unknown(name, found):
                reason = _unknown(name, found, taken)
        elif version is not None:
            reason = _absent(found[name], version, taken)
        if reason is None and not newer and _is_wrong(found, name, value):
            reason = f"{name} is {_WORDS[found[name].shape]}, not " \
                + masking.show(value, name)
        if reason is not None:
            return reason
    return None if newer else _missing(found, params or {}, taken)


def _unknown(name: str, found: Found, taken: Releases) -> str:
    # Costs time to import, and only a mistake needs it.
    import difflib
    there = [one.name for one in found.values()
             if any(map(one.is_there, taken))]
    close = difflib.get_close_matches(name, there, 1)
    meant = f", did you mean {close[0]}?" if close else ";"
    return f"it takes no {name}{meant} " \
        + summary(found, taken, name.rpartition(".")[0])


def _absent(one: parameters.Parameter, version: versions.Version,
            taken: Releases) -> str | None:
    if any(map(one.is_there, taken)):
        return None
    if one.last is not None and version > releases.parse(one.last):
        return f"{one.name} was dropped after {one.last}, the target is " \
            f"{version}"
    later = next((period.first for period in one.periods
                  if period.first and releases.parse(period.first) > version),
                 one.first)
    return f"{one.name} needs {later}, the target is {version}"


def _missing(found: Found, params: dict[str, Any],
             taken: Releases) -> str | None:
    needed = [one.name for one in found.values()
              if all(map(one.is_needed, taken))]
    for prefix, one in _objects(params):
        for name in needed:
            outer, dot, member = name.rpartition(".")
            if outer + dot == prefix and member not in one:
                return f"{name} is missing; {summary(found, taken, outer)}"
    return None


def _objects(params: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The parameters, and the objects in them, with the prefix of names."""
    yield "", params
    for name, value in params.items():
        mark = "[]." if isinstance(value, (list, tuple)) else "."
        for one in value if mark == "[]." else (value,):
            if isinstance(one, dict):
                yield name + mark, one


def summary(found: Found, taken: Releases, outer: str = "") -> str:
    """What a method takes, in one line.

    :param found: its parameters.
    :param taken: the releases that count.
    :param outer: the parameter of which it is told what that takes.
    """
    there = [one for one in found.values()
             if one.name.rpartition(".")[0] == outer
             and any(map(one.is_there, taken))]
    what = outer or "it"
    if not there:
        return f"{what} takes no parameters"
    needed = [one.name for one in there if all(map(one.is_needed, taken))]
    free = [f"[{one.name}]" for one in there if one.name not in needed]
    return f"{what} takes " + ", ".join(needed + free)
