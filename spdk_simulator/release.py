# SPDX-License-Identifier: Apache-2.0

"""SPDK releases: their order, their limits, and the one that is played."""

import functools
from importlib import resources
import json
import re

DEFAULT = "v26.05"
OLDEST = "v18.01"

# From which release on what one release told stands for others, too.
_RECORDED = ((2601, "v26.05"), (2501, "v25.05"), (2401, "v24.01"),
             (2301, "v23.05"), (2110, "v22.01"))
_OLDEST_RECORDED = "v20.10"

# What each recorded build said about itself.
_COMMITS = {"v20.10": "e5d26ecc2a", "v22.01": "47737f16b4",
            "v23.05": "dfebd168c2", "v24.01": "0786843e99",
            "v25.05": "665a10525b", "v26.05": "d519b163cb"}


@functools.cache
def data(name):
    """Load one of the package's data files.

    :param name: file name below ``data/`` without ``.json``.
    :returns: the parsed JSON.
    """
    path = resources.files(__package__).joinpath("data", name + ".json")
    return json.loads(path.read_text(encoding="utf-8"))


class Release(int):
    """One release; compares as ``major * 100 + minor``, e.g. 2605.

    :ivar tag: ``"v26.05"``; a patch release keeps its patch number.
    :ivar suffix: ``"-pre"`` of what is not released yet, or ``""``.
    :ivar index: its place in the list of all releases.
    :ivar recv_buffer: bytes that one request may have.
    :ivar max_values: JSON values that one request may have.
    :ivar send_limit: bytes that one reply may have.
    :ivar batches: whether an array of requests is taken.
    """

    def __new__(cls, tag):
        """Make it from its tag.

        :raises ValueError: if there is no such release, or it is too old.
        """
        text = tag if tag.startswith("v") else "v" + tag
        known = data("parameters")["releases"]
        if text not in known or known.index(text) < known.index(OLDEST):
            raise ValueError(f"no SPDK release {tag!r}; known are "
                             f"{OLDEST} to {known[-1]}")
        major, minor, *patch = re.findall(r"\d+", text)
        self = super().__new__(cls, int(major) * 100 + int(minor))
        self.tag = text
        self.major, self.minor = int(major), int(minor)
        self.patch = int(patch[0]) if patch else 0
        self.suffix = "-pre" if text.endswith("-pre") else ""
        self.index = known.index(text)
        self.recv_buffer = (256 if self >= 2605 else 32) * 1024
        self.max_values = 8192 if self >= 2605 else 1024
        self.send_limit = (32 if self >= 1804 else 1 / 32) * 2 ** 20
        self.send_limit = int(self.send_limit)
        self.batches = self >= 2605
        return self

    @property
    def commit(self):
        """The git commit that a build of this release shows, or ''."""
        return _COMMITS.get(self.tag, "")

    @property
    def version(self):
        """The version string; it never passes for a real target's."""
        return f"SPDK {self.tag} simulated"

    @property
    def recorded(self):
        """The nearest release of which facts were recorded (its tag)."""
        for first, tag in _RECORDED:
            if self >= first:
                return tag
        return _OLDEST_RECORDED

    def until(self, last):
        """Tell whether this release is a tag's or an earlier one."""
        return self.index <= data("parameters")["releases"].index(last)

    def covers(self, first, last):
        """Tell whether this release is within two tags, both included."""
        known = data("parameters")["releases"]
        return known.index(first) <= self.index <= known.index(last)
