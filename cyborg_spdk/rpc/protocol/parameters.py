# SPDX-License-Identifier: Apache-2.0

"""What each method takes, in the releases that have it."""

from __future__ import annotations

import functools

from cyborg_spdk.rpc.protocol import releases
from cyborg_spdk.rpc.protocol import tables

# Importing typing would cost a command line more than anything here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from cyborg_spdk.rpc.protocol import version as versions


class Period:
    """Releases in which a method has a parameter.

    :ivar first: the first of them, or None: as long as there is the method.
    :ivar last: the last of them, or None: the newest has it.
    :ivar needed: whether it must be given.
    :ivar kind: its type in them, if other periods have another for which
        JSON has another form; else None.
    """

    __slots__ = ("first", "last", "needed", "kind")

    def __init__(self, first: str | None, last: str | None,
                 needed: bool, kind: str | None = None) -> None:
        self.first = first
        self.last = last
        self.needed = needed
        self.kind = kind

    def covers(self, release: versions.Version) -> bool:
        """Whether a release is one of them."""
        return releases.within(release, self.first, self.last)


class Parameter:
    """A parameter of a method.

    :ivar name: its name in the newest release that has it; ``name.member``
        for a member of an object, ``name[].member`` for one of the objects
        in a list.
    :ivar kind: its type in SPDK's words: ``string``, ``uuid``, ``boolean``,
        ``uint32``, ``int32``, ..., ``object``, ``array of string``, ...,
        several with ``or`` if releases differ, or ``any``.
    :ivar words: the words that it may be, if it may not be any text.
    :ivar periods: when it is there, oldest first.
    """

    __slots__ = ("name", "kind", "words", "periods")

    def __init__(self, name: str, kind: str, words: tuple[str, ...],
                 periods: tuple[Period, ...]) -> None:
        self.name = name
        self.kind = kind
        self.words = words
        self.periods = periods

    @property
    def first(self) -> str | None:
        """The first release that has it, or None: the method's first."""
        return self.periods[0].first

    @property
    def last(self) -> str | None:
        """The last release that has it, or None: the newest has it."""
        return self.periods[-1].last

    @property
    def is_member(self) -> bool:
        """Whether it is part of another one."""
        return "." in self.name

    @property
    def shape(self) -> str:
        """What JSON has for its type, or ``any``."""
        return "any" if " or " in self.kind else _shape(self.kind)

    def shapes_in(self, taken: Iterable[versions.Version]) -> set[str]:
        """What JSON has for its type in some releases."""
        return {_shape(period.kind or self.kind) for period in self.periods
                if any(map(period.covers, taken))}

    def shapes_since(self, begin: versions.Version) -> set[str]:
        """What JSON has for its type in a release and in those after it."""
        return {_shape(one.kind or self.kind) for one in self.periods
                if one.last is None or releases.parse(one.last) >= begin}

    @property
    def is_needed_now(self) -> bool:
        """Whether it must be given to the newest release."""
        return self.last is None and self.periods[-1].needed

    def is_needed(self, release: versions.Version) -> bool:
        """Whether it must be given to a target of a release."""
        return any(one.needed and one.covers(release)
                   for one in self.periods)

    def is_there(self, release: versions.Version) -> bool:
        """Whether a target of a release has it."""
        return any(one.covers(release) for one in self.periods)


def _shape(kind: str) -> str:
    """What JSON has for a type."""
    kind = kind.partition(" ")[0]
    if kind == "uuid":
        return "string"
    return "number" if "int" in kind else kind


@functools.cache
def of(method: str) -> dict[str, Parameter] | None:
    """What a method takes in any release.

    :param method: its name in the newest release.
    :returns: name -> :class:`Parameter`, in SPDK's order; None if it is not
        known, or the method does not look at its parameters.
    """
    table = tables.takes(method)
    if table is None:
        return None
    return {name: _parameter(name, *about)
            for name, about in table["takes"].items()}


def _parameter(name: str, kind: str | list[str],
               *periods: list[Any]) -> Parameter:
    words = tuple(kind) if isinstance(kind, list) else ()
    return Parameter(name, "string" if isinstance(kind, list) else kind,
                     words, tuple(Period(*one) for one in periods))
