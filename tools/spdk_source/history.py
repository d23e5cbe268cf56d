# SPDX-License-Identifier: Apache-2.0
"""The methods of all releases, as periods in which nothing changed."""

import copy
from typing import Any

from spdk_source import by_hand
from spdk_source import checkout
from spdk_source import release

#: ``[first release, last release, value]``, in the order of releases.
Periods = list[list[Any]]


def read(source: checkout.Checkout) -> list[release.Release]:
    """Read every release, and the one that is not tagged yet.

    :param source: a checkout of SPDK.
    :returns: the releases, oldest first; the last two are the commit before
        the next release (``-pre``) and that release.
    """
    reader = release.Reader(source)
    releases = [reader.read(tag, tag) for tag in source.releases()]
    early = reader.read(by_hand.NEXT + '-pre', by_hand.NEXT_COMMIT)
    releases += [early, _next(early)]
    for one in releases:
        _add_by_hand(one)
    return releases


def _next(early: release.Release) -> release.Release:
    made = copy.deepcopy(early)
    made.tag = by_hand.NEXT
    for name, spec in by_hand.NEXT_METHODS.items():
        if spec is None:
            made.methods.pop(name, None)
        else:
            made.methods[name] = spec
    for name, dropped in by_hand.NEXT_DROPPED.items():
        spec = made.methods.get(name) or made.nested.get(name)
        if spec is not None:
            spec['fields'] = [field for field in spec['fields']
                              if field[0] not in dropped]
    return made


def _add_by_hand(one: release.Release) -> None:
    at = checkout.order(one.tag)
    for name, periods in by_hand.NESTED.items():
        for first, last, spec in periods:
            if checkout.order(first) <= at <= checkout.order(last):
                one.nested[name] = spec


def periods(releases: list[release.Release],
            values: list[Any]) -> Periods:
    """Join releases in a row that have the same.

    :param releases: the releases, oldest first.
    :param values: what each of them has; None for nothing.
    """
    found: Periods = []
    before = None
    for one, value in zip(releases, values, strict=True):
        if value is not None and value == before:
            found[-1][1] = one.tag
        elif value is not None:
            found.append([one.tag, one.tag, value])
        before = value
    return found


def table(releases: list[release.Release],
          tables: list[dict[str, Any]]) -> dict[str, Periods]:
    """Periods of each name of tables, one table for each release."""
    names = sorted({name for one in tables for name in one})
    return {name: periods(releases, [one.get(name) for one in tables])
            for name in names}
