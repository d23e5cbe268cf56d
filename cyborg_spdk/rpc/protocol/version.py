# SPDX-License-Identifier: Apache-2.0

"""The release of a target, in an order that can be compared."""

from __future__ import annotations

import collections

# Importing typing would cost a command line more than anything here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple

    class _Version(NamedTuple):
        major: int
        minor: int
        patch: int = 0
        suffix: str = ""
else:
    _Version = collections.namedtuple(
        "Version", "major minor patch suffix", defaults=(0, ""))


class Version(_Version):
    """A release of SPDK: ``Version(24, 1)`` is v24.01.

    Versions compare by their numbers; a suffix (``-pre``, ``-rc1``) names a
    state before the release of the same numbers, so it sorts before it.

    :ivar major: year, e.g. 24.
    :ivar minor: month, e.g. 1.
    :ivar patch: maintenance release, e.g. 2 for v22.01.2.
    :ivar suffix: ``""``, ``"-pre"``, ``"-rc1"`` or a builder's own text.
    """

    __slots__ = ()

    @property
    def is_early(self) -> bool:
        """Whether it is a state before the release of its numbers."""
        return self.suffix.startswith(("-pre", "-rc"))

    def _key(self) -> tuple[int, int, int, bool, str]:
        return (self.major, self.minor, self.patch, not self.is_early,
                self.suffix)

    def __lt__(self, other: Any) -> bool:
        return self._key() < _key_of(other)

    def __le__(self, other: Any) -> bool:
        return self._key() <= _key_of(other)

    def __gt__(self, other: Any) -> bool:
        return self._key() > _key_of(other)

    def __ge__(self, other: Any) -> bool:
        return self._key() >= _key_of(other)

    def __str__(self) -> str:
        patch = f".{self.patch}" if self.patch else ""
        return f"v{self.major}.{self.minor:02}{patch}{self.suffix}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse a tag: ``v24.01``, ``22.01.2``, ``v25.01-rc1``.

        :param text: the tag.
        :returns: :class:`Version`.
        :raises ValueError: if it is none.
        """
        numbers, dash, suffix = text.removeprefix("v").partition("-")
        parts = [int(part) for part in numbers.split(".")]
        if not 2 <= len(parts) <= 3:
            raise ValueError(f"not an SPDK release: {text!r}")
        major, minor, patch = (*parts, 0)[:3]
        return cls(major, minor, patch, dash + suffix)


def _key_of(other: Any) -> tuple[int, int, int, bool, str]:
    if isinstance(other, Version):
        return other._key()
    return Version(*other)._key()


def from_reply(result: Any) -> Version | None:
    """The version in a reply to ``spdk_get_version``.

    :param result: the ``result`` member.
    :returns: :class:`Version`, or None if it holds none.
    """
    fields = result.get("fields") if isinstance(result, dict) else None
    if not isinstance(fields, dict):
        return None
    numbers: list[Any] = [
        fields.get(name) for name in ("major", "minor", "patch")]
    if not all(isinstance(number, int) for number in numbers):
        return None
    suffix = fields.get("suffix")
    major, minor, patch = numbers
    return Version(major, minor, patch,
                   suffix if isinstance(suffix, str) else "")
