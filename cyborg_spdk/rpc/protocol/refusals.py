# SPDX-License-Identifier: Apache-2.0

"""Why a call would be refused, in words, before it is sent.

SPDK mostly says two words, which tell nothing of the parameter that it did
not like (``spdk_json_decode_object()`` in ``lib/json/json_util.c``).
"""

from __future__ import annotations

from cyborg_spdk import masking
from cyborg_spdk.rpc.protocol import checks
from cyborg_spdk.rpc.protocol import parameters
from cyborg_spdk.rpc.protocol import releases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from cyborg_spdk.rpc.protocol import version as versions

    Found = dict[str, parameters.Parameter]
    Releases = tuple[versions.Version, ...]

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


def _is_of_unknown(name: str, found: Found) -> bool:
    """Whether it is part of something that the table does not look into."""
    outer, dot, _ = name.partition(".")
    return bool(dot) and not any(
        one.startswith(outer + dot) for one in found)


def _wrong_type(name: str, found: Found, taken: Releases,
                value: Any) -> str | None:
    """What it is in place of the type that a value has, or None."""
    shapes = found[name].shapes_in(taken) if name in found else set()
    if not shapes or not shapes <= _WORDS.keys():
        return None
    kinds = frozenset().union(*(checks.TYPES[shape] for shape in shapes))
    # A bool is an int, for Python.
    is_right = bool in kinds if isinstance(value, bool) \
        else isinstance(value, tuple(kinds))
    return None if is_right else \
        " or ".join(_WORDS[shape] for shape in sorted(shapes))


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
    rules = checks.of_release(method, version)
    if rules is None or not (params is None or isinstance(params, dict)) \
            or rules.fit(params or {}):
        return None
    found, taken = parameters.of(method) or {}, releases.taken(version)
    newer = version is not None and releases.is_newer(version)
    for name, value in names(params or {}):
        reason = None
        if name not in found:
            if not newer and not _is_of_unknown(name, found):
                reason = _unknown(name, found, taken)
        elif version is not None:
            reason = _absent(found[name], version, taken)
        wanted = _wrong_type(name, found, taken, value)
        if reason is None and not newer and wanted:
            reason = f"{name} is {wanted}, not {masking.show(value, name)}"
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
