# SPDX-License-Identifier: Apache-2.0

"""Whether a call is right, at a glance.

SPDK refuses a call for any parameter that it does not know, that is missing
or of another type. Each call is looked at before it is sent; what is wrong
with one is told in :mod:`~cyborg_spdk.rpc.protocol.refusals`.
"""

from __future__ import annotations

import functools

from cyborg_spdk.rpc.protocol import tables

# Importing typing would cost a command line more than anything here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from typing import Any

    from cyborg_spdk.rpc.protocol import version as versions

# What Python has for a type of the tables. None is left to the target.
TYPES: dict[str, frozenset[type]] = {
    "string": frozenset({str, type(None)}),
    "boolean": frozenset({bool, type(None)}),
    "number": frozenset({int, float, type(None)}),
    "array": frozenset({list, tuple, type(None)}),
    "object": frozenset({dict, type(None)})}
_ANY = frozenset().union(*TYPES.values())
_NONE: frozenset[type] = frozenset()


class Rules:
    """What a call must be like, prepared for a quick look.

    :param types: name -> types that its value may have.
    :param needed: names that must be given; also members of objects.

    :ivar types: name -> types that its value may have.
    :ivar needed: parameters that must be given.
    :ivar inner: object or list of objects -> prefix of its members' names,
        and those that must be given.
    """

    def __init__(self, types: dict[str, frozenset[type]],
                 needed: set[str]) -> None:
        self.types = types
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


def _types(shapes: Iterable[str]) -> Iterator[frozenset[type]]:
    return (TYPES.get(shape, _ANY) for shape in shapes)


@functools.cache
def _always(method: str) -> Rules | None:
    """What is right for every release with this name.

    What the newest release needs must be there: a call without it waits
    until it is known that the target does not need it.
    """
    table = tables.takes(method)
    if table is None:
        return None
    # Cost time to import, and many calls have no parameters.
    from cyborg_spdk.rpc.protocol import parameters
    from cyborg_spdk.rpc.protocol import releases
    found = parameters.of(method) or {}
    begin = releases.parse(table["since"])
    return Rules(
        {name: frozenset.intersection(*_types(one.shapes_since(begin)))
         for name, one in found.items() if one.last is None and (
             one.first is None or releases.parse(one.first) <= begin)},
        {name for name, one in found.items() if one.is_needed_now})


@functools.cache
def of_release(method: str, version: versions.Version | None
               ) -> Rules | None:
    """What is right for a target.

    :param method: the method's name in the newest release.
    :param version: the release of the target, or None if it is not known:
        then what is right for any.
    :returns: None if that is not known.
    """
    from cyborg_spdk.rpc.protocol import parameters
    from cyborg_spdk.rpc.protocol import releases
    found = parameters.of(method)
    if found is None:
        return None
    taken = releases.taken(version)
    return Rules(
        {name: frozenset().union(*_types(one.shapes_in(taken)))
         for name, one in found.items() if any(map(one.is_there, taken))},
        {name for name, one in found.items()
         if all(map(one.is_needed, taken))})


def varies(method: str, params: Any) -> bool:
    """Whether it depends on the release if a call is right, or it is wrong.

    :param method: its name in the newest release.
    :param params: parameters, or None.
    """
    if params is None:
        return varies_without(method)
    rules = _always(method)
    return rules is not None and isinstance(params, dict) \
        and not rules.fit(params)


@functools.cache
def varies_without(method: str) -> bool:
    """The same for a call without parameters.

    :param method: its name in the newest release.
    """
    table = tables.takes(method)
    return table is not None and any(
        last is None and needed and "." not in name
        for name, (_, *periods) in table["takes"].items()
        for _, last, needed, *_ in periods)
