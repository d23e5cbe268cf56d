# SPDX-License-Identifier: Apache-2.0

"""Keys that the target reads from files: for TLS and DH-HMAC-CHAP.

SPDK has the keyring since v24.05.
"""

from cyborg_spdk.clients import base
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def get_keys(client: base.Caller) -> list[types.Key]:
    """The keys, without what they are.

    :returns: list of :class:`~cyborg_spdk.clients.types.Key`.
    """
    return types.Key.parse_list(base.call(client, 'keyring_get_keys'))


def find_key(client: base.Caller, name: str) -> types.Key | None:
    """The key of that name, or None."""
    return next((key for key in get_keys(client) if key.name == name), None)


def file_add_key(client: base.Caller, name: str, path: str, *,
                 exist_ok: bool = False) -> str:
    """Add a key that is in a file.

    :param name: name of the key.
    :param path: absolute path on the host of the target. SPDK wants it to
        be nobody's but the owner's (mode 0600).
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

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        if isinstance(exc, exceptions.NotFound):
            return type(exc), f'file {path!r} does not exist on the ' \
                'target\'s host'
        return type(exc), f'key {name!r} in {path!r}: the file must ' \
            'belong to the target\'s user, with mode 0600'

    base.create(
        client, 'keyring_file_add_key', f'key {name!r}',
        lambda: find_key(client, name),
        {'path': (path, lambda key: key.path)}, exist_ok, cause,
        name=name, path=path)
    return name


def file_remove_key(client: base.Caller, name: str, *,
                    missing_ok: bool = False) -> bool:
    """Remove a key; who uses it keeps it until done.

    :param name: its name.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    """
    validate.text('key name', name)
    return base.delete(
        client, 'keyring_file_remove_key', f'key {name!r}',
        lambda: find_key(client, name) is None, missing_ok, name=name)
