# SPDX-License-Identifier: Apache-2.0


"""The keyring (``lib/keyring``, ``module/keyring/file``, from v24.05 on)."""

import errno
import os

from spdk_simulator import errors


def _short(name):
    """``key`` and ``:key`` are one name, that of the global keyring."""
    return name.partition(":")[2] if ":" in name else name


def _check(path):
    """Look at a key's file, as keyring_file_check_path() does."""
    if not path.startswith("/"):
        raise errors.not_permitted()
    try:
        info = os.stat(path)
    except OSError as exc:
        raise errors.system(exc.errno) from None
    if info.st_mode & 0o077 or info.st_uid != os.getuid():
        raise errors.not_permitted()


class Keyring:
    """Keys that are in files."""

    def __init__(self):
        self._keys = {}

    def __contains__(self, name):
        return _short(name) in self._keys

    def __iter__(self):
        """What ``keyring_get_keys`` tells of each key."""
        return iter(self._keys.values())

    def get(self, name):
        """What is told of one key; None if there is none of that name."""
        return self._keys.get(_short(name))

    def add(self, name, path):
        """Add a key.

        :raises errors.CallError: the name is that of another keyring, or
            taken, or the file is not to be trusted, in this order.
        """
        if name.find(":") > 0:
            raise errors.invalid()
        if name in self:
            raise errors.exists()
        _check(path)
        self._keys[_short(name)] = {
            "name": name, "module": "keyring_file", "removed": False,
            "probed": False, "refcnt": 1, "path": path}

    def remove(self, name):
        """Remove a key.

        :raises errors.CallError: there is none of that name.
        """
        if self._keys.pop(_short(name), None) is None:
            raise errors.system(errno.ENOKEY)
