# SPDX-License-Identifier: Apache-2.0

"""Which targets were reported to Cyborg, on disk, twice.

A device that is left out of a report is taken away by Cyborg, and if
somebody has something of it, the report of the whole host fails. So that
there was a device has to be known although its target is configured no more
and its own file is lost: the names stand in two files, of which one is
enough, and are read from the directory and from Placement besides.
"""

import dataclasses
import json
import os

from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files

_FILES = ('reported-targets.json', 'reported-targets-copy.json')
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Reported:
    """A target that was reported.

    :ivar kind: its kind; empty if that is not known.
    :ivar address: where it listened, as
        :func:`~cyborg_spdk.drivers.report.memory.address` spells it; empty
        if that is not known.
    """

    kind: str = ''
    address: str = ''


Targets = dict[str, Reported]


def load(directory: str) -> Targets:
    """The targets that were reported.

    :param directory: ``[spdk] state_path``.
    :returns: by name; what only one of the files has is in it.
    """
    found: Targets = {}
    for name in _FILES:
        found |= _read(os.path.join(directory, name)) or {}
    return found


def save(directory: str, targets: Targets) -> None:
    """Write both files, where they say something else.

    :param directory: ``[spdk] state_path``; it is made if it is missing.
    :param targets: by name.
    :raises StateError: if one cannot be written.
    """
    data = json.dumps({'version': _VERSION, 'targets': {
        name: dataclasses.asdict(one) for name, one in targets.items()}},
        sort_keys=True).encode()
    for name in _FILES:
        path = os.path.join(directory, name)
        if _read(path) == targets:
            continue
        trusted_files.ensure_directory(directory, what='[spdk] state_path')
        trusted_files.write_atomically(path, data, 0o640)


def _read(path: str) -> Targets | None:
    """What a file says; None for one that is lost or damaged."""
    try:
        value = json.loads((trusted_files.read(path) or b'').decode())
        if value['version'] != _VERSION:
            return None
        return {str(name): Reported(str(one['kind']), str(one['address']))
                for name, one in value['targets'].items()}
    except (exceptions.StateError, ValueError, TypeError, KeyError,
            AttributeError, RecursionError):
        return None
