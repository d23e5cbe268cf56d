# SPDX-License-Identifier: Apache-2.0

"""Keys that the target reads from files: for TLS and DH-HMAC-CHAP."""

from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


class Keyring:
    """Mixed into :class:`~cyborg_spdk.clients.BdevClient` (v24.05)."""

    def keyring_get_keys(self):
        """The keys, without what they are.

        :returns: list of :class:`~cyborg_spdk.clients.types.Key`.
        """
        return types.Key.parse_list(self._call('keyring_get_keys'))

    def _find_key(self, name):
        return next((one for one in self.keyring_get_keys()
                     if one.name == name), None)

    def keyring_file_add_key(self, name, path, *, exist_ok=False):
        """Add a key that is in a file.

        :param name: name of the key.
        :param path: absolute path on the host of the target. SPDK wants
            it to be nobody's but the owner's (mode 0600).
        :param exist_ok: do not mind if it exists with that path.
        :returns: the name.
        :raises AlreadyExists: there is a key of that name.
        :raises PermissionDenied: others can read the file.
        :raises NotFound: the file does not exist.
        """
        validate.text('key name', name)
        validate.text('path', path, 4095)
        if not path.startswith('/'):
            validate.refuse('path', path, 'give an absolute path')

        def cause(exc):
            if isinstance(exc, exceptions.NotFound):
                return type(exc), f'file {path!r} does not exist on the ' \
                    'target\'s host'
            return type(exc), f'key {name!r} in {path!r}: the file must ' \
                'belong to the target\'s user, with mode 0600'

        self._create(
            'keyring_file_add_key', f'key {name!r}',
            lambda: self._find_key(name),
            {'path': (path, lambda one: one.path)}, exist_ok, cause,
            name=name, path=path)
        return name

    def keyring_file_remove_key(self, name, *, missing_ok=False):
        """Remove a key; who uses it keeps it until done.

        :param name: its name.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        """
        validate.text('key name', name)
        return self._delete(
            'keyring_file_remove_key', f'key {name!r}',
            lambda: self._find_key(name) is None, missing_ok, name=name)
