# SPDX-License-Identifier: Apache-2.0

"""Bdevs that can be told to fail."""

from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import validate

#: vbdev_error_rpc.c; ``corrupt_data`` and ``nomem`` since v22.09,
#: ``nvme_failure`` since v26.05.
IO_TYPES = ('clear', 'read', 'write', 'unmap', 'flush', 'all')
ERROR_TYPES = ('failure', 'pending', 'corrupt_data', 'nomem', 'nvme_failure')


def create(client: base.Caller, base_name: str, *, exist_ok: bool = False,
           deferred: bool = False, **options: Any) -> str:
    """Create a bdev that can be told to fail.

    :param base_name: the bdev that it stands on and claims.
    :param exist_ok: do not mind if there is one on that base.
    :param deferred: do not mind if the base does not exist: SPDK then
        creates the error bdev when the base appears.
    :param options: others that the release has: uuid.
    :returns: its name, ``EE_`` and that of the base.
    :raises NotFound: the base does not exist.
    :raises PermissionDenied: another module has claimed the base.
    """
    name = 'EE_' + validate.text('bdev', base_name)
    method = 'bdev_error_create'
    below = bdevs.base_bdev(client, method, base_name, deferred)
    base.create(
        client, method, f'bdev {name!r}', lambda: bdevs.find(client, name),
        {'base': (below and (below.name,), lambda bdev: bdev.bases)},
        exist_ok, lambda _exc: claims.claimed(client, base_name),
        base_name=base_name, **options)
    return name


def inject_error(client: base.Caller, name: str, io_type: str,
                 error_type: str, *, num: int = 1, **options: Any) -> bool:
    """Make an error bdev fail.

    :param name: the error bdev, ``EE_...``.
    :param io_type: one of :data:`IO_TYPES`; ``clear`` ends it all.
    :param error_type: one of :data:`ERROR_TYPES`; ``corrupt_data`` needs a
        ``corrupt_value`` from 1 to 255.
    :param num: how many operations are to fail.
    :param options: others that the release has: queue_depth,
        corrupt_offset, corrupt_value, nvme_sct, nvme_sc.
    :returns: True.
    :raises NotFound: there is no error bdev of that name.
    """
    validate.text('bdev', name)
    io_type = validate.choice('io_type', io_type, IO_TYPES)
    error_type = validate.choice('error_type', error_type, ERROR_TYPES)
    validate.integer('num', num, 1, 2 ** 32 - 1)
    # vbdev_error.c: other bytes stay what they are.
    if error_type == 'corrupt_data' and io_type != 'clear':
        validate.integer('corrupt_value', options.get('corrupt_value'), 1,
                         255)
    method = 'bdev_error_inject_error'
    wrong = bdevs.not_of_kind(client, name, 'error')
    if wrong:
        raise errors.missing(method, {'name': name}, wrong[1])
    return base.act(client, method, name=name, io_type=io_type,
                    error_type=error_type, num=num,
                    _about=f'error bdev {name!r}, {error_type}', **options)
