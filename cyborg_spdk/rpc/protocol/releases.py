# SPDX-License-Identifier: Apache-2.0

"""Which releases a range covers, and which one a target is taken for."""

from __future__ import annotations

import functools

from cyborg_spdk.rpc.protocol import tables
from cyborg_spdk.rpc.protocol import version as versions


@functools.cache
def parse(tag: str) -> versions.Version:
    """The :class:`~.version.Version` of a tag in the tables."""
    return versions.Version.parse(tag)


@functools.cache
def known() -> tuple[versions.Version, ...]:
    """All releases that the tables know, oldest first."""
    return tuple(parse(tag) for tag in tables.methods()["releases"])


def within(release: versions.Version, first: str | None,
           last: str | None) -> bool:
    """Whether a release is in a range of the tables."""
    return (first is None or release >= parse(first)) and \
        (last is None or release <= parse(last))


def settled(release: versions.Version) -> versions.Version:
    """The release of the tables that a target is taken for.

    A build on the way to a release (``v26.09-pre``) is taken for that one,
    and so is a builder's own (``v26.05-3.el9``); a maintenance release that
    the tables do not know, for the newest one of its series that they know;
    any other for itself, so that one that is newer than the tables has what
    the newest in them has.
    """
    release = release._replace(suffix="")
    if release not in known():
        for one in reversed(known()):
            if one[:2] == release[:2]:
                return one
    return release


def candidates(release: versions.Version) -> tuple[versions.Version, ...]:
    """The releases of the tables that a target may have the parameters of.

    A build on the way to a release may still have what that one drops, and
    may not have yet what it adds: both it and the one before it count, and
    the target has the last word.
    """
    taken = settled(release)
    if release.is_early:
        before = [one for one in known() if one < release]
        return (taken, *before[-1:])
    return (taken,)


def taken(release: versions.Version | None) -> tuple[versions.Version, ...]:
    """The releases that count for a target.

    :param release: its own, or None if that is not known: then all.
    """
    return known() if release is None else candidates(release)


def is_newer(release: versions.Version) -> bool:
    """Whether a release is newer than all that the tables know."""
    return settled(release) > known()[-1]
