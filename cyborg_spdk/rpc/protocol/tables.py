# SPDX-License-Identifier: Apache-2.0

"""The tables of SPDK's methods and parameters, as files beside this one.

``tools/spdk_facts.py`` writes them from SPDK's source.
"""

from __future__ import annotations

import functools
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import TypedDict
else:
    TypedDict = dict


class Methods(TypedDict):
    """The table of methods.

    ``releases`` are all that it knows, oldest first; ``methods`` says in
    which of them each name is served, ``renamed`` which names a method had
    before (the newest first), ``param_names`` which names a parameter had,
    ``replaced`` what to use instead of a method that is gone; ``text`` are
    the parameters that are strings wherever they occur.
    """

    releases: list[str]
    methods: dict[str, list[tuple[str, str | None]]]
    renamed: dict[str, list[str]]
    param_names: dict[str, dict[str, list[tuple[str, str, str]]]]
    replaced: dict[str, str]
    text: list[str]


class Takes(TypedDict):
    """What one method takes.

    ``since`` is the first release with its present name; ``takes`` has for
    each parameter its type and then, for each period, ``[first release,
    last release, whether it must be given]``; behind that the type in this
    period, where JSON has several forms for the types of all.
    """

    since: str
    takes: dict[str, list[Any]]


def _read(name: str) -> str:
    path = os.path.join(os.path.dirname(__file__), name)
    # Python has loaded this codec already, and not the one for ASCII.
    with open(path, encoding="utf-8") as file:
        return file.read()


@functools.cache
def methods() -> Methods:
    """The table of methods."""
    table: Methods = json.loads(_read("methods.json"))
    return table


@functools.cache
def _parameters() -> str:
    return _read("parameters.json")


def takes(method: str) -> Takes | None:
    """What a method takes.

    :param method: its name in the newest release.
    :returns: None if that is not known, or it does not look at parameters.
    """
    # A command makes one call: only that method's line is parsed, which
    # takes a tenth of the time that the whole table does.
    text = _parameters()
    mark = f'\n"{method}": '
    begin = text.find(mark)
    if begin < 0:
        return None
    begin += len(mark)
    line: Takes = json.loads(text[begin:text.index("\n", begin)].rstrip(","))
    return line
