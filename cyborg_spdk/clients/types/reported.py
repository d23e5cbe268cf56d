# SPDX-License-Identifier: Apache-2.0

"""The base of all typed results, and the fields they are made of."""

import dataclasses


def of_type(kind, default):
    """A field that takes values of one JSON type; others count as absent."""
    return dataclasses.field(default=default, metadata={'type': kind})


def text(default=None):
    """A string."""
    return of_type(str, default)


def number(default=None):
    """A whole number; true and false are none."""
    return of_type(int, default)


def flag(default=False):
    """true or false."""
    return of_type(bool, default)


def mapping():
    """A JSON object, not part of the hash."""
    return dataclasses.field(default_factory=dict, hash=False,
                             metadata={'type': dict})


def array(item=None):
    """A tuple of what ``item`` makes of the elements of a JSON array."""
    return dataclasses.field(default=(), metadata={'type': list,
                                                   'item': item})


@dataclasses.dataclass(frozen=True)
class Reported:
    """Base of all: an object that a target reported.

    :ivar raw: the JSON object as it came; not compared.
    """

    raw: dict = dataclasses.field(default_factory=dict, repr=False,
                                  compare=False, kw_only=True)

    @classmethod
    def parse(cls, raw):
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
                value = tuple(item(one) if item else one for one in value)
            values[field.name] = value
        return cls(**values, raw=raw)

    @classmethod
    def parse_list(cls, raw):
        """Make a list of instances.

        :param raw: a JSON array of objects; null counts as empty.
        """
        return [cls.parse(one) for one in raw or () if isinstance(one, dict)]
