# SPDX-License-Identifier: Apache-2.0

"""``accel_crypto_key_*`` (``lib/accel``): keys, kept and never used."""

import errno
import re

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry

_HEX = re.compile(r"(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{64})\Z")

# The one that the software module can (sw_accel_crypto_supports_tweak_mode).
_TWEAK_MODE = "SIMPLE_LBA"


def _keys(target):
    """The target's keys by name, in the order in which they were made."""
    return target.options.crypto_keys


@registry.method("accel_crypto_key_create")
def create(target, params, request):
    """Keep a key."""
    keys = _keys(target)
    cipher = params["cipher"]
    xts = cipher == "AES_XTS"
    given = [params["key"], params.get("key2")]
    # All that the software module can.
    good = xts and given[1] and all(map(_HEX.match, given)) \
        and len(given[0]) == len(given[1]) \
        and given[0].lower() != given[1].lower() \
        and params.get("tweak_mode", _TWEAK_MODE) == _TWEAK_MODE
    if not good or params["name"] in keys:
        number = errno.EEXIST if good else errno.EINVAL
        raise errors.invalid_params(f"failed to create DEK, rc -{number}")
    keys[params["name"]] = {
        "name": params["name"], "cipher": cipher, "key": given[0],
        "key2": given[1],
        "tweak_mode": params.get("tweak_mode", _TWEAK_MODE)}
    return True


@registry.method("accel_crypto_keys_get")
def get(target, params, request):
    """Describe one key or all."""
    keys = _keys(target)
    name = params.get("key_name")
    if name is None:
        return list(keys.values())
    if name not in keys:
        end = "\n" if target.release < 2409 else ""
        raise errors.invalid_params("key was not found" + end)
    return [keys[name]]


@registry.method("accel_crypto_key_destroy")
def destroy(target, params, request):
    """Forget a key."""
    if _keys(target).pop(params.get("key_name"), None) is None:
        raise errors.invalid_params("No key object found")
    return True
