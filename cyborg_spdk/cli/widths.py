# SPDX-License-Identifier: Apache-2.0

"""Which columns of a table a terminal has room for."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import os
import sys
from typing import Any

from cliff import columns

#: Where there is no terminal, or it does not tell.
USUAL = 80

#: Of a table: what each of its columns has beside its text, and the last
#: line.
_BESIDE, _LAST = 3, 1


def available() -> int:
    """How wide a table on the standard output may be."""
    if not sys.stdout.isatty():
        return USUAL
    try:
        return os.get_terminal_size().columns or USUAL
    except OSError:
        return USUAL


def chosen(width: int, names: Sequence[str], rows: Iterable[Sequence[Any]],
           narrow: Sequence[str], more: Sequence[str] = (),
           least: Mapping[str, int] | None = None) -> list[str]:
    """The columns to show.

    :param width: how wide the table may be.
    :param names: titles of all columns.
    :param rows: what they hold.
    :param narrow: titles of those that are shown in any case.
    :param more: titles of others, those first that are worth most; what
        neither names comes after them.
    :param least: title to the width that a column is taken to have if it is
        narrower just now: its values change from look to look, and the
        choice is not to change with them.
    :returns: titles, in the order of *names*.
    """
    held = _held(names, rows)
    taken = {name: max(len(name), held[name], (least or {}).get(name, 0))
             + _BESIDE for name in names}
    shown = {name for name in narrow if name in taken}
    left = width - _LAST - sum(taken[name] for name in shown)
    for name in dict.fromkeys([*more, *names]):
        # One that holds nothing tells nothing.
        if held.get(name) and name not in shown and taken[name] <= left:
            shown.add(name)
            left -= taken[name]
    return [name for name in names if name in shown]


def whole(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """How wide a table is with all its columns.

    :param names: their titles.
    :param rows: what they hold.
    """
    return _LAST + sum(max(len(name), held) + _BESIDE
                       for name, held in _held(names, rows).items())


def _held(names: Sequence[str],
          rows: Iterable[Sequence[Any]]) -> dict[str, int]:
    """The width of what each column holds."""
    held = dict.fromkeys(names, 0)
    for row in rows:
        for name, value in zip(names, row, strict=True):
            held[name] = max(held[name], _width(value))
    return held


def _width(value: Any) -> int:
    if isinstance(value, columns.FormattableColumn):
        value = value.human_readable()
    return max(map(len, str(value).split('\n')))
