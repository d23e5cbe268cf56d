# SPDX-License-Identifier: Apache-2.0

"""NVMe bdevs: namespaces of NVMe controllers, and the paths to them."""

from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: schema.json, bdev_nvme_multipath_policy and bdev_nvme_multipath_selector.
POLICIES = ('active_passive', 'active_active')
SELECTORS = ('round_robin', 'queue_depth')


def get_io_paths(client: base.Caller,
                 name: str | None = None) -> list[reported.Json]:
    """The I/O paths of NVMe bdevs (v22.05).

    :param name: the only bdev wanted; None means all.
    :returns: list of dict: ``bdev_name``, ``cntlid``, ``current``,
        ``connected``, ``accessible``, ``transport``.
    :raises NotFound: the bdev does not exist.
    """
    if name is not None:
        validate.text('bdev', name)
        # A bdev of another module has no paths, which is no error.
        bdevs.get(client, name)
    reply = base.call(client, 'bdev_nvme_get_io_paths', name=name,
                      _about=f'bdev {name!r}')
    return [path for group in reply.get('poll_groups', ())
            for path in group.get('io_paths', ())]


def set_preferred_path(client: base.Caller, name: str, cntlid: int) -> bool:
    """Prefer a path of an NVMe bdev (v22.05).

    :param name: the bdev.
    :param cntlid: number of the controller that is preferred.
    :returns: True.
    :raises NotFound: no such bdev or controller.
    """
    validate.integer('cntlid', cntlid, 0, 65535)
    return _act(client, 'bdev_nvme_set_preferred_path', name, cntlid=cntlid)


def set_multipath_policy(client: base.Caller, name: str, policy: str, *,
                         selector: str | None = None,
                         rr_min_io: int | None = None) -> bool:
    """Set how an NVMe bdev uses its paths (v22.05).

    :param name: the bdev.
    :param policy: one of :data:`POLICIES`.
    :param selector: one of :data:`SELECTORS` (v23.01).
    :param rr_min_io: operations before the next path (v23.01).
    :returns: True.
    :raises NotFound: no such bdev.
    """
    policy = validate.choice('policy', policy, POLICIES)
    if selector is not None:
        selector = validate.choice('selector', selector, SELECTORS)
    return _act(client, 'bdev_nvme_set_multipath_policy', name,
                policy=policy, selector=selector, rr_min_io=rr_min_io)


def _act(client: base.Caller, method: str, name: str, /,
         **params: Any) -> bool:
    validate.text('bdev', name)

    def cause(exc: exceptions.RpcError) -> errors.Finding:
        return bdevs.not_of_kind(client, name, 'nvme') or (
            type(exc), f'bdev {name!r} has no such path, or cannot do that')

    return base.act(client, method, name=name, **params,
                    _about=f'NVMe bdev {name!r}', _cause=cause)
