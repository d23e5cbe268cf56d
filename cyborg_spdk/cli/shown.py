# SPDX-License-Identifier: Apache-2.0

"""What a command shows does nothing to the terminal that shows it.

Names are told by targets, and hold whatever somebody has put into them. JSON
and YAML have their own way to write that; tables, single values and lines of
the log are written by :func:`cyborg_spdk.text.printable`.
"""

from collections.abc import Callable
import logging
from typing import Any

from cliff import columns
from cliff import command
from cliff import show

from cyborg_spdk import text

# They escape, and are read by programs that want what is there.
_ESCAPING = ('json', 'yaml')


class _Printable(columns.FormattableColumn):  # type: ignore[type-arg]
    """A column of which nothing but its lines reaches the terminal."""

    def human_readable(self) -> str:
        return _lines(self._value.human_readable())

    def machine_readable(self) -> Any:
        found = self._value.machine_readable()
        return text.printable(found) if isinstance(found, str) else found


def cell(value: Any) -> Any:
    """One value of a table."""
    if isinstance(value, columns.FormattableColumn):
        return _Printable(value)
    return text.printable(value) if isinstance(value, str) else value


def _lines(value: str) -> str:
    """A text that may have lines."""
    return '\n'.join(map(text.printable, value.split('\n')))


def _alone(value: Any) -> Any:
    """One value that is shown alone, and may have lines."""
    return _lines(value) if isinstance(value, str) else cell(value)


def make_printable(cmd: command.Command) -> None:
    """Have a command that shows a table show nothing else.

    :param cmd: any command, before it runs.
    """
    produce: Callable[..., Any] | None = getattr(cmd, 'produce_output', None)
    if produce is None:
        return
    alone = isinstance(cmd, show.ShowOne)

    def printable(parsed_args: Any, names: Any, data: Any) -> Any:
        if parsed_args.formatter not in _ESCAPING:
            data = tuple(map(_alone, data)) if alone else [
                tuple(map(cell, row)) for row in data]
        return produce(parsed_args, names, data)

    cmd.produce_output = printable  # type: ignore[attr-defined]


class Formatter(logging.Formatter):
    """Writes each message as one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return text.printable(super().formatMessage(record))
