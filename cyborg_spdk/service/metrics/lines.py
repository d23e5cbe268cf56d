# SPDX-License-Identifier: Apache-2.0

"""Families with a sample for each unit, written as OpenMetrics.

prometheus_client escapes the labels of every sample anew: 1.1 s of a core for
4,096 units of 13 samples. Here the labels of a unit are escaped once. What
is written is read back by prometheus_client's parser in the tests.
"""

from collections.abc import Iterable

_ESCAPES = str.maketrans({'\\': r'\\', '"': r'\"', '\n': r'\n'})


def labels(**values: str) -> str:
    """Labels as they stand between braces.

    :param values: by name; whatever is in a value is escaped.
    """
    return ','.join(f'{name}="{clean(value).translate(_ESCAPES)}"'
                    for name, value in values.items())


def clean(value: str) -> str:
    """A text without half characters, which cannot be sent.

    JSON can have them, and Python keeps them.
    """
    return value.encode('utf-8', 'replace').decode('utf-8')


class Family:
    """A metric with its samples.

    :param name: without the suffix of a counter.
    :param kind: ``gauge``, ``counter``, ``info`` or ``histogram``.
    :param meaning: what it says; one line.
    """

    def __init__(self, name: str, kind: str, meaning: str) -> None:
        self.name = name
        self._suffix = {'counter': '_total', 'info': '_info'}.get(kind, '')
        self._lines = [f'# HELP {name} {meaning}', f'# TYPE {name} {kind}']

    def add(self, of: str, value: float, more: str = '',
            suffix: str | None = None) -> None:
        """Add a sample.

        :param of: labels, as :func:`labels` makes them.
        :param value: the number.
        :param more: further labels.
        :param suffix: of a histogram's sample.
        """
        end = self._suffix if suffix is None else suffix
        self._lines.append(
            f'{self.name}{end}{{{of}{"," if more else ""}{more}}} {value}')

    def lines(self) -> list[str]:
        """All of it."""
        return self._lines


def text(families: Iterable[Family]) -> str:
    """Families as OpenMetrics, without the end mark."""
    return ''.join(f'{line}\n' for family in families
                   for line in family.lines())
