# SPDX-License-Identifier: Apache-2.0

"""Whether a target is as this process has left it: nothing to do then.

A look asks little of a target and much of us: every object is read, compared
and written out. A service that looks every few seconds at what does not
change is to cost next to nothing, so the answers of the last look are kept by
their digest, and so is which files it left behind.
"""

import dataclasses
import os

from cyborg_spdk.desired import observe
from cyborg_spdk.desired import store

# A file's inode, time of change in nanoseconds, and size in bytes.
_Signature = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class _Left:
    """How a look has left a target of which nothing was missing.

    :ivar process: its process, for ever.
    :ivar digest: of what the target said.
    :ivar files: signatures of the files of its desired state.
    :ivar controllers: states of the paths of each NVMe controller.
    """

    process: str
    digest: bytes
    files: tuple[_Signature | None, ...]
    controllers: dict[str, list[bool]]


# By the path of the desired state.
_left: dict[str, _Left] = {}


def remember(path: str, process: str | None, digest: bytes,
             now: observe.Observation) -> None:
    """Note how a look has left a target. The lock has to be held.

    Only for a look that found all that is to be there, and made nothing.

    :param path: of the target's desired state.
    :param process: :func:`cyborg_spdk.desired.store.identity`.
    :param digest: of what the target said, as it came.
    :param now: what it was understood to say.
    """
    if process is not None:
        _left[path] = _Left(process, digest, _signatures(path),
                            now.controllers)


def forget(path: str) -> None:
    """The next look is one in full."""
    _left.pop(path, None)


def controllers(path: str, last: store.Look,
                answers: observe.Answers,
                digest: bytes) -> dict[str, list[bool]] | None:
    """What an unchanged target has for NVMe controllers.

    :param path: of the target's desired state.
    :param last: the last look at it, by whatever process of ours.
    :param answers: what the target says now.
    :param digest: theirs, as they came.
    :returns: states of the paths of each, or None if the target, what is
        to be there, or the process has changed, or may have.
    """
    left = _left.get(path)
    same = (left is not None and left.process == last.process
            # A bdev that went and came again has left notifications alone.
            and answers.events in (None, [])
            and last.cursor is not None
            and left.files == _signatures(path)
            and left.digest == digest)
    return left.controllers if same and left else None


def _signatures(path: str) -> tuple[_Signature | None, ...]:
    return tuple(_signature(one) for one in (path, store.secrets_path(path)))


def _signature(path: str) -> _Signature | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
