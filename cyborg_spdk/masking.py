# SPDX-License-Identifier: Apache-2.0

"""Secrets in parameters, kept out of errors, logs and everything shown."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Parameters of SPDK's methods that are, or hold, a secret: keys of
#: accel_crypto_key_create and bdev_crypto_create, the PSK of a host, CHAP
#: (iscsi_auth_group_add_secret, DH-HMAC-CHAP of releases that take the key
#: itself), passwords of OPAL disks; ``config_param`` is what librbd gets,
#: with the key of the user.
NAMES = frozenset((
    'key', 'key2', 'psk', 'psk_key', 'secret', 'secrets', 'msecret',
    'dhchap_key', 'dhchap_ctrlr_key', 'password', 'admin_password',
    'user_password', 'old_password', 'new_password', 'passphrase',
    'config_param'))
#: What stands in the place of one.
MASKED = '***'
# No parameter of SPDK is nested as deep; what is, is not looked at.
_DEEPEST = 8


def mask(value: Any, name: str | None = None, _depth: int = 0) -> Any:
    """Take the secrets out of a value.

    :param value: parameters of a call, or any part of them.
    :param name: the name of the parameter that it is, or None.
    :returns: the same without secrets, fit to be shown; what was given is
        left as it is. A secret that is None or empty shows as such.
    """
    if name is not None and name.rpartition('.')[2] in NAMES and value:
        return MASKED
    if not isinstance(value, (dict, list, tuple)):
        return value
    if _depth >= _DEEPEST:
        return '...'
    if isinstance(value, dict):
        return {key: mask(one, key if isinstance(key, str) else None,
                          _depth + 1) for key, one in value.items()}
    return [mask(one, None, _depth + 1) for one in value]


def show(value: Any, name: str | None = None) -> str:
    """The same as text, shortened if it is long.

    :param value: as for :func:`mask`.
    :param name: as for :func:`mask`.
    """
    # Only a mistake needs it.
    import reprlib
    return reprlib.repr(mask(value, name))
