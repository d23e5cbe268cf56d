# SPDX-License-Identifier: Apache-2.0

"""The marks of all units for whoever looks every few seconds.

Reading thousands of small files each time costs more than all else that is
looked at; a file that has not changed is not read again.
"""

import os

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk.units.wipe import marks

# What a file is told apart by: inode, bytes, time of its last change.
_Stamp = tuple[int, int, int]


class MarksCache:
    """Marks as they were read, and are read again when they change.

    A mark is never changed in its file but by a new file in its place, so
    that another one has another inode or time. Not for what lets somebody
    in: that reads the file itself.

    :param conf: the configuration.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._known: dict[str, tuple[_Stamp, marks.Mark | None]] = {}

    def load_all(self) -> list[marks.Mark]:
        """The marks of all units of this host.

        :raises StateError: if one cannot be read.
        """
        found: dict[str, tuple[_Stamp, marks.Mark | None]] = {}
        for path, stamp in self._files():
            before = self._known.get(path)
            found[path] = before if before and before[0] == stamp else (
                stamp, marks.read_file(path))
        self._known = found
        return [mark for _stamp, mark in found.values() if mark]

    def _files(self) -> list[tuple[str, _Stamp]]:
        above = marks.path(self._conf)
        try:
            with os.scandir(above) as entries:
                return [(one.path, _stamp(one)) for one in entries
                        if one.name.endswith('.json')]
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise exceptions.StateError(
                f'{above}: cannot be read: {exc.strerror}; correct its owner '
                'or mode') from None


def _stamp(entry: os.DirEntry[str]) -> _Stamp:
    status = entry.stat(follow_symlinks=False)
    return status.st_ino, status.st_size, status.st_mtime_ns
