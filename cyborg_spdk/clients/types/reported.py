# SPDX-License-Identifier: Apache-2.0

"""The base of all typed results, and the fields they are made of."""

from collections.abc import Callable
import dataclasses
import typing
from typing import Any

#: A JSON object, as it came.
Json = dict[str, Any]

_Object = typing.TypeVar('_Object', bound='Reported')
_Item = typing.TypeVar('_Item')


def of_type(kind: type, default: Any) -> Any:
    """A field that takes values of one JSON type; others count as absent."""
    return dataclasses.field(default=default, metadata={'type': kind})


@typing.overload
def text(default: str) -> str: ...


@typing.overload
def text() -> str | None: ...


def text(default: str | None = None) -> Any:
    """A string."""
    return of_type(str, default)


@typing.overload
def number(default: int) -> int: ...


@typing.overload
def number() -> int | None: ...


def number(default: int | None = None) -> Any:
    """A whole number; true and false are none."""
    return of_type(int, default)


def flag(default: bool = False) -> bool:
    """true or false."""
    field: bool = of_type(bool, default)
    return field


def mapping() -> Json:
    """A JSON object, not part of the hash."""
    return dataclasses.field(default_factory=dict, hash=False,
                             metadata={'type': dict})


@typing.overload
def array(item: Callable[[Any], _Item]) -> tuple[_Item, ...]: ...


@typing.overload
def array() -> tuple[str, ...]: ...


def array(item: Callable[[Any], Any] | None = None) -> Any:
    """A tuple of what ``item`` makes of the elements of a JSON array."""
    return dataclasses.field(default=(), metadata={'type': list,
                                                   'item': item})


@dataclasses.dataclass(frozen=True)
class Reported:
    """Base of all: an object that a target reported.

    :ivar raw: the JSON object as it came; not compared.
    """

    raw: Json = dataclasses.field(default_factory=dict, repr=False,
                                  compare=False, kw_only=True)

    @classmethod
    def parse(cls: type[_Object], raw: Json) -> _Object:
        """Make an instance of what a target reported.

        :param raw: the JSON object (dict).
        """
        values = {}
        for field in dataclasses.fields(cls):
            kind = field.metadata.get('type')
            value = raw.get(field.metadata.get('key', field.name))
            if kind is None or not isinstance(value, kind) or (
                    kind is int and isinstance(value, bool)):
                continue
            item = field.metadata.get('item')
            if kind is list:
                value = tuple(item(each) if item else each for each in value)
            values[field.name] = value
        return cls(**values, raw=raw)

    @classmethod
    def parse_list(cls: type[_Object], raw: Any) -> list[_Object]:
        """Make a list of instances.

        :param raw: a JSON array of objects; null counts as empty.
        """
        return [cls.parse(each) for each in raw or ()
                if isinstance(each, dict)]
